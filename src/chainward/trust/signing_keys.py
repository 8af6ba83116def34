"""The opened keys of authorities: who signs in the name of which instance, and the checkpoints of which log.

In: the store of authorities and the vault that opens their keys. Out: signers, opened once and then kept. The writer of
the ledger asks here who signs the checkpoints of a log (CheckpointSigners), also of one that another replica opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.ledger.checkpoint import NoteSigner
from chainward.ledger.errors import LogUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.keys.ports import DigestSigner
    from chainward.ledger.ports import CheckpointSigner
    from chainward.trust.ports import AuthorityStore, KeyVault

__all__ = ["AuthoritySigners"]


class AuthoritySigners:
    """Signers by the name of their authority, and by the origin of their log. Thread-safe.

    ``others`` sign the logs that belong to no authority, such as that of the facts.
    """

    def __init__(self, store: AuthorityStore, vault: KeyVault, others: Iterable[CheckpointSigner] = ()) -> None:
        self.vault = vault
        self._store = store
        self._others = {signer.origin: signer for signer in others}
        self._opened: dict[str, DigestSigner] = {}

    def signer(self, name: str) -> DigestSigner:
        """Return the signer of an authority.

        Raises:
            AuthorityUnknown: there is no such authority.
            KeySealed: its key does not open here.
        """
        opened = self._opened.get(name)
        if opened is None:
            authority = self._store.snapshot().named(name)
            opened = self.vault.open(name, self._store.kept_key(name), authority.public_key)
            self._opened[name] = opened
        return opened

    def signer_of(self, origin: str) -> CheckpointSigner:
        """Return who signs the checkpoints of the log ``origin``.

        Raises:
            LogUnknown: no authority has that origin.
            KeySealed: its key does not open here.
        """
        if origin in self._others:
            return self._others[origin]
        authority = self._store.snapshot().of_origin(origin)
        if authority is None:
            raise LogUnknown(f"nobody signs checkpoints of a log {origin}")
        return NoteSigner(origin, self.signer(authority.name))
