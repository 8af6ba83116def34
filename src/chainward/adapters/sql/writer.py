"""The one writer of the authoritative database: group commit of facts, writes and log growth.

Callers hand in units and block. One thread takes all units that wait, carries their writes out (each behind its own
savepoint, so that a refused unit does not take the others with it), gives indices to their facts, extends the Merkle
trees, signs the new checkpoints, and commits once. An answer is given only after that commit returned, which with
``synchronous=FULL`` or ``synchronous_commit=on`` means it survives a power loss.

On PostgreSQL several replicas may write: the rows of ``log_head`` are locked for the batch, and a frontier that another
replica has moved is read again. So there is one order and no fork.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from chainward.adapters.sql import ledger as statements
from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.kernel.problem import Problem
from chainward.ledger.errors import CommitUncertain, LedgerClosed, LogUnknown
from chainward.ledger.model import Receipt, commitment, envelope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.kernel.instant import Clock
    from chainward.ledger.frontier import Frontier
    from chainward.ledger.model import Unit, Write
    from chainward.ledger.ports import CheckpointSigner

__all__ = ["Handler", "Scope", "Writer"]

_BATCH = 512
_QUEUE = 8192


@dataclass(frozen=True, slots=True)
class Scope:
    """What a write handler works in: the open transaction, the instant of the batch, and where its unit's facts go."""

    connection: Connection
    now: datetime
    fact_index: int
    dialect_name: str


if TYPE_CHECKING:
    Handler = Callable[[Scope, Any], None]


@dataclass(slots=True)
class _Pending:
    unit: Unit
    future: Future[Receipt]


@dataclass(slots=True)
class _Batch:
    """The state of one transaction while it is put together."""

    now: datetime
    frontiers: dict[str, Frontier]
    facts: list[dict[str, object]] = field(default_factory=list)
    entries: dict[str, list[bytes]] = field(default_factory=dict)
    accepted: list[tuple[_Pending, Receipt]] = field(default_factory=list)
    refused: list[tuple[_Pending, Problem]] = field(default_factory=list)

    def next_index(self, origin: str) -> int:
        return self.frontiers[origin].size + len(self.entries.get(origin, ()))


