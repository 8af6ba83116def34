"""A process that writes facts and log entries with several threads and says what was acknowledged.

    python -m tests.crash.producer zygote              waits for URLs on its standard input, forks a producer for each
    python -m tests.crash.producer run URL COMMITS [PROJECTIONS]
                                                       migrates, opens the logs, produces so many commits, ends;
                                                       with followers, when their store is named

The line ``ready`` says that the ledger is open; each acknowledged commit is one line ``ack THREAD NUMBER FACT ENTRY``,
written at once.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from tests.databases import CONTEXT, FACTS, SIGNATURES, SIGNATURES_ORIGIN, open_ledger

from chainward.adapters.sql.database import Database
from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.adapters.sql.migrate import load_tables, migrate
from chainward.adapters.sql.projections import SqlProjectionStore
from chainward.adapters.sql.setup import open_logs
from chainward.adapters.sql.subjects import SUBJECTS
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.ledger.errors import CommitUncertain
from chainward.ledger.follow import Followers
from chainward.ledger.model import FactBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.ledger.commit import Ledger

THREADS = 8
STDOUT = 1


class Produced(FactBody, frozen=True, kw_only=True):
    """Something that a producer did."""

    schema: ClassVar[str] = "test.produced/1"

    run: str
    thread: int
    number: int

    def subjects(self) -> tuple[str, ...]:
        """Return the run."""
        return (self.run,)


def entry_of(run: str, thread: int, number: int) -> bytes:
    """Return the entry that goes with a fact."""
    return f"{run}/{thread}/{number}".encode()


def say(line: str) -> None:
    """Write a line in one piece."""
    os.write(STDOUT, f"{line}\n".encode())


def produce(ledger: Ledger, run: str, commits: int) -> None:
    """Commit from several threads and say what was acknowledged."""

    def work(thread: int) -> None:
        for number in range(commits):
            body = Produced(run=run, thread=thread, number=number)
            entries = [(SIGNATURES_ORIGIN, entry_of(run, thread, number))]
            try:
                receipt = ledger.commit([body], context=CONTEXT, entries=entries)
            except (CommitUncertain, DatabaseUnavailable):
                return  # the server was killed
            say(f"ack {thread} {number} {receipt.facts[0]} {receipt.entries[0]}")

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def open_database(url: str) -> Database:
    """Bring a database of any state up to date, as every start of the platform does."""
    database = Database.open(url)
    migrate(database)
    open_logs(database, FACTS, [SIGNATURES], SystemClock(), SystemEntropy())
    return database


def run(url: str, name: str, commits: int, projections: str | None = None) -> None:
    """Produce and end in good order."""
    database = open_database(url)
    ledger = open_ledger(database, clock=SystemClock())
    say("ready")
    with following(ledger, projections):
        produce(ledger, name, commits)
    ledger.close()
    database.close()


@contextmanager
def following(ledger: Ledger, projections: str | None) -> Iterator[None]:
    """Keep projections up to date meanwhile, when there are any."""
    if projections is None:
        yield
        return
    derived = Database.open(projections, derived=True)
    followers = Followers(ledger, SqlProjectionStore(derived, [SUBJECTS]))
    followers.start()
    yield
    followers.stop()
    derived.close()


def zygote() -> None:
    """Fork a producer for each line ``URL NAME``; whoever reads our output kills it."""
    load_tables()
    for line in sys.stdin:
        url, name = line.split()
        child = os.fork()
        if child == 0:
            run(url, name, 1_000_000)
            os._exit(0)
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("end")


if __name__ == "__main__":
    if sys.argv[1] == "zygote":
        zygote()
    else:
        run(sys.argv[2], "run", int(sys.argv[3]), sys.argv[4] if sys.argv[4:] else None)
