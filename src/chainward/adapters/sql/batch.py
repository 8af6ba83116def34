"""One transaction of the writer while it is put together: which units are in, and what the logs grow by.

A unit's writes run behind a savepoint of their own, unless the unit is alone: then a failure ends the transaction as a
whole, which comes to the same and costs less. Whatever goes wrong in them (a refusal, a constraint, a defect)
concerns that unit alone; only what concerns the whole transaction (a lost connection, a full disk) leaves this module
as an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError

from chainward.adapters.sql import growth
from chainward.adapters.sql.errors import DatabaseUnavailable, is_outage
from chainward.adapters.sql.metadata import microseconds
from chainward.formats.tile import MAX_ENTRY
from chainward.kernel.problem import Problem
from chainward.ledger.anchor import MarkAnchored
from chainward.ledger.errors import AnchorStale, EntryTooLarge, LogReserved, LogUnknown, WriteFailed
from chainward.ledger.model import Receipt, Write, commitment, envelope_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from chainward.ledger.frontier import Frontier
    from chainward.ledger.model import Unit
    from chainward.ledger.ports import CheckpointSigner

__all__ = ["OWN_HANDLERS", "Batch", "Handler", "Rules", "Scope"]


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


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays the same over all batches: the logs' signers, which log holds facts, who carries out which write."""

    signers: Mapping[str, CheckpointSigner]
    facts_origin: str
    handlers: Mapping[type[Write], Handler]


@dataclass(slots=True)
class Batch:
    """The state of one open transaction. ``frontiers`` are replaced, never changed: a failed batch leaves no trace.

    ``heads`` may be empty when no unit has facts or entries.
    """

    connection: Connection
    rules: Rules
    now: datetime
    heads: dict[str, growth.Head]
    frontiers: dict[str, Frontier]
    alone: bool = False
    _facts: list[growth.FactRow] = field(default_factory=list)
    _entries: dict[str, list[bytes]] = field(default_factory=dict)

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
        """Insert the facts, extend every log that got entries, and sign its new checkpoint."""
        growth.insert_facts(self.connection, self._facts)
        for origin, entries in self._entries.items():
            head, frontier = self.heads[origin], self.frontiers[origin].copy()
            hashes, tiles = frontier.append(entries)
            root = frontier.root()
            checkpoint = self.rules.signers[origin].sign(frontier.size, root)
            searchable = origin != self.rules.facts_origin
            growth.insert_leaves(self.connection, head, entries, hashes, searchable=searchable)
            growth.store_tiles(self.connection, origin, tiles)
            growth.move_head(self.connection, head, frontier.size, root, checkpoint, self.now)
            self.frontiers[origin] = frontier

    def _admit(self, unit: Unit) -> Receipt:
        index = self._next(self.rules.facts_origin)
        rows = self._rows(unit, index)
        positions = self._positions(unit)
        if unit.writes:
            self._carry_out(unit, index)
        commitments = self._entries.setdefault(self.rules.facts_origin, []) if rows else []
        for row in rows:
            commitments.append(commitment(row[4], row[3]))
        for origin, entry in unit.entries:
            self._entries.setdefault(origin, []).append(entry)
        self._facts += rows
        return Receipt(tuple(range(index, index + len(rows))), positions, self.now)

    def _next(self, origin: str) -> int:
        head = self.heads.get(origin)
        return _NO_INDEX if head is None else head.size + len(self._entries.get(origin, ()))

    def _rows(self, unit: Unit, index: int) -> list[growth.FactRow]:
        instant = microseconds(self.now)
        return [
            (index + offset, draft.body.schema, instant, envelope_of(draft, self.now), draft.salt)
            for offset, draft in enumerate(unit.facts)
        ]

    def _positions(self, unit: Unit) -> tuple[int, ...]:
        positions: list[int] = []
        ahead: dict[str, int] = {}
        for origin, entry in unit.entries:
            self._check_entry(origin, entry)
            offset = ahead.get(origin, 0)
            positions.append(self._next(origin) + offset)
            ahead[origin] = offset + 1
        return tuple(positions)

    def _check_entry(self, origin: str, entry: bytes) -> None:
        if origin == self.rules.facts_origin:
            raise LogReserved(f"log {origin} takes facts only")
        if origin not in self.rules.signers or origin not in self.heads:
            raise LogUnknown(f"there is no log {origin} to append to")
        if len(entry) > MAX_ENTRY:
            raise EntryTooLarge(f"an entry of {len(entry)} bytes exceeds {MAX_ENTRY}")

    def _carry_out(self, unit: Unit, index: int) -> None:
        scope = Scope(self.connection, self.now, index, self.connection.dialect.name)
        with nullcontext() if self.alone else self.connection.begin_nested():
            for write in unit.writes:
                self.rules.handlers[type(write)](scope, write)
