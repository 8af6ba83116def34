"""What a lock file's packages are there for: the strongest scope that reaches each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.sbom.catalogers.declaration import by_feature
from chainward.sbom.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chainward.sbom.catalogers.declaration import Want

__all__ = ["Reach"]


class Reach:
    """Walks the dependencies of a lock file from what the project asks for.

    Call :meth:`follow` with the strongest scope first; what is reached keeps the scope that reached it first.
    """

    def __init__(self, packages: Mapping[str, tuple[str, tuple[Want, ...]]]) -> None:
        self._packages = {key: (name, by_feature(wants)) for key, (name, wants) in packages.items()}
        self._scopes: dict[str, Scope] = {}

    def follow(self, wants: Iterable[Want], scope: Scope) -> None:
        """Give ``scope`` to everything that ``wants`` lead to."""
        pending = list(wants)
        visited: set[tuple[str, str]] = set()
        while pending:
            want = pending.pop()
            found = next((self._packages[key] for key in want.alternatives if key in self._packages), None)
            if found is None:
                continue
            key, wants_of_found = found
            self._scopes.setdefault(key, scope)
            for feature in ("", *want.asks_for):
                if (key, feature) not in visited:
                    visited.add((key, feature))
                    pending.extend(wants_of_found.get(feature, ()))

    def scope_of(self, key: str) -> Scope:
        """The scope of a package; one that nothing leads to is taken for needed at run time."""
        return self._scopes.get(key, Scope.RUNTIME)
