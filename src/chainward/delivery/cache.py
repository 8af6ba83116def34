"""Keeps verdicts for as long as they hold, and lets only one thread work one out.

A key names everything that a verdict depends on, by epoch; so a change of evidence, policy, trust or portfolio makes
new keys, and nothing has to be removed. Only time is not in the key: a verdict says until when it holds, a no is kept
for seconds only, and an error is never kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, TimeoutError  # noqa: A004 - the name of what Future.result raises
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from chainward.delivery.errors import GateTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chainward.delivery.model import Verdict
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.policy.model import Gate

__all__ = ["CacheLimits", "VerdictCache", "VerdictKey"]

_LONGEST: Final = timedelta(minutes=10)
_NEGATIVE: Final = timedelta(seconds=30)


class VerdictKey(NamedTuple):
    """Everything but time that a verdict depends on."""

    repository: RepositoryName
    digest: Digest
    environment: str
    tier: str | None
    gate: Gate
    evidence_epoch: int
    policy_epoch: int | None
    trust_epoch: int
    portfolio_epoch: int


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How many verdicts are kept, and how long a yes and a no are kept at most."""

    entries: int = 8192
    positive: timedelta = _LONGEST
    negative: timedelta = _NEGATIVE


@dataclass(frozen=True, slots=True)
class _Kept:
    verdict: Verdict
    until: datetime


class VerdictCache:
    """Verdicts by key. Thread-safe and bounded: the one that was not asked for the longest goes first."""

    def __init__(self, limits: CacheLimits = CacheLimits()) -> None:
        self._limits = limits
        self._kept: OrderedDict[VerdictKey, _Kept] = OrderedDict()
        self._working: dict[VerdictKey, Future[Verdict]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: VerdictKey, now: datetime) -> Verdict | None:
        """Return a verdict that still holds."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if kept.until <= now:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return kept.verdict

    def settle(self, key: VerdictKey, compute: Callable[[], Verdict], seconds: Callable[[], float | None]) -> Verdict:
        """Return the verdict that ``compute`` gives, in this thread or in the one that is at it already.

        ``seconds`` says how long this caller may wait for another; None means for ever.

        Raises:
            GateTimeout: the other thread was not ready in time.
            Exception: what ``compute`` raised, to everybody who waited for it; it is not kept.
        """
        with self._lock:
            working = self._working.get(key)
            mine = working is None
            if working is None:
                working = self._working[key] = Future()
        if not mine:
            try:
                return working.result(seconds())
            except TimeoutError:
                raise GateTimeout("another request is still working on the same verdict") from None
        return self._work(key, working, compute)

    def _work(self, key: VerdictKey, working: Future[Verdict], compute: Callable[[], Verdict]) -> Verdict:
        try:
            verdict = compute()
        except BaseException as error:
            with self._lock:
                del self._working[key]
            working.set_exception(error)
            raise
        with self._lock:
            self._keep(key, verdict)
            del self._working[key]
        working.set_result(verdict)
        return verdict

    def _keep(self, key: VerdictKey, verdict: Verdict) -> None:
        until = verdict.decided_at + (self._limits.positive if verdict.allowed else self._limits.negative)
        if verdict.valid_until is not None:
            until = min(until, verdict.valid_until)
        self._kept[key] = _Kept(replace(verdict, from_cache=True), until)
        self._kept.move_to_end(key)
        while len(self._kept) > self._limits.entries:
            self._kept.popitem(last=False)
