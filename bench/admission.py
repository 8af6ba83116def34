"""What one admission costs: decode, one snapshot, the cached verdict, a durable row, encode; and the slow path.

Run with ``python bench/admission.py``. CPU time is that of the whole process, all threads together, so what the writer
does to make a row durable counts as well. It depends least on who else uses the machine, so the limits of the product
are on it: 0.3 ms for a known digest with 16 callers at a time, who share commits as a cluster's do, and 10 ms for a new
one with three attestations, by a key or by certificates. ``--profile`` shows where it goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.databases import sqlite_platform
from tests.delivery.certified import CertifiedRig
from tests.delivery.rig import HOST, Rig

from chainward.formats.admission import decode_review, encode_answer
from chainward.kernel.identity import Actor, Context

if TYPE_CHECKING:
    from collections.abc import Callable

REVIEW = Path(__file__).parent.parent / "tests/data/admission-reviews/pod-create.jsonl"
CALLERS = 16
KNOWN_LIMIT = 0.3
SLOW_LIMIT = 10.0


def pod_review() -> bytes:
    """Return a review as an API server sent it, with the images of the bench in place of its own."""
    (line, *_) = REVIEW.read_bytes().splitlines()
    for name in (b"app:1", b"init:1", b"data:1"):
        line = line.replace(b"reg.example/" + name, f"{HOST}/shop/web:1".encode())
    return line.replace(b'"namespace":"default"', b'"namespace":"staging"')


def admit(rig: Rig, body: bytes, context: Context) -> bytes:
    """Answer one review, as the webhook does."""
    review = decode_review(body)
    answer = rig.admission.validate(review, context=context, timeout=timedelta(seconds=10))
    assert answer.allowed
    return encode_answer(review, allowed=answer.allowed, warnings=answer.warnings, audit_annotations=answer.audit)


def known(rig: Rig, threads: int, each: int) -> tuple[float, float]:
    """Return CPU and wall milliseconds for one admission of a known digest, with so many callers at a time."""
    body = pod_review()
    context = Context(Actor("token:webhook"), "bench")
    for _ in range(50):
        admit(rig, body, context)
    barrier = threading.Barrier(threads + 1)

    def caller() -> None:
        barrier.wait()
        for _ in range(each):
            admit(rig, body, context)

    callers = [threading.Thread(target=caller) for _ in range(threads)]
    for thread in callers:
        thread.start()
    barrier.wait()
    cpu, wall = time.process_time(), time.perf_counter()
    for thread in callers:
        thread.join()
    count = threads * each
    return (time.process_time() - cpu) * 1000 / count, (time.perf_counter() - wall) * 1000 / count


def unknown(rig: Rig, name: str, count: int) -> float:
    """Return CPU milliseconds for one admission of a digest that was never seen, with three attestations."""
    context = Context(Actor("token:webhook"), "bench")
    bodies = []
    for number in range(count):
        tag = f"{name}-{number}"
        rig.push(rig.release(tag), tag)
        bodies.append(pod_review().replace(b"shop/web:1", f"shop/web:{tag}".encode()))
    cpu = time.process_time()
    for body in bodies:
        admit(rig, body, context)
    return (time.process_time() - cpu) * 1000 / count


def run(measure: Callable[[Rig], None], kind: type[Rig] = Rig) -> None:
    """Give ``measure`` a platform with one image that has all its evidence."""
    with tempfile.TemporaryDirectory() as folder, sqlite_platform(Path(folder)) as platform:
        rig = kind(platform, Path(folder)).prepare()
        rig.push(rig.release())
        measure(rig)


def report(rig: Rig) -> None:
    """Print every figure, the best of three rounds, and leave with status 1 when a limit is missed."""
    cpu, wall = known(rig, 1, 2000)
    print(f"known digest,  1 caller : {cpu:.3f} ms CPU, {wall:.3f} ms wall per admission (a commit for each)")
    rounds = [known(rig, CALLERS, 4000 // CALLERS) for _ in range(3)]
    together, wall = min(rounds)
    print(f"known digest, {CALLERS} callers: {together:.3f} ms CPU, {wall:.3f} ms wall per admission")
    slow = min(unknown(rig, f"slow-{round_}", 20) for round_ in range(3))
    print(f"new digest, 3 attestations by key         : {slow:.2f} ms CPU per admission")
    certified: list[float] = []
    run(lambda other: certified.extend(unknown(other, f"slow-{round_}", 20) for round_ in range(3)), CertifiedRig)
    print(f"new digest, 3 attestations by certificate : {min(certified):.2f} ms CPU per admission")
    figures = (
        ("known digest", together, KNOWN_LIMIT),
        ("new digest by key", slow, SLOW_LIMIT),
        ("new digest by certificate", min(certified), SLOW_LIMIT),
    )
    missed = [name for name, figure, limit in figures if figure > limit]
    print("limits held" if not missed else f"limits missed: {', '.join(missed)}")
    sys.exit(bool(missed))


def profile(rig: Rig) -> None:
    """Print where the time of a caller goes; the writer's thread is not in it."""
    body, context = pod_review(), Context(Actor("token:webhook"), "bench")
    admit(rig, body, context)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(2000):
        admit(rig, body, context)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true")
    run(profile if parser.parse_args().profile else report)
