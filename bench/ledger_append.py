"""How many facts a second become durable, with 50 producers that each wait for their answer.

    python bench/ledger_append.py [--seconds 5] [--producers 50] [--postgres URL] [--json FILE]

SQLite runs with synchronous=FULL, PostgreSQL with synchronous_commit=on and fsync on; without ``--postgres`` a private
cluster is started when the machine has the binaries. The promise is 2,000 appends a second on SQLite; below it the exit
status is 1. The time of a 4 KiB append with fdatasync is measured in the same run, because that is what a disk gives.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.databases import CONTEXT, open_ledger, prepare
from tests.postgres import Cluster, NoClusterError

from chainward.adapters.sql.database import Database
from chainward.adapters.system import SystemClock
from chainward.ledger.model import FactBody

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMISE = 2_000
FSYNCS = 200


class Admitted(FactBody, frozen=True, kw_only=True):
    """A fact of the usual size, about 400 bytes."""

    schema: ClassVar[str] = "bench.admitted/1"

    repository: str
    digest: str
    environment: str
    policy: str

    def subjects(self) -> tuple[str, ...]:
        """Return the digest."""
        return (self.digest,)


BODY = Admitted(
    repository="shop/frontend",
    digest="sha256:" + "0123456789abcdef" * 4,
    environment="prod",
    policy="sha256:" + "fedcba9876543210" * 4,
)


def fsync_milliseconds(folder: Path) -> float:
    """Return the median time of a 4 KiB append with fdatasync."""
    times: list[float] = []
    descriptor = os.open(folder / "fsync-probe", os.O_CREAT | os.O_WRONLY, 0o600)
    for _ in range(FSYNCS):
        os.write(descriptor, b"x" * 4096)
        start = time.perf_counter()
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - start)
    os.close(descriptor)
    return statistics.median(times) * 1000


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(url: str, producers: int, seconds: float) -> dict[str, float | str]:
    """Let producers append for a while and return the figures."""
    database = Database.open(url)
    prepare(database)
    ledger = open_ledger(database, clock=SystemClock())
    latencies: list[list[float]] = [[] for _ in range(producers)]
    stopping = threading.Event()
    ready = threading.Barrier(producers + 1)

    def produce(mine: list[float]) -> None:
        ready.wait()
        while not stopping.is_set():
            start = time.perf_counter()
            ledger.commit([BODY], context=CONTEXT)
            mine.append(time.perf_counter() - start)

    threads = [threading.Thread(target=produce, args=(mine,)) for mine in latencies]
    for thread in threads:
        thread.start()
    ready.wait()
    started, cpu = time.perf_counter(), cpu_seconds()
    time.sleep(seconds)
    stopping.set()
    for thread in threads:
        thread.join()
    elapsed, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    ledger.close()
    store = database.dialect_name
    database.close()
    every = sorted(latency for mine in latencies for latency in mine)
    return {
        "store": store,
        "appends": len(every),
        "per_second": round(len(every) / elapsed),
        "cpu_us_per_append": round(cpu / len(every) * 1e6, 1),
        "p50_ms": round(every[len(every) // 2] * 1000, 2),
        "p99_ms": round(every[len(every) * 99 // 100] * 1000, 2),
    }


@contextmanager
def postgres(url: str | None) -> Iterator[str | None]:
    """Give the URL of an empty database, or None where there is no server."""
    if url is not None:
        yield url
        return
    try:
        cluster = Cluster.create(durable=True)
    except NoClusterError as reason:
        print(f"PostgreSQL left out: {reason}", file=sys.stderr)
        yield None
        return
    try:
        yield cluster.url(cluster.create_database())
    finally:
        cluster.destroy()


def main() -> int:
    """Measure, print a table, write JSON when asked."""
    parser = argparse.ArgumentParser(description="How many facts a second become durable.")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--producers", type=int, default=50)
    parser.add_argument("--postgres", default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    results: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        fsync = fsync_milliseconds(Path(folder))
        url = f"sqlite:///{Path(folder).resolve() / 'chainward.db'}"
        results.append(measure(url, options.producers, options.seconds))
    with postgres(options.postgres) as server:
        if server is not None:
            results.append(measure(server, options.producers, options.seconds))
    load = os.getloadavg()[0]
    print(f"{options.producers} producers, {options.seconds:g} s each, fdatasync {fsync:.2f} ms, load {load:.1f}")
    print(f"{'store':12}{'appends/s':>10}{'CPU us':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for row in results:
        figures = (row["per_second"], row["cpu_us_per_append"], row["p50_ms"], row["p99_ms"])
        print(f"{row['store']:12}{figures[0]:>10}{figures[1]:>9}{figures[2]:>9}{figures[3]:>9}")
    if options.json is not None:
        document = {"fdatasync_ms": round(fsync, 3), "load": load, "producers": options.producers, "results": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if float(results[0]["per_second"]) >= PROMISE else 1


if __name__ == "__main__":
    sys.exit(main())
