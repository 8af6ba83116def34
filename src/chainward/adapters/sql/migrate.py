"""Bringing a database to the schema of this version, and refusing to work on one of another version.

Migrations (``migrations/versions``) are Alembic scripts inside the package, so that an installed Chainward carries
them; nothing is read from the working folder. They only add. A whole upgrade is one transaction on either store.
"""

from __future__ import annotations

import io
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import chainward.adapters.sql as package
from chainward.adapters.sql.errors import SchemaMismatch
from chainward.adapters.sql.metadata import METADATA

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from chainward.adapters.sql.database import Database

__all__ = ["check_schema", "load_tables", "migrate", "migration_script"]

_HERE: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x636861696E  # "chain"


def load_tables() -> MetaData:
    """Import every module that declares tables and return the METADATA of all of them."""
    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            import_module(f"{package.__name__}.{module.name}")
    return METADATA


def migrate(database: Database) -> None:
    """Bring the database to the newest schema; creates everything in an empty one. Replicas may call it together."""
    with database.writer.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_schema(database: Database) -> None:
    """Return if the database has the schema of this version.

    Raises:
        SchemaMismatch: if it is empty, or was written by an older or a newer version.
    """
    expected = set(ScriptDirectory.from_config(_config()).get_heads())
    with database.read() as connection:
        found = set(MigrationContext.configure(connection).get_current_heads())
    if found != expected:
        raise SchemaMismatch(
            f"the database has schema {', '.join(sorted(found)) or 'none'}, this version needs "
            f"{', '.join(sorted(expected))}"
        )


def migration_script(dialect_name: str) -> str:
    """Return the SQL that ``migrate`` would run on an empty database, for an administrator to run by hand."""
    output = io.StringIO()
    config = _config(output)
    config.attributes["dialect_name"] = dialect_name
    command.upgrade(config, "head", sql=True)
    return output.getvalue()


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output, stdout=io.StringIO())
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config
