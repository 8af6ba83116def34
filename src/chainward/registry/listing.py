"""Lists: tags of a repository, repositories, and the referrers of a manifest.

OCI distribution-spec 1.1.1, "Content Discovery". Referrers of a revoked artifact stay listed and readable: they are the
evidence that responders need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.registry.errors import RepositoryUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.registry.model import Referrer
    from chainward.registry.ports import RegistryStore

__all__ = ["MAX_PAGE", "Listing", "Page"]

MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Some names of a list in order, and whether more follow."""

    names: tuple[str, ...]
    has_more: bool


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
        self, repository: RepositoryName, digest: Digest, artifact_type: str | None = None
    ) -> Sequence[Referrer]:
        """Return the manifests that name ``digest`` as their subject, of one artifact type or of all."""
        with self._store.view() as view:
            found = view.referrers(repository, digest)
        return [one for one in found if artifact_type is None or one.artifact_type == artifact_type]


def _page_size(limit: int | None) -> int:
    return MAX_PAGE if limit is None else max(0, min(limit, MAX_PAGE))
