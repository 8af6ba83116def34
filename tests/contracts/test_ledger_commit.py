"""The contract of ledger.commit over every store: all or nothing, each unit by itself, durable before the answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, text
from tests.databases import (
    CONTEXT,
    FACTS,
    FACTS_ORIGIN,
    SIGNATURES,
    SIGNATURES_ORIGIN,
    SIGNERS,
    ManualClock,
    PlatformDatabase,
    keys_of_logs,
)

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.adapters.sql.ledger import SqlLedgerStore
from chainward.adapters.sql.setup import open_logs
from chainward.adapters.sql.writer import Scope, Writer
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.kernel.problem import Kind, Problem
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.audit import audit
from chainward.ledger.checkpoint import FixedSigners, NoteSigner
from chainward.ledger.commit import Ledger
from chainward.ledger.errors import (
    CommitUncertain,
    EntryTooLarge,
    FactTooLarge,
    FactUnknown,
    LedgerClosed,
    LogKeyChanged,
    LogReserved,
    LogTampered,
    LogUnknown,
    WriteFailed,
)
from chainward.ledger.logs import genesis_entry
from chainward.ledger.model import FactBody, Write

if TYPE_CHECKING:
    from sqlalchemy import RootTransaction

    from chainward.adapters.sql.database import Database

NOTES: Final = Table(
    "test_note", MetaData(), Column("name", String, primary_key=True), Column("fact", Integer, nullable=False)
)


class Seen(FactBody, frozen=True, kw_only=True):
    schema: ClassVar[str] = "test.seen/1"
    what: str

    def subjects(self) -> tuple[str, ...]:
        return (self.what,)


@dataclass(frozen=True, slots=True)
class Keep(Write):
    name: str


@dataclass(frozen=True, slots=True)
class Refuse(Write):
    name: str = "refused"


@dataclass(frozen=True, slots=True)
class Stumble(Write):
    """Stands for a defect in a room's handler."""

    error: type[BaseException] = KeyError


@dataclass(frozen=True, slots=True)
class Unhandled(Write):
    pass


class TestRefusal(Problem):
    __test__ = False
    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "test-refused"


def keep(scope: Scope, write: Keep) -> None:
    scope.connection.execute(NOTES.insert(), {"name": write.name, "fact": scope.fact_index})


def refuse(scope: Scope, write: Refuse) -> None:
    scope.connection.execute(NOTES.insert(), {"name": write.name, "fact": scope.fact_index})
    raise TestRefusal("not this one")


def stumble(scope: Scope, write: Stumble) -> None:
    scope.connection.execute(NOTES.insert(), {"name": "stumbled", "fact": scope.fact_index})
    raise write.error("a defect")


HANDLERS: Final[dict[type[Write], Any]] = {Keep: keep, Refuse: refuse, Stumble: stumble}


@pytest.fixture
def ledger(platform_database: PlatformDatabase) -> Ledger:
    with platform_database.database.writer.begin() as connection:
        NOTES.create(connection)
    return platform_database.open_ledger(HANDLERS)


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(NOTES.select()).scalars())


