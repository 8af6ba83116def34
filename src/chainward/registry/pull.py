"""Pulling: manifests by tag or digest, and blobs, never what was revoked or changed.

OCI distribution-spec 1.1.1, "Pull". Revocations are read in the snapshot of each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.kernel.name import Tag
from chainward.registry.errors import BlobUnknown, ManifestUnknown
from chainward.registry.model import RefusalPath

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName
    from chainward.registry.model import StoredManifest
    from chainward.registry.ports import BlobReader, RegistryStore
    from chainward.registry.prove import Prover
    from chainward.registry.refuse import Refusals

__all__ = ["Puller", "manifest_unknown"]


class Puller:
    """Hands out manifests and blobs. Thread-safe."""

    def __init__(self, store: RegistryStore, prover: Prover, refusals: Refusals) -> None:
        self._store = store
        self._prover = prover
        self._refusals = refusals

    def manifest(self, repository: RepositoryName, reference: Tag | Digest, context: Context) -> StoredManifest:
        """Return a manifest.

        Raises:
            ManifestUnknown: there is none.
            ArtifactRevoked: it was revoked, or can only be reached through an index that was.
            IntegrityViolated: its stored bytes were changed.
        """
        found = self._store.artifact(repository, reference)
        if found is None:
            raise manifest_unknown(repository, reference)
        if found.revoked is not None:
            path = RefusalPath.of(reference)
            raise self._refusals.refuse(found.revoked, found.manifest.digest, repository, path, context)
        self._prover.check(found.manifest, context)
        return found.manifest

    def blob(
        self, repository: RepositoryName, digest: Digest, context: Context, path: RefusalPath = RefusalPath.BLOB
    ) -> BlobReader:
        """Return a blob of this repository, proven and opened; the caller closes it.

        Raises:
            BlobUnknown: it is not visible in this repository.
            ArtifactRevoked: everything in this repository that refers to it was revoked, or it was itself.
            IntegrityViolated: its stored bytes were changed.
        """
        with self._store.view() as view:
            stored = view.blob(repository, digest)
            revocation = view.refusal_of_blob(repository, digest) if stored else None
        if stored is None:
            raise BlobUnknown(f"{repository} has no blob {digest}")
        if revocation is not None:
            raise self._refusals.refuse(revocation, digest, repository, path, context)
        return self._prover.open(stored, repository, context)


def manifest_unknown(repository: RepositoryName, reference: Tag | Digest) -> ManifestUnknown:
    """Return the problem for a reference that names nothing."""
    what = "tag" if isinstance(reference, Tag) else "manifest"
    return ManifestUnknown(f"{repository} has no {what} {reference}")
