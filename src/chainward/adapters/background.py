"""Work that repeats in the background of a running platform: anchors, expiry. One thread for each kind of work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

__all__ = ["Periodic"]

_PATIENCE: Final = 30.0


class Periodic:
    """Calls ``work`` again and again until stopped: when :attr:`wake` is set, at the latest after each ``interval``.

    A failure goes to ``on_failure`` and does not end the repetition: what could not be done now is done next time.
    """

    def __init__(
        self,
        name: str,
        interval: timedelta,
        work: Callable[[], object],
        on_failure: Callable[[str, Exception], None],
    ) -> None:
        self._name = name
        self._interval = interval.total_seconds()
        self._work = work
        self._on_failure = on_failure
        self._stopping = False
        self.wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"chainward-{name}", daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after one interval, unless something wakes it before."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for a call that is under way."""
        self._stopping = True
        self.wake.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while True:
            self.wake.wait(self._interval)
            self.wake.clear()
            if self._stopping:
                return
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - a loop that died silently would be worse than any error
                self._on_failure(self._name, error)
