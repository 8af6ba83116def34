"""Lists: tags of a repository, repositories, and the referrers of a manifest.

OCI distribution-spec 1.1.1, "Content Discovery". Referrers of a revoked artifact stay listed and readable: they are the
evidence that responders need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.registry.errors import RepositoryUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.registry.model import ArtifactTypes, Position, Referrer
    from chainward.registry.ports import RegistryStore

__all__ = ["MAX_PAGE", "Listing", "Page", "ReferrerPage"]

MAX_PAGE: Final = 1000
_REFERRERS_ON_PAGE: Final = 500
_BYTES_ON_PAGE: Final = 4 * 1024 * 1024  # what an index may have, for clients that read no longer manifests


@dataclass(frozen=True, slots=True)
class Page:
    """Some names of a list in order, and whether more follow."""

    names: tuple[str, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ReferrerPage:
    """Some referrers, the oldest first, with their annotations; ``last`` is where the next page begins, if any."""

    referrers: tuple[Referrer, ...]
    annotations: Mapping[Digest, Mapping[str, str]]
    last: Position | None


class Listing:
    """Lists what is there. Thread-safe."""

    def __init__(self, store: RegistryStore) -> None:
        self._store = store

    def tags(self, repository: RepositoryName, last: str = "", limit: int | None = None) -> Page:
        """Return tags that come after ``last``; all of them, page by page, raises RepositoryUnknown."""
        size = _page_size(limit)
        with self._store.view() as view:
            if not view.exists(repository):
                raise RepositoryUnknown(f"there is no repository {repository}")
            found = view.tags(repository, last, size + 1)
        return Page(tuple(map(str, found[:size])), len(found) > size)

    def repositories(
        self, may_pull: Callable[[RepositoryName], bool], last: str = "", limit: int | None = None
    ) -> Page:
        """Return the repositories after ``last`` that the caller may pull from."""
        size = _page_size(limit)
        visible: list[str] = []
        with self._store.view() as view:
            while len(visible) <= size:
                found = view.repositories(last, MAX_PAGE)
                visible += [str(name) for name in found if may_pull(name)]
                if len(found) < MAX_PAGE:
                    break
                last = str(found[-1])
        return Page(tuple(visible[:size]), len(visible) > size)

    def referrers(
        self,
        repository: RepositoryName,
        digest: Digest,
        types: ArtifactTypes | None = None,
        limit: int | None = None,
        after: Position | None = None,
    ) -> Sequence[Referrer]:
        """Return the oldest manifests that name ``digest`` as their subject, 1000 if ``limit`` does not say fewer."""
        with self._store.view() as view:
            return view.referrers(repository, digest, _page_size(limit), after, types)

    def referrer_page(
        self,
        repository: RepositoryName,
        digest: Digest,
        types: ArtifactTypes | None = None,
        after: Position | None = None,
        limit: int = _REFERRERS_ON_PAGE,
    ) -> ReferrerPage:
        """Return referrers after a position: at most 500, of manifests that have 4 MiB together, and at least one.

        Annotations are a part of the manifest, so no page grows beyond that by what publishers write into them, and
        those of referrers that do not fit are not read.
        """
        size = max(1, min(limit, _REFERRERS_ON_PAGE))
        with self._store.view() as view:
            found = view.referrers(repository, digest, size + 1, after, types)
            fitting = tuple(_fitting(found[:size]))
            annotations = view.annotations_of(repository, [one.digest for one in fitting])
        return ReferrerPage(fitting, annotations, fitting[-1].position if len(fitting) < len(found) else None)


def _fitting(referrers: Iterable[Referrer]) -> Iterator[Referrer]:
    """Yield the first referrer, and more while there is room."""
    together = 0
    for referrer in referrers:
        together += referrer.size
        if together > _BYTES_ON_PAGE and together > referrer.size:
            return
        yield referrer


def _page_size(limit: int | None) -> int:
    return MAX_PAGE if limit is None else max(0, min(limit, MAX_PAGE))
