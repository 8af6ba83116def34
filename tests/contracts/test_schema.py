"""The schema that the migrations make is the one that the rooms declare, guards included, on every store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.databases import PlatformDatabase, empty_database

from chainward.adapters.sql import append_only
from chainward.adapters.sql.database import Database
from chainward.adapters.sql.errors import DatabaseUnavailable, SchemaMismatch
from chainward.adapters.sql.migrate import check_schema, load_tables, migrate, migration_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

EXPECTED_TRIGGERS = {"sqlite": 10, "postgresql": 15}
SHAPE = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite%'",
    "postgresql": """
        SELECT 'column', table_name || '.' || column_name, data_type || is_nullable || coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'
        UNION ALL
        SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'
        UNION ALL
        SELECT 'index', indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND indexname NOT LIKE 'alembic%'
        UNION ALL
        SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL
        SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Gives databases without any table."""
    with empty_database(request, tmp_path) as opener:
        yield opener


def shape(connection: Connection) -> set[tuple[str, ...]]:
    rows = connection.execute(text(SHAPE[connection.dialect.name]))
    return {tuple(" ".join(str(part).split()) for part in row) for row in rows}


def test_the_migrated_schema_is_the_declared_one(empty: Callable[[], Database]) -> None:
    database = empty()
    migrate(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), load_tables()) == []


def test_the_migrated_database_equals_one_made_from_the_declaration(empty: Callable[[], Database]) -> None:
    migrated, declared = empty(), empty()
    migrate(migrated)
    with declared.writer.begin() as connection:
        load_tables().create_all(connection)
        append_only.install(connection)
    with migrated.read() as one, declared.read() as other:
        assert shape(one) == shape(other)


def test_every_guard_is_there_after_migration(empty: Callable[[], Database]) -> None:
    database = empty()
    migrate(database)
    with database.read() as connection:
        names = append_only.installed(connection)
    assert len(names) == EXPECTED_TRIGGERS[database.dialect_name]
    assert names >= {name for guard in append_only.GUARDS for name in guard.names}


def test_migrating_twice_changes_nothing(empty: Callable[[], Database]) -> None:
    database = empty()
    migrate(database)
    with database.read() as connection:
        before = shape(connection)
    migrate(database)
    check_schema(database)
    with database.read() as connection:
        assert shape(connection) == before


def test_an_empty_database_is_refused_until_it_is_migrated(empty: Callable[[], Database]) -> None:
    database = empty()
    with pytest.raises(SchemaMismatch, match="schema none"):
        check_schema(database)
    migrate(database)
    check_schema(database)


def test_a_database_of_a_newer_version_is_refused(empty: Callable[[], Database]) -> None:
    database = empty()
    migrate(database)
    with database.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="9999"):
        check_schema(database)


def test_a_failed_migration_leaves_nothing(empty: Callable[[], Database]) -> None:
    database = empty()
    with database.writer.begin() as connection:
        connection.execute(text("CREATE TABLE log_tile (in_the_way INTEGER)"))
    with pytest.raises(DBAPIError):
        migrate(database)
    with database.read() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == ()
        assert "fact" not in {name for _, name, *_ in shape(connection)}


def test_an_administrator_can_run_the_migration_by_hand(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "by-hand.db")) as connection:
        connection.executescript(migration_script("sqlite"))
    database = Database.open_sqlite(tmp_path / "by-hand.db")
    check_schema(database)
    database.close()
    assert "CREATE FUNCTION fact_refuse" in migration_script("postgresql")


ATTEMPTS = [
    "DELETE FROM fact WHERE idx = 0",
    "UPDATE fact SET schema = 'other/1'",
    "UPDATE fact SET envelope = 'x'",
    "UPDATE fact SET envelope = NULL",
    "UPDATE fact SET envelope = NULL, salt = NULL, recorded_at = recorded_at + 1",
    "DELETE FROM log_leaf",
    "UPDATE log_leaf SET entry = entry",
    "DELETE FROM log_head",
    "UPDATE log_head SET size = size",
    "UPDATE log_head SET size = size - 1",
    "UPDATE log_head SET size = size + 1, origin = 'other'",
]


@pytest.mark.parametrize("statement", ATTEMPTS)
def test_history_cannot_be_rewritten_through_the_writing_connection(
    platform_database: PlatformDatabase, statement: str
) -> None:
    with pytest.raises(DBAPIError), platform_database.database.writer.begin() as connection:
        connection.execute(text(statement))


def test_pruning_a_fact_is_allowed(platform_database: PlatformDatabase) -> None:
    with platform_database.database.writer.begin() as connection:
        connection.execute(text("UPDATE fact SET envelope = NULL, salt = NULL WHERE idx = 0"))
    assert platform_database.open_ledger().fact(0).body is None


def test_a_complete_tile_never_changes_and_a_partial_one_only_grows(platform_database: PlatformDatabase) -> None:
    insert = text("INSERT INTO log_tile (origin, level, idx, hashes) VALUES ('o', 0, :idx, :hashes)")
    change = text("UPDATE log_tile SET hashes = :hashes WHERE idx = :idx")
    with platform_database.database.writer.begin() as connection:
        connection.execute(insert, {"idx": 0, "hashes": b"a" * 8192})
        connection.execute(insert, {"idx": 1, "hashes": b"a" * 32})
        connection.execute(change, {"idx": 1, "hashes": b"a" * 32 + b"b" * 32})
    for idx, hashes in ((0, b"b" * 8192), (1, b"a" * 32), (1, b"c" * 96), (1, b"a" * 32 + b"b" * 8192)):
        with pytest.raises(DBAPIError), platform_database.database.writer.begin() as connection:
            connection.execute(change, {"idx": idx, "hashes": hashes})
    with pytest.raises(DBAPIError), platform_database.database.writer.begin() as connection:
        connection.execute(text("DELETE FROM log_tile"))


def test_replacing_a_row_on_sqlite_does_not_slip_past_the_guard(platform_database: PlatformDatabase) -> None:
    if platform_database.dialect == "postgresql":
        statement = "TRUNCATE fact"
    else:
        statement = "REPLACE INTO fact (idx, schema, recorded_at) VALUES (0, 'other/1', 0)"
    with pytest.raises(DBAPIError, match="never changed"), platform_database.database.writer.begin() as connection:
        connection.execute(text(statement))


def test_a_reading_connection_cannot_write(platform_database: PlatformDatabase) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable)), platform_database.database.read() as connection:
        connection.execute(text("INSERT INTO fact (idx, schema, recorded_at) VALUES (99, 'x/1', 0)"))
    with platform_database.database.read() as connection:
        assert connection.execute(text("SELECT max(idx) FROM fact")).scalar() == 0
