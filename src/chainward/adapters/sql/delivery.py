"""Tables and statements of delivery: admissions, promotions, noted evidence, and the one read that a decision rests on.

:class:`SqlDecisionReader` reads over the tables of five rooms in a single statement for the driver itself, because a
single statement is a single snapshot on either store, and because it stands on the path of every admission.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, String, Table, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import INDEX, METADATA, Instant, microseconds
from chainward.adapters.sql.registry_refusal import refusal_of_manifest, revocation_below, revocation_values
from chainward.delivery.errors import AdmissionKnown, AnchorMoved, EvidenceNoted, PromotionKnown, PromotionRevoked
from chainward.delivery.model import Snapshot
from chainward.delivery.writes import (
    Anchor,
    KeepAdmission,
    KeepAnchor,
    KeepPromotion,
    KeepRepeats,
    MovePosition,
    NoteCompletion,
    NoteEvidence,
    Promotion,
    RepeatRow,
)
from chainward.formats.oci import DOCKER_MANIFEST_LIST, OCI_INDEX
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.registry.model import ArtifactState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write
    from chainward.registry.model import Revocation

__all__ = [
    "ADMISSION",
    "ADMISSION_ANCHOR",
    "ADMISSION_REPEAT",
    "EVIDENCE_COMPLETE",
    "EVIDENCE_NOTED",
    "FOLLOWER_POSITION",
    "PROMOTION",
    "WRITES",
    "SqlDecisionReader",
    "SqlDeliveryStore",
]


ADMISSION: Final = Table(
    "admission",
    METADATA,
    Column("decision", String, primary_key=True),
    Column("fact_index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
ADMISSION_REPEAT: Final = Table(
    "admission_repeat",
    METADATA,
    Column("id", INDEX, primary_key=True, autoincrement=True),
    Column("decision", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("request", String, nullable=False),
)
ADMISSION_ANCHOR: Final = Table(
    "admission_anchor",
    METADATA,
    Column("first_id", BigInteger, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("sha256", String, nullable=False),
    Column("fact_index", BigInteger, nullable=False),
)
PROMOTION: Final = Table(
    "promotion",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("vsa", String, nullable=False),
    Column("promoted_at", Instant, nullable=False),
    Column("fact_index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
EVIDENCE_NOTED: Final = Table(
    "evidence_noted",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("referrer", String, primary_key=True),
    sqlite_with_rowid=False,
)
EVIDENCE_COMPLETE: Final = Table(
    "evidence_complete",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("digest", String, primary_key=True),
    sqlite_with_rowid=False,
)
FOLLOWER_POSITION: Final = Table(
    "follower_position",
    METADATA,
    Column("name", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The same few digests are read again and again; reading one costs more than looking it up.
_digest: Final = lru_cache(maxsize=8192)(Digest.parse)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INDEXES: Final = frozenset({OCI_INDEX, DOCKER_MANIFEST_LIST})
_SNAPSHOT: Final = """
SELECT (SELECT MAX(epoch) FROM policy_epoch),
       COALESCE((SELECT epoch FROM trust_epoch WHERE id = 1), 0),
       COALESCE((SELECT epoch FROM portfolio_epoch WHERE id = 1), 0),
       (SELECT d.digest FROM deployment d WHERE d.environment = ? AND d.repository = ?
         ORDER BY d.since DESC, d.digest LIMIT 1),
       m.digest, m.pushed_at, m.media_type,
       COALESCE((SELECT e.epoch FROM registry_artifact_epoch e
                  WHERE e.repository = m.repository AND e.digest = m.digest), 0),
       EXISTS (SELECT 1 FROM registry_child c WHERE c.repository = m.repository AND c.child = m.digest),
       v.digest, v.scope, v.reason, v.actor, v.revoked_at, v.fact_index
  FROM (SELECT 1 AS one) single
"""
_BY_TAG: Final = """
  LEFT JOIN registry_tag t ON t.repository = ? AND t.tag = ? AND t.deleted_at IS NULL
  LEFT JOIN registry_manifest m ON m.repository = t.repository AND m.digest = t.digest
"""
_BY_DIGEST: Final = """
  LEFT JOIN registry_manifest m ON m.repository = ? AND m.digest = ?
"""
_REVOKED: Final = """
  LEFT JOIN registry_revocation v ON v.digest = m.digest AND v.scope IN ('', m.repository)
 ORDER BY v.fact_index LIMIT 1
