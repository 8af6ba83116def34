"""Where randomness comes from."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Entropy"]


class Entropy(Protocol):
    """A source of unpredictable bytes, fit for keys and salts."""

    def bytes(self, count: int) -> bytes:
        """Return ``count`` fresh bytes."""
        ...
