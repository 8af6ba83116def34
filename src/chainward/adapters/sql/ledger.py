"""Tables of the ledger and reading them: facts, leaves, tiles and heads of the logs.

A leaf row holds the entry and its hash; complete tiles of level 0 and all tiles above are stored once more as one blob
each, because readers and proofs want 256 hashes at a time. The incomplete tile of level 0 is read from the leaf rows.
Beside a complete tile stand the 254 nodes between its hashes and its root: a proof then costs no hashing. They follow
from the hashes, and an audit compares them.
``log_position`` finds an entry by its hash, for logs whose callers ask (the facts log is random access by index only).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import INDEX, METADATA, Instant, instant_of
from chainward.ledger.errors import LogUnknown
from chainward.ledger.frontier import TILE_WIDTH
from chainward.ledger.model import Extent, LogHead, StoredFact, StoredLeaf, StoredTile, recorded
from chainward.ledger.proofs import leaf_hash

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Writer
    from chainward.kernel.problem import Problem
    from chainward.ledger.model import Receipt, Recorded, Unit

__all__ = [
    "FACT",
    "LOG_ANCHOR",
    "LOG_HEAD",
    "LOG_LEAF",
    "LOG_POSITION",
    "LOG_TILE",
    "SqlAuditView",
    "SqlLedgerStore",
    "SqlLogView",
    "SqlTileReader",
    "upsert",
]

_HASH: Final = 32

LOG_HEAD: Final = Table(
    "log_head",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("content", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("moved_at", Instant, nullable=False),
    Column("frozen_at", Instant),
)
LOG_LEAF: Final = Table(
    "log_leaf",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),  # with a row id in SQLite: without, each entry would fill a page
)
LOG_POSITION: Final = Table(
    "log_position",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("idx", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
LOG_TILE: Final = Table(
    "log_tile",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("nodes", LargeBinary),
)
LOG_ANCHOR: Final = Table(
    "log_anchor",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
)
FACT: Final = Table(
    "fact",
    METADATA,
    Column("idx", INDEX, primary_key=True, autoincrement=False),
    Column("schema", String, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("envelope", LargeBinary),
    Column("salt", LargeBinary),
)
Index("ix_fact_schema", FACT.c.schema, FACT.c.idx)

_HEAD_COLUMNS: Final = ("origin", "content", "size", "root", "checkpoint", "moved_at", "frozen_at")
_HEADS: Final = select(*(LOG_HEAD.c[name] for name in _HEAD_COLUMNS)).order_by(LOG_HEAD.c.origin)
_HEAD: Final = _HEADS.where(LOG_HEAD.c.origin == bindparam("b_origin"))
_TILE: Final = select(LOG_TILE.c.hashes).where(
    LOG_TILE.c.origin == bindparam("b_origin"),
    LOG_TILE.c.level == bindparam("b_level"),
    LOG_TILE.c.idx == bindparam("b_index"),
)
_LEAF_RANGE: Final = (
    LOG_LEAF.c.origin == bindparam("b_origin"),
    LOG_LEAF.c.idx >= bindparam("b_start"),
    LOG_LEAF.c.idx < bindparam("b_stop"),
)
_HASHES: Final = select(LOG_LEAF.c.hash).where(*_LEAF_RANGE).order_by(LOG_LEAF.c.idx)
_ENTRIES: Final = select(LOG_LEAF.c.entry).where(*_LEAF_RANGE).order_by(LOG_LEAF.c.idx)
# An audit casts what it reads: who edits a row of SQLite by hand may leave a text or a number where bytes belong.
_LEAVES: Final = (
    select(LOG_LEAF.c.idx, cast(LOG_LEAF.c.hash, LargeBinary), cast(LOG_LEAF.c.entry, LargeBinary))
    .where(*_LEAF_RANGE)
    .order_by(LOG_LEAF.c.idx)
)
_HEAD_STATEMENT: Final = (
    "SELECT origin, content, size, root, checkpoint, moved_at, frozen_at FROM log_head WHERE origin = ?"
)
_TILE_STATEMENT: Final = (
    "SELECT hashes, nodes FROM log_tile WHERE origin = ? AND level = ? AND idx = ? AND nodes IS NOT NULL"
)
_TILE_WITH_NODES: Final = select(LOG_TILE.c.hashes, LOG_TILE.c.nodes).where(
    LOG_TILE.c.origin == bindparam("b_origin"),
    LOG_TILE.c.level == bindparam("b_level"),
    LOG_TILE.c.idx == bindparam("b_index"),
    LOG_TILE.c.nodes.is_not(None),
)
_AUDITED_TILE: Final = select(cast(LOG_TILE.c.hashes, LargeBinary), cast(LOG_TILE.c.nodes, LargeBinary)).where(
    LOG_TILE.c.origin == bindparam("b_origin"),
    LOG_TILE.c.level == bindparam("b_level"),
    LOG_TILE.c.idx == bindparam("b_index"),
)
_SAME_LEAF: Final = and_(
    LOG_LEAF.c.origin == LOG_POSITION.c.origin,
    LOG_LEAF.c.idx == LOG_POSITION.c.idx,
    LOG_LEAF.c.hash == LOG_POSITION.c.hash,  # the position is a hint; the leaf must confirm it
)
_POSITION: Final = (
    select(LOG_POSITION.c.idx)
    .join(LOG_LEAF, _SAME_LEAF)
    .where(LOG_POSITION.c.origin == bindparam("b_origin"), LOG_POSITION.c.hash == bindparam("b_hash"))
)
_FACTS: Final = (
    select(FACT.c.idx, FACT.c.schema, FACT.c.recorded_at, FACT.c.envelope, FACT.c.salt)
    .where(FACT.c.idx > bindparam("b_after"))
    .order_by(FACT.c.idx)
    .limit(bindparam("b_limit"))
)
_AUDITED_FACTS: Final = (
    select(
        FACT.c.idx,
        FACT.c.schema,
        type_coerce(cast(FACT.c.recorded_at, BigInteger), Instant),
        cast(FACT.c.envelope, LargeBinary),
        cast(FACT.c.salt, LargeBinary),
    )
    .where(FACT.c.idx > bindparam("b_after"))
    .order_by(FACT.c.idx)
    .limit(bindparam("b_limit"))
)
_FACTS_OF_ONE: Final = _FACTS.where(FACT.c.schema == bindparam("b_schema"))  # a rare schema costs what it has
# Of several schemas the facts are read in order and passed over: by the index on the schema all that follow would have
# to be sorted first, for each page of a follower.
_FACTS_OF: Final = _FACTS.where((FACT.c.schema + "").in_(bindparam("b_schemas", expanding=True)))
_FACTS_AT: Final = (
    select(FACT.c.idx, FACT.c.schema, FACT.c.recorded_at, FACT.c.envelope, FACT.c.salt)
    .where(FACT.c.idx.in_(bindparam("b_indexes", expanding=True)))
    .order_by(FACT.c.idx)
)


def upsert(dialect_name: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert into ``table`` that can say what to do on a conflict."""
    return postgresql.insert(table) if dialect_name == "postgresql" else sqlite.insert(table)


