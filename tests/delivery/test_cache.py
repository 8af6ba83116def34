"""Verdicts are kept while they hold, worked out once, and never kept when something went wrong."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from chainward.delivery.cache import CacheLimits, VerdictCache, VerdictKey
from chainward.delivery.errors import GateTimeout
from chainward.delivery.model import Verdict
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.policy.model import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def _key(number: int = 0) -> VerdictKey:
    digest = Digest.of(str(number).encode())
    return VerdictKey(RepositoryName("shop/web"), digest, "prod", "gold", Gate.ADMIT, 1, 2, 3, 4)


def _verdict(*, allowed: bool = True, valid_until: datetime | None = None) -> Verdict:
    return Verdict(allowed=allowed, checks=(), policy_digest=None, evidence=(), decided_at=NOW, valid_until=valid_until)


def _for_ever() -> None:
    return None


def _settle(cache: VerdictCache, key: VerdictKey, verdict: Verdict) -> Verdict:
    return cache.settle(key, lambda: verdict, _for_ever)


def test_a_verdict_is_found_again_and_says_that_it_was_kept() -> None:
    cache = VerdictCache()
    assert not _settle(cache, _key(), _verdict()).from_cache
    found = cache.find(_key(), NOW)
    assert found is not None
    assert found.from_cache


@pytest.mark.parametrize(
    "change",
    [
        {"repository": RepositoryName("shop/api")},
        {"digest": Digest.of(b"other")},
        {"environment": "staging"},
        {"tier": None},
        {"gate": Gate.PROMOTE},
        {"evidence_epoch": 9},
        {"policy_epoch": 9},
        {"trust_epoch": 9},
        {"portfolio_epoch": 9},
    ],
)
def test_everything_that_a_verdict_depends_on_makes_it_another_one(change: dict[str, object]) -> None:
    cache = VerdictCache()
    _settle(cache, _key(), _verdict())
    assert cache.find(_key()._replace(**change), NOW) is None  # type: ignore[arg-type]  # one member by name


def test_a_verdict_ends_when_it_says_so_and_a_no_ends_sooner_than_a_yes() -> None:
    cache = VerdictCache(CacheLimits(positive=timedelta(minutes=5), negative=timedelta(seconds=30)))
    _settle(cache, _key(1), _verdict())
    _settle(cache, _key(2), _verdict(allowed=False))
    _settle(cache, _key(3), _verdict(valid_until=NOW + timedelta(seconds=10)))
    for number, seconds in ((1, 300), (2, 30), (3, 10)):
        assert cache.find(_key(number), NOW + timedelta(seconds=seconds - 1)) is not None
        assert cache.find(_key(number), NOW + timedelta(seconds=seconds)) is None


def test_the_cache_is_bounded_and_forgets_what_was_not_asked_for() -> None:
    cache = VerdictCache(CacheLimits(entries=3))
    for number in range(3):
        _settle(cache, _key(number), _verdict())
    assert cache.find(_key(0), NOW) is not None
    _settle(cache, _key(3), _verdict())
    assert len(cache) == 3
    assert cache.find(_key(1), NOW) is None
    assert cache.find(_key(0), NOW) is not None


def _together(count: int, work: Callable[[], object]) -> list[object]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_only_one_thread_works_a_verdict_out_and_the_others_wait_for_it() -> None:
    cache, calls, release = VerdictCache(), [], threading.Event()

    def compute() -> Verdict:
        calls.append(1)
        release.wait(10)
        return _verdict()

    threading.Timer(0.1, release.set).start()
    results = _together(8, lambda: cache.settle(_key(), compute, _for_ever))
    assert len(calls) == 1
    assert results == [_verdict()] * 8


def test_an_error_reaches_everybody_who_waited_and_is_not_kept() -> None:
    cache, calls, release = VerdictCache(), [], threading.Event()

    def compute() -> Verdict:
        calls.append(1)
        release.wait(10)
        raise OSError("disk")

    threading.Timer(0.1, release.set).start()
    results = _together(4, lambda: cache.settle(_key(), compute, _for_ever))
    assert len(calls) == 1
    assert all(isinstance(result, OSError) for result in results)
    assert _settle(cache, _key(), _verdict()) == _verdict()


def test_who_waits_for_another_gives_up_at_its_own_deadline() -> None:
    cache, release, started = VerdictCache(), threading.Event(), threading.Event()

    def compute() -> Verdict:
        started.set()
        release.wait(10)
        return _verdict()

    worker = threading.Thread(target=lambda: cache.settle(_key(), compute, _for_ever))
    worker.start()
    started.wait(10)
    before = time.monotonic()
    with pytest.raises(GateTimeout):
        cache.settle(_key(), compute, lambda: 0.05)
    assert time.monotonic() - before < 5
    release.set()
    worker.join()
