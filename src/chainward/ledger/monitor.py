"""Watching a log from outside: does it only grow, does it show everybody the same, and what is in it.

In: what a log publishes (C2SP tlog-tiles, through the port TileLog), the keys of the log, and what was remembered from
the last time. Out: what to remember now, and sightings of what is watched for; or a Problem that says how the log
misbehaved, with evidence that anybody who knows the log's key can check (:mod:`chainward.ledger.evidence`).

No proof of the log is believed: both roots of a consistency proof are computed here, from the same tiles, and every new
entry is fetched, hashed, and must lead to the root that the log signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from chainward.formats.errors import Malformed, TooLarge
from chainward.kernel.problem import Kind, Problem
from chainward.ledger.cosign import open_signed
from chainward.ledger.evidence import Evidence
from chainward.ledger.proofs import EMPTY_ROOT
from chainward.ledger.remembered import Remembered, StateUnusable
from chainward.ledger.tiles import PublishedTree, fold_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from chainward.formats.checkpoint import Checkpoint
    from chainward.formats.note import VerifierKey
    from chainward.ledger.neighbours import TileLog

__all__ = ["LogMisbehaved", "LogRolledBack", "LogServesWrong", "Look", "Monitor", "Sighting", "SplitView"]

_ROUND: Final = 256 * 64


class LogMisbehaved(Problem):
    """A log did what no log may do; ``evidence`` is there if what it signed convicts it."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-misbehaved"
    hint = "Look again, and from elsewhere; keep what is remembered of the log."

    def __init__(self, message: str, *, origin: str, evidence: Evidence | None = None) -> None:
        super().__init__(message, details={"origin": origin})
        self.evidence = evidence


class SplitView(LogMisbehaved):
    """A log signed two trees of which neither is the beginning of the other: it shows different logs to people."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-split-view"
    hint = "Keep the evidence and show it to others who rely on this log; believe nothing that was logged since."


class LogRolledBack(LogMisbehaved):
    """A log shows an older state than it showed before, or shows to others: it was restored, or hides what is newer."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-rolled-back"
    hint = "Look again; if it lasts, ask the operator whether an old backup was restored, and keep what is remembered."


