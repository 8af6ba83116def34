"""Tables and statements of access: tokens, and the epoch that moves with each revocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chainward.access.errors import TokenAlreadyRevoked, TokenUnknown
from chainward.access.model import Binding, IssueToken, RevokeToken, Role, StoredToken, Token
from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.kernel.name import RepositoryPattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write

__all__ = ["ACCESS_EPOCH", "ACCESS_TOKEN", "WRITES", "SqlAccessStore"]

ACCESS_TOKEN = Table(
    "access_token",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("bindings", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("issued_by", String),
    Column("revoked_at", Instant),
)
ACCESS_EPOCH = Table(
    "access_epoch",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

_THE_ROW: Final = 1
_SELECT_TOKEN = select(ACCESS_TOKEN).where(ACCESS_TOKEN.c.id == bindparam("b_id"))
_SELECT_EPOCH = select(ACCESS_EPOCH.c.epoch).where(ACCESS_EPOCH.c.id == _THE_ROW)
_REVOKE = (
    update(ACCESS_TOKEN)
    .where(ACCESS_TOKEN.c.id == bindparam("b_id"), ACCESS_TOKEN.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("b_now"))
)


class SqlAccessStore:
    """The AccessStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def epoch(self) -> int:
        """Return the access epoch; 0 before the first revocation."""
        with self._database.read() as connection:
            return connection.execute(_SELECT_EPOCH).scalar() or 0

    def token(self, token_id: str) -> StoredToken | None:
        """Return a token with its digest."""
        with self._database.read() as connection:
            row = connection.execute(_SELECT_TOKEN, {"b_id": token_id}).first()
        return None if row is None else StoredToken(_token(row), row.digest)

    def tokens(self) -> list[Token]:
        """Return all tokens, the newest first."""
        query = select(ACCESS_TOKEN).order_by(ACCESS_TOKEN.c.issued_at.desc(), ACCESS_TOKEN.c.id)
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query)]


def _token(row: Row[Any]) -> Token:
    bindings = tuple(_binding(text) for text in row.bindings.split())
    return Token(row.id, row.name, bindings, row.issued_at, row.expires_at, row.issued_by, row.revoked_at)


def _binding(text: str) -> Binding:
    role, _, pattern = text.partition(":")
    return Binding(Role(role), RepositoryPattern(pattern))


def _issue(scope: Scope, write: IssueToken) -> None:
    token = write.stored.token
    row = {
        "id": token.id,
        "name": token.name,
        "digest": write.stored.digest,
        "bindings": " ".join(map(str, token.bindings)),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "issued_by": token.issued_by,
    }
    scope.connection.execute(ACCESS_TOKEN.insert(), row)


def _revoke(scope: Scope, write: RevokeToken) -> None:
    if scope.connection.execute(_REVOKE, {"b_id": write.token_id, "b_now": scope.now}).rowcount != 1:
        if scope.connection.execute(_SELECT_TOKEN, {"b_id": write.token_id}).first() is None:
            raise TokenUnknown(f"there is no token {write.token_id[:40]!r}")
        raise TokenAlreadyRevoked(f"token {write.token_id} is revoked already")
    dialect = postgresql if scope.dialect_name == "postgresql" else sqlite
    statement = dialect.insert(ACCESS_EPOCH).values(id=_THE_ROW, epoch=1)
    scope.connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"epoch": ACCESS_EPOCH.c.epoch + 1})
    )


WRITES: Final[Mapping[type[Write], Handler]] = {IssueToken: _issue, RevokeToken: _revoke}
