"""An installed distribution's METADATA to a package (core metadata 2.5; PEP 639 for licences).

Edges follow ``Requires-Dist`` to what is installed beside it. A requirement behind an extra counts only when another
requirement asks for that extra. Other markers are not evaluated: what they exclude is not installed either, as a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.sbom.catalogers.declaration import Findings, Package, Source, Want
from chainward.sbom.catalogers.fields import Fields, first, paragraph
from chainward.sbom.catalogers.python.names import normalised, pypi, requirement
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["environment_of", "parse_metadata"]

_MAX_LICENCE: Final = 100
_CLASSIFIER: Final = "License :: "
_UNDECLARED: Final = frozenset({"", "UNKNOWN", "OSI Approved"})


def environment_of(path: str) -> str:
    """The folder that holds the ``.dist-info`` folder: all of it is one environment."""
    return path.rpartition("/")[0].rpartition("/")[0]


def parse_metadata(source: Source) -> Findings:
    """Read one METADATA or PKG-INFO file."""
    fields = paragraph(source.data.decode(errors="replace"))
    name, version = first(fields, "name"), first(fields, "version")
    if not name or not version:
        raise UnreadableFile("the metadata has no Name and Version")
    package = Package(
        purl=pypi(name, version),
        keys=(normalised(name),),
        wants=tuple(_wants(fields)),
        licences=_licences(fields),
    )
    return Findings((package,))


def _wants(fields: Fields) -> Iterator[Want]:
    for text in fields.get("requires-dist", ()):
        found = requirement(text)
        if found:
            for extra in found.needed_by_extras or ("",):
                yield Want((found.name,), feature=extra, asks_for=found.extras)


def _licences(fields: Fields) -> tuple[str, ...]:
    expression = first(fields, "license-expression")
    if expression:
        return (expression,)
    declared = first(fields, "license")
    if declared not in _UNDECLARED and len(declared) <= _MAX_LICENCE and "\n" not in declared:
        return (declared,)
    classifiers = (text.removeprefix(_CLASSIFIER) for text in fields.get("classifier", ()) if _CLASSIFIER in text)
    names = (_without_suffix(text.rpartition(" :: ")[2]) for text in classifiers)
    return tuple(sorted({name for name in names if name not in _UNDECLARED}))


def _without_suffix(name: str) -> str:
    # "GNU General Public License v3 (GPLv3)": the name alone is what the licence list knows.
    return name.partition(" (")[0]
