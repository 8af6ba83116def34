"""The operating system's clock and random source."""

from __future__ import annotations

import os
from datetime import UTC, datetime

__all__ = ["SystemClock", "SystemEntropy"]


class SystemClock:
    """The wall clock of this machine; implements Clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)


class SystemEntropy:
    """The kernel's random source; implements Entropy."""

    def bytes(self, count: int) -> bytes:
        """Return ``count`` unpredictable bytes."""
        return os.urandom(count)
