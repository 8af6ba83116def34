"""How much CPU the hot reads of the registry cost on SQLite: state for a decision (promise 60 us) and a manifest pull.

python bench/registry_manifest.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.registry_stand import ALICE, BOB, WEB, sqlite_stand

from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag

if TYPE_CHECKING:
    from collections.abc import Callable

PROMISE = 60e-6
ROUNDS, CALLS = 30, 300
IMAGES = 200


def main() -> int:
    """Measure, print, and return 1 when the promise is broken."""
    with tempfile.TemporaryDirectory() as folder, sqlite_stand(Path(folder)) as stand:
        bodies = [stand.push_image(b"layer %d" % number, tag=f"v{number}") for number in range(IMAGES)]
        revoked = Digest.of(bodies[-1])
        stand.registry.revocations.revoke(revoked, "bench", ALICE)
        digest, tag = Digest.of(bodies[77]), Tag("v77")
        registry = stand.registry
        costs = {
            "state_of by tag": _cost(lambda: registry.state_of(WEB, tag)),
            "state_of by digest": _cost(lambda: registry.state_of(WEB, digest)),
            "state_of a revoked digest": _cost(lambda: registry.state_of(WEB, revoked)),
            "pull a manifest by tag": _cost(lambda: registry.pull.manifest(WEB, tag, BOB)),
            "open a proven blob": _cost(lambda: registry.pull.blob(WEB, Digest.of(b"layer 77"), BOB).close()),
        }
    for name, cost in costs.items():
        print(f"{name:<28} {cost * 1e6:7.1f} us CPU")
    kept = costs["state_of by tag"] <= PROMISE and costs["state_of by digest"] <= PROMISE
    print(f"promise: {PROMISE * 1e6:.0f} us for state_of: {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


def _cost(call: Callable[[], object]) -> float:
    return median(_round(call) for _ in range(ROUNDS))


def _round(call: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - started) / CALLS


if __name__ == "__main__":
    sys.exit(main())
