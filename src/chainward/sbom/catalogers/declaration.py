"""What a cataloger is: a declaration of the files it reads and what it finds in them, with one pure function.

Globs are over paths from the tree's root: ``*`` stands for text within one segment, ``**/`` for any number of segments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from chainward.sbom.model import Hash, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chainward.kernel.purl import Purl

__all__ = ["MEBIBYTE", "Cataloger", "Findings", "Package", "Source", "Want", "by_feature", "matches"]

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """One file to be parsed.

    ``beside`` gives the content of another file of the same tree by path, or ``None``; only files that some cataloger
    declares, as its own or as a companion, can be had.
    """

    path: str
    data: bytes
    beside: Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Want:
    """A dependency by name: the first of ``alternatives`` that is there is meant.

    A want with a ``feature`` counts only when somebody asks for that feature (an "extra") of the package that has the
    want; ``asks_for`` are the features that this want asks of its target.
    """

    alternatives: Iterable[str]
    feature: str = ""
    asks_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """One finding, before it is merged with others and before its dependencies are resolved.

    ``keys`` are the names by which the wants of other packages in the same group find this one. ``is_direct`` says that
    the subject itself asks for it.
    """

    purl: Purl
    keys: tuple[str, ...] = ()
    wants: tuple[Want, ...] = ()
    scope: Scope = Scope.RUNTIME
    hashes: tuple[Hash, ...] = ()
    licences: tuple[str, ...] = ()
    is_direct: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What one file gave: packages, and remarks on entries that could not be understood.

    ``steps`` says how many names have to be tried to resolve the wants, where it is more than a few for each.
    """

    packages: tuple[Package, ...] = ()
    flaws: tuple[str, ...] = ()
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Cataloger:
    """A member of the family.

    ``companions`` are globs of further files that ``parse`` may ask for. ``group`` maps a path to the set of findings
    within which names are resolved: a lock file is a group of its own, an installed environment is one together.
    ``gives`` says for the documentation what a finding carries. ``parse`` raises a Problem when the file as a whole
    cannot be understood.
    """

    name: str
    ecosystem: str
    title: str
    globs: tuple[str, ...]
    purl_types: tuple[str, ...]
    gives: tuple[str, ...]
    confidence: int
    parse: Callable[[Source], Findings]
    group: Callable[[str], str] = str
    companions: tuple[str, ...] = ()
    limit: int = 64 * MEBIBYTE


def by_feature(wants: Iterable[Want]) -> dict[str, list[Want]]:
    """The wants of one package by the feature that they are behind, so that asking for a feature looks at no others."""
    found: dict[str, list[Want]] = {}
    for want in wants:
        found.setdefault(want.feature, []).append(want)
    return found


def matches(glob: str, path: str) -> bool:
    """Whether ``path`` is one of those that ``glob`` stands for.

    >>> matches("**/package-lock.json", "package-lock.json"), matches("a/*.txt", "a/b/c.txt")
    (True, False)
    """
    return compiled(glob).fullmatch(path) is not None


@lru_cache(maxsize=512)
def compiled(glob: str) -> re.Pattern[str]:
    """Return the regular expression for ``glob``."""
    known = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*)", glob)), re.DOTALL)
