"""The statements by which logs and facts grow; the writer's transaction runs them.

They are native to each store: SQLite gets tuples for one prepared statement, PostgreSQL one array for each column
(``unnest``), because a statement for each row is several times slower there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select, update

from chainward.adapters.sql.ledger import LOG_ANCHOR, LOG_HEAD, LOG_TILE, SqlLogView, upsert
from chainward.ledger.errors import CommitUncertain, LogTampered
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH, Frontier
from chainward.ledger.proofs import EMPTY_ROOT
from chainward.ledger.prove import inner_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from chainward.ledger.frontier import Tile
    from chainward.ledger.ports import CheckpointSigner

__all__ = [
    "FactRow",
    "Head",
    "Leaf",
    "NewLog",
    "create_log",
    "freeze",
    "insert_facts",
    "insert_leaves",
    "load_frontier",
    "lock_heads",
    "mark_anchored",
    "move_head",
    "positions_of",
    "store_tiles",
]

FactRow = tuple[int, str, int, bytes, bytes]
"""Index, schema, instant of recording in microseconds, envelope, salt."""

Leaf = tuple[bytes, bytes]
"""Hash and entry."""

_LOCK_HEADS: Final = (
    select(
        LOG_HEAD.c.origin,
        LOG_HEAD.c.content,
        LOG_HEAD.c.size,
        LOG_HEAD.c.root,
        LOG_HEAD.c.moved_at,
        LOG_HEAD.c.frozen_at,
    )
    .order_by(LOG_HEAD.c.origin)
    .with_for_update()
)
_COMPLETE: Final = 32 * TILE_WIDTH
# Without SQLAlchemy's expanding IN, which takes longer to write the statement than the store to answer it.
_STANDING: Final = {
    "sqlite": "SELECT hash, idx FROM log_position WHERE origin = ? AND hash IN (%s)",
    "postgresql": "SELECT hash, idx FROM log_position WHERE origin = %s AND hash = ANY(%s::bytea[])",
}
_MOVE_HEAD: Final = (
    update(LOG_HEAD)
    .where(LOG_HEAD.c.origin == bindparam("b_origin"), LOG_HEAD.c.size == bindparam("b_size"))
    .values(
        size=bindparam("b_new_size"),
        root=bindparam("b_root"),
        checkpoint=bindparam("b_checkpoint"),
        moved_at=bindparam("b_now"),
    )
)
_FACTS: Final = {
    "sqlite": "INSERT INTO fact (idx, schema, recorded_at, envelope, salt) VALUES (?, ?, ?, ?, ?)",
    "postgresql": "INSERT INTO fact (idx, schema, recorded_at, envelope, salt)"
    " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bytea[], %s::bytea[])",
}
_LEAVES: Final = {
    "sqlite": "INSERT INTO log_leaf (origin, idx, hash, entry) VALUES (?, ?, ?, ?)",
    "postgresql": "INSERT INTO log_leaf (origin, idx, hash, entry)"
    " SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::bytea[])",
}
_POSITIONS: Final = {
    "sqlite": "INSERT INTO log_position (origin, hash, idx) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO log_position (origin, hash, idx)"
    " SELECT * FROM unnest(%s::text[], %s::bytea[], %s::bigint[]) ON CONFLICT DO NOTHING",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What the writer must know of a log before it grows it."""

    origin: str
    content: str
    size: int
    root: bytes
    moved_at: datetime
    frozen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewLog:
    """A log that was created within the open transaction."""

    signer: CheckpointSigner
    head: Head
    frontier: Frontier


def lock_heads(connection: Connection) -> list[Head]:
    """Return the head of every log, locked against other replicas until the transaction ends."""
    return [Head(*row) for row in connection.execute(_LOCK_HEADS)]


def load_frontier(connection: Connection, head: Head) -> Frontier:
    """Read the right edge of a log.

    Raises:
        LogTampered: if it does not lead to the root in the head; nothing may be appended to such a log.
    """
    view = SqlLogView(connection)
    edges: list[Sequence[bytes]] = []
    while head.size >> (TILE_HEIGHT * len(edges)):
        width = head.size >> (TILE_HEIGHT * len(edges))
        edges.append(view.hashes(head.origin, len(edges), width - width % TILE_WIDTH, width))
        if len(edges[-1]) != width % TILE_WIDTH:
            raise LogTampered(f"log {head.origin} lacks hashes of level {len(edges) - 1} that its head covers")
    frontier = Frontier.load(head.size, edges)
    if frontier.root() != head.root:
        raise LogTampered(f"the newest hashes of log {head.origin} do not lead to the root in its head")
    return frontier


