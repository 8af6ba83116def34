"""The ledger as its users see it: commit facts with their writes, append to logs, read, prove.

``commit`` is the only way in which authoritative state changes anywhere in Chainward.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from chainward.kernel.problem import Problem
from chainward.ledger import read
from chainward.ledger.model import SALT_SIZE, Draft, Unit
from chainward.ledger.prove import Prover

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from chainward.formats.tile import EntriesPath, TilePath
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.identity import Context
    from chainward.ledger.model import FactBody, LogHead, Receipt, Recorded, Write
    from chainward.ledger.ports import AuditView, LedgerStore, LogView
    from chainward.ledger.read import Consistency, Inclusion

__all__ = ["Ledger"]


class Ledger:
    """Facts, writes and logs over one store. Thread-safe.

    The reading methods open a snapshot each; who reads several things that must agree opens one :meth:`view` and uses
    the functions of :mod:`chainward.ledger.read`.
    """

    def __init__(self, store: LedgerStore, entropy: Entropy) -> None:
        self._store = store
        self._entropy = entropy
        self.prover = Prover()

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
            LedgerClosed: when the platform is shutting down.
        """
        drafts = tuple(Draft(body, context, occurred_at, self._entropy.bytes(SALT_SIZE)) for body in facts)
        return self._store.append(Unit(drafts, tuple(entries), tuple(writes)))

    def append_entries(self, origin: str, entries: Sequence[bytes]) -> Receipt:
        """Append entries to a log other than the facts log; durable when this returns."""
        return self._store.append(Unit(entries=tuple((origin, entry) for entry in entries)))

    def append_once(self, origin: str, entry: bytes) -> Receipt:
        """Append an entry, unless the log has it; durable when this returns, and :meth:`proof_of` proves it.

        Raises:
            LogUnknown, LogFrozen, LogReserved, EntryTooLarge: the log does not take it.
            CommitUncertain, LedgerClosed, LedgerBusy: it was not, or perhaps not, made durable.
        """
        waiting: Future[Receipt | Problem] = Future()
        self.submit_once(origin, entry, waiting.set_result)
        answer = waiting.result()
        if isinstance(answer, Problem):
            raise answer
        return answer

    def submit_once(self, origin: str, entry: bytes, done: Callable[[Receipt | Problem], None]) -> None:
        """Begin :meth:`append_once`; ``done`` hears in a thread of the store what became of it, for :meth:`proof_of`.

        Many entries that are on their way together share one durable write. Raises LedgerBusy or LedgerClosed at once.
        """
        self._store.submit(Unit(entries=((origin, entry),), once=True, patient=True), done)

    def proof_of(self, origin: str, receipt: Receipt) -> Inclusion:
        """Prove the one entry of a commit, also if it was there before."""
        (index,) = receipt.entries
        grown = receipt.grown.get(origin)
        if grown is not None and index >= grown.first:
            return grown.inclusion(index)
        return self.inclusion(origin, index)

    def view(self) -> AbstractContextManager[LogView]:
        """Open a consistent snapshot of facts and logs."""
        return self._store.view()

    def inspect(self) -> AbstractContextManager[AuditView]:
        """Open a consistent snapshot for :func:`chainward.ledger.audit.audit`."""
        return self._store.inspect()

    def notify(self, wake: threading.Event) -> None:
        """Set ``wake`` after every commit of this process that has facts."""
        self._store.notify(wake)

    def close(self) -> None:
        """Finish what was handed in, then take nothing more; reading goes on."""
        self._store.close()

    def fact(self, index: int) -> Recorded:
        """Return one fact; raises FactUnknown."""
        with self._store.view() as view:
            return read.fact(view, index)

    def facts(self, after: int = -1, limit: int = 100, schemas: frozenset[str] | None = None) -> Sequence[Recorded]:
        """Return facts with an index above ``after``, in order."""
        with self._store.view() as view:
            return view.facts(after, limit, schemas)

    def logs(self) -> Sequence[LogHead]:
        """Return the newest head of every log."""
        with self._store.view() as view:
            return view.heads()

    def head(self, origin: str) -> LogHead:
        """Return the newest head of a log; raises LogUnknown."""
        return self._store.tiles.head(origin)

    def checkpoint(self, origin: str) -> bytes:
        """Return the newest signed checkpoint of a log; raises LogUnknown."""
        return self._store.tiles.head(origin).checkpoint

    def inclusion(self, origin: str, index: int, size: int | None = None) -> Inclusion:
        """Return the proof that leaf ``index`` is in the tree of ``size`` leaves (the newest, if not given)."""
        return read.inclusion(self._store.tiles, self.prover, origin, index, size)

    def consistency(self, origin: str, size1: int, size2: int | None = None) -> Consistency:
        """Return the proof that the tree of ``size1`` leaves is a prefix of that of ``size2`` leaves."""
        return read.consistency(self._store.tiles, self.prover, origin, size1, size2)

    def tile(self, origin: str, path: TilePath) -> bytes:
        """Return a tile as C2SP tlog-tiles serves it; raises OutOfRange."""
        return read.tile(self._store.tiles, origin, path)

    def entries(self, origin: str, path: EntriesPath) -> bytes:
        """Return an entry bundle as C2SP tlog-tiles serves it; raises OutOfRange."""
        with self._store.view() as view:
            return read.entries(view, origin, path)