class SqlLogView:
    """Reads facts and logs inside one transaction; implements LogView."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def heads(self) -> list[LogHead]:
        """Return the heads of all logs, ordered by origin."""
        return [LogHead(*row) for row in self._connection.execute(_HEADS)]

    def head(self, origin: str) -> LogHead:
        """Return the head of one log."""
        row = self._connection.execute(_HEAD, {"b_origin": origin}).first()
        if row is None:
            raise LogUnknown(f"there is no log {origin}")
        return LogHead(*row)

    def hashes(self, origin: str, level: int, start: int, stop: int) -> list[bytes]:
        """Return hashes of a tile level; ``start`` to ``stop`` must lie within one tile."""
        index, offset = divmod(start, TILE_WIDTH)
        keys = {"b_origin": origin, "b_level": level, "b_index": index}
        blob = self._connection.execute(_TILE, keys).scalar()
        if blob is not None:
            end = min(stop - index * TILE_WIDTH, len(blob) // _HASH)
            return [blob[at : at + _HASH] for at in range(offset * _HASH, end * _HASH, _HASH)]
        if level:
            return []
        return list(self._connection.execute(_HASHES, _leaves(origin, start, stop)).scalars())

    def tile_with_nodes(self, origin: str, level: int, index: int) -> tuple[bytes, bytes] | None:
        """Return a complete tile."""
        keys = {"b_origin": origin, "b_level": level, "b_index": index}
        row = self._connection.execute(_TILE_WITH_NODES, keys).first()
        return None if row is None else (row.hashes, row.nodes)

    def entries(self, origin: str, start: int, stop: int) -> list[bytes]:
        """Return entries in order."""
        return list(self._connection.execute(_ENTRIES, _leaves(origin, start, stop)).scalars())

    def position_of(self, origin: str, entry: bytes) -> int | None:
        """Return the lowest index at which exactly this entry stands."""
        keys = {"b_origin": origin, "b_hash": leaf_hash(entry)}
        position: int | None = self._connection.execute(_POSITION, keys).scalar()
        return position

    def facts(self, after: int, limit: int, schemas: frozenset[str] | None = None) -> list[Recorded]:
        """Return facts with an index above ``after``."""
        keys: dict[str, Any] = {"b_after": after, "b_limit": limit}
        if schemas is None:
            return [recorded(StoredFact(*row)) for row in self._connection.execute(_FACTS, keys)]
        if len(schemas) == 1:
            rows = self._connection.execute(_FACTS_OF_ONE, keys | {"b_schema": min(schemas)})
        else:
            rows = self._connection.execute(_FACTS_OF, keys | {"b_schemas": sorted(schemas)})
        return [recorded(StoredFact(*row)) for row in rows]

    def facts_at(self, indexes: Sequence[int]) -> list[Recorded]:
        """Return the facts with these indexes, in order."""
        rows = self._connection.execute(_FACTS_AT, {"b_indexes": list(indexes)}) if indexes else ()
        return [recorded(StoredFact(*row)) for row in rows]

    def anchored(self) -> dict[str, int]:
        """Return the size at which each log was last anchored."""
        rows = self._connection.execute(select(LOG_ANCHOR.c.origin, LOG_ANCHOR.c.size))
        return {row.origin: row.size for row in rows}


class SqlAuditView(SqlLogView):
    """Shows the rows as they are; implements AuditView."""

    def leaves(self, origin: str, start: int, stop: int) -> list[StoredLeaf]:
        """Return leaf rows."""
        return [StoredLeaf(*row) for row in self._connection.execute(_LEAVES, _leaves(origin, start, stop))]

    def tile(self, origin: str, level: int, index: int) -> StoredTile | None:
        """Return a stored tile."""
        keys = {"b_origin": origin, "b_level": level, "b_index": index}
        row = self._connection.execute(_AUDITED_TILE, keys).first()
        return None if row is None else StoredTile(*row)

    def stored_facts(self, start: int, stop: int) -> list[StoredFact]:
        """Return fact rows."""
        keys = {"b_after": start - 1, "b_limit": stop - start}
        found = (StoredFact(*row) for row in self._connection.execute(_AUDITED_FACTS, keys))
        return [stored for stored in found if stored.index < stop]

    def extent(self, origin: str) -> Extent:
        """Return how much of a log is stored."""
        last = select(func.coalesce(func.max(LOG_LEAF.c.idx), -1)).where(LOG_LEAF.c.origin == origin)
        tiles = select(func.count()).select_from(LOG_TILE).where(LOG_TILE.c.origin == origin)
        return Extent(self._connection.execute(last).scalar_one(), self._connection.execute(tiles).scalar_one())

    def last_fact(self) -> int:
        """Return the highest index of a fact."""
        last: int = self._connection.execute(select(func.coalesce(func.max(FACT.c.idx), -1))).scalar_one()
        return last


def _leaves(origin: str, start: int, stop: int) -> dict[str, object]:
    return {"b_origin": origin, "b_start": start, "b_stop": stop}


class SqlTileReader:
    """Reads heads and tiles by single statements of the driver; implements TileReader."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._head, self._tile = _HEAD_STATEMENT, _TILE_STATEMENT
        if database.dialect_name == "postgresql":
            self._head, self._tile = self._head.replace("?", "%s"), self._tile.replace("?", "%s")

    def head(self, origin: str) -> LogHead:
        """Return the head of one log."""
        row = self._database.first(self._head, (origin,))
        if row is None:
            raise LogUnknown(f"there is no log {origin}")
        frozen_at = None if row[6] is None else instant_of(row[6])
        return LogHead(row[0], row[1], row[2], row[3], row[4], instant_of(row[5]), frozen_at)

    def hashes(self, origin: str, level: int, start: int, stop: int) -> list[bytes]:
        """Return hashes of a tile level; ``start`` to ``stop`` must lie within one tile."""
        with self._database.read() as connection:
            return SqlLogView(connection).hashes(origin, level, start, stop)

    def tile_with_nodes(self, origin: str, level: int, index: int) -> tuple[bytes, bytes] | None:
        """Return a complete tile."""
        row = self._database.first(self._tile, (origin, level, index))
        return None if row is None else (row[0], row[1])


class SqlLedgerStore:
    """The LedgerStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self.tiles = SqlTileReader(database)

    def append(self, unit: Unit) -> Receipt:
        """Make a unit durable."""
        return self._writer.append(unit)

    def submit(self, unit: Unit, done: Callable[[Receipt | Problem], None]) -> None:
        """Begin to make a unit durable."""
        self._writer.submit(unit, done)

    @contextmanager
    def view(self) -> Iterator[SqlLogView]:
        """Open a consistent snapshot."""
        with self._database.read() as connection:
            yield SqlLogView(connection)

    @contextmanager
    def inspect(self) -> Iterator[SqlAuditView]:
        """Open a consistent snapshot for an audit."""
        with self._database.read() as connection:
            yield SqlAuditView(connection)

    def notify(self, wake: threading.Event) -> None:
        """Set ``wake`` after every commit of this process that has facts."""
        self._writer.notify(wake)

    def close(self) -> None:
        """Finish what was handed in, then take nothing more."""
        self._writer.close()
