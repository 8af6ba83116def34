"""After a power loss at any moment: every acknowledged commit is there, the logs are whole, work goes on at once."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import SQLAlchemyError
from tests.crash.powerloss import CrashState, Trace, record
from tests.crash.producer import Produced, entry_of, open_database
from tests.databases import SIGNATURES_ORIGIN, keys_of_logs, open_ledger

from chainward.adapters.sql.database import Database
from chainward.adapters.sql.ledger import SqlLedgerStore
from chainward.adapters.sql.migrate import migrate
from chainward.adapters.sql.projections import SqlProjectionStore
from chainward.adapters.sql.subjects import SUBJECTS, SqlSubjectIndex
from chainward.adapters.sql.writer import Writer
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.kernel.problem import Problem
from chainward.ledger.audit import audit
from chainward.ledger.checkpoint import FixedSigners
from chainward.ledger.commit import Ledger
from chainward.ledger.follow import Followers

if TYPE_CHECKING:
    from pathlib import Path

STATES = 40


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """What a process did that made 8 x 100 commits (the WAL begins anew on the way) and followed them."""
    folder = tmp_path_factory.mktemp("power") / "data"
    folder.mkdir()
    url = f"sqlite:///{folder}/chainward.db"
    return record(folder, [sys.executable, "-m", "tests.crash.producer", "run", url, "100", projections_in(folder)])


def projections_in(folder: Path) -> str:
    return f"sqlite:///{folder}/projections.db"


def acknowledged(said: bytes) -> list[tuple[int, int, int, int]]:
    """Return thread, number, fact and entry of every whole line."""
    lines = said.decode().split("\n")[:-1]
    found = [tuple(map(int, line.split()[1:])) for line in lines if line.startswith("ack ")]
    return [(thread, number, fact, entry) for thread, number, fact, entry in found]


def check_acknowledged(ledger: Ledger, said: bytes) -> None:
    with ledger.view() as view:
        facts = {fact.index: fact.body for fact in view.facts(-1, 10_000)}
        entries = dict(enumerate(view.entries(SIGNATURES_ORIGIN, 0, 10_000)))
    for thread, number, fact, entry in acknowledged(said):
        assert facts.get(fact) == {"run": "run", "thread": thread, "number": number}
        assert entries.get(entry) == entry_of("run", thread, number)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_acknowledged_fact_is_lost_when_the_power_fails(trace: Trace, tmp_path: Path, seed: int) -> None:
    said = 0
    for state in trace.crash_states(STATES, seed=seed, into=tmp_path):
        database = open_database(f"sqlite:///{state.directory / 'chainward.db'}")
        ledger = open_ledger(database, clock=SystemClock())
        check_acknowledged(ledger, state.said)
        said += len(acknowledged(state.said))
        ledger.append_entries(SIGNATURES_ORIGIN, [b"after the power came back"])
        with ledger.inspect() as view:
            audit(view, keys_of_logs())
        ledger.close()
        database.close()
    assert said > STATES  # else nothing was put to the test


def test_projections_that_were_not_synced_catch_up_to_what_a_rebuild_gives(trace: Trace, tmp_path: Path) -> None:
    for state in trace.crash_states(25, seed=5, into=tmp_path):
        database = open_database(f"sqlite:///{state.directory / 'chainward.db'}")
        ledger = open_ledger(database, clock=SystemClock())
        derived = Database.open(projections_in(state.directory), derived=True)
        followers = Followers(ledger, SqlProjectionStore(derived, [SUBJECTS]))
        followers.open()
        followers.catch_up()
        subjects = SqlSubjectIndex(derived)
        before = subjects.facts_about("run", 10_000)
        assert len(before) == len(ledger.facts(limit=10_000, schemas=frozenset({Produced.schema})))
        followers.rebuild()
        assert subjects.facts_about("run", 10_000) == before
        for opened in (ledger, derived, database):
            opened.close()


def test_a_store_that_does_not_sync_is_caught_by_these_tests(trace: Trace, tmp_path: Path) -> None:
    """The same, with synchronous=OFF: if this passed, the tests above would prove nothing."""
    folder = tmp_path / "careless"
    folder.mkdir()
    url = f"sqlite:///{folder}/chainward.db"
    careless = record(folder, [sys.executable, "-c", CARELESS, url])
    careful = [_is_loss(state) for state in trace.crash_states(30, seed=3, into=tmp_path / "careful")]
    caught = [_is_loss(state) for state in careless.crash_states(30, seed=3, into=tmp_path / "states")]
    assert (any(careful), any(caught)) == (False, True)


def _is_loss(state: CrashState) -> bool:
    """Whether anything acknowledged is missing, or the file cannot even be opened."""
    with closing(Database.open_sqlite(state.directory / "chainward.db")) as database:
        try:
            migrate(database)
            ledger = Ledger(
                SqlLedgerStore(database, Writer(database, FixedSigners([]), "", {}, SystemClock())), SystemEntropy()
            )
            check_acknowledged(ledger, state.said)
        except (AssertionError, ValueError, Problem, SQLAlchemyError):
            return True
    return False


CARELESS = """
import sys
from chainward.adapters.sql import database
database._WRITER_PRAGMAS = tuple(p.replace("synchronous=FULL", "synchronous=OFF") for p in database._WRITER_PRAGMAS)
from tests.crash.producer import run
run(sys.argv[1], "run", 12)
"""


def test_the_reconstruction_drops_what_was_not_synced(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    trace = record(folder, [sys.executable, "-c", WRITES, str(folder)])
    seen: set[tuple[str, bytes]] = set()
    for state in trace.crash_states(400, seed=4, into=tmp_path / "states"):
        shown = {path.name: path.read_bytes() for path in state.directory.iterdir()}
        seen |= set(shown.items())
        if b"safe" in state.said:
            assert shown["safe"] == b"s" * 5000
        if b"renamed" in state.said:
            assert "temporary" not in shown
            assert shown["final"] == b"f" * 3000
    names = {name for name, _ in seen}
    assert names >= {"safe", "lost", "temporary", "final"}
    assert {content for name, content in seen if name == "lost"} >= {b"", b"l" * 2000}


WRITES = """
import os, sys
folder = sys.argv[1]
def sync(path):
    descriptor = os.open(path, os.O_RDONLY); os.fsync(descriptor); os.close(descriptor)
with open(folder + "/safe", "wb") as file:
    file.write(b"s" * 5000); file.flush(); os.fsync(file.fileno())
sync(folder)
os.write(1, b"safe\\n")
with open(folder + "/lost", "wb") as file:
    file.write(b"l" * 2000)
with open(folder + "/temporary", "wb") as file:
    file.write(b"f" * 3000); file.flush(); os.fsync(file.fileno())
os.rename(folder + "/temporary", folder + "/final")
sync(folder)
os.write(1, b"renamed\\n")
"""
