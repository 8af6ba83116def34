"""The tables of the registry.

Every table that is asked by repository has it first in its key. ``registry_edge`` and ``registry_child`` hold what a
manifest refers to; they are kept when the manifest is deleted, because a layer of a revoked manifest must not become
readable when that manifest goes. A revocation that holds everywhere has the scope ``""``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ColumnElement, Index, LargeBinary, String, Table, Text, func, literal

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.delivery.referrer import BUNDLES

__all__ = [
    "BLOB",
    "CHILD",
    "EDGE",
    "ENFORCEMENT",
    "EPOCH",
    "LINK",
    "MANIFEST",
    "REPOSITORY",
    "REVOCATION",
    "TAG",
    "UPLOAD",
    "type_begins",
]

_NAME: Final = String().with_variant(String(collation="C"), "postgresql")  # names are listed in code point order

REPOSITORY: Final = Table(
    "registry_repository",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("created_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
BLOB: Final = Table(
    "registry_blob",
    METADATA,
    Column("digest", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mark", String, nullable=False),
    Column("proven_at", Instant, nullable=False),
    Column("quarantined_at", Instant),
    sqlite_with_rowid=False,
)
LINK: Final = Table(
    "registry_blob_in_repository",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("since", Instant, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_registry_blob_in_repository_digest", LINK.c.digest, LINK.c.repository)
MANIFEST: Final = Table(
    "registry_manifest",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("media_type", String, nullable=False),
    Column("artifact_type", String),
    Column("subject", String),
    Column("annotations", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("pushed_at", Instant, nullable=False),
    Column("fact_index", BigInteger, nullable=False),
    Column("quarantined_at", Instant),
)


def type_begins(prefix: str) -> ColumnElement[bool]:
    """Return whether an artifact type begins with ``prefix``; written out, so that a planner sees which index holds it.

    LIKE would not do: SQLite's knows no case.
    """
    first, length, text = (literal(value, literal_execute=True) for value in (1, len(prefix), prefix))
    return func.substr(MANIFEST.c.artifact_type, first, length) == text


# Each of these has the referrers of a subject in the order of their pages, so that a page costs what it shows: among
# all, among those of one type, and among the bundles that gates read, which no flood of anything else can bury.
_ORDER: Final = (MANIFEST.c.fact_index, MANIFEST.c.digest)
Index("ix_registry_manifest_subject", MANIFEST.c.repository, MANIFEST.c.subject, *_ORDER)
Index("ix_registry_manifest_type", MANIFEST.c.repository, MANIFEST.c.subject, MANIFEST.c.artifact_type, *_ORDER)
Index(
    "ix_registry_manifest_bundle",
    MANIFEST.c.repository,
    MANIFEST.c.subject,
    *_ORDER,
    MANIFEST.c.media_type,  # with these it holds all that is read, so no planner takes another one
    MANIFEST.c.artifact_type,
    MANIFEST.c.size,
    sqlite_where=type_begins(BUNDLES),
    postgresql_where=type_begins(BUNDLES),
)
Index("ix_registry_manifest_digest", MANIFEST.c.digest)
TAG: Final = Table(
    "registry_tag",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("tag", _NAME, primary_key=True),
    Column("digest", String, nullable=False),
    Column("tagged_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    sqlite_with_rowid=False,
)
Index("ix_registry_tag_digest", TAG.c.repository, TAG.c.digest)
EDGE: Final = Table(
    "registry_edge",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("blob", String, primary_key=True),
    Column("manifest", String, primary_key=True),
    sqlite_with_rowid=False,
)
Index("ix_registry_edge_blob", EDGE.c.blob)
CHILD: Final = Table(
    "registry_child",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("child", String, primary_key=True),
    Column("parent", String, primary_key=True),
    sqlite_with_rowid=False,
)
Index("ix_registry_child_parent", CHILD.c.repository, CHILD.c.parent)
EPOCH: Final = Table(
    "registry_artifact_epoch",
    METADATA,
    Column("repository", String, primary_key=True),
    Column("digest", String, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
REVOCATION: Final = Table(
    "registry_revocation",
    METADATA,
    Column("digest", String, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("actor", String, nullable=False),
    Column("revoked_at", Instant, nullable=False),
    Column("fact_index", BigInteger, nullable=False, unique=True),
    sqlite_with_rowid=False,
)
ENFORCEMENT: Final = Table(
    "registry_enforcement",
    METADATA,
    Column("revocation", BigInteger, primary_key=True, autoincrement=False),
    Column("path", String, primary_key=True),
    Column("since", Instant, nullable=False),
    sqlite_with_rowid=False,
)
UPLOAD: Final = Table(
    "registry_upload",
    METADATA,
    Column("id", String, primary_key=True),
    Column("repository", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    sqlite_with_rowid=False,
)