def insert_facts(connection: Connection, facts: Sequence[FactRow]) -> None:
    """Insert the rows of a batch of facts."""
    _insert(connection, _FACTS, facts)


def create_log(connection: Connection, signer: CheckpointSigner, content: str, entry: bytes, now: datetime) -> NewLog:
    """Create a log with its genesis leaf and a first checkpoint."""
    frontier = Frontier()
    hashes, _ = frontier.append([entry])
    empty = Head(signer.origin, content, 0, EMPTY_ROOT, now)
    insert_leaves(connection, empty, [(hashes[0], entry)], searchable=content == "entries")
    head = Head(signer.origin, content, frontier.size, frontier.root(), now)
    checkpoint = signer.sign(head.size, head.root)
    row = {"origin": head.origin, "content": content, "size": head.size, "root": head.root, "moved_at": now}
    connection.execute(LOG_HEAD.insert(), row | {"checkpoint": checkpoint})
    return NewLog(signer, head, frontier)


def insert_leaves(connection: Connection, head: Head, leaves: Sequence[Leaf], *, searchable: bool) -> None:
    """Insert the leaves that follow ``head``; ``searchable`` makes them found by their content later."""
    origin = head.origin
    _insert(connection, _LEAVES, [(origin, index, *leaf) for index, leaf in enumerate(leaves, head.size)])
    if searchable:
        first = {leaf[0]: index for index, leaf in reversed(list(enumerate(leaves, head.size)))}
        _insert(connection, _POSITIONS, [(origin, value, index) for value, index in first.items()])


def positions_of(connection: Connection, wanted: Mapping[str, Sequence[bytes]]) -> dict[tuple[str, bytes], int]:
    """Return where entries with these leaf hashes stand in each log, those that do."""
    found: dict[tuple[str, bytes], int] = {}
    for origin, hashes in wanted.items():
        statement = _STANDING[connection.dialect.name]
        if connection.dialect.name == "postgresql":
            rows = connection.exec_driver_sql(statement, (origin, list(hashes)))
        else:
            rows = connection.exec_driver_sql(statement % ",".join("?" * len(hashes)), (origin, *hashes))
        found |= {(origin, value): index for value, index in rows}
    return found


def store_tiles(connection: Connection, origin: str, tiles: Sequence[Tile]) -> None:
    """Insert or extend tiles."""
    if tiles:
        statement = upsert(connection.dialect.name, LOG_TILE)
        statement = statement.on_conflict_do_update(
            index_elements=["origin", "level", "idx"],
            set_={"hashes": statement.excluded.hashes, "nodes": statement.excluded.nodes},
        )
        rows = [
            {
                "origin": origin,
                "level": tile.level,
                "idx": tile.index,
                "hashes": tile.hashes,
                "nodes": inner_nodes(tile.hashes) if len(tile.hashes) == _COMPLETE else None,
            }
            for tile in tiles
        ]
        connection.execute(statement, rows)


def move_head(connection: Connection, head: Head, size: int, root: bytes, checkpoint: bytes, now: datetime) -> None:
    """Compare-and-swap the head of a log; a head that moved meanwhile means two sequencers and stops the batch."""
    values = {
        "b_origin": head.origin,
        "b_size": head.size,
        "b_new_size": size,
        "b_root": root,
        "b_checkpoint": checkpoint,
        "b_now": now,
    }
    if connection.execute(_MOVE_HEAD, values).rowcount != 1:
        raise CommitUncertain(f"another writer moved the head of log {head.origin}")


def freeze(connection: Connection, origin: str, now: datetime) -> None:
    """Let a log take nothing more; its head stays as it is."""
    connection.execute(update(LOG_HEAD).where(LOG_HEAD.c.origin == origin).values(frozen_at=now))


def mark_anchored(connection: Connection, origin: str, size: int) -> bool:
    """Remember the size at which a log was anchored; False if a size as large is known."""
    statement = upsert(connection.dialect.name, LOG_ANCHOR).values(origin=origin, size=size)
    statement = statement.on_conflict_do_update(
        index_elements=["origin"],
        set_={"size": statement.excluded.size},
        where=LOG_ANCHOR.c.size < statement.excluded.size,
    )
    return connection.execute(statement.returning(LOG_ANCHOR.c.origin)).first() is not None


def _insert(connection: Connection, statements: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    statement = statements[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        connection.exec_driver_sql(statement, list(rows))
