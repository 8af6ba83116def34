"""Carrying out the writes of the registry inside the writer's transaction.

Here races are decided: what a verb had read before is compared with what is there now, and what must exist is looked
up, while no other writer can come in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, and_, delete, literal, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.registry_refusal import (
    anything_revoked,
    refusal_of_blob,
    refusal_of_manifest,
    revocation_of,
)
from chainward.adapters.sql.registry_tables import (
    BLOB,
    CHILD,
    EDGE,
    ENFORCEMENT,
    EPOCH,
    LINK,
    MANIFEST,
    REPOSITORY,
    REVOCATION,
    TAG,
    UPLOAD,
)
from chainward.registry.errors import ArtifactRevoked, BlobInUse, BlobUnknown, ManifestBlobUnknown, StateMoved
from chainward.registry.writes import (
    EndUpload,
    HealManifest,
    KeepBlob,
    KeepManifest,
    LinkBlob,
    MoveTag,
    NoteEnforcement,
    QuarantineBlob,
    QuarantineManifest,
    RemoveManifest,
    RemoveTag,
    Revoke,
    SealBlob,
    StartUpload,
    UnlinkBlob,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select

    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.ledger.model import Write

__all__ = ["WRITES"]

_CHUNK: Final = 500
_NAMED_IN_ERROR: Final = 10


def _insert(scope: Scope, table: Table) -> Any:  # noqa: ANN401 - the dialects' inserts share no type
    return (postgresql if scope.dialect_name == "postgresql" else sqlite).insert(table)


def _add(scope: Scope, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows that may be there already."""
    if rows:
        scope.connection.execute(_insert(scope, table).on_conflict_do_nothing(), list(rows))


def _added(scope: Scope, table: Table, row: Mapping[str, object]) -> bool:
    """Insert a row unless its key is there already; returns whether it was inserted."""
    (key, *_) = table.primary_key.columns
    insert = _insert(scope, table).values(row).on_conflict_do_nothing().returning(key)
    return scope.connection.execute(insert).first() is not None


def _moved(what: str) -> StateMoved:
    return StateMoved(f"{what} was changed by somebody else at the same time")


def _add_repository(scope: Scope, repository: RepositoryName) -> None:
    _add(scope, REPOSITORY, [{"name": str(repository), "created_at": scope.now}])


def _start_upload(scope: Scope, write: StartUpload) -> None:
    session = write.session
    row = {
        "id": session.id,
        "repository": str(session.repository),
        "actor": session.actor,
        "started_at": session.started_at,
        "expires_at": session.expires_at,
    }
    scope.connection.execute(UPLOAD.insert(), row)


def _end_upload(scope: Scope, write: EndUpload) -> None:
    scope.connection.execute(delete(UPLOAD).where(UPLOAD.c.id == write.upload))


# Blobs.


def _keep_blob(scope: Scope, write: KeepBlob) -> None:
    proven = {"size": write.seal.size, "mark": write.seal.mark, "proven_at": scope.now, "quarantined_at": None}
    insert = _insert(scope, BLOB).values(digest=str(write.digest), **proven)
    scope.connection.execute(insert.on_conflict_do_update(index_elements=["digest"], set_=proven))
    _link(scope, write.repository, write.digest)
    if write.upload is not None:
        _end_upload(scope, EndUpload(write.upload))


def _link(scope: Scope, repository: RepositoryName, digest: Digest) -> None:
    _add_repository(scope, repository)
    _add(scope, LINK, [{"repository": str(repository), "digest": str(digest), "since": scope.now}])


def _link_blob(scope: Scope, write: LinkBlob) -> None:
    if _usable(scope, write.source, (write.digest,)) != {str(write.digest)}:
        raise BlobUnknown(f"{write.source} has no blob {write.digest}")
    for repository in (write.source, write.repository):
        revocation = refusal_of_blob(scope.connection, repository, write.digest)
        if revocation is not None:
            raise ArtifactRevoked(revocation, write.digest)
    _link(scope, write.repository, write.digest)


