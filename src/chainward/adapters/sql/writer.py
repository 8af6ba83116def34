"""The one writer of the authoritative database: group commit of facts, writes and log growth.

Callers hand in units and block. One thread takes all units that wait, carries their writes out, gives indices to their
facts, extends the Merkle trees, signs the new checkpoints (:mod:`chainward.adapters.sql.batch`), and commits once. An
answer is given only after that commit returned, which with ``synchronous=FULL`` or ``synchronous_commit=on`` means it
survives a power loss. While one batch is being made durable the next one gathers, so many callers share one sync.

On PostgreSQL several replicas may write: the rows of ``log_head`` are locked for the batch, and a frontier that another
replica has moved is read again. So there is one order and no fork.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from chainward.adapters.sql import growth
from chainward.adapters.sql.batch import OWN_HANDLERS, Batch, Handler, Rules, Scope
from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.kernel.problem import Problem
from chainward.ledger.errors import CommitUncertain, LedgerClosed, WriteFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, RootTransaction

    from chainward.adapters.sql.database import Database
    from chainward.kernel.instant import Clock
    from chainward.ledger.frontier import Frontier
    from chainward.ledger.model import Receipt, Unit, Write
    from chainward.ledger.ports import CheckpointSigner

__all__ = ["Handler", "Scope", "Writer"]

_BATCH = 512


@dataclass(frozen=True, slots=True)
class _Pending:
    unit: Unit
    future: Future[Receipt]


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
        self._rules = Rules({signer.origin: signer for signer in signers}, facts_origin, {**OWN_HANDLERS, **handlers})
        self._clock = clock
        self._frontiers: dict[str, Frontier] = {}
        self._latest: datetime | None = None
        self._wakes: tuple[threading.Event, ...] = ()
        self._waiting: deque[_Pending] = deque()
        self._open = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="chainward-writer", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._open = True
        self._thread.start()

    def append(self, unit: Unit) -> Receipt:
        """Make ``unit`` durable; see LedgerStore."""
        if threading.current_thread() is self._thread:
            raise WriteFailed("a write handler must not commit: it would wait for itself")
        pending = _Pending(unit, Future())
        with self._changed:
            if not self._open:
                raise LedgerClosed("the ledger takes nothing: it is not open")
            self._waiting.append(pending)
            self._changed.notify()
        return pending.future.result()

    def notify(self, wake: threading.Event) -> None:
        """Set ``wake`` after every commit from now on."""
        with self._changed:
            self._wakes = (*self._wakes, wake)

    def close(self) -> None:
        """Finish what was handed in, then stop; a second call waits for the first."""
        with self._changed:
            self._open = False
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while batch := self._gather():
            self._write(batch)

    def _gather(self) -> list[_Pending]:
        """Wait for units and take them; nothing means that the ledger was closed and is drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _write(self, batch: list[_Pending]) -> None:
        """Carry a batch out and answer every caller of it, whatever happens."""
        try:
            answers = self._transact(batch)
        except BaseException as error:  # noqa: BLE001 - the thread outlives every error; each caller gets an answer
            problem = _problem_of(error)
            answers = [problem] * len(batch)
        for item, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Problem):
                item.future.set_exception(_own(answer))
            else:
                item.future.set_result(answer)
        for wake in self._wakes:
            wake.set()

    def _transact(self, pending: list[_Pending]) -> list[Receipt | Problem]:
        with self._database.writer.connect() as connection:
            transaction = connection.begin()
            batch = self._open_batch(connection, pending)
            answers = [_admit(batch, item.unit) for item in pending]
            if all(isinstance(answer, Problem) for answer in answers):
                transaction.rollback()
                return answers
            batch.grow()
            try:
                self._commit(transaction)
            except BaseException as error:
                self._frontiers = {}
                connection.invalidate()
                raise CommitUncertain("the store failed while it made a batch durable") from error
            self._frontiers |= batch.frontiers
            self._latest = batch.now
        return answers

    def _commit(self, transaction: RootTransaction) -> None:
        """Make the transaction durable; tests of faults begin here."""
        transaction.commit()

    def _open_batch(self, connection: Connection, pending: Sequence[_Pending]) -> Batch:
        """Lock the heads, read every frontier anew that is unknown or was moved, and fix the instant.

        The instant never goes back, not over restarts and not between replicas: the heads remember the latest. Where
        this is the only writer (SQLite), and has fixed an instant before, writes without facts need no heads.
        """
        alone = len(pending) == 1
        grows = any(item.unit.facts or item.unit.entries for item in pending)
        if not grows and self._latest is not None and connection.dialect.name == "sqlite":
            return Batch(connection, self._rules, max(self._clock.now(), self._latest), {}, {}, alone=alone)
        heads = {head.origin: head for head in growth.lock_heads(connection)}
        frontiers = {origin: self._frontier(connection, head) for origin, head in heads.items()}
        instants = [head.moved_at for head in heads.values()]
        if self._latest is not None:
            instants.append(self._latest)
        return Batch(connection, self._rules, max((self._clock.now(), *instants)), heads, frontiers, alone=alone)

    def _frontier(self, connection: Connection, head: growth.Head) -> Frontier:
        known = self._frontiers.get(head.origin)
        if known is None or known.size != head.size or known.root() != head.root:
            return growth.load_frontier(connection, head)
        return known


def _admit(batch: Batch, unit: Unit) -> Receipt | Problem:
    try:
        return batch.admit(unit)
    except Problem as problem:
        return problem


def _problem_of(error: BaseException) -> Problem:
    if isinstance(error, Problem):
        return error
    problem: Problem
    if isinstance(error, SQLAlchemyError):
        problem = DatabaseUnavailable(f"the database did not take the batch: {type(error).__name__}")
    else:
        problem = WriteFailed(f"the batch failed with {type(error).__name__}")
    problem.__cause__ = error
    return problem


def _own(problem: Problem) -> Problem:
    """Return a copy for one caller: an exception that several threads raise would mix their tracebacks.

    The constructor is passed by, because each type of problem takes other arguments.
    """
    own = type(problem).__new__(type(problem), *problem.args)
    own.__dict__.update(problem.__dict__)
    own.__cause__ = problem.__cause__
    return own
