"""The store of projections: what followers make of facts, and how far each has come.

On SQLite it is a second file, on PostgreSQL the schema ``projection`` of the same database; both commit without waiting
for the disk (``synchronous=NORMAL``, ``synchronous_commit=off``), because everything in it can be made again. There are
no migrations: a follower whose tables or version changed is dropped and made again from fact 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable

from chainward.adapters.sql.metadata import PROJECTIONS
from chainward.ledger.errors import FollowerUnknown
from chainward.ledger.model import FollowerState, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.adapters.sql.database import Database

__all__ = ["FOLLOWER", "SOURCE", "Projection", "SqlProjectionStore"]

FOLLOWER: Final = Table(
    "follower",
    PROJECTIONS,
    Column("name", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("fingerprint", String, nullable=False),
)
SOURCE: Final = Table(
    "source",
    PROJECTIONS,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("ledger", LargeBinary, nullable=False),
)
_LOCK: Final = 0x70726F6A  # "proj": replicas prepare the store one after the other


@dataclass(frozen=True, slots=True)
class Projection:
    """A follower with tables: ``apply`` puts facts into them, in order, each at least once and never out of turn.

    Change ``version`` when ``apply`` makes other rows of the same facts; the rows are then made again.
    """

    name: str
    tables: tuple[Table, ...]
    apply: Callable[[Connection, Sequence[Recorded]], None]
    schemas: frozenset[str] | None = None
    version: int = 1

    @property
    def fingerprint(self) -> str:
        """What the rows depend on besides the facts."""
        parts: list[Any] = [self.version, sorted(self.schemas or ())]
        for table in self.tables:
            parts.append(CreateTable(table))
            parts += [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: index.name or "")]
        return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()


class SqlProjectionStore:
    """Implements ProjectionStore over SQLite or PostgreSQL, for a database that was opened as ``derived``."""

    def __init__(self, database: Database, projections: Sequence[Projection]) -> None:
        self._database = database
        self._projections = {projection.name: projection for projection in projections}

    def prepare(self, ledger: bytes) -> None:
        """Make the tables ready; see ProjectionStore."""
        with self._database.writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                connection.execute(CreateSchema("projection", if_not_exists=True))
            PROJECTIONS.create_all(connection, tables=[FOLLOWER, SOURCE])
            if connection.execute(select(SOURCE.c.ledger)).scalar() != ledger:
                connection.execute(SOURCE.delete())
                connection.execute(FOLLOWER.delete())
                connection.execute(SOURCE.insert(), {"id": 1, "ledger": ledger})
            rows = connection.execute(select(FOLLOWER.c.name, FOLLOWER.c.fingerprint))
            known = {row.name: row.fingerprint for row in rows}
            self._drop_unknown(connection, known)
            for name, projection in self._projections.items():
                if known.get(name) != projection.fingerprint:
                    self._make(connection, projection)

    def followers(self) -> list[FollowerState]:
        """Return every follower and where it stands."""
        with self._database.read() as connection:
            rows = connection.execute(select(FOLLOWER.c.name, FOLLOWER.c.position))
            positions = {row.name: row.position for row in rows}
        return [
            FollowerState(name, projection.schemas, positions[name])
            for name, projection in self._projections.items()
            if name in positions
        ]

    def apply(self, name: str, facts: Sequence[Recorded], after: int, position: int) -> bool:
        """Let a follower see facts; see ProjectionStore."""
        move = update(FOLLOWER).where(FOLLOWER.c.name == name, FOLLOWER.c.position == after).values(position=position)
        with self._database.writer.begin() as connection:
            if connection.execute(move).rowcount != 1:
                return False
            if facts:
                self._projections[name].apply(connection, facts)
        return True

    def reset(self, name: str) -> None:
        """Drop all that a follower made; raises FollowerUnknown."""
        if name not in self._projections:
            raise FollowerUnknown(f"there is no follower {name}")
        with self._database.writer.begin() as connection:
            self._make(connection, self._projections[name])

    def _make(self, connection: Connection, projection: Projection) -> None:
        tables = list(projection.tables)
        PROJECTIONS.drop_all(connection, tables=tables)
        PROJECTIONS.create_all(connection, tables=tables)
        connection.execute(FOLLOWER.delete().where(FOLLOWER.c.name == projection.name))
        row = {"name": projection.name, "position": -1, "fingerprint": projection.fingerprint}
        connection.execute(FOLLOWER.insert(), row)

    def _drop_unknown(self, connection: Connection, known: dict[str, str]) -> None:
        """Remove what a follower left that this version no longer has."""
        gone = [name for name in known if name not in self._projections]
        if gone:
            connection.execute(FOLLOWER.delete().where(FOLLOWER.c.name.in_(gone)))
        schema = "projection" if connection.dialect.name == "postgresql" else None
        expected = {FOLLOWER.name, SOURCE.name}
        expected |= {table.name for projection in self._projections.values() for table in projection.tables}
        quote = connection.dialect.identifier_preparer.quote
        for table in inspect(connection).get_table_names(schema=schema):
            if table not in expected:
                qualified = quote(table) if schema is None else f"{schema}.{quote(table)}"
                connection.exec_driver_sql(f"DROP TABLE {qualified}")
