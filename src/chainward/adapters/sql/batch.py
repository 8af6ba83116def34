"""One transaction of the writer while it is put together: which units are in, and what the logs grow by.

A unit's writes run behind a savepoint of their own, unless the unit is alone: then a failure ends the transaction as a
whole, which comes to the same and costs less. Whatever goes wrong in them (a refusal, a constraint, a defect)
concerns that unit alone; only what concerns the whole transaction (a lost connection, a full disk) leaves this module
as an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

from chainward.adapters.sql import growth
from chainward.adapters.sql.errors import DatabaseUnavailable, is_outage
from chainward.adapters.sql.ledger import SqlLogView
from chainward.adapters.sql.metadata import microseconds
from chainward.formats.tile import MAX_ENTRY
from chainward.kernel.problem import Problem
from chainward.ledger.anchor import MarkAnchored
from chainward.ledger.errors import (
    AnchorStale,
    EntryTooLarge,
    LogExists,
    LogFrozen,
    LogKeyChanged,
    LogReserved,
    LogTampered,
    LogUnknown,
    WriteFailed,
)
from chainward.ledger.grown import Grown
from chainward.ledger.logs import FreezeLog, OpenLog, genesis_entry
from chainward.ledger.model import Receipt, Write, commitment, envelope_of
from chainward.ledger.proofs import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from chainward.ledger.frontier import Frontier
    from chainward.ledger.model import LogHead, Unit
    from chainward.ledger.ports import CheckpointSigner, CheckpointSigners

__all__ = ["OWN_HANDLERS", "Batch", "Changes", "Handler", "Rules", "Scope", "Signers", "check_head"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a write handler works in: the open transaction, the instant of the batch, and where its unit's facts go.

    Facts of the batch are inserted after all handlers have run; a handler must not look for them, commit, or roll back.
    """

    connection: Connection
    now: datetime
    fact_index: int
    dialect_name: str


def _mark_anchored(scope: Scope, write: MarkAnchored) -> None:
    if not growth.mark_anchored(scope.connection, write.origin, write.size):
        raise AnchorStale(f"log {write.origin} was anchored at {write.size} or more meanwhile")


Handler = Callable[[Scope, Any], None]
"""What carries out one type of write; it may refuse with a Problem."""


_NO_INDEX: Final = -1  # of the first fact of a unit that has none

OWN_HANDLERS: Final[Mapping[type[Write], Handler]] = {MarkAnchored: _mark_anchored}
"""The handlers of the ledger's own writes; every writer has them."""


class Signers:
    """The signers of logs, each asked for once and held against the checkpoint that stands; for the writer's thread."""

    def __init__(self, source: CheckpointSigners) -> None:
        self._source = source
        self._known: dict[str, CheckpointSigner] = {}

    def of(self, connection: Connection, origin: str) -> CheckpointSigner:
        """Return who signs for a log.

        Raises:
            LogKeyChanged: the newest checkpoint was not signed by the signer that is known now.
            LogTampered: the head does not say what its checkpoint signs.
            Problem: nobody signs for it, or not now.
        """
        known = self._known.get(origin)
        if known is None:
            known = self._source.signer_of(origin)
            check_head(SqlLogView(connection).head(origin), known)
            self._known[origin] = known
        return known

    def learn(self, new: Mapping[str, growth.NewLog]) -> None:
        """Take the signers of logs that were opened just now, and durably."""
        self._known |= {origin: log.signer for origin, log in new.items()}


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays the same over all batches: the logs' signers, which log holds facts, who carries out which write."""

    signers: Signers
    facts_origin: str
    handlers: Mapping[type[Write], Handler]


