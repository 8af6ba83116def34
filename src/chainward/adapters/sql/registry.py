"""Reads of the registry.

:meth:`SqlRegistryStore.artifact` and :meth:`SqlRegistryStore.state_of` stand on the path of every pull and every
admission; they are one statement for the driver itself. Only a manifest that has no tag and stands in an index needs a
second look, up through the indexes.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import and_, bindparam, select, tuple_

from chainward.adapters.sql.registry_refusal import (
    refusal_of_blob,
    refusal_of_manifest,
    revocation_of,
    revocation_values,
)
from chainward.adapters.sql.registry_tables import (
    BLOB,
    ENFORCEMENT,
    LINK,
    MANIFEST,
    REPOSITORY,
    REVOCATION,
    TAG,
    UPLOAD,
    type_begins,
)
from chainward.adapters.sql.registry_writes import WRITES
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.registry.model import (
    Artifact,
    ArtifactState,
    Referrer,
    Revocation,
    Seal,
    StoredBlob,
    StoredManifest,
    TagState,
    UploadSession,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from chainward.adapters.sql.database import Database
    from chainward.registry.model import ArtifactTypes, Position, RefusalPath

__all__ = ["WRITES", "SqlRegistryStore", "SqlRegistryView"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_STATE: Final = """
SELECT m.digest, m.pushed_at, v.digest, v.scope, v.reason, v.actor, v.revoked_at, v.fact_index, {inner}, {more}
"""
_JOINS: Final = """
  LEFT JOIN registry_revocation v ON v.digest = m.digest AND v.scope IN ('', m.repository)
"""
_BY_TAG: Final = """
  FROM registry_tag t
  JOIN registry_manifest m ON m.repository = t.repository AND m.digest = t.digest
  {joins}
 WHERE t.repository = ? AND t.tag = ? AND t.deleted_at IS NULL
 ORDER BY v.fact_index LIMIT 1
"""
_BY_DIGEST: Final = """
  FROM registry_manifest m
  {joins}
 WHERE m.repository = ? AND m.digest = ?
 ORDER BY v.fact_index LIMIT 1
"""
_INNER: Final = """
  (EXISTS (SELECT 1 FROM registry_child c WHERE c.repository = m.repository AND c.child = m.digest)
   AND NOT EXISTS (SELECT 1 FROM registry_tag t
                    WHERE t.repository = m.repository AND t.digest = m.digest AND t.deleted_at IS NULL))
"""
_EPOCH_COLUMN: Final = """
  COALESCE((SELECT e.epoch FROM registry_artifact_epoch e
             WHERE e.repository = m.repository AND e.digest = m.digest), 0)
"""
_BODY_COLUMNS: Final = "m.media_type, m.artifact_type, m.subject, m.annotations, m.size, m.body"

_BLOB_COLUMNS: Final = (BLOB.c.digest, BLOB.c.size, BLOB.c.mark, BLOB.c.quarantined_at)
_SELECT_BLOB: Final = (
    select(*_BLOB_COLUMNS)
    .join(LINK, LINK.c.digest == BLOB.c.digest)
    .where(LINK.c.repository == bindparam("repository"), LINK.c.digest == bindparam("digest"))
)
_SELECT_ANY_BLOB: Final = select(*_BLOB_COLUMNS).where(BLOB.c.digest == bindparam("digest"))
_SELECT_TAG: Final = select(TAG.c.digest, TAG.c.deleted_at).where(
    TAG.c.repository == bindparam("repository"), TAG.c.tag == bindparam("tag")
)
_SELECT_UPLOAD: Final = select(UPLOAD).where(UPLOAD.c.id == bindparam("id"))
_PUSHED: Final = (MANIFEST.c.fact_index, MANIFEST.c.digest)
_REFERRER_COLUMNS: Final = (*_PUSHED, MANIFEST.c.media_type, MANIFEST.c.artifact_type, MANIFEST.c.size)
_SELECT_MANIFEST: Final = select(MANIFEST).where(
    MANIFEST.c.repository == bindparam("repository"), MANIFEST.c.digest == bindparam("digest")
)


def _is_among(types: ArtifactTypes) -> ColumnElement[bool]:
    return type_begins(types.text) if types.is_prefix else MANIFEST.c.artifact_type == types.text


def _hot(more: str, source: str, inner: str, dialect: str) -> str:
    written = _STATE.format(inner=inner, more=more) + source.format(joins=_JOINS)
    return written.replace("?", "%s") if dialect == "postgresql" else written


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


class SqlRegistryStore:
    """The RegistryStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = database.dialect_name
        self._artifact_by_tag = _hot(_BODY_COLUMNS, _BY_TAG, "FALSE", dialect)
        self._artifact_by_digest = _hot(_BODY_COLUMNS, _BY_DIGEST, _INNER, dialect)
        self._state_by_tag = _hot(_EPOCH_COLUMN, _BY_TAG, "FALSE", dialect)
        self._state_by_digest = _hot(_EPOCH_COLUMN, _BY_DIGEST, _INNER, dialect)

    @contextmanager
    def view(self) -> Iterator[SqlRegistryView]:
        """Open a snapshot."""
        with self._database.read() as connection:
            yield SqlRegistryView(connection)

    def artifact(self, repository: RepositoryName, reference: Tag | Digest) -> Artifact | None:
        """Return a manifest and what stands against handing it out."""
        by_tag = isinstance(reference, Tag)
        statement = self._artifact_by_tag if by_tag else self._artifact_by_digest
        row = self._database.first(statement, (str(repository), str(reference)))
        if row is None:
            return None
        digest = Digest.parse(row[0])
        return Artifact(_manifest_of(repository, digest, row), self._revoked(repository, digest, row))

    def state_of(self, repository: RepositoryName, reference: Tag | Digest) -> ArtifactState | None:
        """Return what decisions need to know of an artifact."""
        by_tag = isinstance(reference, Tag)
        statement = self._state_by_tag if by_tag else self._state_by_digest
        row = self._database.first(statement, (str(repository), str(reference)))
        if row is None:
            return None
        digest = Digest.parse(row[0])
        return ArtifactState(repository, digest, self._revoked(repository, digest, row), row[9], _instant(row[1]))

    def _revoked(self, repository: RepositoryName, digest: Digest, row: tuple[Any, ...]) -> Revocation | None:
        if row[2] is not None:
            own, scope, reason, actor, revoked_at, fact_index = row[2:8]
            return revocation_values(own, scope, reason, actor, _instant(revoked_at), fact_index)
        if not row[8]:
            return None
        with self._database.read() as connection:
            return refusal_of_manifest(connection, repository, digest)


