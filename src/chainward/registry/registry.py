"""The registry as other rooms and the faces see it: one value that holds its verbs, and reads for deciding.

The reads here answer other rooms, which must see revoked artifacts to speak about them; they do not enforce revocations
(:class:`~chainward.registry.pull.Puller` does, for whoever asks from outside), but say what is revoked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.identity import PLATFORM, Context
from chainward.registry.delete import Deleter
from chainward.registry.listing import Listing
from chainward.registry.model import Limits, RepositoryRules
from chainward.registry.mount import Mounter
from chainward.registry.prove import Prover
from chainward.registry.pull import Puller, manifest_unknown
from chainward.registry.put import ManifestWriter
from chainward.registry.refuse import Refusals
from chainward.registry.revoke import Revoker
from chainward.registry.upload import Uploader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.digest import Digest
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.ledger.commit import Ledger
    from chainward.registry.model import (
        ArtifactState,
        ArtifactTypes,
        Position,
        Referrer,
        Revocation,
        StoredManifest,
    )
    from chainward.registry.ports import BlobStore, PushNotes, RegistryStore, UploadStore

__all__ = ["Registry", "open_registry"]

_INTERNAL: Final = Context(PLATFORM, "registry-read")


@dataclass(frozen=True, slots=True)
class Registry:
    """The verbs of the registry over one store. Thread-safe."""

    store: RegistryStore
    prover: Prover
    pull: Puller
    manifests: ManifestWriter
    uploads: Uploader
    mounts: Mounter
    listing: Listing
    deletions: Deleter
    revocations: Revoker

    def resolve(self, repository: RepositoryName, tag: Tag) -> Digest:
        """Return the digest that a tag names; raises ManifestUnknown."""
        return self.state_of(repository, tag).digest

    def state_of(self, repository: RepositoryName, reference: Tag | Digest) -> ArtifactState:
        """Return what decisions need to know of an artifact, as of now; raises ManifestUnknown."""
        state = self.store.state_of(repository, reference)
        if state is None:
            raise manifest_unknown(repository, reference)
        return state

    def manifest(self, repository: RepositoryName, digest: Digest, context: Context = _INTERNAL) -> StoredManifest:
        """Return a manifest, revoked or not; raises ManifestUnknown or IntegrityViolated."""
        found = self.store.artifact(repository, digest)
        if found is None:
            raise manifest_unknown(repository, digest)
        self.prover.check(found.manifest, context)
        return found.manifest

    def referrers(
        self,
        repository: RepositoryName,
        digest: Digest,
        types: ArtifactTypes | None = None,
        limit: int | None = None,
        after: Position | None = None,
    ) -> Sequence[Referrer]:
        """Return the oldest manifests that name ``digest`` as their subject, 1000 if ``limit`` does not say fewer."""
        return self.listing.referrers(repository, digest, types, limit, after)

    def revocation(self, repository: RepositoryName, *digests: Digest) -> Revocation | None:
        """Return a revocation because of which one of these manifests or blobs is refused in a repository, or None."""
        with self.store.view() as view:
            found = (
                view.refusal_of_manifest(repository, one) or view.refusal_of_blob(repository, one) for one in digests
            )
            return next(filter(None, found), None)

    def blob_bytes(self, repository: RepositoryName, digest: Digest, limit: int, context: Context = _INTERNAL) -> bytes:
        """Return all bytes of a blob, revoked or not.

        Raises:
            BlobUnknown: it is not visible in this repository.
            BlobTooLarge: it has more than ``limit`` bytes.
            IntegrityViolated: its stored bytes were changed.
        """
        return self.prover.bytes_of(repository, digest, limit, context)


def open_registry(
    store: RegistryStore,
    blobs: BlobStore,
    files: UploadStore,
    ledger: Ledger,
    clock: Clock,
    entropy: Entropy,
    *,
    rules: RepositoryRules = RepositoryRules(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
    notes: PushNotes | None = None,
) -> Registry:
    """Put the verbs of the registry together over its ports; ``notes`` are taken of every manifest that is new."""
    refusals = Refusals(store, ledger, clock)
    prover = Prover(store, blobs, ledger)
    return Registry(
        store=store,
        prover=prover,
        pull=Puller(store, prover, refusals),
        manifests=ManifestWriter(store, ledger, rules, refusals, prover, notes),
        uploads=Uploader(store, files, ledger, clock, entropy, limits),
        mounts=Mounter(store, ledger, refusals),
        listing=Listing(store),
        deletions=Deleter(store, ledger),
        revocations=Revoker(store, ledger),
    )
