"""The one place where ports meet adapters: from a :class:`~chainward.config.Config` to a running :class:`Platform`.

:func:`initialise` makes a new platform, :func:`open_platform` starts one, :func:`remote` gives the client's view of one
that runs elsewhere. Everything is built by constructor and handed down; nothing is global, so a test may run several
platforms in one process. Imports stand inside the functions, so that a client does not load what only a server needs.
"""

from __future__ import annotations

from chainward.wiring.initialise import furnish, initialise, open_platform, rebuild, remote
from chainward.wiring.platform import Platform

__all__ = ["Platform", "furnish", "initialise", "open_platform", "rebuild", "remote"]
