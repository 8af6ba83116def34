"""Repeated work: goes on after a failure, wakes when asked, and stops when told."""

from __future__ import annotations

import threading
from datetime import timedelta

from chainward.adapters.background import Periodic

HOUR = timedelta(hours=1)


def ignore(name: str, error: Exception) -> None:
    """Hear of a failure and do nothing."""
    del name, error


def test_work_is_repeated_until_stopped() -> None:
    third = threading.Event()
    calls: list[int] = []

    def work() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            third.set()

    periodic = Periodic("test", timedelta(milliseconds=1), work, ignore)
    periodic.start()
    assert third.wait(10)
    periodic.stop()
    count = len(calls)
    assert not third.wait(0.02) or len(calls) == count


def test_a_failure_is_reported_and_does_not_end_the_repetition() -> None:
    again = threading.Event()
    reported: list[tuple[str, str]] = []

    def work() -> None:
        if reported:
            again.set()
        raise RuntimeError("not today")

    periodic = Periodic(
        "flaky", timedelta(milliseconds=1), work, lambda name, error: reported.append((name, str(error)))
    )
    periodic.start()
    assert again.wait(10)
    periodic.stop()
    assert reported[0] == ("flaky", "not today")


def test_it_wakes_before_its_interval_when_asked() -> None:
    done = threading.Event()
    periodic = Periodic("woken", HOUR, done.set, ignore)
    periodic.start()
    assert not done.wait(0.02)
    periodic.wake.set()
    assert done.wait(10)
    periodic.stop()


def test_what_was_never_started_can_be_stopped() -> None:
    Periodic("idle", HOUR, lambda: None, ignore).stop()
