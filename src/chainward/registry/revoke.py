"""Revoking a digest: from the answer on, no request hands it out and no gate lets it through.

A digest may be that of a manifest, of an index or of a blob, and need not be known yet. The revocation commits together
with its fact and is read in the snapshot of every request; there is no cache to be emptied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.registry.errors import RevocationInvalid, StateMoved
from chainward.registry.facts import Revoked
from chainward.registry.model import Revocation
from chainward.registry.writes import Revoke

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.registry.ports import RegistryStore

__all__ = ["MAX_REASON", "Revoker"]

MAX_REASON: Final = 2000


class Revoker:
    """Revokes. Thread-safe. Whether the caller may is asked by the face."""

    def __init__(self, store: RegistryStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def revoke(
        self, digest: Digest, reason: str, context: Context, *, repository: RepositoryName | None = None
    ) -> Revocation:
        """Revoke ``digest`` in one repository or (None) everywhere, and return the revocation.

        Revoking what is revoked changes nothing and returns the first revocation.

        Raises:
            RevocationInvalid: the reason is empty or too long, or holds a NUL.
        """
        reason = reason.strip()
        if not 1 <= len(reason) <= MAX_REASON:
            raise RevocationInvalid(f"a reason has 1 to {MAX_REASON} characters, this one has {len(reason)}")
        if "\x00" in reason:
            raise RevocationInvalid("a reason is text, without a NUL character")
        known = self._known(digest, repository)
        if known is not None:
            return known
        fact = Revoked(digest=str(digest), repository=str(repository) if repository else None, reason=reason)
        write = Revoke(digest, repository, reason, context.actor.name)
        try:
            receipt = self._ledger.commit((fact,), (write,), context=context)
        except StateMoved:
            known = self._known(digest, repository)
            if known is None:
                raise
            return known
        return Revocation(digest, repository, reason, context.actor.name, receipt.recorded_at, receipt.facts[0])

    def revocations(self, after: int = -1, limit: int = 100) -> Sequence[Revocation]:
        """Return revocations in the order of their facts, beginning after the fact index ``after``."""
        with self._store.view() as view:
            return view.revocations(after, limit)

    def _known(self, digest: Digest, repository: RepositoryName | None) -> Revocation | None:
        with self._store.view() as view:
            return view.revocation(digest, repository)
