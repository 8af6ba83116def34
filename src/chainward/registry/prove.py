"""Proving stored content before a byte of it is served.

A blob is proven when its seal is the one under which its bytes were last hashed; otherwise it is hashed now, once for
all who ask at the same time. Content that does not match its digest becomes an ``integrity-violated`` fact and is
quarantined: it is refused at once from then on, until somebody pushes the right bytes. Manifests are hashed each time.
"""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

from chainward.kernel.digest import DigestMismatch
from chainward.kernel.identity import PLATFORM, Context
from chainward.registry.errors import BlobTooLarge, BlobUnknown, IntegrityViolated, StateMoved
from chainward.registry.facts import IntegrityViolation
from chainward.registry.writes import QuarantineBlob, QuarantineManifest, SealBlob

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import Write
    from chainward.registry.model import StoredBlob, StoredManifest
    from chainward.registry.ports import BlobReader, BlobStore, RegistryStore

__all__ = ["Prover"]

_STRIPES: Final = 64


class Prover:
    """Opens blobs and passes manifests on, only when they are what their digest says. Thread-safe."""

    def __init__(self, store: RegistryStore, blobs: BlobStore, ledger: Ledger) -> None:
        self._store = store
        self._blobs = blobs
        self._ledger = ledger
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def open(self, blob: StoredBlob, repository: RepositoryName, context: Context) -> BlobReader:
        """Return the proven blob, opened; raises IntegrityViolated."""
        if blob.is_quarantined:
            raise _violated(blob.digest, "is in quarantine because its stored bytes were changed")
        try:
            reader = self._blobs.open(blob.digest)
        except BlobUnknown as missing:
            raise self._quarantine(blob, repository, "missing", context) from missing
        except IntegrityViolated as changed:
            raise self._quarantine(blob, repository, "changed", context) from changed
        try:
            if reader.seal != blob.seal:
                self._prove(reader, blob, repository, context)
        except BaseException:
            reader.close()
            raise
        return reader

    def bytes_of(self, repository: RepositoryName, digest: Digest, limit: int, context: Context) -> bytes:
        """Return all bytes of a blob, revoked or not.

        Raises:
            BlobUnknown: it is not visible in this repository.
            BlobTooLarge: it has more than ``limit`` bytes.
            IntegrityViolated: its stored bytes were changed.
        """
        with self._store.view() as view:
            stored = view.blob(repository, digest)
        if stored is None:
            raise BlobUnknown(f"{repository} has no blob {digest}")
        if stored.seal.size > limit:
            raise BlobTooLarge(f"{digest} has {stored.seal.size} bytes, at most {limit} were asked for")
        with closing(self.open(stored, repository, context)) as reader:
            data = reader.read(0, stored.seal.size)
        digest.verify(data)
        return data

    def check(self, manifest: StoredManifest, context: Context) -> None:
        """Return when the stored bytes are those that the digest names; raises IntegrityViolated."""
        try:
            manifest.digest.verify(manifest.body)
        except DigestMismatch as mismatch:
            fact = _fact(manifest.repository, manifest.digest, "manifest", "changed")
            self._state(fact, QuarantineManifest(manifest.repository, manifest.digest), context)
            raise _violated(manifest.digest, "failed its integrity check") from mismatch

    def _prove(self, reader: BlobReader, blob: StoredBlob, repository: RepositoryName, context: Context) -> None:
        with self._stripes[hash(blob.digest) % _STRIPES]:
            with self._store.view() as view:
                current = view.blob(repository, blob.digest) or blob
            if current.is_quarantined:
                raise _violated(blob.digest, "is in quarantine because its stored bytes were changed")
            if current.seal == reader.seal:
                return  # somebody proved it while we waited
            try:
                seal = reader.prove(blob.digest)
            except IntegrityViolated as changed:
                raise self._quarantine(current, repository, "changed", context) from changed
            self._ledger.commit((), (SealBlob(blob.digest, seal),), context=_platform(context))

    def _quarantine(
        self, blob: StoredBlob, repository: RepositoryName, found: str, context: Context
    ) -> IntegrityViolated:
        self._state(_fact(repository, blob.digest, "blob", found), QuarantineBlob(blob.digest, blob.seal), context)
        why = "is lost from the store" if found == "missing" else "failed its integrity check"
        return _violated(blob.digest, why)

    def _state(self, fact: IntegrityViolation, write: Write, context: Context) -> None:
        try:
            self._ledger.commit((fact,), (write,), context=_platform(context))
        except StateMoved:
            return  # another request was first; its fact stands


def _platform(context: Context) -> Context:
    """The platform found it out, whoever's request led there."""
    return Context(PLATFORM, context.correlation, context.tenant)


def _fact(repository: RepositoryName, digest: Digest, content: str, found: str) -> IntegrityViolation:
    return IntegrityViolation(repository=str(repository), digest=str(digest), content=content, found=found)


def _violated(digest: Digest, why: str) -> IntegrityViolated:
    return IntegrityViolated(f"{digest} {why}; it is not served", details={"digest": str(digest)})
