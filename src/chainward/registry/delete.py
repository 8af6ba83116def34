"""Deleting manifests, tags and blobs; each deletion leaves a tombstone fact.

OCI distribution-spec 1.1.1, "Content Management". A deleted tag stays behind as a row that remembers its digest, so
that in a repository with immutable tags nobody can give it another one by deleting it first. A blob is deleted from one
repository, and only while no manifest there refers to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.registry.facts import BlobDeleted, Deleted
from chainward.registry.insist import insist
from chainward.registry.pull import manifest_unknown
from chainward.registry.writes import RemoveManifest, RemoveTag, UnlinkBlob

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.ledger.commit import Ledger
    from chainward.registry.ports import RegistryStore

__all__ = ["Deleter"]

_TAGS_IN_FACT: Final = 64


class Deleter:
    """Deletes. Thread-safe. Whether the caller may is asked by the face."""

    def __init__(self, store: RegistryStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def tag(self, repository: RepositoryName, tag: Tag, context: Context) -> None:
        """Delete a tag; raises ManifestUnknown when there is none."""
        insist(lambda: self._tag(repository, tag, context))

    def manifest(self, repository: RepositoryName, digest: Digest, context: Context) -> None:
        """Delete a manifest and its tags; raises ManifestUnknown when there is none."""
        insist(lambda: self._manifest(repository, digest, context))

    def blob(self, repository: RepositoryName, digest: Digest, context: Context) -> None:
        """Delete a blob from a repository; raises BlobUnknown, or BlobInUse while a manifest refers to it."""
        fact = BlobDeleted(repository=str(repository), digest=str(digest))
        self._ledger.commit((fact,), (UnlinkBlob(repository, digest),), context=context)

    def _tag(self, repository: RepositoryName, tag: Tag, context: Context) -> None:
        with self._store.view() as view:
            state = view.tag(repository, tag)
        if state is None or state.is_deleted:
            raise manifest_unknown(repository, tag)
        fact = Deleted(repository=str(repository), digest=str(state.digest), tag=str(tag))
        self._ledger.commit((fact,), (RemoveTag(repository, tag, state.digest),), context=context)

    def _manifest(self, repository: RepositoryName, digest: Digest, context: Context) -> None:
        with self._store.view() as view:
            if view.manifest(repository, digest) is None:
                raise manifest_unknown(repository, digest)
            tags = tuple(view.tags_of(repository, digest))
        fact = Deleted(
            repository=str(repository),
            digest=str(digest),
            tag=None,
            tags=tuple(map(str, tags[:_TAGS_IN_FACT])),
            tag_count=len(tags),
        )
        self._ledger.commit((fact,), (RemoveManifest(repository, digest, tags),), context=context)
