"""What a proof costs in a log of a million leaves on SQLite: making it from the store, and checking it.

    python bench/log_proofs.py [--leaves 1000000] [--json FILE]

The promise is 50 µs CPU for the inclusion proof of any leaf, head read from the store, once the tiles on the way have
been read (the prover keeps those of a million leaves); above it the exit status is 1. Beside it stands what the first
proof in a tile costs, which reads 16 KiB from the store.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.databases import SIGNATURES_ORIGIN, open_ledger, prepare

from chainward.adapters.sql.database import Database
from chainward.ledger.proofs import leaf_hash, verify_consistency, verify_inclusion
from chainward.ledger.prove import Prover

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.ledger.commit import Ledger

PROMISE_US = 50.0
PORTION = 5_000
ROUNDS = 300


def entry(index: int) -> bytes:
    """Return the entry that stands at an index."""
    return b"a signature of the usual size " * 16 + b"%d" % index


def fill(ledger: Ledger, leaves: int) -> float:
    """Append until the log has that many leaves; returns microseconds of CPU for each."""
    started = time.process_time()
    for start in range(1, leaves, PORTION):
        ledger.append_entries(SIGNATURES_ORIGIN, [entry(index) for index in range(start, min(start + PORTION, leaves))])
    return (time.process_time() - started) / leaves * 1e6


def cost(work: Callable[[int], object], leaves: int) -> float:
    """Return the median CPU microseconds of work over random indexes."""
    random = Random(6962)  # noqa: S311 - the same indexes in every run
    times: list[float] = []
    for _ in range(ROUNDS):
        index = random.randrange(1, leaves)
        start = time.thread_time()
        work(index)
        times.append(time.thread_time() - start)
    return statistics.median(times) * 1e6


def measure(ledger: Ledger, leaves: int) -> dict[str, float]:
    """Return CPU microseconds of every operation."""
    root = ledger.inclusion(SIGNATURES_ORIGIN, 1).root
    proofs = {index: ledger.inclusion(SIGNATURES_ORIGIN, index) for index in range(1, leaves, leaves // 50)}
    sample = next(iter(proofs.values()))
    older = ledger.consistency(SIGNATURES_ORIGIN, leaves // 3)

    def cold(index: int) -> object:
        with ledger.view() as view:
            return Prover().inclusion(view, view.head(SIGNATURES_ORIGIN), index, leaves)

    def check(index: int) -> None:
        del index
        verify_inclusion(sample.index, leaves, leaf_hash(entry(sample.index)), sample.hashes, root)

    def check_consistency(index: int) -> None:
        del index
        verify_consistency(older.size1, older.size2, older.hashes, older.root1, older.root2)

    figures = {
        "inclusion, nothing cached, in a snapshot": cost(cold, leaves),
        "inclusion, first in its tile": cost(lambda index: ledger.inclusion(SIGNATURES_ORIGIN, index), leaves),
        "inclusion, nodes kept": cost(lambda index: ledger.inclusion(SIGNATURES_ORIGIN, index), leaves),
        "consistency": cost(lambda index: ledger.consistency(SIGNATURES_ORIGIN, index), leaves),
        "verify inclusion": cost(check, leaves),
        "verify consistency": cost(check_consistency, leaves),
    }
    with ledger.view() as view:
        head, recent = view.head(SIGNATURES_ORIGIN), leaves - 1 - leaves // 100
        figures["inclusion of a recent leaf, in an open snapshot"] = cost(
            lambda index: ledger.prover.inclusion(view, head, recent + index % (leaves // 100), leaves), leaves
        )
    receipt = ledger.append_entries(SIGNATURES_ORIGIN, [entry(leaves + number) for number in range(128)])
    grown = receipt.grown[SIGNATURES_ORIGIN]
    figures["inclusion of what a commit appended"] = cost(lambda index: grown.inclusion(leaves + index % 128), leaves)
    return {name: round(value, 1) for name, value in figures.items()}


def main() -> int:
    """Fill a log, measure, print a table, write JSON when asked."""
    parser = argparse.ArgumentParser(description="What a proof costs in a large log.")
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        database = Database.open_sqlite(Path(folder).resolve() / "chainward.db")
        prepare(database)
        ledger = open_ledger(database)
        figures = {"append an entry": round(fill(ledger, options.leaves), 1), **measure(ledger, options.leaves)}
        ledger.close()
        database.close()
    print(f"{options.leaves:,} leaves, CPU microseconds, median")
    for name, value in figures.items():
        print(f"{name:52}{value:>10}")
    if options.json is not None:
        document = {"leaves": options.leaves, "cpu_us": figures}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if figures["inclusion, nodes kept"] <= PROMISE_US else 1


if __name__ == "__main__":
    sys.exit(main())
