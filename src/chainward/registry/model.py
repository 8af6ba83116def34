"""The values of the registry: what is stored, what was revoked, and what may be changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from chainward.kernel.name import Tag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, RepositoryPattern

__all__ = [
    "Artifact",
    "ArtifactState",
    "Limits",
    "Referrer",
    "RefusalPath",
    "RepositoryRules",
    "Revocation",
    "Seal",
    "StoredBlob",
    "StoredManifest",
    "TagState",
    "UploadSession",
]


@dataclass(frozen=True, slots=True)
class Seal:
    """What a blob store says about a stored blob without reading it: its size and an opaque mark.

    Two equal seals of one digest mean: nobody wrote to it in between. Local files make the mark of inode, mtime and
    ctime; an object store would make it of version and entity tag.
    """

    size: int
    mark: str


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that is visible in a repository. ``seal`` is its state when its bytes were last proven."""

    digest: Digest
    seal: Seal
    is_quarantined: bool


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it was pushed, byte for byte."""

    repository: RepositoryName
    digest: Digest
    media_type: str
    artifact_type: str | None
    subject: Digest | None
    annotations: Mapping[str, str]
    size: int
    body: bytes
    pushed_at: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order in which manifests were pushed; it stays good when the manifest there is deleted."""

    fact_index: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class ArtifactTypes:
    """Which referrers are asked for: those of one artifact type, or all whose type begins with ``text``."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that names another one as its subject; ``size`` bounds whatever it says about itself."""

    digest: Digest
    media_type: str
    artifact_type: str | None
    size: int
    fact_index: int

    @property
    def position(self) -> Position:
        """Where it stands among the others."""
        return Position(self.fact_index, self.digest)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A digest that must not be handed out any more: in ``repository``, or (None) everywhere."""

    digest: Digest
    repository: RepositoryName | None
    reason: str
    actor: str
    revoked_at: datetime
    fact_index: int


@dataclass(frozen=True, slots=True)
class ArtifactState:
    """What a decision about an artifact needs, read in one snapshot.

    ``evidence_epoch`` grows whenever evidence about the artifact (a referrer) comes or goes, and when it is revoked.
    """

    repository: RepositoryName
    digest: Digest
    revoked: Revocation | None
    evidence_epoch: int
    pushed_at: datetime


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest together with what stands against handing it out."""

    manifest: StoredManifest
    revoked: Revocation | None


@dataclass(frozen=True, slots=True)
class TagState:
    """What a tag names, or named before it was deleted."""

    digest: Digest
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An upload under way; only ``actor`` may go on with it, and only into ``repository``."""

    id: str
    repository: RepositoryName
    actor: str
    started_at: datetime
    expires_at: datetime


class RefusalPath(StrEnum):
    """The ways on which revoked content may be asked for; the first refusal on each is a fact."""

    MANIFEST_BY_TAG = "manifest-by-tag"
    MANIFEST_BY_DIGEST = "manifest-by-digest"
    BLOB = "blob"
    BLOB_RANGE = "blob-range"
    MOUNT = "mount"
    PUT = "put"

    @classmethod
    def of(cls, reference: Tag | Digest) -> RefusalPath:
        """The way a manifest is asked for."""
        return cls.MANIFEST_BY_TAG if isinstance(reference, Tag) else cls.MANIFEST_BY_DIGEST


@dataclass(frozen=True, slots=True)
class RepositoryRules:
    """What holds in which repository: tags never move, except in those that ``mutable_tags`` names."""

    mutable_tags: tuple[RepositoryPattern, ...] = ()

    def tags_are_immutable(self, repository: RepositoryName) -> bool:
        """Whether a tag of ``repository`` keeps its digest forever."""
        return not any(pattern.matches(repository) for pattern in self.mutable_tags)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a blob may be, and how long an upload may take."""

    blob: int = 16 << 30
    upload_lifetime: timedelta = timedelta(hours=24)
