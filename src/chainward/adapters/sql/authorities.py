"""Tables and statements of the authorities: one row for each instance, with its key sealed or referred to.

A row is written when an instance begins; after that only its end and its compromise are. The instance that waits for
an offline root has a row of its own, one for each service. Handlers of all replicas run one after the other, behind the
lock on the heads of the logs.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.adapters.sql.trust_epoch import current_epoch, move_epoch, read_epoch
from chainward.keys.model import PublicKey
from chainward.keys.uri import KeyReference
from chainward.trust.authority import Authority, AuthorityKind, AuthoritySnapshot, Compromise, PinnedCheckpoint
from chainward.trust.custody import (
    CompromiseAuthority,
    EstablishAuthority,
    KeepPending,
    PendingAuthority,
    RetireAuthority,
    SealedKey,
)
from chainward.trust.errors import AuthorityConflict, AuthorityUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write
    from chainward.trust.custody import KeptKey

__all__ = [
    "AUTHORITY",
    "AUTHORITY_PENDING",
    "WRITES",
    "SqlAuthorityStore",
    "kept_key",
    "key_columns",
    "read_authorities",
]

AUTHORITY: Final = Table(
    "authority",
    METADATA,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("origin", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("certificates", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("compromised_since", Instant),
    Column("compromise_reason", Text),
    Column("compromise_checkpoints", Text),
    Column("sealed_key", LargeBinary),
    Column("key_reference", Text),
    CheckConstraint("(sealed_key IS NULL) <> (key_reference IS NULL)", name="one_key"),
)
AUTHORITY_PENDING: Final = Table(
    "authority_pending",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary),
    Column("key_reference", Text),
    CheckConstraint("(sealed_key IS NULL) <> (key_reference IS NULL)", name="one_key"),
)

_SELECT_ALL = select(
    *(column for column in AUTHORITY.c if column.name not in {"sealed_key", "key_reference"})
).order_by(AUTHORITY.c.kind, AUTHORITY.c.number)
_SELECT_KEY = select(AUTHORITY.c.sealed_key, AUTHORITY.c.key_reference).where(AUTHORITY.c.name == bindparam("b_name"))
_SELECT_PENDING = select(AUTHORITY_PENDING).where(AUTHORITY_PENDING.c.kind == bindparam("b_kind"))
_SELECT_TAKEN = select(AUTHORITY.c.name).where(
    or_(
        AUTHORITY.c.name == bindparam("b_name"),
        AUTHORITY.c.public_key == bindparam("b_key"),
        (AUTHORITY.c.origin == bindparam("b_origin")) & (AUTHORITY.c.origin != ""),
        (AUTHORITY.c.kind == bindparam("b_kind"))
        & AUTHORITY.c.ended_at.is_(None)
        & AUTHORITY.c.compromised_since.is_(None),
    )
)
_SELECT_COMPROMISE = select(AUTHORITY.c.ended_at, AUTHORITY.c.compromised_since).where(
    AUTHORITY.c.name == bindparam("b_name")
)
_DROP_PENDING = delete(AUTHORITY_PENDING).where(AUTHORITY_PENDING.c.kind == bindparam("b_kind"))
_RETIRE = (
    update(AUTHORITY)
    .where(
        AUTHORITY.c.name == bindparam("b_name"),
        AUTHORITY.c.ended_at.is_(None),
        AUTHORITY.c.compromised_since.is_(None),
    )
    .values(ended_at=bindparam("b_end"))
)
_COMPROMISE = (
    update(AUTHORITY)
    .where(AUTHORITY.c.name == bindparam("b_name"))
    .values(
        ended_at=bindparam("b_end"),
        compromised_since=bindparam("b_since"),
        compromise_reason=bindparam("b_reason"),
        compromise_checkpoints=bindparam("b_checkpoints"),
    )
)


class SqlAuthorityStore:
    """The AuthorityStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cached: AuthoritySnapshot | None = None

    def snapshot(self) -> AuthoritySnapshot:
        """Return all authorities; one read of one row while nothing changes."""
        cached = self._cached
        if cached is not None and cached.epoch == current_epoch(self._database):
            return cached
        with self._database.read() as connection:
            snapshot = AuthoritySnapshot(read_epoch(connection), read_authorities(connection))
        cached = self._cached
        if cached is None or cached.epoch < snapshot.epoch:
            self._cached = snapshot
        return snapshot

    def stored(self) -> tuple[Authority, ...]:
        """Return all authorities as their rows are now, whatever was read before."""
        with self._database.read() as connection:
            return read_authorities(connection)

    def kept_key(self, name: str) -> KeptKey:
        """Return how the private key of an authority is kept; raises AuthorityUnknown."""
        with self._database.read() as connection:
            row = connection.execute(_SELECT_KEY, {"b_name": name}).first()
        if row is None:
            raise AuthorityUnknown(f"there is no authority {name[:80]!r}")
        return kept_key(row)

    def pending(self, kind: AuthorityKind) -> PendingAuthority | None:
        """Return the instance that waits for its certificates, if there is one."""
        with self._database.read() as connection:
            row = connection.execute(_SELECT_PENDING, {"b_kind": kind.value}).first()
        if row is None:
            return None
        return PendingAuthority(row.name, kind, PublicKey.from_der(row.public_key), kept_key(row))


