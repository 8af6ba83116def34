"""Callers at the same time share a commit, and each learns whether its own items are durable."""

from __future__ import annotations

import threading
import time

import pytest

from chainward.delivery.together import Together


def _run(count: int, together: Together[int], each: int = 1) -> list[BaseException]:
    errors: list[BaseException] = []

    def caller(number: int) -> None:
        for round_ in range(each):
            try:
                with together.presence():
                    together.keep((number * each + round_,))
            except OSError as error:
                errors.append(error)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_every_item_is_committed_exactly_once() -> None:
    committed: list[tuple[int, ...]] = []
    _run(16, Together(committed.append), each=25)
    assert sorted(item for group in committed for item in group) == list(range(400))


def test_callers_at_the_same_time_share_commits() -> None:
    committed: list[tuple[int, ...]] = []

    def slow(items: tuple[int, ...]) -> None:
        time.sleep(0.005)
        committed.append(items)

    _run(16, Together(slow), each=10)
    assert len(committed) < 120


def test_nobody_returns_before_the_commit_that_holds_its_items() -> None:
    committed: set[int] = set()

    def slow(items: tuple[int, ...]) -> None:
        time.sleep(0.002)
        committed.update(items)

    together = Together(slow)
    missing: list[int] = []

    def caller(number: int) -> None:
        with together.presence():
            together.keep((number,))
        if number not in committed:
            missing.append(number)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []


def test_a_failed_commit_fails_everybody_who_shared_it_and_nobody_else() -> None:
    failed: list[int] = []

    def sometimes(items: tuple[int, ...]) -> None:
        time.sleep(0.002)
        if 3 in items:
            failed.extend(items)
            raise OSError("disk")

    errors = _run(8, Together(sometimes))
    assert len(errors) == len(failed) > 0


def test_alone_a_caller_waits_for_nobody() -> None:
    together: Together[int] = Together(lambda _: None)
    before = time.perf_counter()
    for number in range(100):
        with together.presence():
            together.keep((number,))
    assert time.perf_counter() - before < 0.15


def test_one_who_is_present_but_never_comes_holds_the_others_up_for_a_moment_only() -> None:
    together: Together[int] = Together(lambda _: None)
    with together.presence(), together.presence():
        before = time.perf_counter()
        together.keep((1,))
        assert time.perf_counter() - before < 1


def test_an_interrupted_commit_is_told_as_such() -> None:
    def interrupted(_: tuple[int, ...]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Together(interrupted).keep((1,))
