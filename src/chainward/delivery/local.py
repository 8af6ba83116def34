"""The registry of this very platform as something to push to, for what the platform attaches itself.

Implements :class:`~chainward.delivery.ports.RegistryClient` over the verbs of the room below, so what comes in this way
meets the same checks and leaves the same facts as a push over HTTP.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName
    from chainward.registry.registry import Registry

__all__ = ["LocalRegistry"]


class LocalRegistry:
    """Pushes to our own registry on behalf of ``context``."""

    def __init__(self, registry: Registry, context: Context) -> None:
        self._registry = registry
        self._context = context

    def has_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether the repository has a blob that can be served."""
        with self._registry.store.view() as view:
            stored = view.blob(repository, digest)
        return stored is not None and not stored.is_quarantined

    def put_blob(self, repository: RepositoryName, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        """Store a blob."""
        with closing(self._registry.uploads.receive_whole(size)) as reception:
            for chunk in chunks:
                reception.write((chunk,))
            reception.complete()
            self._registry.uploads.keep(repository, reception, digest, self._context)

    def put_manifest(self, repository: RepositoryName, reference: str, media_type: str, body: bytes) -> Digest:
        """Store a manifest under a tag or its digest."""
        named = Digest.parse(reference) if ":" in reference else Tag(reference)
        return self._registry.manifests.put(repository, named, media_type, body, self._context).digest