class LogServesWrong(LogMisbehaved):
    """The tiles or entries that a log serves do not lead to the root that it signed."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-content-wrong"
    hint = "Look again, from another network if possible; what is between you and the log may have changed the answer."


@dataclass(frozen=True, slots=True)
class Sighting:
    """An entry of something that is watched for: which watch it met, who or what was seen, and more about it."""

    index: int
    watch: str
    seen: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: what to remember from now on, the checkpoint, and what was seen since the look before."""

    remembered: Remembered
    checkpoint: Checkpoint
    sightings: tuple[Sighting, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every entry below the checkpoint was looked at."""
        return self.remembered.examined == self.checkpoint.size


class Monitor:
    """Watches one log. ``examine`` is shown every new entry with its index, and says what it met there, if anything."""

    def __init__(
        self,
        log: TileLog,
        origin: str,
        keys: tuple[VerifierKey, ...],
        examine: Callable[[int, bytes], Sighting | None] = lambda index, entry: None,  # noqa: ARG005 - a watch for nothing
    ) -> None:
        self._log = log
        self._origin = origin
        self._keys = keys
        self._examine = examine

    def looks(
        self,
        remembered: Remembered | None,
        *,
        others: Iterable[tuple[str, bytes]] = (),
        start: int | None = None,
    ) -> Iterator[Look]:
        """Fetch the newest checkpoint, hold it against everything known, then yield look after look until its end.

        What a look says was verified when it is yielded; each may be remembered. ``others`` are checkpoints of the
        same log that were fetched before, with the names of where they were seen. Where nothing is remembered, entries
        are examined from ``start`` on, None for none of those that are there now.

        Raises:
            SplitView: two checkpoints contradict each other.
            LogRolledBack: the log shows less than it did, or than it shows elsewhere.
            LogServesWrong: its tiles or entries do not fit to what it signed.
            CheckpointInvalid, SignatureInvalid: the log did not sign what was fetched, or what is remembered.
            StateUnusable: what is remembered cannot be.
        """
        note = self._log.checkpoint()
        newest, _ = open_signed(note, self._origin, self._keys)
        tree = PublishedTree(self._log, newest.size)
        examined = newest.size if start is None else min(start, newest.size)
        if remembered:
            older = self._compare(tree, newest, note, remembered.checkpoint, "")
            if remembered.examined > older.size:
                raise StateUnusable("more entries were looked at than the remembered checkpoint has")
            examined = remembered.examined
        for place, other in others:
            self._compare(tree, newest, note, other, place)
        yield from self._rounds(tree, newest, note, examined)

    def _rounds(self, tree: PublishedTree, newest: Checkpoint, note: bytes, examined: int) -> Iterator[Look]:
        if examined == newest.size:
            with self._reading():
                _check(tree.root(newest.size) == newest.root, self._origin, f"the tiles at size {newest.size}")
            yield Look(Remembered(note, examined), newest, ())
        while examined < newest.size:
            stop = min(newest.size, examined - examined % _ROUND + _ROUND)
            with self._reading():
                sightings = self._walk(tree, newest, examined, stop)
            examined = stop
            yield Look(Remembered(note, examined), newest, sightings)

    def _walk(self, tree: PublishedTree, newest: Checkpoint, start: int, stop: int) -> tuple[Sighting, ...]:
        """Examine the entries from ``start`` to ``stop``; when this returns, they lead to the root that was signed."""
        frontier = tree.frontier(start)
        sightings: list[Sighting] = []
        for first, entries in tree.entries(start, stop):
            frontier.append(entries)
            met = (self._examine(first + offset, entry) for offset, entry in enumerate(entries))
            sightings += [sighting for sighting in met if sighting is not None]
        root, covering = fold_nodes(stop, newest.size, tree.nodes(stop, newest.size))
        _check(covering == newest.root, self._origin, f"the tiles at size {newest.size}")
        _check(frontier.root() == root, self._origin, f"the entries from {start} to {stop - 1}")
        return tuple(sightings)

    def _compare(
        self, tree: PublishedTree, newest: Checkpoint, note: bytes, other_note: bytes, place: str
    ) -> Checkpoint:
        """Hold the newest checkpoint against another of the same log, remembered or seen elsewhere, and return that."""
        other, _ = open_signed(other_note, self._origin, self._keys)
        where = f"seen at {place}" if place else "remembered"
        if other.size > newest.size:
            raise LogRolledBack(
                f"{self._origin} shows size {newest.size}, but signed size {other.size}, which was {where}",
                origin=self._origin,
                evidence=Evidence(self._origin, note, other_note, ()),
            )
        nodes: tuple[bytes, ...] = ()
        first, second = newest.root, newest.root
        if other.size == 0:
            first = EMPTY_ROOT
        elif other.size < newest.size:
            with self._reading():
                nodes = tree.nodes(other.size, newest.size)
                first, second = fold_nodes(other.size, newest.size, nodes)
        _check(second == newest.root, self._origin, f"the tiles at size {newest.size}")
        if first != other.root:
            raise SplitView(
                f"{self._origin} signed a tree of size {newest.size} that does not extend the tree of size "
                f"{other.size} that was {where}",
                origin=self._origin,
                evidence=Evidence(self._origin, other_note, note, nodes),
            )
        return other

    def _reading(self) -> _Reading:
        return _Reading(self._origin)


@dataclass(frozen=True, slots=True)
class _Reading:
    """While tiles are read: what is not even a tile is content that is wrong, not bad input of the caller."""

    origin: str

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Malformed | TooLarge):
            raise LogServesWrong(f"{self.origin} serves what is not a tile: {error}", origin=self.origin) from error


def _check(holds: bool, origin: str, what: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise LogServesWrong(f"{what} that {origin} serves do not lead to the root that it signed", origin=origin)
