"""Opening the authoritative database: one writing engine, one pool of reading connections.

SQLite runs in WAL mode with ``synchronous=FULL``, PostgreSQL with ``synchronous_commit=on``: a commit that was answered
survives a power loss. Reading connections cannot write, and each ``read()`` is one consistent snapshot.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from chainward.adapters.sql.errors import DatabaseUnavailable, is_outage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["Database"]

_READERS: Final = 16
_OVERFLOW: Final = 32
_SPARE: Final = 8
_SQLITE: Final = "sqlite:///"
_EVERY_PRAGMA: Final = (
    "PRAGMA busy_timeout=10000",
    "PRAGMA mmap_size=268435456",
    "PRAGMA trusted_schema=OFF",
)
_WRITER_PRAGMAS: Final = (
    *_EVERY_PRAGMA,
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA fullfsync=ON",  # macOS: fsync alone leaves the data in the drive's cache
    "PRAGMA checkpoint_fullfsync=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",  # else REPLACE deletes a row past its append-only trigger
)
_DERIVED_PRAGMAS: Final = (
    *_EVERY_PRAGMA,
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
)
_READER_PRAGMAS: Final = (*_EVERY_PRAGMA, "PRAGMA query_only=ON")
_NO_SCHEMA: Final = {"schema_translate_map": {"projection": None}}


class Database:
    """One database, opened for one writer and many readers. Thread-safe."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self.writer = writer
        self._reader = reader
        self._spare: deque[PoolProxiedConnection] = deque()
        # A read of one row from SQLite takes microseconds and gives the interpreter lock up several times; many threads
        # that take it from each other cost twice the CPU of the reads (measured with 16 threads on two cores).
        self._one_at_a_time: AbstractContextManager[object] = (
            threading.Lock() if self.dialect_name == "sqlite" else nullcontext()
        )

    @classmethod
    def open_sqlite(cls, path: Path, *, derived: bool = False) -> Database:
        """Open (or create) the SQLite file at ``path``; a ``derived`` one may lose its last commits in a power loss."""
        writing = _DERIVED_PRAGMAS if derived else _WRITER_PRAGMAS
        return cls(_sqlite(path, writing, "BEGIN IMMEDIATE", 1), _sqlite(path, _READER_PRAGMAS, "BEGIN", _READERS))

    @classmethod
    def open_postgres(cls, url: str, *, derived: bool = False) -> Database:
        """Open a PostgreSQL database, such as ``postgresql://user@host/name``."""
        commit = "off" if derived else "on"
        options = {"options": f"-c synchronous_commit={commit} -c lock_timeout=10000"}
        read_only = {"options": "-c default_transaction_read_only=on"}
        return cls(
            _postgres(url, "READ COMMITTED", 2, options),
            _postgres(url, "REPEATABLE READ", _READERS, read_only),
        )

    @classmethod
    def open(cls, url: str, *, derived: bool = False) -> Database:
        """Open ``sqlite:///absolute/path`` or a PostgreSQL URL.

        Raises:
            DatabaseUnavailable: for any other URL, or without the driver.
        """
        if url.startswith(_SQLITE):
            return cls.open_sqlite(Path(url.removeprefix(_SQLITE)), derived=derived)
        if url.startswith("postgresql"):
            return cls.open_postgres(url, derived=derived)
        raise DatabaseUnavailable("the database URL starts neither with sqlite:/// nor with postgresql://")

    @property
    def dialect_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.writer.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only connection with one consistent snapshot for all statements inside.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        try:
            with self._reader.connect() as connection, connection.begin():
                yield connection
        except PoolTimeoutError as error:
            raise DatabaseUnavailable("every reading connection is in use") from error
        except DBAPIError as error:
            if not is_outage(error):
                raise
            raise DatabaseUnavailable(f"the database did not answer: {type(error.orig).__name__}") from error

    def first(self, statement: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Run one statement, written for the driver, and return its first row; one statement is one snapshot.

        For reads on a hot path: costs a quarter of :meth:`read` with the same statement.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        driver = self._reader.dialect.loaded_dbapi
        try:
            with self._one_at_a_time:
                connection = self._borrow()
                try:
                    cursor = connection.cursor()
                    cursor.execute(statement, parameters)
                    row: tuple[Any, ...] | None = cursor.fetchone()
                    cursor.close()
                except BaseException:
                    connection.close()
                    raise
        except (driver.OperationalError, driver.InterfaceError, PoolTimeoutError) as error:
            raise DatabaseUnavailable(f"the database did not answer: {type(error).__name__}") from error
        self._give_back(connection)
        return row

    def close(self) -> None:
        """Close every connection."""
        while self._spare:
            self._spare.pop().close()
        self._reader.dispose()
        self.writer.dispose()

    def _borrow(self) -> PoolProxiedConnection:
        try:
            return self._spare.pop()
        except IndexError:
            return self._reader.raw_connection()

    def _give_back(self, connection: PoolProxiedConnection) -> None:
        """Keep a few SQLite connections at hand: with many threads the pool's lock costs more than the statement.

        Between statements they hold no transaction; one of PostgreSQL would, so those go back at once.
        """
        if self.dialect_name == "sqlite" and len(self._spare) < _SPARE:
            self._spare.append(connection)
        else:
            connection.close()


def _sqlite(path: Path, pragmas: tuple[str, ...], begin: str, size: int) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=_OVERFLOW if size > 1 else 0,
        connect_args={"check_same_thread": False, "cached_statements": 512},
        execution_options=_NO_SCHEMA,
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


def _postgres(url: str, isolation: str, size: int, arguments: dict[str, Any]) -> Engine:
    try:
        return create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            isolation_level=isolation,
            pool_size=size,
            max_overflow=_OVERFLOW,
            pool_pre_ping=True,
            connect_args=arguments,
        )
    except (ArgumentError, ValueError):
        raise DatabaseUnavailable("the database URL cannot be read") from None
    except ModuleNotFoundError as error:
        raise DatabaseUnavailable(
            "the driver for PostgreSQL is not installed", hint="Install chainward[postgres]."
        ) from error