def _unlink_blob(scope: Scope, write: UnlinkBlob) -> None:
    repository, digest = str(write.repository), str(write.digest)
    needs = and_(MANIFEST.c.repository == EDGE.c.repository, MANIFEST.c.digest == EDGE.c.manifest)
    needed = select(EDGE.c.manifest).join(MANIFEST, needs).where(EDGE.c.repository == repository, EDGE.c.blob == digest)
    manifest = scope.connection.execute(needed.limit(1)).scalar()
    if manifest is not None:
        raise BlobInUse(f"{manifest} in {repository} refers to {digest}", details={"manifest": manifest})
    linked = and_(LINK.c.repository == repository, LINK.c.digest == digest)
    if scope.connection.execute(delete(LINK).where(linked)).rowcount != 1:
        raise BlobUnknown(f"{repository} has no blob {digest}")


def _seal_blob(scope: Scope, write: SealBlob) -> None:
    scope.connection.execute(
        update(BLOB)
        .where(BLOB.c.digest == str(write.digest), BLOB.c.quarantined_at.is_(None))
        .values(size=write.seal.size, mark=write.seal.mark, proven_at=scope.now)
    )


def _quarantine_blob(scope: Scope, write: QuarantineBlob) -> None:
    changed = scope.connection.execute(
        update(BLOB)
        .where(
            BLOB.c.digest == str(write.digest),
            BLOB.c.mark == write.sealed.mark,
            BLOB.c.quarantined_at.is_(None),
        )
        .values(quarantined_at=scope.now)
    )
    if changed.rowcount != 1:
        raise _moved(f"blob {write.digest}")


def _usable(scope: Scope, repository: RepositoryName, digests: Sequence[Digest]) -> set[str]:
    """Return which blobs a repository has, and not in quarantine."""
    found: set[str] = set()
    for some in _chunks(digests):
        query = (
            select(LINK.c.digest)
            .join(BLOB, BLOB.c.digest == LINK.c.digest)
            .where(LINK.c.repository == str(repository), LINK.c.digest.in_(some), BLOB.c.quarantined_at.is_(None))
        )
        found.update(scope.connection.execute(query).scalars())
    return found


# Manifests.


def _keep_manifest(scope: Scope, write: KeepManifest) -> None:
    if scope.connection.execute(_manifest(write.repository, write.digest)).first() is not None:
        raise _moved(f"manifest {write.digest}")
    _require_present(scope, write)
    _refuse_revoked(scope, write)
    _add_repository(scope, write.repository)
    _insert_manifest(scope, write)
    repository, digest = str(write.repository), str(write.digest)
    edges = [{"repository": repository, "blob": str(blob), "manifest": digest} for blob in write.blobs]
    _add(scope, EDGE, edges)
    children = [{"repository": repository, "child": str(child), "parent": digest} for child in write.children]
    _add(scope, CHILD, children)
    if write.subject is not None:
        _bump(scope, repository, str(write.subject))


def _insert_manifest(scope: Scope, write: KeepManifest) -> None:
    row = {
        "repository": str(write.repository),
        "digest": str(write.digest),
        "media_type": write.media_type,
        "artifact_type": write.artifact_type,
        "subject": str(write.subject) if write.subject else None,
        "annotations": write.annotations,
        "size": len(write.body),
        "body": write.body,
        "pushed_at": scope.now,
        "fact_index": scope.fact_index,
    }
    scope.connection.execute(MANIFEST.insert(), row)


