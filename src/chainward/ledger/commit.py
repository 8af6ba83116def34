"""The ledger as its users see it: commit facts with their writes, append to logs, read, prove.

``commit`` is the only way in which authoritative state changes anywhere in Chainward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.ledger.errors import FactUnknown
from chainward.ledger.model import Draft, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from chainward.kernel.entropy import Entropy
    from chainward.kernel.identity import Context
    from chainward.ledger.model import FactBody, Receipt, Recorded, Write
    from chainward.ledger.ports import LedgerStore, LogView

__all__ = ["Ledger"]

_SALT_SIZE = 32


class Ledger:
    """Facts, writes and logs over one store. Thread-safe."""

    def __init__(self, store: LedgerStore, entropy: Entropy) -> None:
        self._store = store
        self._entropy = entropy

    def commit(
        self,
        facts: Sequence[FactBody] = (),
        writes: Sequence[Write] = (),
        *,
        context: Context,
        entries: Sequence[tuple[str, bytes]] = (),
        occurred_at: datetime | None = None,
    ) -> Receipt:
        """Make facts, writes and log entries durable together and return where they stand.

        ``occurred_at`` is when it happened, if that was earlier than now. A Problem raised by a write is passed on, and
        then nothing of this call exists.

        Raises:
            FactTooLarge: when a fact exceeds 16 KiB.
            CommitUncertain: when the store failed in the middle of making it durable.
        """
        drafts = tuple(Draft(body, context, occurred_at, self._entropy.bytes(_SALT_SIZE)) for body in facts)
        return self._store.append(Unit(drafts, tuple(entries), tuple(writes)))

    def view(self) -> AbstractContextManager[LogView]:
        """Open a consistent snapshot of facts and logs."""
        return self._store.view()

    def fact(self, index: int) -> Recorded:
        """Return one fact; raises FactUnknown."""
        with self._store.view() as view:
            found = view.facts(index - 1, 1)
        if not found or found[0].index != index:
            raise FactUnknown(f"there is no fact {index}")
        return found[0]
