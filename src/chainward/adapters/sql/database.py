"""Opening the authoritative database: one writing engine, one pool of reading connections.

SQLite runs in WAL mode with ``synchronous=FULL``, PostgreSQL with ``synchronous_commit=on``: a commit that was answered
survives a power loss. Reading connections cannot write, and each ``read()`` is one consistent snapshot.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

from chainward.adapters.sql.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

__all__ = ["Database"]

_READERS = 16
_OVERFLOW = 32
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",
    "PRAGMA mmap_size=268435456",
    "PRAGMA trusted_schema=OFF",
)
_READER_PRAGMAS = (
    "PRAGMA busy_timeout=10000",
    "PRAGMA mmap_size=268435456",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA query_only=ON",
)


class Database:
    """One database, opened for one writer and many readers. Thread-safe."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self.writer = writer
        self._reader = reader

    @classmethod
    def open_sqlite(cls, path: Path) -> Database:
        """Open (or create) the SQLite file at ``path``."""
        return cls(
            _sqlite(path, _WRITER_PRAGMAS, "BEGIN IMMEDIATE", 1), _sqlite(path, _READER_PRAGMAS, "BEGIN", _READERS)
        )

    @classmethod
    def open_postgres(cls, url: str) -> Database:
        """Open a PostgreSQL database, such as ``postgresql+psycopg://user@host/name``."""
        writer = create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_size=2,
            pool_pre_ping=True,
            connect_args={"options": "-c synchronous_commit=on -c lock_timeout=10000"},
        )
        reader = create_engine(
            url,
            isolation_level="REPEATABLE READ",
            pool_size=_READERS,
            max_overflow=_OVERFLOW,
            pool_pre_ping=True,
            connect_args={"options": "-c default_transaction_read_only=on"},
        )
        return cls(writer, reader)

    @classmethod
    def open(cls, url: str) -> Database:
        """Open ``sqlite:///absolute/path`` or a PostgreSQL URL."""
        if url.startswith("sqlite:///"):
            return cls.open_sqlite(Path(url.removeprefix("sqlite:///")))
        if url.startswith("postgresql"):
            return cls.open_postgres(url.replace("postgresql://", "postgresql+psycopg://", 1))
        raise DatabaseUnavailable("the database URL starts neither with sqlite:/// nor with postgresql://")

    @property
    def dialect_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.writer.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only connection with one consistent snapshot for all statements inside."""
        with self._reader.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()
        self.writer.dispose()


def _sqlite(path: Path, pragmas: tuple[str, ...], begin: str, size: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=_OVERFLOW if size > 1 else 0,
        connect_args={"check_same_thread": False, "cached_statements": 512},
    )

    def configure(connection: sqlite3.Connection, record: object) -> None:
        del record
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma).close()

    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin_transaction)
    return engine