def read_authorities(connection: Connection) -> tuple[Authority, ...]:
    """Return all authorities that ``connection`` sees, by kind and age."""
    return tuple(_authority(row) for row in connection.execute(_SELECT_ALL))


def _authority(row: Row[Any]) -> Authority:
    return Authority(
        name=row.name,
        kind=AuthorityKind(row.kind),
        origin=row.origin,
        public_key=PublicKey.from_der(row.public_key),
        certificates=tuple(map(base64.b64decode, row.certificates.split())),
        start=row.started_at,
        end=row.ended_at,
        compromise=_compromise(row),
    )


def _compromise(row: Row[Any]) -> Compromise | None:
    if row.compromised_since is None:
        return None
    pins = (line.split(" ") for line in row.compromise_checkpoints.splitlines())
    return Compromise(
        since=row.compromised_since,
        checkpoints=tuple(PinnedCheckpoint(origin, int(size), bytes.fromhex(root)) for origin, size, root in pins),
        reason=row.compromise_reason,
    )


def kept_key(row: Row[Any] | Row[Any, Any]) -> KeptKey:
    """Return the key in the columns ``sealed_key`` and ``key_reference``."""
    return SealedKey(row.sealed_key) if row.key_reference is None else KeyReference.parse(row.key_reference)


def key_columns(key: KeptKey) -> dict[str, object]:
    """Return the columns ``sealed_key`` and ``key_reference`` of a key."""
    if isinstance(key, SealedKey):
        return {"sealed_key": key.data, "key_reference": None}
    return {"sealed_key": None, "key_reference": str(key)}


def _establish(scope: Scope, write: EstablishAuthority) -> None:
    authority = write.authority
    keys = {
        "b_name": authority.name,
        "b_key": authority.public_key.der,
        "b_origin": authority.origin,
        "b_kind": authority.kind.value,
    }
    taken = scope.connection.execute(_SELECT_TAKEN, keys).scalar()
    if taken is not None:
        raise AuthorityConflict(f"{authority.name} cannot begin beside {taken}")
    row = {
        "name": authority.name,
        "kind": authority.kind.value,
        "number": authority.number,
        "origin": authority.origin,
        "public_key": authority.public_key.der,
        "certificates": " ".join(base64.b64encode(each).decode("ascii") for each in authority.certificates),
        "started_at": authority.start,
        **key_columns(write.key),
    }
    scope.connection.execute(AUTHORITY.insert(), row)
    scope.connection.execute(_DROP_PENDING, {"b_kind": authority.kind.value})
    move_epoch(scope)


def _keep_pending(scope: Scope, write: KeepPending) -> None:
    pending = write.pending
    scope.connection.execute(_DROP_PENDING, {"b_kind": pending.kind.value})
    row = {
        "kind": pending.kind.value,
        "name": pending.name,
        "public_key": pending.public_key.der,
        **key_columns(pending.key),
    }
    scope.connection.execute(AUTHORITY_PENDING.insert(), row)


def _retire(scope: Scope, write: RetireAuthority) -> None:
    if scope.connection.execute(_RETIRE, {"b_name": write.name, "b_end": write.end}).rowcount != 1:
        raise AuthorityConflict(f"{write.name} is not active")
    move_epoch(scope)


def _mark_compromised(scope: Scope, write: CompromiseAuthority) -> None:
    compromise = write.compromise
    row = scope.connection.execute(_SELECT_COMPROMISE, {"b_name": write.name}).first()
    if row is None:
        raise AuthorityUnknown(f"there is no authority {write.name[:80]!r}")
    if row.compromised_since is not None and row.compromised_since <= compromise.since:
        raise AuthorityConflict(f"{write.name} is compromised already, since {row.compromised_since.isoformat()}")
    values = {
        "b_name": write.name,
        "b_end": write.end if row.ended_at is None else row.ended_at,
        "b_since": compromise.since,
        "b_reason": compromise.reason,
        "b_checkpoints": "\n".join(f"{pin.origin} {pin.size} {pin.root.hex()}" for pin in compromise.checkpoints),
    }
    scope.connection.execute(_COMPROMISE, values)
    move_epoch(scope)


WRITES: Final[Mapping[type[Write], Handler]] = {
    EstablishAuthority: _establish,
    KeepPending: _keep_pending,
    RetireAuthority: _retire,
    CompromiseAuthority: _mark_compromised,
}