class SqlRegistryView:
    """One snapshot of the registry; implements RegistryView."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def exists(self, repository: RepositoryName) -> bool:
        """Whether anything was ever pushed there."""
        query = select(REPOSITORY.c.name).where(REPOSITORY.c.name == str(repository))
        return self._connection.execute(query).first() is not None

    def tag(self, repository: RepositoryName, tag: Tag) -> TagState | None:
        """Return what a tag names; deleted ones too."""
        row = self._connection.execute(_SELECT_TAG, {"repository": str(repository), "tag": str(tag)}).first()
        return None if row is None else TagState(Digest.parse(row.digest), row.deleted_at is not None)

    def manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return a manifest."""
        keys = {"repository": str(repository), "digest": str(digest)}
        row = self._connection.execute(_SELECT_MANIFEST, keys).first()
        return None if row is None else _manifest(repository, row)

    def blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return a blob, if it is visible in that repository."""
        keys = {"repository": str(repository), "digest": str(digest)}
        return _blob(self._connection.execute(_SELECT_BLOB, keys).first())

    def any_blob(self, digest: Digest) -> StoredBlob | None:
        """Return a blob wherever it is visible."""
        return _blob(self._connection.execute(_SELECT_ANY_BLOB, {"digest": str(digest)}).first())

    def repositories_with(self, digest: Digest, last: str, limit: int) -> list[RepositoryName]:
        """Return the repositories in which a blob is visible."""
        query = select(LINK.c.repository).where(LINK.c.digest == str(digest), LINK.c.repository > last)
        found = self._connection.execute(query.order_by(LINK.c.repository).limit(limit))
        return [RepositoryName(name) for name in found.scalars()]

    def upload(self, upload: str) -> UploadSession | None:
        """Return an upload."""
        row = self._connection.execute(_SELECT_UPLOAD, {"id": upload}).first()
        return None if row is None else _upload(row)

    def repositories(self, last: str, limit: int) -> list[RepositoryName]:
        """Return repositories in order."""
        query = select(REPOSITORY.c.name).where(REPOSITORY.c.name > last).order_by(REPOSITORY.c.name).limit(limit)
        return [RepositoryName(name) for name in self._connection.execute(query).scalars()]

    def tags(self, repository: RepositoryName, last: str, limit: int) -> list[Tag]:
        """Return tags of a repository in order."""
        query = (
            select(TAG.c.tag)
            .where(TAG.c.repository == str(repository), TAG.c.tag > last, TAG.c.deleted_at.is_(None))
            .order_by(TAG.c.tag)
            .limit(limit)
        )
        return [Tag(tag) for tag in self._connection.execute(query).scalars()]

    def tags_of(self, repository: RepositoryName, digest: Digest) -> list[Tag]:
        """Return the tags that name a manifest, in order."""
        query = (
            select(TAG.c.tag)
            .where(TAG.c.repository == str(repository), TAG.c.digest == str(digest), TAG.c.deleted_at.is_(None))
            .order_by(TAG.c.tag)
        )
        return [Tag(tag) for tag in self._connection.execute(query).scalars()]

    def referrers(
        self,
        repository: RepositoryName,
        digest: Digest,
        limit: int,
        after: Position | None = None,
        types: ArtifactTypes | None = None,
    ) -> list[Referrer]:
        """Return the manifests whose subject is ``digest``, oldest first, read in the order of an index."""
        query = (
            select(*_REFERRER_COLUMNS)
            .where(MANIFEST.c.repository == str(repository), MANIFEST.c.subject == str(digest))
            .order_by(*_PUSHED)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(*_PUSHED) > tuple_(after.fact_index, str(after.digest)))
        if types is not None:
            query = query.where(_is_among(types))
        return [
            Referrer(Digest.parse(row.digest), row.media_type, row.artifact_type, row.size, row.fact_index)
            for row in self._connection.execute(query)
        ]

    def annotations_of(
        self, repository: RepositoryName, digests: Sequence[Digest]
    ) -> Mapping[Digest, Mapping[str, str]]:
        """Return the annotations of some manifests."""
        query = select(MANIFEST.c.digest, MANIFEST.c.annotations).where(
            MANIFEST.c.repository == str(repository), MANIFEST.c.digest.in_(map(str, digests))
        )
        return {Digest.parse(row.digest): orjson.loads(row.annotations) for row in self._connection.execute(query)}

    def expired_uploads(self, now: datetime, limit: int) -> list[UploadSession]:
        """Return uploads that expired, the oldest first."""
        query = select(UPLOAD).where(UPLOAD.c.expires_at <= now).order_by(UPLOAD.c.expires_at).limit(limit)
        return [_upload(row) for row in self._connection.execute(query)]

    def revocation(self, digest: Digest, repository: RepositoryName | None) -> Revocation | None:
        """Return the revocation of exactly this digest with exactly this reach."""
        return revocation_of(self._connection, digest, repository)

    def refusal_of_manifest(self, repository: RepositoryName, digest: Digest) -> Revocation | None:
        """Return the revocation because of which a manifest is refused."""
        return refusal_of_manifest(self._connection, repository, digest)

    def refusal_of_blob(self, repository: RepositoryName, digest: Digest) -> Revocation | None:
        """Return the revocation because of which a blob is refused."""
        return refusal_of_blob(self._connection, repository, digest)

    def is_noted(self, revocation: Revocation, path: RefusalPath) -> bool:
        """Whether the first refusal on that path is a fact already."""
        found = and_(ENFORCEMENT.c.revocation == revocation.fact_index, ENFORCEMENT.c.path == path.value)
        return self._connection.execute(select(ENFORCEMENT.c.path).where(found)).first() is not None

    def revocations(self, after: int, limit: int) -> list[Revocation]:
        """Return revocations in the order of their facts."""
        query = select(REVOCATION).where(REVOCATION.c.fact_index > after).order_by(REVOCATION.c.fact_index).limit(limit)
        return [
            revocation_values(row.digest, row.scope, row.reason, row.actor, row.revoked_at, row.fact_index)
            for row in self._connection.execute(query)
        ]


def _blob(row: Row[*tuple[Any, ...]] | None) -> StoredBlob | None:
    if row is None:
        return None
    return StoredBlob(Digest.parse(row.digest), Seal(row.size, row.mark), row.quarantined_at is not None)


def _upload(row: Row[Any]) -> UploadSession:
    return UploadSession(row.id, RepositoryName(row.repository), row.actor, row.started_at, row.expires_at)


def _manifest(repository: RepositoryName, row: Row[Any]) -> StoredManifest:
    return StoredManifest(
        repository=repository,
        digest=Digest.parse(row.digest),
        media_type=row.media_type,
        artifact_type=row.artifact_type,
        subject=Digest.parse(row.subject) if row.subject else None,
        annotations=orjson.loads(row.annotations),
        size=row.size,
        body=row.body,
        pushed_at=row.pushed_at,
    )


def _manifest_of(repository: RepositoryName, digest: Digest, row: tuple[Any, ...]) -> StoredManifest:
    media_type, artifact_type, subject, annotations, size, body = row[9:15]
    return StoredManifest(
        repository=repository,
        digest=digest,
        media_type=media_type,
        artifact_type=artifact_type,
        subject=Digest.parse(subject) if subject else None,
        annotations=orjson.loads(annotations),
        size=size,
        body=body,
        pushed_at=_instant(row[1]),
    )
