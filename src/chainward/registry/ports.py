"""What the registry needs from a database and from a place for bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from chainward.formats.oci import Manifest
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.ledger.model import Write
    from chainward.registry.model import (
        Artifact,
        ArtifactState,
        ArtifactTypes,
        Position,
        Referrer,
        RefusalPath,
        Revocation,
        Seal,
        StoredBlob,
        StoredManifest,
        TagState,
        UploadSession,
    )

__all__ = [
    "BlobReader",
    "BlobStore",
    "ContentView",
    "ListingView",
    "PushNotes",
    "RegistryStore",
    "RegistryView",
    "RevocationView",
    "UploadStore",
]


class PushNotes(Protocol):
    """What another room notes about a manifest that is new; it becomes durable with the manifest. Thread-safe."""

    def writes(
        self, repository: RepositoryName, manifest: Manifest, read: Callable[[Digest, int], bytes]
    ) -> Sequence[Write]:
        """Return what to write besides the manifest; never refuses it.

        ``read`` gives a blob of the repository, of at most so many bytes, proven; it raises like
        :meth:`~chainward.registry.prove.Prover.bytes_of`.
        """
        ...


class BlobReader(Protocol):
    """One stored blob, opened: what is read comes from what was opened, whatever takes its name meanwhile.

    Thread-safe; close it.
    """

    @property
    def seal(self) -> Seal:
        """State of the content when it was opened, or when it was last proven."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes; raises IntegrityViolated when the content was changed since it was opened."""
        ...

    def prove(self, digest: Digest) -> Seal:
        """Hash all of the content and return the seal under which it was read.

        Raises:
            IntegrityViolated: it does not hash to ``digest``, or kept changing while it was read.
            BlobStoreUnavailable: it cannot be proven now, because somebody is about to write to it.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class BlobStore(Protocol):
    """Finished blobs by digest. They never change; who changes them behind our back is found out by their seal.

    Every method raises BlobStoreUnavailable when the store cannot be reached. Thread-safe.
    """

    def open(self, digest: Digest) -> BlobReader:
        """Open a blob; raises BlobUnknown when there is none."""
        ...


class UploadStore(Protocol):
    """Blobs on their way in, by the id of their upload. One caller at a time for each upload; any number of uploads.

    What was appended survives a restart (though not surely a power loss) and is hashed again where the running hash was
    lost. Every method raises UploadUnknown for an unknown id and BlobStoreUnavailable when the store fails; a failed
    call leaves the upload as it was.
    """

    def create(self, upload: str) -> None:
        """Begin an empty upload."""
        ...

    def hold(self, upload: str) -> Callable[[], None]:
        """Let nobody else hold an upload, in this process or another one, until the returned function is called.

        Raises:
            UploadBusy: somebody holds it.
        """
        ...

    def size(self, upload: str) -> int:
        """Return how many bytes were received."""
        ...

    def append(self, upload: str, offset: int, chunks: Sequence[bytes]) -> int:
        """Add bytes at the end, which must be at ``offset``, and return the new size."""
        ...

    def cut(self, upload: str, size: int) -> None:
        """Drop everything beyond ``size``."""
        ...

    def finish(self, upload: str, digest: Digest, known: Seal | None) -> Seal:
        """Make the upload the blob ``digest``, durable (it survives a power loss), and return its seal.

        A blob that is there already, under the seal ``known``, is kept and the upload dropped; any other content in its
        place is replaced as a whole. Afterwards the upload is gone.

        Raises:
            DigestMismatch: the bytes are not what ``digest`` says; the upload is still there.
        """
        ...

    def abort(self, upload: str) -> None:
        """Drop an upload; nothing happens when there is none."""
        ...

    def abandoned(self, before: datetime) -> Sequence[str]:
        """Return the uploads to which nothing was written since ``before``."""
        ...


class ContentView(Protocol):
    """Single things in a snapshot of the registry."""

    def exists(self, repository: RepositoryName) -> bool:
        """Whether anything was ever pushed there."""
        ...

    def tag(self, repository: RepositoryName, tag: Tag) -> TagState | None:
        """Return what a tag names; deleted ones too."""
        ...

    def manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return a manifest."""
        ...

    def blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return a blob, if it is visible in that repository."""
        ...

    def any_blob(self, digest: Digest) -> StoredBlob | None:
        """Return a blob wherever it is visible; never to be told to a caller."""
        ...

    def repositories_with(self, digest: Digest, last: str, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories in which a blob is visible, those after ``last`` in the order of this call."""
        ...

    def upload(self, upload: str) -> UploadSession | None:
        """Return an upload."""
        ...


