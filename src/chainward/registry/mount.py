"""Mounting: making a blob of one repository visible in another without sending its bytes again.

OCI distribution-spec 1.1.1, "Mounting a blob from another repository". Whether the caller may pull from the source is
asked by the face before; a blob that is revoked there, in quarantine, or not there at all is not mounted. A mount that
names no source takes the first repository that has the blob and that the caller may pull from: so it tells nobody more
than pulling would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.registry.errors import ArtifactRevoked, BlobUnknown
from chainward.registry.model import RefusalPath
from chainward.registry.writes import LinkBlob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.registry.ports import RegistryStore
    from chainward.registry.refuse import Refusals

__all__ = ["Mounter"]


_PAGE: Final = 100
_MOST_PAGES: Final = 10


class Mounter:
    """Mounts blobs. Thread-safe."""

    def __init__(self, store: RegistryStore, ledger: Ledger, refusals: Refusals) -> None:
        self._store = store
        self._ledger = ledger
        self._refusals = refusals

    def mount(self, repository: RepositoryName, digest: Digest, source: RepositoryName, context: Context) -> bool:
        """Make ``digest`` of ``source`` visible in ``repository``; returns False where it must be uploaded instead.

        The first refusal because of a revocation becomes a fact.
        """
        try:
            self._ledger.commit((), (LinkBlob(repository, digest, source),), context=context)
        except BlobUnknown:
            return False
        except ArtifactRevoked as problem:
            self._refusals.refuse(problem.revocation, digest, source, RefusalPath.MOUNT, context)
            return False
        return True

    def mount_from_any(
        self, repository: RepositoryName, digest: Digest, may_pull: Callable[[RepositoryName], bool], context: Context
    ) -> bool:
        """Make ``digest`` visible in ``repository`` if one for which ``may_pull`` holds has it; else returns False.

        The first thousand repositories that have it are looked at.
        """
        return any(
            self.mount(repository, digest, source, context) for source in self._sources(digest) if may_pull(source)
        )

    def _sources(self, digest: Digest) -> Iterator[RepositoryName]:
        last = ""
        for _ in range(_MOST_PAGES):
            with self._store.view() as view:
                page = view.repositories_with(digest, last, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            last = str(page[-1])
