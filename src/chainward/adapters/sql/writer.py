"""The one writer of the authoritative database: group commit of facts, writes and log growth.

Callers hand in units and block. One thread takes all units that wait, carries their writes out, gives indices to their
facts, extends the Merkle trees, signs the new checkpoints (:mod:`chainward.adapters.sql.batch`), and commits once. An
answer is given only after that commit returned, which with ``synchronous=FULL`` or ``synchronous_commit=on`` means it
survives a power loss. While one batch is being made durable the next one gathers, so many callers share one sync.
Patient units come behind the others, and when many are on their way they wait a few milliseconds for each other.

On PostgreSQL several replicas may write: the rows of ``log_head`` are locked for the batch, and a frontier that another
replica has moved is read again. So there is one order and no fork.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from chainward.adapters.sql import growth
from chainward.adapters.sql.batch import OWN_HANDLERS, Batch, Handler, Rules, Scope, Signers
from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.kernel.problem import Problem
from chainward.ledger.errors import CommitUncertain, LedgerBusy, LedgerClosed, WriteFailed
from chainward.ledger.logs import FreezeLog, OpenLog
from chainward.ledger.model import Receipt
from chainward.ledger.proofs import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, RootTransaction

    from chainward.adapters.sql.database import Database
    from chainward.kernel.instant import Clock
    from chainward.ledger.frontier import Frontier
    from chainward.ledger.model import Unit, Write
    from chainward.ledger.ports import CheckpointSigners

__all__ = ["Handler", "Scope", "Writer"]

_BATCH: Final = 512
_QUEUE: Final = 4096  # patient units that may wait; more would not be durable before their clients give up
_SHARE: Final = 128  # patient units that are worth a durable write of their own
_SHARE_SECONDS: Final = 0.02  # the longest that patient units wait for each other


@dataclass(frozen=True, slots=True)
class _Pending:
    unit: Unit
    done: Callable[[Receipt | Problem], None]


class Writer:
    """Makes units durable, many callers at a time; ``append`` may be called from any thread."""

    def __init__(
        self,
        database: Database,
        signers: CheckpointSigners,
        facts_origin: str,
        handlers: Mapping[type[Write], Handler],
        clock: Clock,
    ) -> None:
        self._database = database
        self._signers = Signers(signers)
        self._rules = Rules(self._signers, facts_origin, {**OWN_HANDLERS, **handlers})
        self._clock = clock
        self._frontiers: dict[str, Frontier] = {}
        self._latest: datetime | None = None
        self._wakes: tuple[threading.Event, ...] = ()
        self._waiting: deque[_Pending] = deque()
        self._patient: deque[_Pending] = deque()
        self._crowded = False
        self._open = False
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.Thread(target=self._run, name="chainward-writer", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._open = True
        self._thread.start()

    def append(self, unit: Unit) -> Receipt:
        """Make ``unit`` durable; see LedgerStore."""
        if threading.current_thread() is self._thread:
            raise WriteFailed("a write handler must not commit: it would wait for itself")
        future: Future[Receipt | Problem] = Future()
        self.submit(unit, future.set_result)
        answer = future.result()
        if isinstance(answer, Problem):
            raise answer
        return answer

    def submit(self, unit: Unit, done: Callable[[Receipt | Problem], None]) -> None:
        """Begin to make ``unit`` durable; see LedgerStore."""
        queue = self._patient if unit.patient else self._waiting
        with self._changed:
            if not self._open:
                raise LedgerClosed("the ledger takes nothing: it is not open")
            if unit.patient and len(queue) >= _QUEUE:
                raise LedgerBusy(f"{len(queue)} entries are waiting to become durable")
            queue.append(_Pending(unit, done))
            # While patient units gather, only the one that makes their number worth a write wakes the writer.
            if not unit.patient or len(queue) in {1, _SHARE}:
                self._changed.notify()

    def notify(self, wake: threading.Event) -> None:
        """Set ``wake`` after every commit with facts from now on."""
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
            self._changed.wait_for(lambda: self._waiting or self._patient or not self._open)
            if self._crowded and not self._is_enough():
                self._changed.wait_for(self._is_enough, _SHARE_SECONDS)
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            batch += [self._patient.popleft() for _ in range(min(_BATCH - len(batch), len(self._patient)))]
        self._crowded = sum(item.unit.patient for item in batch) > 1  # one alone is never kept waiting
        return batch

    def _is_enough(self) -> bool:
        return bool(self._waiting) or len(self._patient) >= _SHARE or not self._open

    def _write(self, batch: list[_Pending]) -> None:
        """Carry a batch out and answer every caller of it, whatever happens."""
        try:
            answers = self._transact(batch)
        except BaseException as error:  # noqa: BLE001 - the thread outlives every error; each caller gets an answer
            problem = _problem_of(error)
            answers = [problem] * len(batch)
        for item, answer in zip(batch, answers, strict=True):
            item.done(_own(answer) if isinstance(answer, Problem) else answer)
        if any(isinstance(answer, Receipt) and answer.facts for answer in answers):  # followers follow facts
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
            self._signers.learn(batch.changes.opened)
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
        grows = any(_concerns_logs(item.unit) for item in pending)
        if not grows and self._latest is not None and connection.dialect.name == "sqlite":
            return Batch(connection, self._rules, max(self._clock.now(), self._latest), {}, {}, alone=alone)
        heads = {head.origin: head for head in growth.lock_heads(connection)}
        frontiers = {origin: self._frontier(connection, head) for origin, head in heads.items()}
        instants = [head.moved_at for head in heads.values()]
        if self._latest is not None:
            instants.append(self._latest)
        now = max((self._clock.now(), *instants))
        return Batch(connection, self._rules, now, heads, frontiers, _standing(connection, pending), alone=alone)

    def _frontier(self, connection: Connection, head: growth.Head) -> Frontier:
        known = self._frontiers.get(head.origin)
        if known is None or known.size != head.size or known.root() != head.root:
            return growth.load_frontier(connection, head)
        return known


def _concerns_logs(unit: Unit) -> bool:
    return bool(unit.facts or unit.entries) or any(isinstance(write, (OpenLog, FreezeLog)) for write in unit.writes)


def _standing(connection: Connection, pending: Sequence[_Pending]) -> dict[tuple[str, bytes], int]:
    """Find, by one statement for each log, which of the entries that are wanted once stand there already."""
    wanted: dict[str, list[bytes]] = {}
    for item in pending:
        if item.unit.once:
            for origin, entry in item.unit.entries:
                wanted.setdefault(origin, []).append(leaf_hash(entry))
    return growth.positions_of(connection, wanted)


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
