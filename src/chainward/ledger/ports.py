"""What the ledger needs from a store and from a signer of checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from chainward.formats.checkpoint import Checkpoint
    from chainward.kernel.problem import Problem
    from chainward.ledger.model import (
        Extent,
        FollowerState,
        LogHead,
        Receipt,
        Recorded,
        StoredFact,
        StoredLeaf,
        StoredTile,
        Unit,
    )

__all__ = [
    "AuditView",
    "CheckpointSigner",
    "CheckpointSigners",
    "LedgerStore",
    "LogView",
    "ProjectionStore",
    "SubjectIndex",
    "TileReader",
]


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


class CheckpointSigners(Protocol):
    """Who signs the checkpoints of which log. Thread-safe.

    A writer asks once for each log, when it first grows it, so a log that another replica opened is found as well. The
    signer of an origin never changes: a new key begins a new log.
    """

    def signer_of(self, origin: str) -> CheckpointSigner:
        """Return the signer of one log; raises LogUnknown, or a Problem of kind *unavailable* for a sealed key."""
        ...


class TileReader(Protocol):
    """Reads heads and tiles. Who reads a head first finds all that it covers, also without a snapshot: logs only grow.

    Any thread may call it.
    """

    def head(self, origin: str) -> LogHead:
        """Return the newest durable head; raises LogUnknown."""
        ...

    def hashes(self, origin: str, level: int, start: int, stop: int) -> Sequence[bytes]:
        """Return hashes ``start`` to ``stop`` (exclusive) of tile level ``level``; shorter if the log is."""
        ...

    def tile_with_nodes(self, origin: str, level: int, index: int) -> tuple[bytes, bytes] | None:
        """Return the hashes of a complete tile and the nodes between them and its root, if it is complete."""
        ...


class LogView(TileReader, Protocol):
    """A consistent snapshot of the logs, valid inside its context manager."""

    def heads(self) -> Sequence[LogHead]:
        """Return the newest durable heads of all logs, ordered by origin."""
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

    def anchored(self) -> Mapping[str, int]:
        """Return the size at which each log was last anchored, for those that ever were."""
        ...


class AuditView(LogView, Protocol):
    """A snapshot in which everything can be seen as it is stored, believed or not."""

    def leaves(self, origin: str, start: int, stop: int) -> Sequence[StoredLeaf]:
        """Return the leaf rows from ``start`` to ``stop`` (exclusive) that exist, in order."""
        ...

    def tile(self, origin: str, level: int, index: int) -> StoredTile | None:
        """Return a stored tile, if it exists."""
        ...

    def stored_facts(self, start: int, stop: int) -> Sequence[StoredFact]:
        """Return the fact rows from ``start`` to ``stop`` (exclusive) that exist, in order."""
        ...

    def extent(self, origin: str) -> Extent:
        """Return how much of a log is stored, whatever its head says."""
        ...

    def last_fact(self) -> int:
        """Return the highest index of a fact row, -1 without any."""
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

    def submit(self, unit: Unit, done: Callable[[Receipt | Problem], None]) -> None:
        """Begin to make a unit durable; ``done`` hears what ``append`` would have returned or raised.

        ``done`` is called once, by a thread of the store, and must return at once without raising.

        Raises:
            LedgerBusy: too much is waiting, and the unit is a patient one; ``done`` is not called.
            LedgerClosed: ``done`` is not called.
        """
        ...

    @property
    def tiles(self) -> TileReader:
        """What reads heads and tiles without a snapshot, at the least cost."""
        ...

    def view(self) -> AbstractContextManager[LogView]:
        """Open a consistent snapshot for reading."""
        ...

    def inspect(self) -> AbstractContextManager[AuditView]:
        """Open a consistent snapshot for an audit."""
        ...

    def notify(self, wake: Event) -> None:
        """Set ``wake`` after every commit with facts of this process; commits of other replicas are not announced."""
        ...

    def close(self) -> None:
        """Finish what was handed in, then take nothing more."""
        ...


class ProjectionStore(Protocol):
    """Where followers keep what they make of facts. Everything in it can be made again.

    Changes are atomic, but the newest may be lost in a power failure; then positions go back with the rows. Any thread
    may call any method; several replicas may share a store.
    """

    def prepare(self, ledger: bytes) -> None:
        """Make the tables ready, and drop what was made from another ledger or by another version of a follower."""
        ...

    def followers(self) -> Sequence[FollowerState]:
        """Return every follower and where it stands."""
        ...

    def apply(self, name: str, facts: Sequence[Recorded], after: int, position: int) -> bool:
        """Let a follower at ``after`` see facts and stand at ``position``, in one transaction.

        Returns False, and nothing changes, when the follower no longer stands at ``after``.
        """
        ...

    def reset(self, name: str) -> None:
        """Drop all that a follower made and put it before fact 0."""
        ...


class SubjectIndex(Protocol):
    """Which facts are about which subject; a projection, so a little behind."""

    def facts_about(self, subject: str, limit: int, before: int | None = None) -> Sequence[int]:
        """Return the indexes of the newest facts about a subject, newest first, below ``before``."""
        ...
