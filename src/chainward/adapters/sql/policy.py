"""Table and statements of policy: every document that was ever in force, by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table, bindparam, func, select

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.kernel.digest import Digest
from chainward.policy.model import ActivatePolicy, Activation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write

__all__ = ["POLICY_EPOCH", "WRITES", "SqlPolicyStore"]

POLICY_EPOCH = Table(
    "policy_epoch",
    METADATA,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
    Column("digest", String, nullable=False),
    Column("activated_at", Instant, nullable=False),
    Column("actor", String, nullable=False),
)

_SELECT_EPOCH = select(func.max(POLICY_EPOCH.c.epoch))
_SELECT = select(POLICY_EPOCH).where(POLICY_EPOCH.c.epoch == bindparam("b_epoch"))


class SqlPolicyStore:
    """The PolicyStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def epoch(self) -> int | None:
        """Return the epoch in force."""
        with self._database.read() as connection:
            return connection.execute(_SELECT_EPOCH).scalar()

    def activation(self, epoch: int) -> Activation | None:
        """Return the activation of an epoch."""
        with self._database.read() as connection:
            row = connection.execute(_SELECT, {"b_epoch": epoch}).first()
        return None if row is None else _activation(row)

    def history(self, limit: int) -> list[Activation]:
        """Return the newest activations, the newest first."""
        query = select(POLICY_EPOCH).order_by(POLICY_EPOCH.c.epoch.desc()).limit(limit)
        with self._database.read() as connection:
            return [_activation(row) for row in connection.execute(query)]


def _activation(row: Row[Any]) -> Activation:
    return Activation(row.epoch, row.document, Digest.parse(row.digest), row.activated_at, row.actor)


def _activate(scope: Scope, write: ActivatePolicy) -> None:
    row = {
        "epoch": scope.fact_index,
        "document": write.document,
        "digest": str(write.digest),
        "activated_at": scope.now,
        "actor": write.actor,
    }
    scope.connection.execute(POLICY_EPOCH.insert(), row)


WRITES: Final[Mapping[type[Write], Handler]] = {ActivatePolicy: _activate}