@dataclass(slots=True)
class Changes:
    """What a unit, or all units of a batch so far, do to the logs themselves."""

    opened: dict[str, growth.NewLog] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Places:
    """Where the entries of one unit stand or will stand, and what it adds to each log for that."""

    positions: list[int] = field(default_factory=list)
    leaves: dict[str, list[growth.Leaf]] = field(default_factory=dict)
    found: dict[tuple[str, bytes], int] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """The state of one open transaction. ``frontiers`` are replaced, never changed: a failed batch leaves no trace.

    ``heads`` may be empty when no unit has facts or entries, or opens or freezes a log. ``places`` says where entries
    stand already, for units that want theirs only once.
    """

    connection: Connection
    rules: Rules
    now: datetime
    heads: dict[str, growth.Head]
    frontiers: dict[str, Frontier]
    places: dict[tuple[str, bytes], int] = field(default_factory=dict)
    alone: bool = False
    changes: Changes = field(default_factory=Changes)
    grown: dict[str, Grown] = field(default_factory=dict)
    _taking: set[str] = field(default_factory=set)
    _facts: list[growth.FactRow] = field(default_factory=list)
    _leaves: dict[str, list[growth.Leaf]] = field(default_factory=dict)

    def admit(self, unit: Unit) -> Receipt:
        """Take one unit in, or raise; then nothing of the unit is in the transaction, which stays usable.

        Raises:
            Problem: what a write refused with, or WriteFailed for a defect.
            SQLAlchemyError: the transaction itself is lost.
        """
        try:
            return self._admit(unit)
        except Problem:
            raise
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if is_outage(error):
                raise DatabaseUnavailable(f"the database refused a write: {type(error.orig).__name__}") from error
            raise WriteFailed(f"a write was refused by the database: {type(error.orig).__name__}") from error
        except Exception as error:
            raise WriteFailed(f"a write failed with {type(error).__name__}") from error

    def grow(self) -> None:
        """Insert the facts, extend every log that got entries, sign its new checkpoint; then freeze what is to be."""
        growth.insert_facts(self.connection, self._facts)
        for origin, leaves in self._leaves.items():
            if leaves:
                self._grow(origin, leaves)
        for origin in self.changes.frozen:
            growth.freeze(self.connection, origin, self.now)

    def _grow(self, origin: str, leaves: Sequence[growth.Leaf]) -> None:
        head, frontier = self.heads[origin], self.frontiers[origin].copy()
        hashes = [value for value, _ in leaves]
        tiles = frontier.extend(hashes)
        root = frontier.root()
        checkpoint = self._signer(origin).sign(frontier.size, root)
        growth.insert_leaves(self.connection, head, leaves, searchable=origin != self.rules.facts_origin)
        growth.store_tiles(self.connection, origin, tiles)
        growth.move_head(self.connection, head, frontier.size, root, checkpoint, self.now)
        self.frontiers[origin] = frontier
        self.grown[origin] = Grown(origin, frontier, checkpoint, hashes, tiles)

    def _admit(self, unit: Unit) -> Receipt:
        if unit.entries and not unit.facts and not unit.writes:
            return Receipt((), self._take_entries(unit), self.now, self.grown)
        index = self._next(self.rules.facts_origin)
        rows = self._rows(unit, index)
        places = self._places(unit)
        if unit.writes:
            self._carry_out(unit, index)
        for row in rows:
            entry = commitment(row[4], row[3])
            self._leaves.setdefault(self.rules.facts_origin, []).append((leaf_hash(entry), entry))
        self._take_places(places)
        self._facts += rows
        return Receipt(tuple(range(index, index + len(rows))), tuple(places.positions), self.now, self.grown)

    def _take_entries(self, unit: Unit) -> tuple[int, ...]:
        """Take a unit that has nothing but entries: nothing can go wrong once they have their places."""
        places = self._places(unit)
        self._take_places(places)
        return tuple(places.positions)

    def _take_places(self, places: _Places) -> None:
        for origin, leaves in places.leaves.items():
            self._leaves.setdefault(origin, []).extend(leaves)
        self.places.update(places.found)

    def _next(self, origin: str) -> int:
        head = self.heads.get(origin)
        return _NO_INDEX if head is None else head.size + len(self._leaves.get(origin, ()))

    def _rows(self, unit: Unit, index: int) -> list[growth.FactRow]:
        if unit.facts:
            self._signer(self.rules.facts_origin)
        instant = microseconds(self.now)
        return [
            (index + offset, draft.body.schema, instant, envelope_of(draft, self.now), draft.salt)
            for offset, draft in enumerate(unit.facts)
        ]

    def _places(self, unit: Unit) -> _Places:
        places = _Places()
        for origin, entry in unit.entries:
            self._check_entry(origin, entry)
            value = leaf_hash(entry)
            place = self._place(origin, value, places) if unit.once else None
            if place is None:
                fresh = places.leaves.setdefault(origin, [])
                place = self._next(origin) + len(fresh)
                fresh.append((value, entry))
                places.found[origin, value] = place
            places.positions.append(place)
        return places

    def _place(self, origin: str, value: bytes, places: _Places) -> int | None:
        key = (origin, value)
        return places.found.get(key, self.places.get(key))

    def _check_entry(self, origin: str, entry: bytes) -> None:
        if origin not in self._taking:
            self._check_log(origin)
            self._taking.add(origin)
        if len(entry) > MAX_ENTRY:
            raise EntryTooLarge(f"an entry of {len(entry)} bytes exceeds {MAX_ENTRY}")

    def _check_log(self, origin: str) -> None:
        if origin == self.rules.facts_origin:
            raise LogReserved(f"log {origin} takes facts only")
        head = self.heads.get(origin)
        if head is None:
            raise LogUnknown(f"there is no log {origin} to append to")
        if head.frozen_at is not None or origin in self.changes.frozen:
            raise LogFrozen(f"log {origin} is frozen: it takes no more entries")
        self._signer(origin)

    def _signer(self, origin: str) -> CheckpointSigner:
        new = self.changes.opened.get(origin)
        return new.signer if new else self.rules.signers.of(self.connection, origin)

    def _carry_out(self, unit: Unit, index: int) -> None:
        scope = Scope(self.connection, self.now, index, self.connection.dialect.name)
        changes = Changes()
        with nullcontext() if self.alone else self.connection.begin_nested():
            for write in unit.writes:
                match write:
                    case OpenLog():
                        self._open(write, changes)
                    case FreezeLog():
                        self._freeze(write, changes)
                    case _:
                        self.rules.handlers[type(write)](scope, write)
        self._take(changes)

    def _open(self, write: OpenLog, changes: Changes) -> None:
        if write.origin in self.heads or write.origin in changes.opened:
            raise LogExists(f"there is a log {write.origin} already")
        with suppress(LogUnknown):
            SqlLogView(self.connection).head(write.origin)
            raise LogExists(f"another replica opened log {write.origin} just now")
        changes.opened[write.origin] = growth.create_log(
            self.connection, write.checkpoint_signer, "entries", genesis_entry(write.origin), self.now
        )

    def _freeze(self, write: FreezeLog, changes: Changes) -> None:
        if write.origin == self.rules.facts_origin:
            raise LogReserved("the facts log is never frozen")
        head = self.heads.get(write.origin)
        if head is None:
            raise LogUnknown(f"there is no log {write.origin} to freeze")
        if head.frozen_at is None:
            changes.frozen.add(write.origin)

    def _take(self, changes: Changes) -> None:
        """Let the following units of the batch see what this one did to the logs."""
        for origin, new in changes.opened.items():
            self.heads[origin], self.frontiers[origin] = new.head, new.frontier
        self.changes.opened |= changes.opened
        self.changes.frozen |= changes.frozen
        self._taking -= changes.frozen


def check_head(head: LogHead, signer: CheckpointSigner) -> None:
    """Raise LogKeyChanged or LogTampered unless ``signer`` signed the checkpoint of ``head``, over what it says."""
    try:
        checkpoint = signer.open(head.checkpoint)
    except Problem as problem:
        raise LogKeyChanged(f"the newest checkpoint of log {head.origin} was not signed by its key") from problem
    if (checkpoint.size, checkpoint.root) != (head.size, head.root):
        raise LogTampered(f"the head of log {head.origin} does not say what its checkpoint signs")
