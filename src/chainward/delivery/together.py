"""Lets callers that wait at the same time share one commit.

Whoever comes while others are on their way gathers with them; the first carries the commit out for all. Alone a caller
waits for nobody. A caller that is present but does not come in time holds the others up by two milliseconds at most,
which is less than the disk takes; in return a commit costs each of many callers a fraction.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Together"]

T = TypeVar("T")
_PATIENCE: Final = 0.002


class _Group(Generic[T]):
    """What is committed together, and what came of it."""

    __slots__ = ("callers", "done", "error", "items")

    def __init__(self) -> None:
        self.items: list[T] = []
        self.callers = 0
        self.done = threading.Event()
        self.error: BaseException | None = None


class Together(Generic[T]):
    """Hands items to ``commit``, many callers' at a time. Thread-safe."""

    def __init__(self, commit: Callable[[tuple[T, ...]], object]) -> None:
        self._commit = commit
        self._next: _Group[T] = _Group()
        self._present = 0
        self._changed = threading.Condition(threading.Lock())
        self._turn = threading.Lock()

    @contextmanager
    def presence(self) -> Iterator[None]:
        """Say that the caller is on its way; whoever is first to keep something waits a moment for it."""
        with self._changed:
            self._present += 1
        try:
            yield
        finally:
            with self._changed:
                self._present -= 1
                self._tell()

    def keep(self, items: Iterable[T]) -> None:
        """Return when a commit with these items succeeded; raises what the commit raised, to all who shared it."""
        with self._changed:
            group = self._next
            group.items.extend(items)
            group.callers += 1
            is_first = group.callers == 1
            self._tell()
        if is_first:
            with self._turn:
                self._carry_out(group)
        else:
            group.done.wait()
        if group.error is not None:
            raise group.error

    def _tell(self) -> None:
        if self._next.callers >= self._present:
            self._changed.notify_all()

    def _carry_out(self, group: _Group[T]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: group.callers >= self._present, _PATIENCE)
            self._next = _Group()
        try:
            self._commit(tuple(group.items))
        except BaseException as error:  # noqa: BLE001 - raised again in every thread that shared the commit
            group.error = error
        group.done.set()
