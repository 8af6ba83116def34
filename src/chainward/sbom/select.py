"""Which catalogers want a file: one look at its last segment rules out nearly all files of a tree."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from chainward.sbom.catalogers.declaration import compiled, matches

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from chainward.sbom.catalogers.declaration import Cataloger

__all__ = ["Selection"]


class Selection:
    """The files that a set of catalogers wants."""

    def __init__(self, catalogers: Sequence[Cataloger]) -> None:
        self._catalogers = catalogers
        self._by_name: dict[str, list[re.Pattern[str]]] = {}
        self._by_pattern: list[tuple[re.Pattern[str], re.Pattern[str]]] = []
        for glob in sorted({glob for member in catalogers for glob in (*member.globs, *member.companions)}):
            last = glob.rpartition("/")[2]
            if "*" in last:
                self._by_pattern.append((compiled(last), compiled(glob)))
            else:
                self._by_name.setdefault(last, []).append(compiled(glob))
        # Folders hold many files with few names: remembering the answer for a name saves the patterns.
        self._patterns_for = lru_cache(maxsize=65536)(self._find_patterns)

    def wants(self, path: str) -> bool:
        """Whether some cataloger reads the file, or may ask for it."""
        patterns = self._patterns_for(path.rpartition("/")[2])
        return any(pattern.fullmatch(path) for pattern in patterns)

    def readers_of(self, path: str) -> list[Cataloger]:
        """The catalogers that parse the file."""
        return [member for member in self._catalogers if any(matches(glob, path) for glob in member.globs)]

    def _find_patterns(self, name: str) -> tuple[re.Pattern[str], ...]:
        more = (pattern for last, pattern in self._by_pattern if last.fullmatch(name))
        return (*self._by_name.get(name, ()), *more)
