"""Triggers that keep the ledger's tables append-only, in both dialects.

They stop defects and slips of a hand, not an owner of the database file, who can drop a trigger: against that stands
:mod:`chainward.ledger.audit`. Facts may only lose their envelope and salt together (pruning); leaves never change; a
tile may only be extended until it is complete; the head of a log may only grow, until it is frozen; and so may the
state of a log for which the platform is a witness.

A migration that rebuilds a table on SQLite (Alembic ``batch_alter_table``) drops its triggers without a word: install
them again behind it. A test counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from chainward.adapters.sql.ledger import FACT, LOG_HEAD, LOG_LEAF, LOG_TILE
from chainward.adapters.sql.witness import WITNESSED_LOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

__all__ = ["GUARDS", "Guard", "install", "installed", "statements"]


@dataclass(frozen=True, slots=True)
class Guard:
    """What may happen to the rows of one table: ``allowed`` is a condition over OLD and NEW, or None for no update."""

    table: Table
    complaint: str
    allowed: str | None = None

    @property
    def names(self) -> tuple[str, str]:
        """The names of the trigger on updates and of the trigger on deletions."""
        return f"{self.table.name}_update", f"{self.table.name}_delete"


_PRUNED: Final = """NEW.idx = OLD.idx
            AND NEW.schema = OLD.schema
            AND NEW.recorded_at = OLD.recorded_at
            AND NEW.envelope IS NULL
            AND NEW.salt IS NULL"""
_EXTENDED: Final = """NEW.origin = OLD.origin
            AND NEW.level = OLD.level
            AND NEW.idx = OLD.idx
            AND length(OLD.hashes) < 8192
            AND length(NEW.hashes) <= 8192
            AND substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes"""
_GROWN: Final = """NEW.origin = OLD.origin
            AND NEW.content = OLD.content
            AND OLD.frozen_at IS NULL
            AND (NEW.size > OLD.size OR (NEW.size = OLD.size AND NEW.root = OLD.root AND NEW.frozen_at IS NOT NULL))
            AND NEW.moved_at >= OLD.moved_at"""
_COSIGNED: Final = """NEW.origin = OLD.origin
            AND (NEW.size > OLD.size OR (NEW.size = OLD.size AND NEW.root = OLD.root))"""

GUARDS: Final = (
    Guard(FACT, "facts are never changed or deleted", _PRUNED),
    Guard(LOG_LEAF, "leaves of a log are never changed or deleted"),
    Guard(LOG_TILE, "tiles of a log only grow until they are complete", _EXTENDED),
    Guard(LOG_HEAD, "a log only grows", _GROWN),
    Guard(WITNESSED_LOG, "what was cosigned never goes back", _COSIGNED),
)


def statements(dialect_name: str) -> Iterator[str]:
    """Return the statements that install every trigger."""
    for guard in GUARDS:
        yield from _statements(guard, dialect_name)


def install(connection: Connection) -> None:
    """Install every trigger; the tables must exist and the triggers must not."""
    for statement in statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def installed(connection: Connection) -> frozenset[str]:
    """Return the names of the triggers that the database has."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    return frozenset(connection.execute(text(query)).scalars())


def _statements(guard: Guard, dialect_name: str) -> Iterator[str]:
    return iter(_sqlite(guard) if dialect_name == "sqlite" else _postgresql(guard))


def _sqlite(guard: Guard) -> tuple[str, ...]:
    on_update, on_delete = guard.names
    condition = "" if guard.allowed is None else f"\n    WHEN NOT ({guard.allowed})"
    return (
        f"""CREATE TRIGGER {on_update} BEFORE UPDATE ON {guard.table.name}{condition}
    BEGIN SELECT RAISE(ABORT, '{guard.complaint}'); END""",
        f"""CREATE TRIGGER {on_delete} BEFORE DELETE ON {guard.table.name}
    BEGIN SELECT RAISE(ABORT, '{guard.complaint}'); END""",
    )


def _postgresql(guard: Guard) -> tuple[str, ...]:
    on_update, on_delete = guard.names
    condition = "" if guard.allowed is None else f"\n    WHEN (NOT ({guard.allowed}))"
    return (
        f"""CREATE FUNCTION {guard.table.name}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{guard.complaint}' USING ERRCODE = 'restrict_violation';
    END $$""",
        f"""CREATE TRIGGER {on_update} BEFORE UPDATE ON {guard.table.name} FOR EACH ROW{condition}
    EXECUTE FUNCTION {guard.table.name}_refuse()""",
        f"""CREATE TRIGGER {on_delete} BEFORE DELETE ON {guard.table.name} FOR EACH ROW
    EXECUTE FUNCTION {guard.table.name}_refuse()""",
        f"""CREATE TRIGGER {guard.table.name}_truncate BEFORE TRUNCATE ON {guard.table.name} FOR EACH STATEMENT
    EXECUTE FUNCTION {guard.table.name}_refuse()""",
    )
