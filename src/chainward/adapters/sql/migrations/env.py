"""What Alembic runs around each migration: inside the caller's transaction, or, offline, into the caller's buffer."""

from __future__ import annotations

from alembic import context

from chainward.adapters.sql.migrate import load_tables

__all__ = ["run"]


def run() -> None:
    """Run the migrations that the command asked for."""
    given = context.config.attributes
    if context.is_offline_mode():
        context.configure(dialect_name=given["dialect_name"], target_metadata=load_tables(), literal_binds=True)
    else:
        context.configure(connection=given["connection"], target_metadata=load_tables(), compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


if hasattr(context, "config"):  # only while Alembic runs a command; whoever merely imports this module runs nothing
    run()