"""
_IS_REVOKED: Final = {
    "sqlite": "SELECT 1 FROM registry_revocation WHERE digest = ? AND scope IN ('', ?)",
    "postgresql": "SELECT 1 FROM registry_revocation WHERE digest = %s AND scope IN ('', %s)",
}
_KEEP_REPEAT: Final = {
    "sqlite": "INSERT INTO admission_repeat (decision, at, request) VALUES (?, ?, ?)",
    "postgresql": "INSERT INTO admission_repeat (decision, at, request) VALUES (%s, %s, %s)",
}
_SELECT_REPEATS: Final = (
    select(ADMISSION_REPEAT)
    .where(ADMISSION_REPEAT.c.id > bindparam("b_after"))
    .order_by(ADMISSION_REPEAT.c.id)
    .limit(bindparam("b_limit"))
)
_SELECT_ANCHORED: Final = select(func.max(ADMISSION_ANCHOR.c.last_id))
_SELECT_PROMOTIONS: Final = (
    select(PROMOTION)
    .where(PROMOTION.c.repository == bindparam("b_repository"), PROMOTION.c.digest == bindparam("b_digest"))
    .order_by(PROMOTION.c.fact_index)
)


class SqlDecisionReader:
    """The DecisionReader over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        mark = "%s" if database.dialect_name == "postgresql" else "?"
        self._by_tag = (_SNAPSHOT + _BY_TAG + _REVOKED).replace("?", mark)
        self._by_digest = (_SNAPSHOT + _BY_DIGEST + _REVOKED).replace("?", mark)

    def read(self, repository: RepositoryName, reference: Tag | Digest, environment: str) -> Snapshot:
        """Return the present state of an artifact and the epochs."""
        statement = self._by_tag if isinstance(reference, Tag) else self._by_digest
        name = repository.text
        row = self._database.first(statement, (environment, name, name, str(reference)))
        assert row is not None  # noqa: S101 - the statement stands on a table of one row
        policy, trust, portfolio, deployed, own, pushed_at, media_type, epoch, is_child, *revoked = row
        state = None
        if own is not None:
            digest = _digest(own)
            is_index = media_type in _INDEXES
            refusal = self._refusal(repository, digest, revoked, is_child=bool(is_child), is_index=is_index)
            state = ArtifactState(repository, digest, refusal, epoch, _instant(pushed_at))
        newest = None if deployed is None else _digest(deployed)
        return Snapshot(state, policy, trust, portfolio, newest)

    def _refusal(
        self, repository: RepositoryName, digest: Digest, row: list[Any], *, is_child: bool, is_index: bool
    ) -> Revocation | None:
        if row[0] is not None:
            own, scope, reason, actor, revoked_at, fact_index = row
            return revocation_values(own, scope, reason, actor, _instant(revoked_at), fact_index)
        if not is_child and not is_index:
            return None
        # It stands in an index, which may be revoked, or is one, whose images may be. This second look can only see
        # more revocations than the first.
        with self._database.read() as connection:
            below = revocation_below(connection, repository, digest) if is_index else None
            return below or refusal_of_manifest(connection, repository, digest)


class SqlDeliveryStore:
    """What delivery keeps, over SQLite or PostgreSQL; implements AdmissionStore, PromotionStore and EvidenceStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def repeats(self, after: int, limit: int) -> list[RepeatRow]:
        """Return repetitions with an id above ``after``, in order."""
        with self._database.read() as connection:
            found = connection.execute(_SELECT_REPEATS, {"b_after": after, "b_limit": limit})
            return [RepeatRow(row.id, row.decision, row.at, row.request) for row in found]

    def anchored(self) -> int:
        """Return the id of the last repetition that a fact vouches for."""
        with self._database.read() as connection:
            return connection.execute(_SELECT_ANCHORED).scalar() or 0

    def anchors(self) -> list[Anchor]:
        """Return all anchors, in order."""
        query = select(ADMISSION_ANCHOR).order_by(ADMISSION_ANCHOR.c.first_id)
        with self._database.read() as connection:
            return [Anchor(row.first_id, row.last_id, row.rows, row.sha256) for row in connection.execute(query)]

    def promotion(self, repository: RepositoryName, digest: Digest, environment: str) -> Promotion | None:
        """Return the promotion of an image into an environment."""
        found = self.promotions(repository, digest)
        return next((promotion for promotion in found if promotion.environment == environment), None)

    def promotions(self, repository: RepositoryName, digest: Digest) -> list[Promotion]:
        """Return every promotion of an image, the oldest first."""
        keys = {"b_repository": str(repository), "b_digest": str(digest)}
        with self._database.read() as connection:
            return [_promotion(row) for row in connection.execute(_SELECT_PROMOTIONS, keys)]

    def position(self, name: str) -> int:
        """Return how far a follower came; -1 before its first fact."""
        query = select(FOLLOWER_POSITION.c.position).where(FOLLOWER_POSITION.c.name == name)
        with self._database.read() as connection:
            found: int | None = connection.execute(query).scalar()
        return -1 if found is None else found

    def is_noted(self, repository: RepositoryName, referrer: Digest) -> bool:
        """Whether a referrer was looked at."""
        table = EVIDENCE_NOTED
        query = select(table.c.referrer).where(table.c.repository == str(repository), table.c.referrer == str(referrer))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def is_complete(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether the evidence of an artifact was complete once."""
        table = EVIDENCE_COMPLETE
        query = select(table.c.digest).where(table.c.repository == str(repository), table.c.digest == str(digest))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None