def _require_present(scope: Scope, write: KeepManifest) -> None:
    present = _usable(scope, write.repository, write.blobs)
    for some in _chunks(write.children):
        query = select(MANIFEST.c.digest).where(
            MANIFEST.c.repository == str(write.repository), MANIFEST.c.digest.in_(some)
        )
        present.update(scope.connection.execute(query).scalars())
    missing = [str(digest) for digest in (*write.blobs, *write.children) if str(digest) not in present]
    if missing:
        named = missing[:_NAMED_IN_ERROR]
        more = f" and {len(missing) - len(named)} more" if len(missing) > len(named) else ""
        raise ManifestBlobUnknown(f"{write.repository} lacks {', '.join(named)}{more}", details={"missing": named})


def _refuse_revoked(scope: Scope, write: KeepManifest) -> None:
    if not anything_revoked(scope.connection):
        return
    for manifest in (write.digest, *write.children):
        revocation = refusal_of_manifest(scope.connection, write.repository, manifest)
        if revocation is not None:
            raise ArtifactRevoked(revocation, manifest)
    # A blob that only revoked manifests had is welcome in a new one (a fixed image shares its base layers with the
    # revoked one); a blob that was itself revoked is not.
    for blob in write.blobs:
        for scoped in (None, write.repository):
            revocation = revocation_of(scope.connection, blob, scoped)
            if revocation is not None:
                raise ArtifactRevoked(revocation, blob)


def _heal_manifest(scope: Scope, write: HealManifest) -> None:
    scope.connection.execute(
        update(MANIFEST)
        .where(_is_manifest(write.repository, write.digest))
        .values(body=write.body, size=len(write.body), quarantined_at=None)
    )


def _quarantine_manifest(scope: Scope, write: QuarantineManifest) -> None:
    changed = scope.connection.execute(
        update(MANIFEST)
        .where(_is_manifest(write.repository, write.digest), MANIFEST.c.quarantined_at.is_(None))
        .values(quarantined_at=scope.now)
    )
    if changed.rowcount != 1:
        raise _moved(f"manifest {write.digest}")


def _remove_manifest(scope: Scope, write: RemoveManifest) -> None:
    row = scope.connection.execute(_manifest(write.repository, write.digest)).first()
    repository, digest = str(write.repository), str(write.digest)
    named = and_(TAG.c.repository == repository, TAG.c.digest == digest, TAG.c.deleted_at.is_(None))
    tags = set(scope.connection.execute(select(TAG.c.tag).where(named)).scalars())
    if row is None or tags != set(map(str, write.tags)):
        raise _moved(f"manifest {write.digest}")
    scope.connection.execute(delete(MANIFEST).where(_is_manifest(write.repository, write.digest)))
    scope.connection.execute(update(TAG).where(named).values(deleted_at=scope.now))
    if row.subject is not None:
        _bump(scope, repository, row.subject)


def _manifest(repository: RepositoryName, digest: Digest) -> Select[Any]:
    return select(MANIFEST.c.digest, MANIFEST.c.subject).where(_is_manifest(repository, digest))


def _is_manifest(repository: RepositoryName, digest: Digest) -> ColumnElement[bool]:
    return and_(MANIFEST.c.repository == str(repository), MANIFEST.c.digest == str(digest))


def _bump(scope: Scope, repository: str, digest: str) -> None:
    insert = _insert(scope, EPOCH).values(repository=repository, digest=digest, epoch=1)
    keys = ["repository", "digest"]
    scope.connection.execute(insert.on_conflict_do_update(index_elements=keys, set_={"epoch": EPOCH.c.epoch + 1}))


# Tags.


def _move_tag(scope: Scope, write: MoveTag) -> None:
    if scope.connection.execute(_manifest(write.repository, write.digest)).first() is None:
        raise _moved(f"manifest {write.digest}")
    revocation = refusal_of_manifest(scope.connection, write.repository, write.digest)
    if revocation is not None:
        raise ArtifactRevoked(revocation, write.digest)
    row = {"repository": str(write.repository), "tag": str(write.tag)}
    now = {"digest": str(write.digest), "tagged_at": scope.now, "deleted_at": None}
    if write.previous is None:
        moved = _added(scope, TAG, row | now)
    else:
        was = TAG.c.deleted_at.is_not(None) if write.previous.is_deleted else TAG.c.deleted_at.is_(None)
        same = and_(_is_tag(write.repository, write.tag), TAG.c.digest == str(write.previous.digest), was)
        moved = scope.connection.execute(update(TAG).where(same).values(**now)).rowcount == 1
    if not moved:
        raise _moved(f"tag {write.tag}")


