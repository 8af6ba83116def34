"""Databases for tests of every room: SQLite and PostgreSQL, with tables, triggers, logs, and a ledger over them.

In a test that takes the fixture ``platform_database`` (tests/contracts has it; another folder imports it into its
``conftest.py`` with ``from tests.databases import cluster, platform_database``), which runs once for each store::

    from chainward.adapters.sql.registry import WRITES, SqlRegistryStore

    def test_a_tag_is_immutable(platform_database: PlatformDatabase) -> None:
        ledger = platform_database.open_ledger(WRITES)              # a started writer with these handlers
        store = SqlRegistryStore(platform_database.database)        # the room's reading side
        ledger.commit([Pushed(...)], [StoreManifest(...)], context=CONTEXT)

All tables that were imported exist: import the room's ``adapters.sql`` module in the test module. ``open_ledger`` may
be called again (other handlers, another clock); everything is closed when the test ends. Where only SQLite matters,
``with sqlite_platform(tmp_path) as platform:`` gives the same object without a fixture. CHAINWARD_TEST_POSTGRES may
name a server (``postgresql://user@host/maintenance-database``) to use in place of a private one.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from tests.postgres import Cluster, NoClusterError, Server

from chainward.adapters.sql import append_only
from chainward.adapters.sql.database import Database
from chainward.adapters.sql.ledger import SqlLedgerStore
from chainward.adapters.sql.metadata import METADATA
from chainward.adapters.sql.setup import open_logs
from chainward.adapters.sql.writer import Writer
from chainward.adapters.system import SystemEntropy
from chainward.kernel.identity import Actor, Context
from chainward.keys.local import PrivateKey
from chainward.ledger.checkpoint import FixedSigners, NoteSigner
from chainward.ledger.commit import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from chainward.adapters.sql.writer import Handler
    from chainward.kernel.instant import Clock
    from chainward.keys.model import PublicKey

__all__ = [
    "CONTEXT",
    "FACTS",
    "FACTS_ORIGIN",
    "SIGNATURES",
    "SIGNATURES_ORIGIN",
    "SIGNERS",
    "ManualClock",
    "PlatformDatabase",
    "cluster",
    "empty_database",
    "keys_of_logs",
    "open_ledger",
    "platform_database",
    "prepare",
    "sqlite_platform",
]

FACTS_ORIGIN: Final = "facts.test"
SIGNATURES_ORIGIN: Final = "signatures.test"
FACTS: Final = NoteSigner(FACTS_ORIGIN, PrivateKey.of(Ed25519PrivateKey.from_private_bytes(b"f" * 32)))
SIGNATURES: Final = NoteSigner(SIGNATURES_ORIGIN, PrivateKey.of(Ed25519PrivateKey.from_private_bytes(b"s" * 32)))
SIGNERS: Final = FixedSigners([FACTS, SIGNATURES])
CONTEXT: Final = Context(Actor("token:test"), "request-1")


def keys_of_logs() -> dict[str, PublicKey]:
    """Return the public key of each log, as an auditor has them."""
    return {signer.origin: signer.signer.public_key for signer in (FACTS, SIGNATURES)}


@dataclass(slots=True)
class ManualClock:
    """A clock that moves on by ``step`` with every reading, or where a test puts it."""

    instant: datetime = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    step: timedelta = timedelta(milliseconds=1)

    def now(self) -> datetime:
        self.instant += self.step
        return self.instant

    def advance(self, by: timedelta) -> None:
        self.instant += by


def prepare(database: Database) -> None:
    """Create all imported tables, the triggers, and the two logs."""
    with database.writer.begin() as connection:
        METADATA.create_all(connection)
        append_only.install(connection)
    open_logs(database, FACTS, [SIGNATURES], ManualClock(), SystemEntropy())


def open_ledger(
    database: Database, handlers: Mapping[type[Any], Handler] | None = None, *, clock: Clock | None = None
) -> Ledger:
    """Return a ledger with a started writer that carries out the given writes; ``ledger.close()`` stops it."""
    writer = Writer(database, SIGNERS, FACTS_ORIGIN, handlers or {}, clock or ManualClock())
    writer.start()
    return Ledger(SqlLedgerStore(database, writer), SystemEntropy())


@dataclass(slots=True)
class PlatformDatabase:
    """A prepared database and what was opened over it."""

    url: str
    database: Database
    _ledgers: list[Ledger] = field(default_factory=list)
    _others: list[Database] = field(default_factory=list)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.database.dialect_name

    def open_ledger(
        self,
        handlers: Mapping[type[Any], Handler] | None = None,
        *,
        clock: Clock | None = None,
        database: Database | None = None,
    ) -> Ledger:
        """Return a ledger that is closed when the test ends."""
        ledger = open_ledger(database or self.database, handlers, clock=clock)
        self._ledgers.append(ledger)
        return ledger

    def reopen(self) -> Database:
        """Open the same database once more, as a second process would."""
        self._others.append(Database.open(self.url))
        return self._others[-1]

    def tamper(self, statement: str, value: bytes = bytes(32), **values: object) -> None:
        """Change rows behind the ledger's back, as somebody who owns the database can; ``:value`` is ``value``."""
        clause = text(statement)
        given = {"value": value} | values
        with self.database.writer.begin() as connection:
            for guard in append_only.GUARDS:
                if self.dialect == "postgresql":
                    connection.execute(text(f"DROP FUNCTION {guard.table.name}_refuse() CASCADE"))
                else:
                    for name in guard.names:
                        connection.execute(text(f"DROP TRIGGER {name}"))
            connection.execute(clause, {name: given[name] for name in clause.compile().params})
            append_only.install(connection)

    def close(self) -> None:
        for ledger in self._ledgers:
            ledger.close()
        for database in (*self._others, self.database):
            database.close()


