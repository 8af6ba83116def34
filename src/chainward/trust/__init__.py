"""Who signed this, and do we believe it.

A bundle goes into :mod:`chainward.trust.verify` and comes out as a verified value, or a coded Problem says what is
wrong with it and what to do; no network is ever asked. What is believed stands in a
:class:`~chainward.trust.model.TrustRoot`: signing keys with their scope, and logs. :mod:`chainward.trust.sign` makes
bundles, :mod:`chainward.trust.rekor` is the log's side of it, :mod:`chainward.trust.signers` changes the root.
"""

from __future__ import annotations

__all__: list[str] = []
