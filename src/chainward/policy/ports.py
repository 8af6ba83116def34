"""What policy needs from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.policy.model import Activation

__all__ = ["PolicyStore"]


class PolicyStore(Protocol):
    """Reads of what was activated; each call sees everything that was durable when it began. Thread-safe.

    Activations are never changed or removed.
    """

    def epoch(self) -> int | None:
        """Return the epoch in force, or None before the first activation."""
        ...

    def activation(self, epoch: int) -> Activation | None:
        """Return the activation of an epoch."""
        ...

    def history(self, limit: int) -> Sequence[Activation]:
        """Return the newest activations, the newest first."""
        ...
