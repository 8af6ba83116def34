"""What delivery needs from the world: folders, commands, a registry, and the state that gates decide on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from chainward.delivery.materials import FileDigest, SourceState
    from chainward.delivery.model import Snapshot
    from chainward.delivery.writes import Anchor, Promotion, RepeatRow
    from chainward.formats.oci import Descriptor
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.registry.model import ArtifactTypes, Referrer, Revocation, StoredManifest

__all__ = [
    "AdmissionStore",
    "BlobSink",
    "Command",
    "DecisionReader",
    "EvidenceSource",
    "EvidenceStore",
    "ImageLayout",
    "ImageSource",
    "NodeKind",
    "Outcome",
    "PromotionStore",
    "RegistryClient",
    "ResultFolder",
    "Runner",
    "SourceTree",
    "TreeNode",
    "Workspace",
]


class NodeKind(StrEnum):
    """What a node of a folder is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node: its path below the root with ``/``, and what an image keeps of it."""

    path: str
    kind: NodeKind
    size: int = 0
    executable: bool = False
    target: str = ""


class SourceTree(Protocol):
    """A folder as it is now; links are reported, never followed."""

    def nodes(self) -> Iterable[TreeNode]:
        """Yield every node below the root once, ordered by the parts of its path, so parents come first."""
        ...

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of one file in pieces of bounded size; raises SourceUnreadable."""
        ...


class BlobSink(Protocol):
    """Takes blobs by content."""

    def put(self, chunks: Iterable[bytes]) -> tuple[Digest, int]:
        """Keep what ``chunks`` yield and return its digest and size; if ``chunks`` raises, nothing is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """A command with what it may see: variables of ours by name, and settings made for it."""

    argv: tuple[str, ...]
    environment: frozenset[str]
    settings: Mapping[str, str]
    time_limit: timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its status (negative for a signal), and the names of the variables that it saw."""

    status: int
    timed_out: bool
    environment: tuple[str, ...]


class Runner(Protocol):
    """Runs one command at a time in the source folder."""

    def run(self, command: Command, tee: Callable[[bytes], None]) -> Outcome:
        """Run it to its end or its time limit, giving its output to ``tee``; nothing that it started stays behind.

        Raises:
            ToolMissing: there is no such command.
        """
        ...


class Workspace(Protocol):
    """The source folder of a build."""

    def source(self, outputs: tuple[str, ...]) -> SourceState:
        """Return the state of the source now; ``outputs`` are not source."""
        ...

    def lock_files(self) -> tuple[FileDigest, ...]:
        """Return every lock file of the source."""
        ...

    def files(self, path: str) -> tuple[FileDigest, ...]:
        """Return the files at or below ``path``; none when it is not there. Raises SourceRefused outside the source."""
        ...


class ResultFolder(BlobSink, Protocol):
    """What a build leaves behind: an image layout and documents; it appears as a whole, or not at all."""

    def index(self, manifest: Descriptor, name: str) -> None:
        """Name the manifest of the image."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a document."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Add to a document that grows."""
        ...

    def complete(self) -> None:
        """Put the folder in place; called last."""
        ...

    def abandon(self) -> None:
        """Remove everything; called instead of ``complete``."""
        ...


class ImageLayout(Protocol):
    """A finished image on its way into a registry."""

    def manifest(self) -> tuple[Descriptor, bytes]:
        """Return descriptor and bytes of its manifest; raises LayoutInvalid or DigestMismatch."""
        ...

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob; raises LayoutInvalid, or DigestMismatch at the end of other bytes."""
        ...


class RegistryClient(Protocol):
    """A registry to push to. What was put is durable when a call returns, and putting it again is harmless."""

    def has_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether the repository has a blob."""
        ...

    def put_blob(self, repository: RepositoryName, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        """Store a blob; the registry checks its digest."""
        ...

    def put_manifest(self, repository: RepositoryName, reference: str, media_type: str, body: bytes) -> Digest:
        """Store a manifest under a tag or its digest; what it refers to must be there."""
        ...


class EvidenceSource(Protocol):
    """Where evidence lies: the registry, read for deciding, so that what is revoked can be spoken about.

    What cannot be had is a Problem; one of the kinds unavailable, too-many or internal means that the registry failed.
    """

    def referrers(
        self, repository: RepositoryName, digest: Digest, types: ArtifactTypes | None = None, limit: int | None = None
    ) -> Sequence[Referrer]:
        """Return the oldest manifests that name ``digest`` as their subject, at most ``limit``, the oldest first."""
        ...

    def revocation(self, repository: RepositoryName, *digests: Digest) -> Revocation | None:
        """Return a revocation that one of these manifests or blobs falls under, None if there is none."""
        ...

    def manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest:
        """Return a manifest whose bytes are proven."""
        ...

    def blob_bytes(self, repository: RepositoryName, digest: Digest, limit: int) -> bytes:
        """Return a blob of at most ``limit`` bytes, proven."""
        ...


class ImageSource(Protocol):
    """A registry, or a folder with images, that is only read. What it says is believed of nothing but bytes."""

    def get_manifest(self, repository: RepositoryName, reference: str) -> tuple[str, bytes]:
        """Return media type and bytes of a manifest by tag or digest; whoever asked by digest has to verify them.

        Raises:
            Problem: of the kind not-found if there is none.
        """
        ...

    def referrers(self, repository: RepositoryName, digest: Digest) -> Sequence[Mapping[str, Any]]:
        """Return the descriptors of everything that names ``digest`` as its subject.

        Raises:
            Problem: of the kind not-found if no such lists are kept.
        """
        ...

    def get_blob(self, repository: RepositoryName, digest: Digest, limit: int | None = None) -> bytes:
        """Return a blob of at most ``limit`` bytes, which hash to its digest."""
        ...


class DecisionReader(Protocol):
    """Reads what a decision depends on in one snapshot: two reads never mix what was true at different times."""

    def read(self, repository: RepositoryName, reference: Tag | Digest, environment: str) -> Snapshot:
        """Return the present state of an artifact and of everything that could change a decision about it.

        Whatever was durable when the call began is in it. Any failure to read raises; nothing is assumed.
        """
        ...


class AdmissionStore(Protocol):
    """Reads of recorded admissions; each call sees everything that was durable when it began. Thread-safe."""

    def repeats(self, after: int, limit: int) -> Sequence[RepeatRow]:
        """Return repetitions with an id above ``after``, in order."""
        ...

    def anchored(self) -> int:
        """Return the id of the last repetition that a fact vouches for, 0 if there is none."""
        ...

    def anchors(self) -> Sequence[Anchor]:
        """Return all anchors, in order."""
        ...


class PromotionStore(Protocol):
    """Reads of promotions; each call sees everything that was durable when it began. Thread-safe."""

    def promotion(self, repository: RepositoryName, digest: Digest, environment: str) -> Promotion | None:
        """Return the promotion of an image into an environment."""
        ...

    def promotions(self, repository: RepositoryName, digest: Digest) -> Sequence[Promotion]:
        """Return every promotion of an image, the oldest first."""
        ...


class EvidenceStore(Protocol):
    """What the follower of evidence remembers; each call sees everything that was durable when it began."""

    def position(self, name: str) -> int:
        """Return the index of the last fact that a follower looked at, -1 before its first."""
        ...

    def is_noted(self, repository: RepositoryName, referrer: Digest) -> bool:
        """Whether it is stated what a referrer is worth."""
        ...

    def is_complete(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether it is stated that the evidence of an artifact is complete."""
        ...
