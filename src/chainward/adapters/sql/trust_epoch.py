"""The trust epoch: one number that grows with every change of what is believed (signers, authorities, revocations).

Verdicts that were made under another epoch are not reused, and whoever keeps a snapshot of trust compares this number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, Integer, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Scope

__all__ = ["TRUST_EPOCH", "current_epoch", "move_epoch", "read_epoch"]

TRUST_EPOCH: Final = Table(
    "trust_epoch",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

_THE_ROW: Final = 1
_SELECT_EPOCH = select(TRUST_EPOCH.c.epoch).where(TRUST_EPOCH.c.id == _THE_ROW)

_EPOCH_STATEMENT: Final = f"SELECT epoch FROM trust_epoch WHERE id = {_THE_ROW}"  # noqa: S608 - a constant


def current_epoch(database: Database) -> int:
    """Return the epoch after the newest commit of any replica; 0 before the first change."""
    row = database.first(_EPOCH_STATEMENT, ())
    return 0 if row is None else int(row[0])


def read_epoch(connection: Connection) -> int:
    """Return the epoch that ``connection`` sees; 0 before the first change."""
    return connection.execute(_SELECT_EPOCH).scalar() or 0


def move_epoch(scope: Scope) -> None:
    """Begin a new epoch with the commit of ``scope``."""
    dialect = postgresql if scope.dialect_name == "postgresql" else sqlite
    statement = dialect.insert(TRUST_EPOCH).values(id=_THE_ROW, epoch=1)
    scope.connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"epoch": TRUST_EPOCH.c.epoch + 1})
    )
