"""Tables and statements of trust: signers, and the epoch of their changes.

A key stands in the table once and for ever; its row is never deleted, so that a distrusted key is refused by name.
That a name is held by one trusted signer at a time is checked in the handler: handlers of all replicas run one after
the other, behind the lock on the heads of the logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, LargeBinary, String, Table, Text, bindparam, or_, select, update

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.adapters.sql.trust_epoch import move_epoch, read_epoch
from chainward.kernel.name import RepositoryPattern
from chainward.keys.model import PublicKey
from chainward.trust.errors import SignerExists, SignerNotFound
from chainward.trust.model import TrustedSigner, TrustRoot, TrustSnapshot
from chainward.trust.signers import DistrustSigner, TrustSigner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write
    from chainward.trust.model import TrustedLog

__all__ = ["SIGNER", "WRITES", "SqlTrustStore"]

SIGNER: Final = Table(
    "signer",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("repositories", Text, nullable=False),
    Column("predicates", Text, nullable=False),
    Column("trusted_since", Instant, nullable=False),
    Column("distrusted_at", Instant),
)

_SELECT_SIGNERS = select(SIGNER).order_by(SIGNER.c.fingerprint)
_SELECT_TAKEN = select(SIGNER).where(
    or_(
        SIGNER.c.fingerprint == bindparam("b_fingerprint"),
        (SIGNER.c.name == bindparam("b_name")) & SIGNER.c.distrusted_at.is_(None),
    )
)
_DISTRUST = (
    update(SIGNER)
    .where(
        SIGNER.c.fingerprint == bindparam("b_fingerprint"),
        SIGNER.c.name == bindparam("b_name"),
        SIGNER.c.distrusted_at.is_(None),
    )
    .values(distrusted_at=bindparam("b_at"))
)


class SqlTrustStore:
    """The TrustStore over SQLite or PostgreSQL; the trusted logs are the platform's own, given when it is built."""

    def __init__(self, database: Database, logs: Sequence[TrustedLog]) -> None:
        self._database = database
        self._logs = tuple(logs)
        self._cached: TrustSnapshot | None = None

    def snapshot(self, connection: Connection | None = None) -> TrustSnapshot:
        """Return the root that ``connection`` sees (its own snapshot, if a decision reads more), else the newest."""
        if connection is not None:
            return self._read(connection)
        with self._database.read() as own:
            return self._read(own)

    def _read(self, connection: Connection) -> TrustSnapshot:
        epoch = read_epoch(connection)
        cached = self._cached
        if cached is not None and cached.epoch == epoch:
            return cached
        signers = tuple(_signer(row) for row in connection.execute(_SELECT_SIGNERS))
        snapshot = TrustSnapshot(epoch, TrustRoot(signers, self._logs))
        # An older snapshot may be read after a newer one; then it is right for its reader, but not worth keeping.
        if cached is None or cached.epoch < epoch:
            self._cached = snapshot
        return snapshot


def _signer(row: Row[Any]) -> TrustedSigner:
    return TrustedSigner(
        name=row.name,
        public_key=PublicKey.from_der(row.public_key),
        repositories=tuple(map(RepositoryPattern, row.repositories.split())),
        predicates=tuple(row.predicates.split()),
        trusted_since=row.trusted_since,
        distrusted_at=row.distrusted_at,
    )


def _trust(scope: Scope, write: TrustSigner) -> None:
    signer = write.signer
    keys = {"b_fingerprint": signer.fingerprint, "b_name": signer.name}
    taken = scope.connection.execute(_SELECT_TAKEN, keys).first()
    if taken is not None:
        raise _refusal(signer, taken)
    row = {
        "fingerprint": signer.fingerprint,
        "name": signer.name,
        "public_key": signer.public_key.der,
        "repositories": " ".join(map(str, signer.repositories)),
        "predicates": " ".join(signer.predicates),
        "trusted_since": signer.trusted_since,
    }
    scope.connection.execute(SIGNER.insert(), row)
    move_epoch(scope)


def _refusal(signer: TrustedSigner, taken: Row[Any]) -> SignerExists:
    if taken.fingerprint != signer.fingerprint:
        return SignerExists(f"another key is trusted as {signer.name}")
    if taken.distrusted_at is None:
        return SignerExists(f"the key sha256:{signer.fingerprint} is trusted already, as {taken.name}")
    return SignerExists(
        f"the key sha256:{signer.fingerprint} was distrusted as {taken.name}",
        hint="A distrusted key is never trusted again: make a new one with `chainward keys generate`.",
    )


def _distrust(scope: Scope, write: DistrustSigner) -> None:
    values = {"b_fingerprint": write.fingerprint, "b_name": write.name, "b_at": write.at}
    if scope.connection.execute(_DISTRUST, values).rowcount != 1:
        raise SignerNotFound(f"no signer {write.name} is trusted")
    move_epoch(scope)


WRITES: Final[Mapping[type[Write], Handler]] = {TrustSigner: _trust, DistrustSigner: _distrust}
