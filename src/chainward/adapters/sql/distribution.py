"""Tables and statements of the TUF repository: its files, its state, and its online keys.

A file that was published stays; only ``timestamp.json`` is replaced. The one row of state says what is published, and a
commit that follows another state than it thinks is refused: handlers of all replicas run one after the other, behind
the lock on the heads of the logs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, String, Table, Text, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.authorities import kept_key, key_columns
from chainward.adapters.sql.metadata import METADATA
from chainward.formats.codec import deterministic_json
from chainward.kernel.instant import parse_instant, rfc3339
from chainward.keys.model import PublicKey
from chainward.trust.distribution import KeepOnlineKeys, OnlineKey, PublishedState, PublishTrust
from chainward.trust.errors import DistributionConflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write

__all__ = ["TUF_FILE", "TUF_KEY", "TUF_STATE", "WRITES", "SqlDistributionStore"]

TUF_FILE: Final = Table(
    "tuf_file",
    METADATA,
    Column("path", String, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
TUF_STATE: Final = Table(
    "tuf_state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("versions", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("content", String, nullable=False),
)
TUF_KEY: Final = Table(
    "tuf_key",
    METADATA,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary),
    Column("key_reference", Text),
    CheckConstraint("(sealed_key IS NULL) <> (key_reference IS NULL)", name="one_key"),
)

_THE_ROW: Final = 1
_SELECT_STATE = select(TUF_STATE.c.versions, TUF_STATE.c.expires, TUF_STATE.c.content)
_SELECT_FILE = select(TUF_FILE.c.content).where(TUF_FILE.c.path == bindparam("b_path"))
_SELECT_KEYS = select(TUF_KEY).order_by(TUF_KEY.c.name)
_DROP_KEY = delete(TUF_KEY).where(TUF_KEY.c.name == bindparam("b_name"))


class SqlDistributionStore:
    """The DistributionStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> PublishedState | None:
        """Return what is published; None before the founding."""
        with self._database.read() as connection:
            return _state(connection)

    def file(self, path: str) -> bytes | None:
        """Return a published file, if there is one of this path."""
        with self._database.read() as connection:
            found: bytes | None = connection.execute(_SELECT_FILE, {"b_path": path}).scalar()
        return found

    def online_keys(self) -> Sequence[OnlineKey]:
        """Return every online key that was ever kept."""
        with self._database.read() as connection:
            rows = connection.execute(_SELECT_KEYS).all()
        return [OnlineKey(row.name, row.role, PublicKey.from_der(row.public_key), kept_key(row)) for row in rows]


def _state(connection: Connection) -> PublishedState | None:
    row = connection.execute(_SELECT_STATE).first()
    if row is None:
        return None
    expires = {role: parse_instant(text) for role, text in json.loads(row.expires).items()}
    return PublishedState(json.loads(row.versions), expires, row.content)


def _publish(scope: Scope, write: PublishTrust) -> None:
    present = _state(scope.connection)
    version = 0 if present is None else present.versions["timestamp"]
    if version != write.follows:
        raise DistributionConflict(f"the trust repository is at {version}, not at {write.follows}")
    state = {
        "id": _THE_ROW,
        "versions": deterministic_json(dict(write.state.versions)).decode(),
        "expires": deterministic_json({role: rfc3339(each) for role, each in write.state.expires.items()}).decode(),
        "content": write.state.content,
    }
    _replace(scope, TUF_STATE, "id", [state])
    _replace(scope, TUF_FILE, "path", [{"path": path, "content": content} for path, content in write.files])
    _keep(scope.connection, write.keys)


def _keep_online(scope: Scope, write: KeepOnlineKeys) -> None:
    _keep(scope.connection, write.keys)


def _keep(connection: Connection, keys: Iterable[OnlineKey]) -> None:
    for key in keys:
        connection.execute(_DROP_KEY, {"b_name": key.name})
        row = {"name": key.name, "role": key.role, "public_key": key.public_key.der, **key_columns(key.key)}
        connection.execute(TUF_KEY.insert(), row)


def _replace(scope: Scope, table: Table, key: str, rows: list[dict[str, Any]]) -> None:
    dialect = postgresql if scope.dialect_name == "postgresql" else sqlite
    statement = dialect.insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name != key}
    scope.connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=changed), rows)


WRITES: Final[Mapping[type[Write], Handler]] = {PublishTrust: _publish, KeepOnlineKeys: _keep_online}
