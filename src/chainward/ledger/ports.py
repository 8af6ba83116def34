"""What the ledger needs from a store and from a signer of checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from chainward.formats.checkpoint import Checkpoint
    from chainward.ledger.model import LogHead, Receipt, Recorded, Unit

__all__ = ["CheckpointSigner", "LedgerStore", "LogView"]


class CheckpointSigner(Protocol):
    """Signs the checkpoints of one log as a signed note (C2SP signed-note). Thread-safe."""

    @property
    def origin(self) -> str:
        """The origin line of the log, which is also the name of the key."""
        ...

    def sign(self, size: int, root: bytes) -> bytes:
        """Return the signed note for a tree of ``size`` leaves with hash ``root``."""
        ...

    def open(self, note: bytes) -> Checkpoint:
        """Return the checkpoint in a note that this signer's key signed; raises a Problem for any other note."""
        ...


class LogView(Protocol):
    """A consistent snapshot of the logs, valid inside its context manager."""

    def heads(self) -> Sequence[LogHead]:
        """Return the newest durable heads of all logs, ordered by origin."""
        ...

    def head(self, origin: str) -> LogHead:
        """Return the newest durable head; raises LogUnknown."""
        ...

    def hashes(self, origin: str, level: int, start: int, stop: int) -> Sequence[bytes]:
        """Return hashes ``start`` to ``stop`` (exclusive) of tile level ``level``; shorter if the log is."""
        ...

    def entries(self, origin: str, start: int, stop: int) -> Sequence[bytes]:
        """Return the entries of a log in order; shorter if the log is."""
        ...

    def facts(self, after: int, limit: int, schemas: frozenset[str] | None = None) -> Sequence[Recorded]:
        """Return facts with an index above ``after``, in order; raises LogTampered for one that cannot be read."""
        ...

    def facts_at(self, indexes: Sequence[int]) -> Sequence[Recorded]:
        """Return the facts with these indexes that exist, in order."""
        ...

    def position_of(self, origin: str, entry: bytes) -> int | None:
        """Return the index of an entry that is already in the log, byte for byte."""
        ...


class LedgerStore(Protocol):
    """Where facts, writes and logs become durable.

    ``append`` blocks until everything of the unit is durable (it survives a power loss), or raises and nothing of it
    exists; only CommitUncertain leaves that open. Units are ordered; concurrent callers share one durable write. Any
    thread may call any method.
    """

    def append(self, unit: Unit) -> Receipt:
        """Make a unit durable."""
        ...

    def view(self) -> AbstractContextManager[LogView]:
        """Open a consistent snapshot for reading."""
        ...

    def notify(self, wake: Event) -> None:
        """Set ``wake`` after every commit of this process; commits of other replicas are not announced."""
        ...

    def close(self) -> None:
        """Finish what was handed in, then take nothing more."""
        ...