class Writer:
    """Makes units durable, many callers at a time; ``append`` may be called from any thread."""

    def __init__(
        self,
        database: Database,
        signers: Sequence[CheckpointSigner],
        facts_origin: str,
        handlers: Mapping[type[Write], Handler],
        clock: Clock,
    ) -> None:
        self._database = database
        self._signers = {signer.origin: signer for signer in signers}
        self._facts_origin = facts_origin
        self._handlers = handlers
        self._clock = clock
        self._queue: queue.Queue[_Pending | None] = queue.Queue(_QUEUE)
        self._frontiers: dict[str, Frontier] = {}
        self._last: datetime | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="chainward-writer", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    def append(self, unit: Unit) -> Receipt:
        """Make ``unit`` durable; see LedgerStore."""
        pending = _Pending(unit, Future())
        with self._lock:
            if self._closed:
                raise LedgerClosed("the ledger is shutting down")
            self._queue.put(pending)
        return pending.future.result()

    def close(self) -> None:
        """Finish what was handed in, then stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            stop, batch = self._gather(first)
            self._write(batch)
            if stop:
                return

    def _gather(self, first: _Pending) -> tuple[bool, list[_Pending]]:
        batch = [first]
        while len(batch) < _BATCH:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return True, batch
            batch.append(item)
        return False, batch

    def _write(self, pending: list[_Pending]) -> None:
        """Carry a batch out and answer every caller of it, whatever happens."""
        try:
            batch = self._transact(pending)
        except Problem as problem:
            _fail(pending, problem)
        except SQLAlchemyError as error:
            _fail(pending, DatabaseUnavailable(f"the database refused the batch: {type(error).__name__}"), error)
        except BaseException as error:
            _fail(pending, CommitUncertain("the writer failed in the middle of a batch"), error)
            raise
        else:
            for item, receipt in batch.accepted:
                item.future.set_result(receipt)
            for item, problem in batch.refused:
                item.future.set_exception(problem)

    def _transact(self, pending: list[_Pending]) -> _Batch:
        committing = False
        try:
            with self._database.writer.connect() as connection:
                transaction = connection.begin()
                batch = _Batch(self._now(), self._load(connection))
                for item in pending:
                    self._admit(connection, batch, item, alone=len(pending) == 1)
                self._grow(connection, batch)
                committing = True
                transaction.commit()
        except BaseException as error:
            self._frontiers = {}
            if committing:
                raise CommitUncertain("the store failed while it made a batch durable") from error
            raise
        self._frontiers = batch.frontiers
        return batch

    def _now(self) -> datetime:
        now = self._clock.now()
        self._last = now if self._last is None or now > self._last else self._last
        return self._last

    def _load(self, connection: Connection) -> dict[str, Frontier]:
        """Lock the heads and return a private copy of every frontier, read anew where it is unknown or was moved."""
        frontiers: dict[str, Frontier] = {}
        for origin, size in statements.lock_heads(connection):
            known = self._frontiers.get(origin)
            if known is None or known.size != size:
                known = statements.load_frontier(connection, origin, size)
            frontiers[origin] = known.copy()
        return frontiers

    def _admit(self, connection: Connection, batch: _Batch, item: _Pending, *, alone: bool) -> None:
        """Carry out one unit; a Problem refuses this unit alone."""
        index = batch.next_index(self._facts_origin)
        scope = Scope(connection, batch.now, index, self._database.dialect_name)
        try:
            facts, receipt = self._prepare(batch, item.unit, index)
            if item.unit.writes:
                self._apply(scope, item.unit, alone=alone)
        except Problem as problem:
            if alone:
                raise
            batch.refused.append((item, problem))
            return
        batch.facts.extend(facts)
        for row in facts:
            batch.entries.setdefault(self._facts_origin, []).append(
                commitment(row["salt"], row["envelope"])  # type: ignore[arg-type]  # both are bytes in this row
            )
        for origin, entry in item.unit.entries:
            batch.entries.setdefault(origin, []).append(entry)
        batch.accepted.append((item, receipt))

    def _prepare(self, batch: _Batch, unit: Unit, index: int) -> tuple[list[dict[str, object]], Receipt]:
        facts: list[dict[str, object]] = []
        for offset, draft in enumerate(unit.facts):
            facts.append(
                {
                    "idx": index + offset,
                    "schema": draft.body.schema,
                    "recorded_at": batch.now,
                    "envelope": envelope_of(draft, batch.now),
                    "salt": draft.salt,
                }
            )
        positions: list[int] = []
        ahead: dict[str, int] = {}
        for origin, _ in unit.entries:
            if origin not in self._signers or origin not in batch.frontiers:
                raise LogUnknown(f"there is no log {origin} to append to")
            offset = ahead.get(origin, 0)
            positions.append(batch.next_index(origin) + offset)
            ahead[origin] = offset + 1
        return facts, Receipt(tuple(range(index, index + len(facts))), tuple(positions), batch.now)

    def _apply(self, scope: Scope, unit: Unit, *, alone: bool) -> None:
        if alone:
            self._carry_out(scope, unit)
            return
        with scope.connection.begin_nested():
            self._carry_out(scope, unit)

    def _carry_out(self, scope: Scope, unit: Unit) -> None:
        for write in unit.writes:
            self._handlers[type(write)](scope, write)

    def _grow(self, connection: Connection, batch: _Batch) -> None:
        """Insert the facts, extend every log that got entries, and sign its new checkpoint."""
        statements.insert_facts(connection, batch.facts)
        for origin, entries in batch.entries.items():
            frontier = batch.frontiers[origin]
            start = frontier.size
            hashes, tiles = frontier.append(entries)
            root = frontier.root()
            checkpoint = self._signers[origin].sign(frontier.size, root)
            statements.insert_leaves(connection, origin, start, entries, hashes)
            statements.store_tiles(connection, origin, tiles)
            statements.move_head(connection, origin, start, frontier.size, root, checkpoint, batch.now)


def _fail(pending: list[_Pending], problem: Problem, cause: BaseException | None = None) -> None:
    problem.__cause__ = cause
    for item in pending:
        if not item.future.done():
            item.future.set_exception(problem)