def _instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _promotion(row: Row[Any]) -> Promotion:
    return Promotion(
        RepositoryName(row.repository),
        Digest.parse(row.digest),
        row.environment,
        Digest.parse(row.vsa),
        row.promoted_at,
        row.fact_index,
    )


def _insert(scope: Scope, table: Table, row: dict[str, Any], refusal: Exception) -> None:
    """Insert a row, or refuse the unit when its key is taken; the conflict must not end a PostgreSQL transaction."""
    dialect = postgresql if scope.dialect_name == "postgresql" else sqlite
    key = next(iter(table.primary_key))
    statement = dialect.insert(table).values(row).on_conflict_do_nothing().returning(key)
    if scope.connection.execute(statement).first() is None:
        raise refusal


def _keep_admission(scope: Scope, write: KeepAdmission) -> None:
    row = {"decision": write.key, "fact_index": scope.fact_index + write.offset}
    _insert(scope, ADMISSION, row, AdmissionKnown(write.key))


def _keep_repeats(scope: Scope, write: KeepRepeats) -> None:
    now = microseconds(scope.now)
    rows = [(repeat.key, now, repeat.request) for repeat in write.repeats]
    scope.connection.exec_driver_sql(_KEEP_REPEAT[scope.dialect_name], rows)


def _keep_anchor(scope: Scope, write: KeepAnchor) -> None:
    anchor = write.anchor
    if (scope.connection.execute(_SELECT_ANCHORED).scalar() or 0) >= anchor.first:
        raise AnchorMoved(f"the repeated admissions from {anchor.first} on were anchored before")
    row = {
        "first_id": anchor.first,
        "last_id": anchor.last,
        "rows": anchor.count,
        "sha256": anchor.sha256,
        "fact_index": scope.fact_index,
    }
    scope.connection.execute(insert(ADMISSION_ANCHOR), row)


def _keep_promotion(scope: Scope, write: KeepPromotion) -> None:
    """Keep a promotion, unless the image was revoked while the gate was still deciding."""
    keys = (str(write.digest), str(write.repository))
    if scope.connection.exec_driver_sql(_IS_REVOKED[scope.dialect_name], keys).first() is not None:
        raise PromotionRevoked(f"{write.repository}@{write.digest} was revoked before the promotion was recorded")
    row = {
        "repository": str(write.repository),
        "digest": str(write.digest),
        "environment": write.environment,
        "vsa": str(write.vsa),
        "promoted_at": scope.now,
        "fact_index": scope.fact_index,
    }
    _insert(scope, PROMOTION, row, PromotionKnown("the image was promoted there before"))


def _note_evidence(scope: Scope, write: NoteEvidence) -> None:
    row = {"repository": str(write.repository), "referrer": str(write.referrer)}
    _insert(scope, EVIDENCE_NOTED, row, EvidenceNoted("this referrer was looked at before"))


def _note_completion(scope: Scope, write: NoteCompletion) -> None:
    row = {"repository": str(write.repository), "digest": str(write.digest)}
    _insert(scope, EVIDENCE_COMPLETE, row, EvidenceNoted("this evidence was complete before"))


def _move_position(scope: Scope, write: MovePosition) -> None:
    dialect = postgresql if scope.dialect_name == "postgresql" else sqlite
    table = FOLLOWER_POSITION
    statement = dialect.insert(table).values(name=write.name, position=write.position)
    forward = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"position": statement.excluded.position},
        where=table.c.position < statement.excluded.position,
    )
    scope.connection.execute(forward)


WRITES: Final[Mapping[type[Write], Handler]] = {
    KeepAdmission: _keep_admission,
    KeepRepeats: _keep_repeats,
    KeepAnchor: _keep_anchor,
    KeepPromotion: _keep_promotion,
    NoteEvidence: _note_evidence,
    NoteCompletion: _note_completion,
    MovePosition: _move_position,
}
