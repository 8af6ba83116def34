"""The operating system's clock and random source keep the promises of their ports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chainward.adapters.system import SystemClock, SystemEntropy


def test_the_clock_is_aware_in_utc_and_of_today() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


def test_random_bytes_are_as_many_as_asked_for_and_never_the_same() -> None:
    entropy = SystemEntropy()
    drawn = [entropy.bytes(32) for _ in range(1_000)]
    assert {len(each) for each in drawn} == {32}
    assert len(set(drawn)) == 1_000
