"""Refusing what was revoked, and stating the first refusal on each path as a fact.

The fact is durable before the refusal is answered, so that the time from a revocation to its first effect on every path
can be shown later. Refusals after the first write nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.registry.errors import ArtifactRevoked, StateMoved
from chainward.registry.facts import RevocationEnforced
from chainward.registry.writes import NoteEnforcement

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.registry.model import RefusalPath, Revocation
    from chainward.registry.ports import RegistryStore

__all__ = ["Refusals"]

_MILLISECOND: Final = timedelta(milliseconds=1)


class Refusals:
    """Turns a revocation into a refusal. Thread-safe."""

    def __init__(self, store: RegistryStore, ledger: Ledger, clock: Clock) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock

    def refuse(
        self, revocation: Revocation, refused: Digest, repository: RepositoryName, path: RefusalPath, context: Context
    ) -> ArtifactRevoked:
        """Return the problem to raise, after the first refusal on this path became a fact."""
        with self._store.view() as view:
            noted = view.is_noted(revocation, path)
        if not noted:
            self._note(revocation, refused, repository, path, context)
        return ArtifactRevoked(revocation, refused)

    def _note(
        self, revocation: Revocation, refused: Digest, repository: RepositoryName, path: RefusalPath, context: Context
    ) -> None:
        waited = max(self._clock.now() - revocation.revoked_at, timedelta())
        fact = RevocationEnforced(
            repository=str(repository),
            digest=str(revocation.digest),
            refused=str(refused),
            path=path.value,
            after_ms=waited // _MILLISECOND,
        )
        try:
            self._ledger.commit((fact,), (NoteEnforcement(revocation, path),), context=context)
        except StateMoved:
            return  # another request was first; its fact stands
