"""Followers: named readers of facts that remember how far they came, and the thread that keeps them going.

A follower makes rows of its own out of facts (a projection). What it made and how far it came change in one
transaction of the projection store, so a crash repeats at most what left no trace, and rows can be dropped and made
again from fact 0 at any time. Nothing that decides over an admission may be read through a follower: it is always a
little behind.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.ledger.errors import FollowerBehind, FollowerUnknown, LogTampered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FollowerState, Recorded
    from chainward.ledger.ports import LogView, ProjectionStore

__all__ = ["FollowerStatus", "Followers"]

_PAGE: Final = 500
_POLL: Final = 1.0
_RETRY: Final = 5.0


@dataclass(frozen=True, slots=True)
class FollowerStatus:
    """How a follower does: the last fact it has seen, how many it lacks, and what stopped it, if anything did."""

    name: str
    position: int
    lag: int
    trouble: BaseException | None


class Followers:
    """Keeps all followers of one projection store up to date; it is that store's one writer in this process.

    After :meth:`start` a thread wakes with every commit of this process, and once a second for those of other replicas.
    A follower that fails is tried again every few seconds and does not hold up the others.
    """

    def __init__(self, ledger: Ledger, store: ProjectionStore, *, poll: float = _POLL, retry: float = _RETRY) -> None:
        self._ledger = ledger
        self._store = store
        self._poll = poll
        self._retry = retry
        self._wake = threading.Event()
        self._stopping = False
        self._working = threading.RLock()
        self._moved = threading.Condition()
        self._positions: dict[str, int] = {}
        self._troubles: dict[str, tuple[BaseException, float]] = {}
        self._thread = threading.Thread(target=self._run, name="chainward-followers", daemon=True)

    def open(self) -> None:
        """Prepare the store: what was made from another ledger, or by another version, is dropped and made again."""
        with self._ledger.view() as view:
            identity = _identity(view)
        with self._working:
            self._store.prepare(identity)
            self._learn(self._store.followers())

    def start(self) -> None:
        """Open, then start the thread."""
        self.open()
        self._ledger.notify(self._wake)
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the page it is at."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def catch_up(self) -> None:
        """Apply, in the caller's thread, every fact that is there now; raises what stopped a follower."""
        for state in self._store.followers():
            self._advance(state.name)

    def rebuild(self, name: str | None = None) -> None:
        """Drop what a follower made (of all followers, without a name) and make it again from fact 0.

        Raises:
            FollowerUnknown: there is no follower of that name.
        """
        with self._working:
            for state in self._named(name):
                self._store.reset(state.name)
                self._troubles.pop(state.name, None)
                self._learn(self._store.followers())
            for state in self._named(name):
                self._advance(state.name)

    def wait_until(self, position: int, timeout: float, name: str | None = None) -> None:
        """Return when a follower (all of them, without a name) has seen the fact at ``position``.

        Raises:
            FollowerBehind: it has not, within ``timeout`` seconds.
            FollowerUnknown: there is no follower of that name.
        """
        if name is not None and name not in self._positions:
            raise FollowerUnknown(f"there is no follower {name}")

        def reached() -> bool:
            positions = self._positions.items()
            return all(seen >= position for follower, seen in positions if name in {None, follower})

        self._wake.set()
        with self._moved:
            if not self._moved.wait_for(reached, timeout):
                raise FollowerBehind(f"fact {position} was not applied within {timeout} seconds")

    def status(self) -> tuple[FollowerStatus, ...]:
        """Return how every follower does."""
        with self._ledger.view() as view:
            last = _facts_size(view) - 1
        return tuple(
            FollowerStatus(state.name, state.position, max(0, last - state.position), self._trouble(state.name))
            for state in self._store.followers()
        )

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._poll)
            self._wake.clear()
            try:
                self._round(self._store.followers())
            except Exception as error:  # noqa: BLE001 - the database may come back; status() shows what is wrong
                self._note(self._positions, error)

    def _round(self, states: Iterable[FollowerState]) -> None:
        for state in states:
            trouble = self._troubles.get(state.name)
            if trouble is not None and time.monotonic() < trouble[1]:
                continue
            try:
                self._advance(state.name)
            except Exception as error:  # noqa: BLE001 - one follower's defect is shown by status(), not shared
                self._note([state.name], error)
            else:
                self._troubles.pop(state.name, None)

    def _advance(self, name: str) -> None:
        """Bring one follower to the newest fact, page by page."""
        while not self._stopping and self._page(name):
            pass

    def _page(self, name: str) -> bool:
        """Let a follower see one page; returns whether there may be more."""
        with self._working:
            (state,) = self._named(name)
            with self._ledger.view() as view:
                last = _facts_size(view) - 1
                facts = view.facts(state.position, _PAGE, state.schemas) if state.position < last else ()
            if state.position > last:
                self._store.reset(name)  # the ledger was restored from a backup that is older than the projection
                return True
            position = facts[-1].index if len(facts) == _PAGE else last
            if position > state.position and not self._store.apply(name, _readable(facts), state.position, position):
                return True  # another replica was quicker
            self._learn([state.at(position)])
            return position < last

    def _learn(self, states: Iterable[FollowerState]) -> None:
        with self._moved:
            for state in states:
                self._positions[state.name] = state.position
            self._moved.notify_all()

    def _named(self, name: str | None) -> Sequence[FollowerState]:
        states = [state for state in self._store.followers() if name in {None, state.name}]
        if not states and name is not None:
            raise FollowerUnknown(f"there is no follower {name}")
        return states

    def _note(self, names: Iterable[str], error: BaseException) -> None:
        for name in names:
            self._troubles[name] = (error, time.monotonic() + self._retry)

    def _trouble(self, name: str) -> BaseException | None:
        trouble = self._troubles.get(name)
        return None if trouble is None else trouble[0]


def _readable(facts: Sequence[Recorded]) -> Sequence[Recorded]:
    """Leave out facts whose body was pruned: a follower can make nothing of them."""
    return [fact for fact in facts if fact.body is not None]


def _facts_size(view: LogView) -> int:
    return next(head.size for head in view.heads() if head.content == "facts")


def _identity(view: LogView) -> bytes:
    """Return what no other ledger has: the hash of the genesis leaf, which commits to a random salt."""
    for head in view.heads():
        if head.content == "facts":
            return view.hashes(head.origin, 0, 0, 1)[0]
    raise LogTampered("there is no facts log")
