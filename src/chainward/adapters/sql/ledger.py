"""Tables and statements of the ledger: facts, leaves, tiles and heads of the logs.

A leaf row holds the entry and its hash; complete tiles of level 0 and all tiles above are stored once more as one blob
each, because readers and proofs want 256 hashes at a time. The incomplete tile of level 0 is read from the leaf rows.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.kernel.instant import parse_instant
from chainward.ledger.errors import CommitUncertain, LogTampered, LogUnknown
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH, Frontier
from chainward.ledger.model import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Writer
    from chainward.ledger.frontier import Tile
    from chainward.ledger.model import Receipt, Unit

__all__ = ["FACT", "LOG_HEAD", "LOG_LEAF", "LOG_TILE", "SqlLedgerStore", "SqlLogView", "create_log"]

_HASH = 32

LOG_HEAD = Table(
    "log_head",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    Column("moved_at", Instant, nullable=False),
)
LOG_LEAF = Table(
    "log_leaf",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False, index=True),
    Column("entry", LargeBinary, nullable=False),
)
LOG_TILE = Table(
    "log_tile",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
FACT = Table(
    "fact",
    METADATA,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("schema", String, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("envelope", LargeBinary),
    Column("salt", LargeBinary),
)

_MOVE_HEAD = (
    update(LOG_HEAD)
    .where(LOG_HEAD.c.origin == bindparam("b_origin"), LOG_HEAD.c.size == bindparam("b_size"))
    .values(
        size=bindparam("b_new_size"),
        root=bindparam("b_root"),
        checkpoint=bindparam("b_checkpoint"),
        moved_at=bindparam("b_now"),
    )
)
_SELECT_TILE = select(LOG_TILE.c.hashes).where(
    LOG_TILE.c.origin == bindparam("b_origin"),
    LOG_TILE.c.level == bindparam("b_level"),
    LOG_TILE.c.idx == bindparam("b_index"),
)


def lock_heads(connection: Connection) -> list[tuple[str, int]]:
    """Return origin and size of every log, locked against other replicas until the transaction ends."""
    query = select(LOG_HEAD.c.origin, LOG_HEAD.c.size).order_by(LOG_HEAD.c.origin).with_for_update()
    return [(row.origin, row.size) for row in connection.execute(query)]


def load_frontier(connection: Connection, origin: str, size: int) -> Frontier:
    """Read the right edge of a log of ``size`` leaves."""
    view = SqlLogView(connection)
    edges: list[list[bytes]] = []
    level = 0
    while size >> (TILE_HEIGHT * level):
        width = size >> (TILE_HEIGHT * level)
        edges.append(view.hashes(origin, level, width - width % TILE_WIDTH, width))
        if len(edges[-1]) != width % TILE_WIDTH:
            raise LogTampered(f"log {origin} lacks hashes at level {level} that its head of size {size} covers")
        level += 1
    return Frontier.load(size, edges)


def insert_facts(connection: Connection, facts: Sequence[dict[str, object]]) -> None:
    """Insert the rows of a batch of facts."""
    if facts:
        connection.execute(FACT.insert(), list(facts))


def insert_leaves(
    connection: Connection, origin: str, start: int, entries: Sequence[bytes], hashes: Sequence[bytes]
) -> None:
    """Insert the leaves of a log from index ``start``."""
    rows = [
        {"origin": origin, "idx": start + offset, "hash": value, "entry": entry}
        for offset, (value, entry) in enumerate(zip(hashes, entries, strict=True))
    ]
    connection.execute(LOG_LEAF.insert(), rows)


def store_tiles(connection: Connection, origin: str, tiles: Sequence[Tile]) -> None:
    """Insert or extend tiles."""
    if not tiles:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(LOG_TILE)
    statement = statement.on_conflict_do_update(
        index_elements=["origin", "level", "idx"], set_={"hashes": statement.excluded.hashes}
    )
    rows = [{"origin": origin, "level": tile.level, "idx": tile.index, "hashes": tile.hashes} for tile in tiles]
    connection.execute(statement, rows)


def move_head(
    connection: Connection, origin: str, old_size: int, size: int, root: bytes, checkpoint: bytes, now: datetime
) -> None:
    """Compare-and-swap the head of a log; a head that moved meanwhile means two sequencers and stops the batch."""
    values = {
        "b_origin": origin,
        "b_size": old_size,
        "b_new_size": size,
        "b_root": root,
        "b_checkpoint": checkpoint,
        "b_now": now,
    }
    if connection.execute(_MOVE_HEAD, values).rowcount != 1:
        raise CommitUncertain(f"another writer moved the head of log {origin}")


def create_log(connection: Connection, origin: str, checkpoint: bytes, root: bytes, now: datetime) -> bool:
    """Create an empty log unless it exists; returns whether it was created."""
    exists = connection.execute(select(LOG_HEAD.c.origin).where(LOG_HEAD.c.origin == origin)).first()
    if exists is None:
        row = {"origin": origin, "size": 0, "root": root, "checkpoint": checkpoint, "moved_at": now}
        connection.execute(LOG_HEAD.insert(), row)
    return exists is None


class SqlLogView:
    """Reads facts and logs inside one transaction; implements LogView."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def heads(self) -> Sequence[Row[Any]]:
        """Return the heads of all logs, ordered by origin."""
        return self._connection.execute(select(LOG_HEAD).order_by(LOG_HEAD.c.origin)).all()

    def head(self, origin: str) -> Row[Any]:
        """Return the head of one log."""
        row = self._connection.execute(select(LOG_HEAD).where(LOG_HEAD.c.origin == origin)).first()
        if row is None:
            raise LogUnknown(f"there is no log {origin}")
        return row

    def hashes(self, origin: str, level: int, start: int, stop: int) -> list[bytes]:
        """Return hashes of a tile level; ``start`` to ``stop`` must lie within one tile."""
        index, offset = divmod(start, TILE_WIDTH)
        keys = {"b_origin": origin, "b_level": level, "b_index": index}
        blob = self._connection.execute(_SELECT_TILE, keys).scalar()
        if blob is not None:
            return [
                blob[at : at + _HASH]
                for at in range(offset * _HASH, min(stop - index * TILE_WIDTH, len(blob) // _HASH) * _HASH, _HASH)
            ]
        if level:
            return []
        query = (
            select(LOG_LEAF.c.hash)
            .where(LOG_LEAF.c.origin == origin, LOG_LEAF.c.idx >= start, LOG_LEAF.c.idx < stop)
            .order_by(LOG_LEAF.c.idx)
        )
        return list(self._connection.execute(query).scalars())

    def entries(self, origin: str, start: int, stop: int) -> list[bytes]:
        """Return entries in order."""
        query = (
            select(LOG_LEAF.c.entry)
            .where(LOG_LEAF.c.origin == origin, LOG_LEAF.c.idx >= start, LOG_LEAF.c.idx < stop)
            .order_by(LOG_LEAF.c.idx)
        )
        return list(self._connection.execute(query).scalars())

    def position_of(self, origin: str, entry: bytes) -> int | None:
        """Return the lowest index at which exactly this entry stands."""
        from chainward.ledger.proofs import leaf_hash

        query = (
            select(LOG_LEAF.c.idx)
            .where(LOG_LEAF.c.hash == leaf_hash(entry), LOG_LEAF.c.origin == origin)
            .order_by(LOG_LEAF.c.idx)
            .limit(1)
        )
        return self._connection.execute(query).scalar()

    def facts(
        self, after: int, limit: int, schemas: frozenset[str] | None = None, subject: str | None = None
    ) -> list[Recorded]:
        """Return facts above ``after``; ``subject`` filters what was read, so a page may be short of ``limit``."""
        query = select(FACT).where(FACT.c.idx > after).order_by(FACT.c.idx).limit(limit)
        if schemas is not None:
            query = query.where(FACT.c.schema.in_(sorted(schemas)))
        found = [_recorded(row) for row in self._connection.execute(query)]
        return found if subject is None else [fact for fact in found if subject in fact.subjects]


def _recorded(row: Row[Any]) -> Recorded:
    if row.envelope is None:
        return Recorded(row.idx, row.schema, row.recorded_at, None, None)
    members = orjson.loads(row.envelope)
    return Recorded(
        index=row.idx,
        schema=row.schema,
        recorded_at=row.recorded_at,
        envelope=row.envelope,
        salt=row.salt,
        tenant=members["tenant"],
        actor=members["actor"],
        correlation=members["correlation"],
        occurred_at=parse_instant(members["occurred_at"]),
        subjects=tuple(members["subjects"]),
        body=members["body"],
    )


class SqlLedgerStore:
    """The LedgerStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    def append(self, unit: Unit) -> Receipt:
        """Make a unit durable."""
        return self._writer.append(unit)

    @contextmanager
    def view(self) -> Iterator[SqlLogView]:
        """Open a consistent snapshot."""
        with self._database.read() as connection:
            yield SqlLogView(connection)