def together(count: int, work: Any) -> list[Any]:
    """Run ``work(n)`` in that many threads at once; returns results or the exceptions."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_committed_fact_can_be_read_back(ledger: Ledger) -> None:
    receipt = ledger.commit([Seen(what="a"), Seen(what="b")], context=CONTEXT)
    assert receipt.facts == (1, 2)
    fact = ledger.fact(2)
    assert (fact.body, fact.subjects, fact.schema) == ({"what": "b"}, ("b",), "test.seen/1")
    assert (fact.actor, fact.correlation, fact.tenant) == ("token:test", "request-1", "default")
    assert fact.recorded_at == fact.occurred_at == receipt.recorded_at
    assert [found.index for found in ledger.facts(after=0)] == [1, 2]
    assert [found.index for found in ledger.facts(schemas=frozenset({"ledger.opened/1"}))] == [0]
    with pytest.raises(FactUnknown):
        ledger.fact(3)
    with pytest.raises(FactUnknown):
        ledger.fact(-1)


def test_when_it_happened_is_kept_beside_when_it_was_recorded(ledger: Ledger) -> None:
    earlier = ManualClock().instant - timedelta(hours=3)
    receipt = ledger.commit([Seen(what="a")], context=CONTEXT, occurred_at=earlier)
    fact = ledger.fact(receipt.facts[0])
    assert fact.occurred_at == earlier
    assert fact.recorded_at == receipt.recorded_at > earlier


def test_index_zero_is_never_handed_out(ledger: Ledger) -> None:
    receipt = ledger.commit([Seen(what="a")], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"first")])
    assert (receipt.facts, receipt.entries) == ((1,), (1,))
    assert ledger.fact(0).schema == "ledger.opened/1"
    with ledger.view() as view:
        assert view.entries(SIGNATURES_ORIGIN, 0, 1) == [genesis_entry(SIGNATURES_ORIGIN)]


def test_facts_writes_and_entries_become_durable_together(ledger: Ledger, platform_database: PlatformDatabase) -> None:
    receipt = ledger.commit(
        [Seen(what="a")],
        [Keep("a")],
        context=CONTEXT,
        entries=[(SIGNATURES_ORIGIN, b"one"), (SIGNATURES_ORIGIN, b"two")],
    )
    other = platform_database.reopen()
    assert names(other) == {"a"}
    again = platform_database.open_ledger(database=other)
    assert again.fact(receipt.facts[0]).body == {"what": "a"}
    with again.view() as view:
        assert view.entries(SIGNATURES_ORIGIN, *(receipt.entries[0], receipt.entries[1] + 1)) == [b"one", b"two"]
        assert view.position_of(SIGNATURES_ORIGIN, b"two") == receipt.entries[1]
        assert view.position_of(SIGNATURES_ORIGIN, b"three") is None


def test_an_entry_is_found_where_it_stood_first(ledger: Ledger) -> None:
    first = ledger.append_entries(SIGNATURES_ORIGIN, [b"same", b"same"]).entries[0]
    ledger.append_entries(SIGNATURES_ORIGIN, [b"same"])
    with ledger.view() as view:
        assert view.position_of(SIGNATURES_ORIGIN, b"same") == first


def test_a_refused_unit_leaves_nothing_and_its_index_goes_to_the_next(
    ledger: Ledger, platform_database: PlatformDatabase
) -> None:
    with pytest.raises(TestRefusal, match="not this one"):
        ledger.commit([Seen(what="x")], [Keep("x"), Refuse()], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"x")])
    assert names(platform_database.database) == set()
    receipt = ledger.commit([Seen(what="y")], [Keep("y")], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"y")])
    assert (receipt.facts, receipt.entries) == ((1,), (1,))


def test_a_handler_learns_the_index_of_its_fact(ledger: Ledger, platform_database: PlatformDatabase) -> None:
    receipts = together(10, lambda number: ledger.commit([Seen(what="a")], [Keep(f"n{number}")], context=CONTEXT))
    with platform_database.database.read() as connection:
        rows = {row.name: row.fact for row in connection.execute(NOTES.select())}
    assert rows == {f"n{number}": receipt.facts[0] for number, receipt in enumerate(receipts)}


@pytest.mark.parametrize("write", [Stumble(KeyError), Stumble(MemoryError), Stumble(RecursionError), Unhandled()])
def test_a_defect_in_a_handler_fails_its_own_unit_as_an_internal_problem(
    ledger: Ledger, platform_database: PlatformDatabase, write: Write
) -> None:
    with pytest.raises(WriteFailed) as caught:
        ledger.commit([Seen(what="x")], [write], context=CONTEXT)
    assert caught.value.kind is Kind.INTERNAL
    assert caught.value.__cause__ is not None
    assert ledger.commit([Seen(what="y")], [Keep("y")], context=CONTEXT).facts == (1,)
    assert names(platform_database.database) == {"y"}


def test_even_a_wish_to_exit_does_not_end_the_writer(ledger: Ledger) -> None:
    with pytest.raises(WriteFailed):
        ledger.commit([], [Stumble(SystemExit)], context=CONTEXT)
    assert ledger.commit([Seen(what="y")], context=CONTEXT).facts == (1,)


def test_a_handler_that_commits_is_refused_instead_of_waiting_for_itself(platform_database: PlatformDatabase) -> None:
    def commit_inside(scope: Scope, write: Keep) -> None:
        del scope, write
        opened[0].commit([Seen(what="inside")], context=CONTEXT)

    opened = [platform_database.open_ledger({Keep: commit_inside})]
    with pytest.raises(WriteFailed, match="wait for itself"):
        opened[0].commit([], [Keep("x")], context=CONTEXT)
    assert opened[0].commit([Seen(what="y")], context=CONTEXT).facts == (1,)


def test_a_broken_constraint_fails_its_own_unit(ledger: Ledger) -> None:
    ledger.commit([], [Keep("same")], context=CONTEXT)
    with pytest.raises(WriteFailed, match="refused by the database"):
        ledger.commit([Seen(what="x")], [Keep("same")], context=CONTEXT)
    assert ledger.commit([Seen(what="y")], context=CONTEXT).facts == (1,)


def test_units_that_fail_leave_the_others_of_their_batch_alone(
    ledger: Ledger, platform_database: PlatformDatabase
) -> None:
    writes: list[Any] = [Keep, Refuse, lambda _: Stumble(), lambda _: Keep("the same for all")]

    def work(number: int) -> Any:
        return ledger.commit([Seen(what=str(number))], [writes[number % 4](f"n{number}")], context=CONTEXT)

    results = [together(40, work) for _ in range(3)][-1]
    assert all(isinstance(result, WriteFailed) for result in results[0::4])  # the first round has kept those names
    assert all(isinstance(result, TestRefusal) for result in results[1::4])
    assert all(isinstance(result, WriteFailed) for result in results[2::4])
    assert names(platform_database.database) == {f"n{number}" for number in range(0, 40, 4)} | {"the same for all"}
    assert [fact.index for fact in ledger.facts()] == list(range(12))


def test_only_one_of_many_racing_writes_of_one_name_wins(ledger: Ledger) -> None:
    results = together(20, lambda _: ledger.commit([Seen(what="won")], [Keep("contested")], context=CONTEXT))
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert [fact.index for fact in ledger.facts(after=0)] == [1]


def test_fifty_producers_share_durable_writes_and_lose_nothing(platform_database: PlatformDatabase) -> None:
    counted = CountingWriter(platform_database.database, SIGNERS, FACTS_ORIGIN, {}, ManualClock())
    counted.start()
    ledger = Ledger(SqlLedgerStore(platform_database.database, counted), SystemEntropy())

    def work(number: int) -> list[int]:
        return [
            index
            for turn in range(10)
            for index in ledger.commit([Seen(what=f"{number}/{turn}")], context=CONTEXT).facts
        ]

    indexes = sorted(index for result in together(50, work) for index in result)
    ledger.close()
    assert indexes == list(range(1, 501))
    assert counted.commits < 400  # one for each would be 500
    with ledger.inspect() as view:
        report = audit(view, keys_of_logs())
    assert report.facts == 501


def test_a_fact_that_is_too_large_is_refused_alone(ledger: Ledger) -> None:
    with pytest.raises(FactTooLarge):
        ledger.commit([Seen(what="x" * 17_000)], context=CONTEXT)
    assert ledger.commit([Seen(what="y")], context=CONTEXT).facts == (1,)


def test_entries_go_only_into_logs_that_take_them(ledger: Ledger) -> None:
    with pytest.raises(LogReserved):
        ledger.append_entries(FACTS_ORIGIN, [b"not a fact"])
    with pytest.raises(LogUnknown):
        ledger.append_entries("nowhere.test", [b"x"])
    with pytest.raises(EntryTooLarge):
        ledger.append_entries(SIGNATURES_ORIGIN, [b"x" * 65_536])
    assert ledger.append_entries(SIGNATURES_ORIGIN, [b"x" * 65_535]).entries == (1,)


def test_recorded_at_never_goes_back(platform_database: PlatformDatabase) -> None:
    clock = ManualClock()
    ledger = platform_database.open_ledger(clock=clock)
    first = ledger.commit([Seen(what="a")], context=CONTEXT).recorded_at
    clock.advance(-timedelta(days=1))
    assert ledger.commit([Seen(what="b")], context=CONTEXT).recorded_at == first
    ledger.close()
    restarted = platform_database.open_ledger(clock=ManualClock(first - timedelta(days=2)))
    assert restarted.commit([Seen(what="c")], context=CONTEXT).recorded_at == first


def test_a_closed_ledger_takes_nothing_more_but_finished_what_it_had(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    started = threading.Barrier(9)
    answers: list[Any] = []

    def work() -> None:
        started.wait()
        try:
            while True:
                answers.append(ledger.commit([Seen(what="a")], context=CONTEXT).facts[0])
        except LedgerClosed:
            return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait()
    while len(answers) < 20:
        threading.Event().wait(0.001)
    ledger.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert sorted(answers) == [fact.index for fact in ledger.facts(after=0, limit=100_000)]
    ledger.close()


def test_a_ledger_that_was_never_started_refuses_instead_of_waiting(platform_database: PlatformDatabase) -> None:
    writer = Writer(platform_database.database, FixedSigners([FACTS]), FACTS_ORIGIN, {}, ManualClock())
    with pytest.raises(LedgerClosed):
        Ledger(SqlLedgerStore(platform_database.database, writer), SystemEntropy()).commit(context=CONTEXT)
    writer.close()


class CountingWriter(Writer):
    """Counts durable commits."""

    commits = 0

    def _commit(self, transaction: RootTransaction) -> None:
        self.commits += 1
        super()._commit(transaction)


class FaultyWriter(Writer):
    """Fails the next commit, before or after it became durable."""

    fault = ""

    def _commit(self, transaction: RootTransaction) -> None:
        fault, self.fault = self.fault, ""
        if fault == "before":
            raise OSError("the disk is gone")
        super()._commit(transaction)
        if fault == "after":
            raise OSError("the disk did it, but said nothing")


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_commit_that_fails_is_uncertain_and_the_next_one_finds_the_truth(
    platform_database: PlatformDatabase, fault: str
) -> None:
    faulty = FaultyWriter(platform_database.database, SIGNERS, FACTS_ORIGIN, {}, ManualClock())
    faulty.start()
    ledger = Ledger(SqlLedgerStore(platform_database.database, faulty), SystemEntropy())
    ledger.commit([Seen(what="a")], context=CONTEXT)
    faulty.fault = fault
    with pytest.raises(CommitUncertain):
        ledger.commit([Seen(what="b")], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"b")])
    receipt = ledger.commit([Seen(what="c")], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"c")])
    kept = ["a", "b", "c"] if fault == "after" else ["a", "c"]
    assert [fact.subjects for fact in ledger.facts(after=0)] == [(what,) for what in kept]
    assert (receipt.facts, receipt.entries) == ((len(kept),), (len(kept) - 1,))
    with ledger.inspect() as view:
        audit(view, keys_of_logs())
    ledger.close()


class FailingSigner:
    """A signer whose key service is away now and then."""

    def __init__(self, signer: NoteSigner) -> None:
        self.signer = signer
        self.away = False

    @property
    def origin(self) -> str:
        return self.signer.origin

    def sign(self, size: int, root: bytes) -> bytes:
        if self.away:
            raise DatabaseUnavailable("the key service does not answer")
        return self.signer.sign(size, root)

    def open(self, note: bytes) -> Any:
        return self.signer.open(note)


def test_without_a_signature_nothing_is_committed(platform_database: PlatformDatabase) -> None:
    signer = FailingSigner(FACTS)
    writer = Writer(platform_database.database, FixedSigners([signer, SIGNATURES]), FACTS_ORIGIN, {}, ManualClock())
    writer.start()
    ledger = Ledger(SqlLedgerStore(platform_database.database, writer), SystemEntropy())
    signer.away = True
    with pytest.raises(DatabaseUnavailable, match="key service"):
        ledger.commit([Seen(what="a")], context=CONTEXT)
    signer.away = False
    assert ledger.commit([Seen(what="b")], context=CONTEXT).facts == (1,)
    ledger.close()


def test_a_lost_connection_fails_the_batch_and_the_next_batch_recovers(
    platform_database: PlatformDatabase, ledger: Ledger
) -> None:
    if platform_database.dialect == "sqlite":
        pytest.skip("SQLite has no connection to lose")
    ledger.commit([Seen(what="a")], context=CONTEXT)

    def cut(scope: Scope, write: Keep) -> None:
        del write
        scope.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    ledger.close()
    cutting = platform_database.open_ledger(HANDLERS | {Refuse: cut})
    with pytest.raises(DatabaseUnavailable):
        cutting.commit([Seen(what="b")], [Refuse()], context=CONTEXT)
    assert cutting.commit([Seen(what="c")], context=CONTEXT).facts == (2,)


def test_two_replicas_keep_one_order_without_a_fork(platform_database: PlatformDatabase) -> None:
    if platform_database.dialect == "sqlite":
        pytest.skip("only one process writes a SQLite store")
    replicas = [
        platform_database.open_ledger(clock=SystemClock()),
        platform_database.open_ledger(clock=SystemClock(), database=platform_database.reopen()),
    ]

    def work(number: int) -> list[tuple[int, int]]:
        replica = replicas[number % 2]
        receipts = [
            replica.commit([Seen(what=f"{number}/{turn}")], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"x")])
            for turn in range(15)
        ]
        return [(receipt.facts[0], receipt.entries[0]) for receipt in receipts]

    results = together(12, work)
    assert sorted(fact for result in results for fact, _ in result) == list(range(1, 181))
    assert sorted(entry for result in results for _, entry in result) == list(range(1, 181))
    with replicas[0].inspect() as view:
        audit(view, keys_of_logs())
        instants = [fact.recorded_at for fact in view.facts(-1, 1000)]
    assert instants == sorted(instants)


def test_opening_the_logs_again_changes_nothing(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    before = ledger.logs()
    open_logs(platform_database.database, FACTS, [SIGNATURES], ManualClock(), SystemEntropy())
    assert ledger.logs() == before
    third = NoteSigner("third.test", generate(Scheme.ED25519))
    open_logs(platform_database.database, FACTS, [SIGNATURES, third], ManualClock(), SystemEntropy())
    assert [(head.origin, head.content, head.size) for head in ledger.logs()] == [
        (FACTS_ORIGIN, "facts", 1),
        (SIGNATURES_ORIGIN, "entries", 1),
        ("third.test", "entries", 1),
    ]


def test_a_log_whose_head_was_moved_is_not_opened(platform_database: PlatformDatabase) -> None:
    platform_database.tamper("UPDATE log_head SET root = :value WHERE origin = 'facts.test'")
    with pytest.raises(LogTampered, match="does not say"):
        open_logs(platform_database.database, FACTS, [SIGNATURES], ManualClock(), SystemEntropy())


def test_a_log_is_not_continued_under_another_key(platform_database: PlatformDatabase) -> None:
    stranger = NoteSigner(FACTS_ORIGIN, generate(Scheme.ED25519))
    with pytest.raises(LogKeyChanged):
        open_logs(platform_database.database, stranger, [], ManualClock(), SystemEntropy())
