"""Tables and statements of trust: signers and revocations of signatures; authorities have a module of their own.

A signer stands in the table once and for ever; its row is never deleted, so that a distrusted key is refused by name.
That a name is held by one trusted signer at a time is checked in the handler: handlers of all replicas run one after
the other, behind the lock on the heads of the logs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table, Text, bindparam, or_, select, update

from chainward.adapters.sql.authorities import read_authorities
from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.adapters.sql.trust_epoch import move_epoch, read_epoch
from chainward.formats.codec import deterministic_json
from chainward.kernel.name import RepositoryPattern
from chainward.keys.model import PublicKey
from chainward.trust.errors import SignerExists, SignerNotFound
from chainward.trust.match import described, match_of, members_of
from chainward.trust.model import TrustedSigner, TrustMaterial, TrustRoot, TrustSnapshot
from chainward.trust.revocations import RevokedBy, RevokeSignatures, SignatureRevocation
from chainward.trust.signers import DistrustSigner, TrustSigner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write
    from chainward.trust.identity import IdentityMatch
    from chainward.trust.model import TrustedLog

__all__ = ["SIGNATURE_REVOCATION", "SIGNER", "WRITES", "SqlTrustStore"]

SIGNER: Final = Table(
    "signer",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("public_key", LargeBinary),
    Column("identity", Text),
    Column("repositories", Text, nullable=False),
    Column("predicates", Text, nullable=False),
    Column("portable", Boolean, nullable=False),
    Column("trusted_since", Instant, nullable=False),
    Column("distrusted_at", Instant),
    Column("distrusted_since", Instant),
)
SIGNATURE_REVOCATION: Final = Table(
    "signature_revocation",
    METADATA,
    Column("fact_index", BigInteger, primary_key=True, autoincrement=False),
    Column("revoked_by", String, nullable=False),
    Column("target", Text, nullable=False),
    Column("identity", Text),
    Column("since", Instant),
    Column("until", Instant),
    Column("reason", Text, nullable=False),
    Column("actor", String, nullable=False),
    Column("revoked_at", Instant, nullable=False),
)

_SELECT_SIGNERS = select(SIGNER).order_by(SIGNER.c.id)
_SELECT_REVOCATIONS = select(SIGNATURE_REVOCATION).order_by(SIGNATURE_REVOCATION.c.fact_index)
_SELECT_TAKEN = select(SIGNER).where(
    or_(
        SIGNER.c.id == bindparam("b_id"),
        (SIGNER.c.name == bindparam("b_name")) & SIGNER.c.distrusted_at.is_(None),
    )
)
_DISTRUST = (
    update(SIGNER)
    .where(SIGNER.c.id == bindparam("b_id"), SIGNER.c.name == bindparam("b_name"), SIGNER.c.distrusted_at.is_(None))
    .values(distrusted_at=bindparam("b_at"), distrusted_since=bindparam("b_since"))
)


class SqlTrustStore:
    """The TrustStore over SQLite or PostgreSQL: signers, revocations and authorities, read in one snapshot.

    ``logs`` are believed besides those of the authorities.
    """

    def __init__(self, database: Database, logs: Sequence[TrustedLog] = ()) -> None:
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
        revocations = tuple(_revocation(row) for row in connection.execute(_SELECT_REVOCATIONS))
        snapshot = TrustSnapshot(epoch, TrustRoot(signers, self._material(connection), revocations))
        # An older snapshot may be read after a newer one; then it is right for its reader, but not worth keeping.
        if cached is None or cached.epoch < epoch:
            self._cached = snapshot
        return snapshot

    def _material(self, connection: Connection) -> TrustMaterial:
        material = TrustMaterial.from_authorities(read_authorities(connection))
        besides = tuple(log for log in self._logs if material.log(log.key_id) is None)
        return replace(material, logs=(*besides, *material.logs)) if besides else material


def _signer(row: Row[Any]) -> TrustedSigner:
    return TrustedSigner(
        name=row.name,
        public_key=None if row.public_key is None else PublicKey.from_der(row.public_key),
        match=_match(row.identity),
        repositories=tuple(map(RepositoryPattern, row.repositories.split())),
        predicates=tuple(row.predicates.split()),
        portable=bool(row.portable),
        trusted_since=row.trusted_since,
        distrusted_at=row.distrusted_at,
        distrusted_since=row.distrusted_since,
    )


def _revocation(row: Row[Any]) -> SignatureRevocation:
    return SignatureRevocation(
        by=RevokedBy(row.revoked_by),
        target=row.target,
        match=_match(row.identity),
        since=row.since,
        until=row.until,
        reason=row.reason,
        revoked_at=row.revoked_at,
    )


def _match(text: str | None) -> IdentityMatch | None:
    return None if text is None else match_of(json.loads(text))


def _written(match: IdentityMatch | None) -> str | None:
    return None if match is None else deterministic_json(members_of(match)).decode()


def _trust(scope: Scope, write: TrustSigner) -> None:
    signer = write.signer
    taken = scope.connection.execute(_SELECT_TAKEN, {"b_id": signer.id, "b_name": signer.name}).first()
    if taken is not None:
        raise _refusal(signer, taken)
    row = {
        "id": signer.id,
        "name": signer.name,
        "public_key": None if signer.public_key is None else signer.public_key.der,
        "identity": _written(signer.match),
        "repositories": " ".join(map(str, signer.repositories)),
        "predicates": " ".join(signer.predicates),
        "portable": signer.portable,
        "trusted_since": signer.trusted_since,
    }
    scope.connection.execute(SIGNER.insert(), row)
    move_epoch(scope)


def _refusal(signer: TrustedSigner, taken: Row[Any]) -> SignerExists:
    if taken.id != signer.id:
        return SignerExists(f"somebody else is trusted as {signer.name}")
    if signer.match is not None:
        return SignerExists(f"{described(signer.match)} was trusted as {taken.name} at this very moment")
    if taken.distrusted_at is None:
        return SignerExists(f"the key sha256:{signer.fingerprint} is trusted already, as {taken.name}")
    return SignerExists(
        f"the key sha256:{signer.fingerprint} was distrusted as {taken.name}",
        hint="A distrusted key is never trusted again: make a new one with `chainward keys generate`.",
    )


def _distrust(scope: Scope, write: DistrustSigner) -> None:
    values = {"b_id": write.id, "b_name": write.name, "b_at": write.at, "b_since": write.since}
    if scope.connection.execute(_DISTRUST, values).rowcount != 1:
        raise SignerNotFound(f"no signer {write.name} is trusted")
    move_epoch(scope)


def _revoke(scope: Scope, write: RevokeSignatures) -> None:
    revocation = write.revocation
    row = {
        "fact_index": scope.fact_index,
        "revoked_by": revocation.by.value,
        "target": revocation.target,
        "identity": _written(revocation.match),
        "since": revocation.since,
        "until": revocation.until,
        "reason": revocation.reason,
        "actor": write.actor,
        "revoked_at": revocation.revoked_at,
    }
    scope.connection.execute(SIGNATURE_REVOCATION.insert(), row)
    move_epoch(scope)


WRITES: Final[Mapping[type[Write], Handler]] = {
    TrustSigner: _trust,
    DistrustSigner: _distrust,
    RevokeSignatures: _revoke,
}
