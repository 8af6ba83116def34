"""Where a package comes from when it is not a registry: an address that may be shown to everybody.

Lock files keep the address as it was typed, a token in it included; an inventory is handed out. Who clones over HTTP
needs no name in the address; over SSH the name belongs to it, a password never does.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["public"]

_OVER_HTTP: Final = re.compile(r"\A((?:[a-z]+\+)?https?://)[^/?#]*@", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"\A([^/?#]*://[^/:@?#]*):[^/?#]*@")


def public(address: str) -> str:
    """Return ``address`` without credentials.

    >>> public("git+https://me:token@git.example/a"), public("git+ssh://git:pw@git.example/a")
    ('git+https://git.example/a', 'git+ssh://git@git.example/a')
    """
    return _PASSWORD.sub(r"\1@", _OVER_HTTP.sub(r"\1", address))