def _remove_tag(scope: Scope, write: RemoveTag) -> None:
    same = and_(_is_tag(write.repository, write.tag), TAG.c.digest == str(write.digest), TAG.c.deleted_at.is_(None))
    if scope.connection.execute(update(TAG).where(same).values(deleted_at=scope.now)).rowcount != 1:
        raise _moved(f"tag {write.tag}")


def _is_tag(repository: RepositoryName, tag: Tag) -> ColumnElement[bool]:
    return and_(TAG.c.repository == str(repository), TAG.c.tag == str(tag))


# Revocations.


def _revoke(scope: Scope, write: Revoke) -> None:
    row = {
        "digest": str(write.digest),
        "scope": str(write.repository) if write.repository else "",
        "reason": write.reason,
        "actor": write.actor,
        "revoked_at": scope.now,
        "fact_index": scope.fact_index,
    }
    if not _added(scope, REVOCATION, row):
        raise _moved(f"the revocation of {write.digest}")
    _bump_everywhere(scope, write)


def _bump_everywhere(scope: Scope, write: Revoke) -> None:
    """Move the evidence epoch of the digest, and of what it is evidence about, wherever the revocation reaches."""
    digest, keys = str(write.digest), ["repository", "digest"]
    own, subject = MANIFEST.c.digest.label("digest"), MANIFEST.c.subject.label("digest")
    holds_blob = (
        select(MANIFEST.c.repository, subject)
        .join(EDGE, and_(EDGE.c.repository == MANIFEST.c.repository, EDGE.c.manifest == MANIFEST.c.digest))
        .where(EDGE.c.blob == digest)
    )
    touched = union(
        *(select(MANIFEST.c.repository, each).where(MANIFEST.c.digest == digest) for each in (own, subject)), holds_blob
    ).subquery()
    rows = select(touched.c.repository, touched.c.digest, literal(1)).where(touched.c.digest.is_not(None))
    if write.repository is not None:
        rows = rows.where(touched.c.repository == str(write.repository))
    insert = _insert(scope, EPOCH).from_select([*keys, "epoch"], rows)
    scope.connection.execute(insert.on_conflict_do_update(index_elements=keys, set_={"epoch": EPOCH.c.epoch + 1}))


def _note_enforcement(scope: Scope, write: NoteEnforcement) -> None:
    row = {"revocation": write.revocation.fact_index, "path": write.path.value, "since": scope.now}
    if not _added(scope, ENFORCEMENT, row):
        raise _moved(f"the record of refusals on {write.path}")


def _chunks(digests: Sequence[Digest]) -> Iterator[list[str]]:
    """Split what goes into ``IN``; databases bound the number of parameters."""
    for start in range(0, len(digests), _CHUNK):
        yield [str(digest) for digest in digests[start : start + _CHUNK]]


WRITES: Final[Mapping[type[Write], Handler]] = {
    StartUpload: _start_upload,
    EndUpload: _end_upload,
    KeepBlob: _keep_blob,
    LinkBlob: _link_blob,
    UnlinkBlob: _unlink_blob,
    SealBlob: _seal_blob,
    QuarantineBlob: _quarantine_blob,
    QuarantineManifest: _quarantine_manifest,
    KeepManifest: _keep_manifest,
    HealManifest: _heal_manifest,
    MoveTag: _move_tag,
    RemoveTag: _remove_tag,
    RemoveManifest: _remove_manifest,
    Revoke: _revoke,
    NoteEnforcement: _note_enforcement,
}
