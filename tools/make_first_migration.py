"""Write the first migration from the tables that the rooms declare.

    python tools/make_first_migration.py

Until the first release there is only this one migration, and it is written anew whenever a table changes. After the
release this script goes, and every change is a migration of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from chainward.adapters.sql import append_only
from chainward.adapters.sql.metadata import Instant
from chainward.adapters.sql.migrate import load_tables

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

TARGET = Path(__file__).parents[1] / "src/chainward/adapters/sql/migrations/versions/v0001_first.py"
MANY = 30

HEAD = '''"""The first schema: the tables of every room, and the triggers that keep the ledger append-only.

Written by tools/make_first_migration.py; not edited by hand.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__: list[str] = []

revision: Final = "0001"
down_revision: Final = None

'''


def render_type(kind: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Write our own column types as the types that stand in the database."""
    del context
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


def tables() -> str:
    """Return the calls that create every table."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"render_item": render_type})
        upgrades = produce_migrations(context, load_tables()).upgrade_ops
        if upgrades is None:
            raise RuntimeError("Alembic found nothing to create")
        code = render_python_code(upgrades, render_item=render_type, migration_context=context)
    engine.dispose()
    kept = (line for line in code.splitlines() if not line.strip().startswith("#"))
    return "\n".join(kept).strip()


def guards() -> str:
    """Return the triggers as a literal."""
    lines = ["_TRIGGERS: Final = {"]
    for dialect in ("sqlite", "postgresql"):
        lines.append(f'    "{dialect}": (')
        lines += [f'        """{statement}""",' for statement in append_only.statements(dialect)]
        lines.append("    ),")
    return "\n".join([*lines, "}"])


def main() -> None:
    """Write the migration and format it as the rest of the code."""
    body = tables()
    noqa = "  # noqa: PLR0915 - one statement for each table" if body.count("op.create_") >= MANY else ""
    TARGET.write_text(
        f'{HEAD}{guards()}\n\n\ndef upgrade() -> None:{noqa}\n    """Create everything."""\n    {body}\n'
        "    for statement in _TRIGGERS[op.get_context().dialect.name]:\n        op.execute(statement)\n",
        encoding="utf-8",
    )
    for arguments in (["format", "--quiet"], ["check", "--quiet"]):
        subprocess.run([Path(sys.executable).with_name("ruff"), *arguments, TARGET], check=True)
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
