"""A registry for tests: real database, real files, a clock that tests move, and what a publisher does with it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.databases import ManualClock, sqlite_platform

from chainward.adapters.blobs.local import LocalBlobs
from chainward.adapters.sql.registry import WRITES, SqlRegistryStore
from chainward.adapters.system import SystemEntropy
from chainward.formats.oci import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    encode_manifest,
)
from chainward.kernel.digest import Digest
from chainward.kernel.identity import Actor, Context
from chainward.kernel.name import RepositoryName, RepositoryPattern, Tag
from chainward.registry import Limits, RepositoryRules, open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import Recorded
    from chainward.registry.registry import Registry

__all__ = ["ALICE", "BOB", "SANDBOX", "WEB", "Stand", "image_of", "index_of", "sqlite_stand"]

ALICE: Final = Context(Actor("token:alice"), "request-alice")
BOB: Final = Context(Actor("token:bob"), "request-bob")
WEB: Final = RepositoryName("shop/web")
SANDBOX: Final = RepositoryName("sandbox/web")
_RULES: Final = RepositoryRules((RepositoryPattern("sandbox/**"),))


def descriptor(data: bytes, media_type: str) -> Descriptor:
    return Descriptor.of(data, media_type)


def image_of(config: bytes, *layers: bytes, subject: bytes | None = None, **members: Any) -> bytes:
    """Return the manifest of an image with these blobs; ``subject`` is the manifest it is evidence for."""
    return encode_manifest(
        Manifest(
            media_type=OCI_MANIFEST,
            config=descriptor(config, OCI_CONFIG),
            layers=tuple(descriptor(layer, OCI_LAYER) for layer in layers),
            subject=descriptor(subject, OCI_MANIFEST) if subject is not None else None,
            **members,
        )
    )


def index_of(*children: bytes, media_type: str = OCI_MANIFEST) -> bytes:
    """Return an index that lists these manifests."""
    return encode_manifest(
        Manifest(media_type=OCI_INDEX, manifests=tuple(descriptor(child, media_type) for child in children))
    )


@dataclass(slots=True)
class Stand:
    """One registry with the folders and the database under it."""

    registry: Registry
    ledger: Ledger
    clock: ManualClock
    folder: Path
    blobs: LocalBlobs
    database: PlatformDatabase
    _seen: int = field(default=0)

    @classmethod
    def over(cls, database: PlatformDatabase, folder: Path, *, limits: Limits | None = None) -> Stand:
        """Open a registry; calling it again over the same database and folder is a restart."""
        clock = ManualClock(datetime(2026, 11, 23, 9, 30, tzinfo=UTC), timedelta(milliseconds=1))
        ledger = database.open_ledger(WRITES, clock=clock)
        blobs = LocalBlobs(folder / "blobs", folder / "uploads")
        registry = open_registry(
            SqlRegistryStore(database.database),
            blobs,
            blobs,
            ledger,
            clock,
            SystemEntropy(),
            rules=_RULES,
            limits=limits or Limits(),
        )
        return cls(registry, ledger, clock, folder, blobs, database)

    def push_blob(self, data: bytes, repository: RepositoryName = WEB, context: Context = ALICE) -> Digest:
        """Upload a blob in one request."""
        digest = Digest.of(data)
        with closing(self.registry.uploads.receive_whole(len(data))) as reception:
            reception.write([data])
            reception.complete()
            self.registry.uploads.keep(repository, reception, digest, context)
        return digest

    def put(
        self, body: bytes, tag: str | None = None, repository: RepositoryName = WEB, media_type: str = OCI_MANIFEST
    ) -> Digest:
        """Put a manifest by tag, or by digest."""
        reference = Tag(tag) if tag else Digest.of(body)
        return self.registry.manifests.put(repository, reference, media_type, body, ALICE).digest

    def push_image(
        self, content: bytes = b"layer", tag: str | None = "v1", repository: RepositoryName = WEB, **members: Any
    ) -> bytes:
        """Push config, one layer and the manifest; returns the manifest."""
        config = b'{"of":"' + content[:20] + b'"}'
        self.push_blob(config, repository)
        self.push_blob(content, repository)
        body = image_of(config, content, **members)
        self.put(body, tag, repository)
        return body

    def read(self, digest: Digest, repository: RepositoryName = WEB) -> bytes:
        """Pull a whole blob."""
        with closing(self.registry.pull.blob(repository, digest, BOB)) as reader:
            return reader.read(0, reader.seal.size + 1)

    def pull(self, reference: str, repository: RepositoryName = WEB) -> bytes:
        """Pull a manifest by tag or digest."""
        named = Digest.parse(reference) if ":" in reference else Tag(reference)
        return self.registry.pull.manifest(repository, named, BOB).body

    def file_of(self, digest: Digest) -> Path:
        """Return the file that holds a blob."""
        return self.folder / "blobs" / digest.algorithm.value / digest.hex[:2] / digest.hex

    def tamper(self, digest: Digest, data: bytes) -> None:
        """Write other bytes into the file of a blob, as somebody with access to the disk would."""
        path = self.file_of(digest)
        path.chmod(0o600)
        path.write_bytes(data)

    def facts(self, *schemas: str) -> Sequence[Recorded]:
        """Return the facts of these schemas, all of the registry without any."""
        with self.ledger.view() as view:
            found = view.facts(0, 1000)
        return [fact for fact in found if fact.schema in schemas or (not schemas and fact.schema[:9] == "registry.")]

    def schemas(self) -> list[str]:
        """Return the schemas of the registry's facts in order, without room and version."""
        return [fact.schema.removeprefix("registry.").removesuffix("/1") for fact in self.facts()]

    def files(self) -> list[Path]:
        """Return the files of all blobs."""
        return sorted(path for path in (self.folder / "blobs").rglob("*") if path.is_file())

    def uploads(self) -> list[Path]:
        """Return the files of all uploads."""
        return sorted((self.folder / "uploads").iterdir())


@contextmanager
def sqlite_stand(folder: Path, *, limits: Limits | None = None) -> Iterator[Stand]:
    """Give a registry over SQLite."""
    with sqlite_platform(folder) as database:
        yield Stand.over(database, folder, limits=limits)
