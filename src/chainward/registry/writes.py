"""The row changes of the registry, each carried out inside the transaction that also makes its facts durable.

Where a write was decided on what was read before, it says what that was (``previous``, "is new"), and the store refuses
it with :class:`~chainward.registry.errors.StateMoved` when that is no longer so. So two who race for one tag cannot
both win, on any number of replicas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.ledger.model import Write

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.registry.model import RefusalPath, Revocation, Seal, TagState, UploadSession

__all__ = [
    "EndUpload",
    "HealManifest",
    "KeepBlob",
    "KeepManifest",
    "LinkBlob",
    "MoveTag",
    "NoteEnforcement",
    "QuarantineBlob",
    "QuarantineManifest",
    "RemoveManifest",
    "RemoveTag",
    "Revoke",
    "SealBlob",
    "StartUpload",
    "UnlinkBlob",
]


@dataclass(frozen=True, slots=True)
class StartUpload(Write):
    """Remember an upload."""

    session: UploadSession


@dataclass(frozen=True, slots=True)
class EndUpload(Write):
    """Forget an upload; does nothing when it is gone."""

    upload: str


@dataclass(frozen=True, slots=True)
class KeepBlob(Write):
    """Make a blob, whose bytes are durable and proven, visible in a repository; ends its quarantine and its upload."""

    repository: RepositoryName
    digest: Digest
    seal: Seal
    upload: str | None


@dataclass(frozen=True, slots=True)
class LinkBlob(Write):
    """Make a blob of ``source`` visible in ``repository``; BlobUnknown or ArtifactRevoked refuse it."""

    repository: RepositoryName
    digest: Digest
    source: RepositoryName


@dataclass(frozen=True, slots=True)
class UnlinkBlob(Write):
    """Make a blob invisible in ``repository``; BlobUnknown or BlobInUse refuse it.

    Its bytes stay, for the other repositories that have it, until nothing needs them.
    """

    repository: RepositoryName
    digest: Digest


@dataclass(frozen=True, slots=True)
class SealBlob(Write):
    """Remember a new seal under which the bytes were proven."""

    digest: Digest
    seal: Seal


@dataclass(frozen=True, slots=True)
class QuarantineBlob(Write):
    """Serve a blob no more until it is pushed again; StateMoved when that holds already or ``sealed`` is outdated."""

    digest: Digest
    sealed: Seal


@dataclass(frozen=True, slots=True)
class QuarantineManifest(Write):
    """Note that a stored manifest was changed; StateMoved when that is noted already."""

    repository: RepositoryName
    digest: Digest


@dataclass(frozen=True, slots=True)
class KeepManifest(Write):
    """Keep a new manifest and the edges to what it refers to.

    Refused with ManifestBlobUnknown when the repository lacks one of ``blobs`` or ``children``, with ArtifactRevoked
    when the manifest or something it refers to is revoked, with StateMoved when the manifest exists.
    """

    repository: RepositoryName
    digest: Digest
    media_type: str
    artifact_type: str | None
    subject: Digest | None
    annotations: bytes
    body: bytes
    blobs: tuple[Digest, ...]
    children: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class HealManifest(Write):
    """Put the right bytes of a manifest back in place."""

    repository: RepositoryName
    digest: Digest
    body: bytes


@dataclass(frozen=True, slots=True)
class MoveTag(Write):
    """Let a tag name ``digest``; StateMoved unless it is in the state ``previous`` and the manifest exists."""

    repository: RepositoryName
    tag: Tag
    digest: Digest
    previous: TagState | None


@dataclass(frozen=True, slots=True)
class RemoveTag(Write):
    """Delete a tag, which stays behind as a tombstone; StateMoved unless it names ``digest``."""

    repository: RepositoryName
    tag: Tag
    digest: Digest


@dataclass(frozen=True, slots=True)
class RemoveManifest(Write):
    """Delete a manifest and its tags; StateMoved unless it is there with exactly these tags.

    The edges to its blobs stay, so that deleting a revoked manifest does not set its layers free.
    """

    repository: RepositoryName
    digest: Digest
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Revoke(Write):
    """Revoke a digest in one repository or (None) everywhere; StateMoved when that was done before."""

    digest: Digest
    repository: RepositoryName | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class NoteEnforcement(Write):
    """Note the first refusal of a revocation on a path; StateMoved when it is noted already."""

    revocation: Revocation
    path: RefusalPath
