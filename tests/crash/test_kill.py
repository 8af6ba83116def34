"""kill -9 at fifty random moments under load, on both stores: nothing acknowledged is lost, no fork, no repair.

On PostgreSQL the client is killed, and in every fifth round the server as well (an immediate stop, as in a crash).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.crash.producer import Produced, entry_of, open_database
from tests.databases import FACTS_ORIGIN, SIGNATURES_ORIGIN, keys_of_logs, open_ledger
from tests.postgres import Cluster, NoClusterError

from chainward.adapters.system import SystemClock
from chainward.ledger.audit import audit
from chainward.ledger.checkpoint import open_checkpoint
from chainward.ledger.proofs import verify_consistency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.formats.checkpoint import Checkpoint
    from chainward.ledger.commit import Ledger

PROJECT = Path(__file__).parents[2]
ROUNDS = 50
SHORTEST, LONGEST = 0.005, 0.12
SERVER_TOO = 5
EARLY = 8


class Zygote:
    """A process that has everything imported and forks producers, so that a round costs no start-up."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.producer", "zygote"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def round(
        self, url: str, name: str, seconds: float, cluster: Cluster | None, *, early: bool
    ) -> list[tuple[int, int, int, int]]:
        """Let a producer work, kill it (``early``: perhaps while it starts), return what it had acknowledged."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{url} {name}\n".encode())
        self.process.stdin.flush()
        word, child = self.line().split()
        assert word == "pid"
        if not early:
            assert self.line() == "ready"
        time.sleep(seconds)
        if cluster is not None:
            cluster.stop(signal.SIGQUIT)
        with suppress(ProcessLookupError):  # it ends by itself when its server is gone
            os.kill(int(child), signal.SIGKILL)
        said: list[tuple[int, int, int, int]] = []
        while (line := self.line()) != "end":
            if line == "ready":
                continue
            thread, number, fact, entry = map(int, line.removeprefix("ack ").split())
            said.append((thread, number, fact, entry))
        if cluster is not None:
            cluster.start()
        return said

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Cluster | None]]:
    """A URL, and the server that may be killed as well."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/chainward.db", None
        return
    try:
        cluster = Cluster.create(durable=True)
    except NoClusterError as reason:
        pytest.skip(str(reason))
    yield cluster.url(cluster.create_database()), cluster
    cluster.destroy()


@contextmanager
def restarted(url: str) -> Iterator[Ledger]:
    """Start over, exactly as the platform starts."""
    database = open_database(url)
    ledger = open_ledger(database, clock=SystemClock())
    try:
        yield ledger
    finally:
        ledger.close()
        database.close()


def check_round(ledger: Ledger, name: str, said: list[tuple[int, int, int, int]]) -> None:
    with ledger.view() as view:
        first = min((entry for *_, entry in said), default=0)
        entries = view.entries(SIGNATURES_ORIGIN, first, first + 100_000)
        found = {fact.index: fact for fact in view.facts_at([fact for _, _, fact, _ in said])}
        for thread, number, fact, entry in said:
            assert found[fact].schema == Produced.schema
            assert found[fact].body == {"run": name, "thread": thread, "number": number}
            assert entries[entry - first] == entry_of(name, thread, number)


def newest(ledger: Ledger) -> dict[str, Checkpoint]:
    keys = keys_of_logs()
    return {head.origin: open_checkpoint(head.checkpoint, head.origin, keys[head.origin]) for head in ledger.logs()}


def check_growth(ledger: Ledger, seen: dict[str, Checkpoint]) -> dict[str, Checkpoint]:
    now = newest(ledger)
    for origin, older in seen.items():
        newer = now[origin]
        assert newer.size >= older.size
        proof = ledger.consistency(origin, older.size, newer.size)
        verify_consistency(older.size, newer.size, proof.hashes, older.root, newer.root)
    return now


@pytest.mark.timeout(600)
def test_killing_the_platform_loses_nothing_acknowledged_and_forks_nothing(store: tuple[str, Cluster | None]) -> None:
    url, cluster = store
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    open_database(url).close()
    zygote = Zygote()
    seen: dict[str, Checkpoint] = {}
    acknowledged = 0
    try:
        for number in range(ROUNDS):
            server = cluster if number % SERVER_TOO == SERVER_TOO - 1 else None
            name = f"round-{number}"
            early = number % EARLY == 0
            said = zygote.round(url, name, moments.uniform(SHORTEST, LONGEST), server, early=early)
            acknowledged += len(said)
            with restarted(url) as ledger:
                check_round(ledger, name, said)
                previous, seen = seen, check_growth(ledger, seen)
                with ledger.inspect() as view:
                    report = audit(view, keys_of_logs(), previous.values())
                assert report.facts == next(log.size for log in report.logs if log.origin == FACTS_ORIGIN)
    finally:
        zygote.close()
    assert acknowledged > ROUNDS * 5  # else there was no load