class ListingView(Protocol):
    """Lists in a snapshot of the registry; pages begin after ``last`` and are in the order of code points."""

    def repositories(self, last: str, limit: int) -> Sequence[RepositoryName]:
        """Return repositories."""
        ...

    def tags(self, repository: RepositoryName, last: str, limit: int) -> Sequence[Tag]:
        """Return tags of a repository."""
        ...

    def tags_of(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that name a manifest."""
        ...

    def referrers(
        self,
        repository: RepositoryName,
        digest: Digest,
        limit: int,
        after: Position | None = None,
        types: ArtifactTypes | None = None,
    ) -> Sequence[Referrer]:
        """Return the manifests whose subject is ``digest``, oldest first; ``digest`` itself need not exist.

        Reads no more than ``limit`` of them however many there are. What is pushed later comes later, so who walks from
        position to position meets each once. A prefix is as quick as one type only if the store has an index for it.
        """
        ...

    def annotations_of(
        self, repository: RepositoryName, digests: Sequence[Digest]
    ) -> Mapping[Digest, Mapping[str, str]]:
        """Return the annotations of some manifests, of those that are there."""
        ...

    def expired_uploads(self, now: datetime, limit: int) -> Sequence[UploadSession]:
        """Return uploads that expired."""
        ...


class RevocationView(Protocol):
    """What is revoked, in a snapshot of the registry.

    A manifest is refused when it is revoked, or when it can only be reached through revoked indexes: it has no tag, and
    every index of the repository that lists it is refused. A blob is refused when it is revoked itself, or when
    manifests refer to it and every one of them is refused.
    """

    def revocation(self, digest: Digest, repository: RepositoryName | None) -> Revocation | None:
        """Return the revocation of exactly this digest with exactly this reach."""
        ...

    def refusal_of_manifest(self, repository: RepositoryName, digest: Digest) -> Revocation | None:
        """Return the revocation because of which a manifest is refused."""
        ...

    def refusal_of_blob(self, repository: RepositoryName, digest: Digest) -> Revocation | None:
        """Return the revocation because of which a blob is refused."""
        ...

    def is_noted(self, revocation: Revocation, path: RefusalPath) -> bool:
        """Whether the first refusal on that path is a fact already."""
        ...

    def revocations(self, after: int, limit: int) -> Sequence[Revocation]:
        """Return revocations in the order of their facts, beginning after the fact index ``after``."""
        ...


class RegistryView(ContentView, ListingView, RevocationView, Protocol):
    """A consistent snapshot of the registry, valid inside its context manager."""


class RegistryStore(Protocol):
    """Reads of the registry. Everything that was durable when a call began is seen by it. Thread-safe."""

    def view(self) -> AbstractContextManager[RegistryView]:
        """Open a snapshot."""
        ...

    def artifact(self, repository: RepositoryName, reference: Tag | Digest) -> Artifact | None:
        """Return a manifest and what stands against handing it out, in one statement where that suffices."""
        ...

    def state_of(self, repository: RepositoryName, reference: Tag | Digest) -> ArtifactState | None:
        """Return what decisions need to know of an artifact, in one statement where that suffices."""
        ...
