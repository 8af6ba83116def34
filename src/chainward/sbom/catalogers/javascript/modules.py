"""How Node finds packages: the ``node_modules`` folders from a package upwards, and what npm calls things.

Follows the resolution algorithm of Node's CommonJS loader ("Loading from node_modules folders").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.purl import Purl

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FOLDER", "Search", "candidates", "licence_of", "name_in", "npm"]

FOLDER: Final = "node_modules/"
_MAX_LICENCE: Final = 200


def npm(name: str, version: str, origin: str = "") -> Purl:
    """The package URL of an npm package; raises :class:`~chainward.kernel.purl.InvalidPurl`."""
    scope, slash, bare = name.partition("/") if name.startswith("@") else ("", "", name)
    qualifiers = {"vcs_url": origin} if origin else {}
    return Purl.build(
        type="npm", namespace=scope if slash else "", name=bare or name, version=version, qualifiers=qualifiers
    )


def name_in(path: str) -> str:
    """The name under which a package is installed at ``path``.

    >>> name_in("node_modules/a/node_modules/@b/c")
    '@b/c'
    """
    return path.rpartition(FOLDER)[2]


def candidates(path: str, name: str) -> Iterator[str]:
    """Where a package at ``path`` looks for ``name``, nearest first.

    >>> list(candidates("node_modules/a", "b"))
    ['node_modules/a/node_modules/b', 'node_modules/b']
    """
    parts = path.split("/") if path else []
    while True:
        yield "/".join([*parts, "node_modules", name])
        if not parts:
            return
        parts.pop()
        while parts and (parts[-1] == "node_modules" or _is_scope(parts)):
            parts.pop()


@dataclass(frozen=True, slots=True)
class Search:
    """The answer of :func:`candidates`, made anew each time it is asked for: a deep path has many and long ones."""

    path: str
    name: str

    def __iter__(self) -> Iterator[str]:
        return candidates(self.path, self.name)


def _is_scope(parts: list[str]) -> bool:
    return parts[-1].startswith("@") and parts[-2:-1] == ["node_modules"]


def licence_of(declared: object) -> tuple[str, ...]:
    """The licences of a package.json: a string, the old ``{type, url}``, or a list of either."""
    match declared:
        case str() if declared.strip():
            return (declared.strip()[:_MAX_LICENCE],)
        case {"type": str() as name}:
            return licence_of(name)
        case list():
            return tuple(sorted({licence for found in declared[:10] for licence in licence_of(found)}))
        case _:
            return ()
