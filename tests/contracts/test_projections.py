"""The contract of followers and their store, over every store: never wrong, at most late, and made again the same."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Integer, String, Table, select, text
from tests.contracts.test_ledger_commit import Seen
from tests.databases import CONTEXT, open_ledger, sqlite_platform

from chainward.adapters.sql.database import Database
from chainward.adapters.sql.ledger import upsert
from chainward.adapters.sql.metadata import PROJECTIONS
from chainward.adapters.sql.projections import FOLLOWER, Projection, SqlProjectionStore
from chainward.adapters.sql.subjects import SUBJECT_FACT, SUBJECTS, SqlSubjectIndex
from chainward.ledger import read
from chainward.ledger.errors import FollowerBehind, FollowerUnknown
from chainward.ledger.follow import Followers
from chainward.ledger.model import FactBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection
    from tests.databases import PlatformDatabase

    from chainward.ledger.model import Recorded

COUNTS: Final = Table(
    "test_count",
    PROJECTIONS,
    Column("what", String, primary_key=True),
    Column("seen", Integer, nullable=False),
    Column("last", BigInteger, nullable=False),
)


class Heard(FactBody, frozen=True, kw_only=True):
    schema: ClassVar[str] = "test.heard/1"
    what: str

    def subjects(self) -> tuple[str, ...]:
        return (self.what, "everything")


def count(connection: Connection, facts: Sequence[Recorded]) -> None:
    """Not idempotent on purpose: seeing a fact twice would show."""
    for fact in facts:
        assert fact.body is not None
        statement = upsert(connection.dialect.name, COUNTS).values(what=fact.body["what"], seen=1, last=fact.index)
        changed = {"seen": COUNTS.c.seen + 1, "last": statement.excluded.last}
        connection.execute(statement.on_conflict_do_update(index_elements=["what"], set_=changed))


COUNTER: Final = Projection("counter", (COUNTS,), count, frozenset({Seen.schema}))


class Stage:
    """A ledger with followers over a projection store of its own."""

    def __init__(self, platform: PlatformDatabase, folder: Path, projections: Sequence[Projection]) -> None:
        self.ledger = platform.open_ledger()
        if platform.dialect == "sqlite":
            self.url = f"sqlite:///{folder / 'projections.db'}"
        else:
            self.url = platform.url
        self.database = Database.open(self.url, derived=True)
        self.store = SqlProjectionStore(self.database, projections)
        self.followers = Followers(self.ledger, self.store, poll=0.05, retry=0.02)

    def commit(self, *bodies: FactBody) -> int:
        return self.ledger.commit(bodies, context=CONTEXT).facts[-1]

    def rows(self, table: Table) -> list[tuple[Any, ...]]:
        with self.database.read() as connection:
            return sorted(tuple(row) for row in connection.execute(table.select()))

    def digest(self) -> str:
        with self.database.read() as connection:
            positions = connection.execute(select(FOLLOWER.c.name, FOLLOWER.c.position).order_by(FOLLOWER.c.name)).all()
        content = [self.rows(SUBJECT_FACT), self.rows(COUNTS), [tuple(row) for row in positions]]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def close(self) -> None:
        self.followers.stop()
        self.ledger.close()
        self.database.close()


@contextmanager
def staged(
    platform: PlatformDatabase, folder: Path, projections: Sequence[Projection] = (SUBJECTS, COUNTER)
) -> Iterator[Stage]:
    stage = Stage(platform, folder, projections)
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture
def stage(platform_database: PlatformDatabase, tmp_path: Path) -> Iterator[Stage]:
    with staged(platform_database, tmp_path) as made:
        yield made


def test_a_reader_who_waits_sees_what_it_just_wrote(stage: Stage) -> None:
    stage.followers.start()
    for number in range(20):
        position = stage.commit(Seen(what=f"s{number}"))
        stage.followers.wait_until(position, 10)
        assert SqlSubjectIndex(stage.database).facts_about(f"s{number}", 10) == [position]


def test_waiting_for_what_does_not_come_ends(stage: Stage) -> None:
    stage.followers.start()
    with pytest.raises(FollowerBehind):
        stage.followers.wait_until(1_000, 0.05)
    with pytest.raises(FollowerUnknown):
        stage.followers.wait_until(0, 0.05, "nobody")


def test_a_follower_sees_only_its_schemas_but_moves_past_the_others(stage: Stage) -> None:
    stage.commit(Seen(what="a"), Heard(what="a"), Seen(what="a"))
    last = stage.commit(Heard(what="b"))
    stage.followers.open()
    stage.followers.catch_up()
    assert stage.rows(COUNTS) == [("a", 2, 3)]
    assert {status.name: (status.position, status.lag) for status in stage.followers.status()} == {
        "subjects": (last, 0),
        "counter": (last, 0),
    }


def test_a_timeline_is_read_from_the_newest_backwards(stage: Stage) -> None:
    indexes = [stage.commit(Heard(what=f"h{number}")) for number in range(9)]
    stage.followers.open()
    stage.followers.catch_up()
    subjects = SqlSubjectIndex(stage.database)
    newest = subjects.facts_about("everything", 4)
    assert newest == indexes[:-5:-1]
    assert subjects.facts_about("everything", 100, before=newest[-1]) == indexes[4::-1]
    assert subjects.facts_about("nothing", 4) == []
    with stage.ledger.view() as view:
        facts = read.facts_about(view, subjects, "everything", 2)
    assert [fact.body for fact in facts] == [{"what": "h8"}, {"what": "h7"}]


def test_more_facts_than_a_page_are_followed(stage: Stage) -> None:
    for _ in range(3):
        stage.commit(*(Seen(what="x") for _ in range(400)))
    stage.followers.open()
    stage.followers.catch_up()
    assert stage.rows(COUNTS) == [("x", 1200, 1200)]
    assert len(stage.rows(SUBJECT_FACT)) == 1201


def test_commits_while_followers_run_are_each_seen_once(stage: Stage) -> None:
    stage.followers.start()

    def produce() -> None:
        for _ in range(25):
            stage.commit(Seen(what="x"))

    threads = [threading.Thread(target=produce) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage.followers.wait_until(150, 20)
    assert stage.rows(COUNTS) == [("x", 150, 150)]


HISTORIES = st.lists(
    st.lists(
        st.builds(lambda kind, what: kind(what=what), st.sampled_from([Seen, Heard]), st.sampled_from("abc")),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES, st.sampled_from([None, "counter", "subjects"]), st.data())
def test_a_rebuild_gives_the_same_rows_for_any_history(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[FactBody]], name: str | None, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("rebuild")
    with sqlite_platform(folder) as platform, staged(platform, folder) as stage:
        stage.followers.open()
        for bodies in history:
            stage.commit(*bodies)
            if data.draw(st.booleans()):
                stage.followers.catch_up()
        stage.followers.catch_up()
        before = stage.digest()
        stage.followers.rebuild(name)
        assert stage.digest() == before


def test_a_rebuild_gives_the_same_rows_while_followers_run(stage: Stage) -> None:
    stage.followers.start()
    last = [stage.commit(Seen(what=f"s{number % 7}"), Heard(what="h")) for number in range(40)][-1]
    stage.followers.wait_until(last, 10)
    before = stage.digest()
    with stage.database.writer.begin() as connection:
        connection.execute(COUNTS.delete())
    assert stage.digest() != before
    stage.followers.rebuild()
    assert stage.digest() == before
    with pytest.raises(FollowerUnknown):
        stage.followers.rebuild("nobody")


def test_rows_and_position_move_together_or_not_at_all(platform_database: PlatformDatabase, tmp_path: Path) -> None:
    failing = True

    def fail_halfway(connection: Connection, facts: Sequence[Recorded]) -> None:
        count(connection, facts)
        if failing:
            raise RuntimeError("a defect in a follower")

    projections = [Projection("counter", (COUNTS,), fail_halfway, frozenset({Seen.schema}))]
    with staged(platform_database, tmp_path, projections) as stage:
        stage.followers.open()
        stage.commit(Seen(what="x"))
        with pytest.raises(RuntimeError):
            stage.followers.catch_up()
        assert stage.rows(COUNTS) == []
        failing = False
        stage.followers.catch_up()
        assert stage.rows(COUNTS) == [("x", 1, 1)]


def test_a_failing_follower_is_shown_retried_and_holds_nobody_up(
    platform_database: PlatformDatabase, tmp_path: Path
) -> None:
    failing = threading.Event()
    failing.set()

    def stumble(connection: Connection, facts: Sequence[Recorded]) -> None:
        if failing.is_set():
            raise RuntimeError("a defect in a follower")
        count(connection, facts)

    projections = [Projection("counter", (COUNTS,), stumble, frozenset({Seen.schema})), SUBJECTS]
    with staged(platform_database, tmp_path, projections) as stage:
        stage.followers.start()
        last = stage.commit(Seen(what="x"))
        stage.followers.wait_until(last, 10, "subjects")
        with pytest.raises(FollowerBehind):
            stage.followers.wait_until(last, 0.05, "counter")
        trouble = {status.name: type(status.trouble) for status in stage.followers.status()}
        assert trouble == {"counter": RuntimeError, "subjects": type(None)}
        failing.clear()
        stage.followers.wait_until(last, 10)
        assert stage.rows(COUNTS) == [("x", 1, last)]


def test_a_page_that_another_replica_applied_is_not_applied_again(stage: Stage) -> None:
    stage.followers.open()
    stage.commit(Seen(what="x"))
    facts = stage.ledger.facts(after=0)
    assert stage.store.apply("counter", facts, -1, 1)
    assert not stage.store.apply("counter", facts, -1, 1)
    stage.followers.catch_up()
    assert stage.rows(COUNTS) == [("x", 1, 1)]


def test_two_replicas_share_the_work_without_doing_it_twice(
    platform_database: PlatformDatabase, tmp_path: Path
) -> None:
    with staged(platform_database, tmp_path) as stage:
        other = Database.open(stage.url, derived=True)
        second = Followers(stage.ledger, SqlProjectionStore(other, (SUBJECTS, COUNTER)), poll=0.05)
        stage.followers.start()
        second.start()
        last = [stage.commit(Seen(what="x")) for _ in range(60)][-1]
        stage.followers.wait_until(last, 10)
        second.wait_until(last, 10)
        second.stop()
        other.close()
        assert stage.rows(COUNTS) == [("x", 60, 60)]


def test_a_changed_version_of_a_follower_makes_its_rows_again(
    platform_database: PlatformDatabase, tmp_path: Path
) -> None:
    def by_tens(connection: Connection, facts: Sequence[Recorded]) -> None:
        count(connection, facts)
        connection.execute(COUNTS.update().values(seen=COUNTS.c.seen * 10))

    with staged(platform_database, tmp_path) as stage:
        stage.followers.open()
        stage.commit(Seen(what="x"))
        stage.followers.catch_up()
    changed = Projection("counter", (COUNTS,), by_tens, frozenset({Seen.schema}), version=2)
    with staged(platform_database, tmp_path, [changed]) as stage:
        stage.followers.open()
        with stage.database.read() as connection:
            assert connection.execute(select(FOLLOWER.c.name, FOLLOWER.c.position)).all() == [("counter", -1)]
        stage.followers.catch_up()
        assert stage.rows(COUNTS) == [("x", 10, 1)]


def test_a_follower_that_is_gone_leaves_no_table(platform_database: PlatformDatabase, tmp_path: Path) -> None:
    with staged(platform_database, tmp_path) as stage:
        stage.followers.open()
    with staged(platform_database, tmp_path, [COUNTER]) as stage:
        stage.followers.open()
        with pytest.raises(Exception, match="subject_fact"):
            stage.rows(SUBJECT_FACT)


def test_what_was_made_from_another_ledger_is_not_believed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        with sqlite_platform(folder) as platform, staged(platform, tmp_path) as stage:
            stage.followers.open()
            assert stage.rows(SUBJECT_FACT) == []
            stage.commit(Seen(what=name))
            stage.followers.catch_up()
            assert (name, 1) in stage.rows(SUBJECT_FACT)


def test_a_ledger_restored_from_an_older_backup_takes_its_projections_back(tmp_path: Path) -> None:
    with sqlite_platform(tmp_path) as platform, staged(platform, tmp_path) as stage:
        stage.followers.open()
        stage.commit(Seen(what="kept"))
        with closing(sqlite3.connect(tmp_path / "chainward.db")) as connection:
            connection.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        stage.commit(Seen(what="lost"), Seen(what="lost"))
        stage.followers.catch_up()
        assert stage.rows(COUNTS) == [("kept", 1, 1), ("lost", 2, 3)]
    restored = Database.open_sqlite(tmp_path / "backup.db")
    ledger = open_ledger(restored)
    derived = Database.open(f"sqlite:///{tmp_path / 'projections.db'}", derived=True)
    followers = Followers(ledger, SqlProjectionStore(derived, (SUBJECTS, COUNTER)))
    followers.open()
    followers.catch_up()
    with derived.read() as connection:
        assert connection.execute(COUNTS.select()).all() == [("kept", 1, 1)]
    ledger.close()
    restored.close()
    derived.close()


def test_pruned_facts_are_passed_over(platform_database: PlatformDatabase, tmp_path: Path) -> None:
    with staged(platform_database, tmp_path) as stage:
        last = stage.commit(Seen(what="x"), Seen(what="y"))
        with platform_database.database.writer.begin() as connection:
            connection.execute(text("UPDATE fact SET envelope = NULL, salt = NULL WHERE idx = 1"))
        stage.followers.open()
        stage.followers.catch_up()
        assert stage.rows(COUNTS) == [("y", 1, last)]
