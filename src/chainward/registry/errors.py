"""What can go wrong in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.registry.model import Revocation

__all__ = [
    "ArtifactRevoked",
    "BlobInUse",
    "BlobStoreUnavailable",
    "BlobTooLarge",
    "BlobUnknown",
    "IntegrityViolated",
    "ManifestBlobUnknown",
    "ManifestTooWide",
    "ManifestUnknown",
    "RepositoryUnknown",
    "RevocationInvalid",
    "StateMoved",
    "TagImmutable",
    "UploadBusy",
    "UploadLengthWrong",
    "UploadRangeWrong",
    "UploadUnknown",
]


class RepositoryUnknown(Problem):
    """Nothing was ever pushed to that repository."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "repository-unknown"
    hint = "Check the spelling; a repository begins to exist with its first push."


class ManifestUnknown(Problem):
    """The repository has no such tag or manifest."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "manifest-unknown"
    hint = "List the tags of the repository, or push the manifest first."


class ManifestBlobUnknown(Problem):
    """A manifest refers to content that its repository does not hold; ``details["missing"]`` names some of it."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "manifest-blob-unknown"
    hint = "Push (or mount) config, layers and child manifests into this repository before the manifest itself."


class ManifestTooWide(Problem):
    """A manifest refers to more blobs or manifests than one may."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "manifest-too-wide"
    hint = "Split the artifact; a manifest may refer to 4096 blobs and manifests."


class BlobUnknown(Problem):
    """The repository has no such blob; whether another repository has it is not told."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "blob-unknown"
    hint = "Push the blob to this repository, or mount it from one that you may pull from."


class BlobInUse(Problem):
    """A manifest of the repository refers to the blob; ``details["manifest"]`` is one that does."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "blob-in-use"
    hint = "Delete the manifests that refer to the blob first."


class BlobTooLarge(Problem):
    """A blob is larger than this platform takes, or than the caller asked for."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "blob-too-large"
    hint = "Raise registry.blob_limit in the configuration, or make the blob smaller."


class BlobStoreUnavailable(Problem):
    """The place where blobs lie cannot be read or written; a full disk is the usual reason."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "blob-store-unavailable"
    hint = "Free space on the disk of the blobs, check its health and the permissions of the folder, and try again."


class IntegrityViolated(Problem):
    """Stored content is no longer what its digest says, so it is not served."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "blob-integrity-violated"
    hint = (
        "Push the right content again to heal it, and find out who changed the stored file: this is tampering or decay."
    )


class UploadUnknown(Problem):
    """There is no such upload for this repository and caller; it may have ended or expired."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "upload-unknown"
    hint = "Start a new upload."


class UploadBusy(Problem):
    """Another request is writing to the same upload."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "upload-busy"
    hint = "Send the chunks of one upload one after the other."


class UploadRangeWrong(Problem):
    """A chunk does not begin where the upload ends; ``details["size"]`` is what was received so far."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "upload-range-wrong"
    hint = "Ask the upload for its state and send the chunk that comes next."

    def __init__(self, start: int, *, size: int, upload: str, repository: str = "") -> None:
        self.size = size
        self.upload = upload
        self.repository = repository
        super().__init__(f"the chunk begins at byte {start}, the upload goes on at byte {size}", details={"size": size})


class UploadLengthWrong(Problem):
    """A chunk is shorter or longer than it was announced; nothing of it was kept."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "upload-length-wrong"
    hint = "Make Content-Range, Content-Length and the bytes sent agree."


class TagImmutable(Problem):
    """A tag names another digest already, and tags of this repository never move."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "tag-immutable"
    hint = "Push under a new tag; an administrator may list repositories with movable tags in registry.mutable_tags."


class ArtifactRevoked(Problem):
    """The content was revoked and is not handed out; ``details`` say since when and why."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "artifact-revoked"
    hint = "Use an artifact that replaces it; the timeline of the digest says who revoked it."

    def __init__(self, revocation: Revocation, refused: Digest) -> None:
        self.revocation = revocation
        self.refused = refused
        because = (
            "was revoked" if refused == revocation.digest else f"is part of {revocation.digest}, which was revoked"
        )
        since = rfc3339(revocation.revoked_at)
        super().__init__(
            f"{refused} {because} at {since}: {revocation.reason}",
            details={
                "digest": str(refused),
                "revoked": str(revocation.digest),
                "reason": revocation.reason,
                "revoked_at": since,
                "fact": revocation.fact_index,
            },
        )


class RevocationInvalid(Problem):
    """A revocation gives no reason, or one that is too long."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "revocation-invalid"
    hint = "Give a reason of 1 to 2000 characters; it is shown to everybody whose pull is refused."


class StateMoved(Problem):
    """Somebody else changed the same rows in between; verbs then repeat, so it seldom reaches a caller."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "registry-state-moved"
    hint = "Repeat the call; others are changing the same tag or artifact."