@contextmanager
def sqlite_platform(folder: Path) -> Iterator[PlatformDatabase]:
    """Give a prepared SQLite database in ``folder``."""
    url = f"sqlite:///{folder / 'chainward.db'}"
    platform = PlatformDatabase(url, Database.open(url))
    try:
        prepare(platform.database)
        yield platform
    finally:
        platform.close()


@contextmanager
def postgres_platform(server: Server) -> Iterator[PlatformDatabase]:
    """Give a prepared PostgreSQL database of its own."""
    name = server.create_database(_template(server))
    platform = PlatformDatabase(server.url(name), Database.open(server.url(name)))
    try:
        yield platform
    finally:
        platform.close()
        server.drop_database(name)


def _template(server: Server) -> str:
    """Return a prepared database to copy, one for each set of tables that this process has imported."""
    tables = frozenset(METADATA.tables)
    if tables not in server.templates:
        name = server.create_database()
        database = Database.open(server.url(name))
        try:
            prepare(database)
        finally:
            database.close()
        server.templates[tables] = name
    return server.templates[tables]


@contextmanager
def empty_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[Callable[[], Database]]:
    """Give a function that opens new databases without any table, on the store that ``request.param`` names."""
    server: Server | None = None if request.param == "sqlite" else request.getfixturevalue("cluster")
    opened: list[Database] = []
    names: list[str] = []

    def open_another() -> Database:
        if server is None:
            url = f"sqlite:///{folder / f'empty-{len(opened)}.db'}"
        else:
            names.append(server.create_database())
            url = server.url(names[-1])
        opened.append(Database.open(url))
        return opened[-1]

    try:
        yield open_another
    finally:
        for database in opened:
            database.close()
        for name in names:
            if server is not None:
                server.drop_database(name)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Server]:
    """The PostgreSQL server of this test session; skips with the reason when there is none."""
    given = os.environ.get("CHAINWARD_TEST_POSTGRES")
    if given:
        server = Server(given)
        yield server
        server.drop_templates()
        return
    try:
        private = Cluster.create()
    except NoClusterError as unavailable:
        pytest.skip(str(unavailable))
    yield private
    private.destroy()


@pytest.fixture(params=["sqlite", "postgresql"])
def platform_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformDatabase]:
    """A prepared database, once for each store; see the docstring of this module."""
    if request.param == "sqlite":
        with sqlite_platform(tmp_path) as platform:
            yield platform
    else:
        with postgres_platform(request.getfixturevalue("cluster")) as platform:
            yield platform
