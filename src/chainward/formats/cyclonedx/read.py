"""CycloneDX JSON of anybody, 1.2 to 1.7, to a summary: what policies and the component index need, within limits.

Tolerant of what other writers do (unknown members, invalid purls, both shapes of ``tools``), strict about the shape of
what is read. Reading does not validate against the schema; :mod:`chainward.formats.cyclonedx.validate` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import convert, decode_json
from chainward.formats.cyclonedx.model import Aggregate, BomComponent, BomOutline, BomSummary, Occurrence, Tool
from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.kernel.instant import InvalidInstant, parse_instant
from chainward.kernel.purl import InvalidPurl, Purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

__all__ = ["MAX_BOM", "decode_bom", "outline_bom"]

MAX_BOM: Final = 64 * 1024 * 1024
_MAX_COMPONENTS: Final = 250_000
_WHAT: Final = "CycloneDX document"
_VERSIONS: Final = frozenset({"1.2", "1.3", "1.4", "1.5", "1.6", "1.7"})


class _Hash(msgspec.Struct, frozen=True):
    alg: str
    content: str


class _Licence(msgspec.Struct, frozen=True):
    id: str | None = None
    name: str | None = None


class _LicenceChoice(msgspec.Struct, frozen=True):
    license: _Licence | None = None
    expression: str | None = None


class _Property(msgspec.Struct, frozen=True):
    name: str
    value: str | None = None


class _Occurrence(msgspec.Struct, frozen=True, rename="camel"):
    location: str | None = None
    additional_context: str | None = None


class _Evidence(msgspec.Struct, frozen=True):
    occurrences: tuple[_Occurrence, ...] | None = None


class _Component(msgspec.Struct, frozen=True, rename={"ref": "bom-ref"}):
    name: str
    type: str = "library"
    ref: str | None = None
    group: str | None = None
    version: str | None = None
    purl: str | None = None
    scope: str | None = None
    hashes: tuple[_Hash, ...] | None = None
    licenses: tuple[_LicenceChoice, ...] | None = None
    evidence: _Evidence | None = None
    properties: tuple[_Property, ...] | None = None
    components: tuple[_Component, ...] | None = None


class _Tool(msgspec.Struct, frozen=True):
    name: str | None = None
    version: str | None = None


class _Tools(msgspec.Struct, frozen=True):
    components: tuple[_Tool, ...] | None = None


class _Metadata(msgspec.Struct, frozen=True):
    timestamp: str | None = None
    component: _Component | None = None
    tools: _Tools | tuple[_Tool, ...] | None = None
    properties: tuple[_Property, ...] | None = None


class _Dependency(msgspec.Struct, frozen=True, rename="camel"):
    ref: str
    depends_on: tuple[str, ...] | None = None


class _Composition(msgspec.Struct, frozen=True):
    aggregate: str
    assemblies: tuple[str, ...] | None = None
    dependencies: tuple[str, ...] | None = None

    def is_about(self, subject: _Component | None) -> bool:
        """Whether this is said of the whole document, not of some parts of it alone."""
        named = {*(self.assemblies or ()), *(self.dependencies or ())}
        return not named or (subject is not None and subject.ref in named)


class _Listed(msgspec.Struct, frozen=True):
    """A component of which only the presence counts."""

    name: str
    components: tuple[_Listed, ...] | None = None


class _Outline(msgspec.Struct, frozen=True, rename="camel"):
    bom_format: str
    spec_version: str
    metadata: _Metadata | None = None
    components: tuple[_Listed, ...] | None = None
    compositions: tuple[_Composition, ...] | None = None


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    bom_format: str
    spec_version: str
    serial_number: str | None = None
    version: int = 1
    metadata: _Metadata | None = None
    components: tuple[_Component, ...] | None = None
    dependencies: tuple[_Dependency, ...] | None = None
    compositions: tuple[_Composition, ...] | None = None


def decode_bom(data: bytes, *, limit: int = MAX_BOM) -> BomSummary:
    """Read a CycloneDX JSON document of any version from 1.2 to 1.7.

    Raises:
        TooLarge: more than ``limit`` bytes or more than 250,000 components.
        Unsupported: another version of the format.
        Malformed: not a CycloneDX JSON document.
    """
    document = decode_json(data, _Document, limit=limit, what=_WHAT)
    _check_version(document.bom_format, document.spec_version)
    metadata = document.metadata or _Metadata()
    subject = metadata.component
    nested = (subject.components or ()) if subject else ()
    return BomSummary(
        spec_version=document.spec_version,
        serial_number=document.serial_number or "",
        version=document.version,
        timestamp=_instant(metadata.timestamp),
        subject=_component(subject) if subject else None,
        components=_limited((*nested, *(document.components or ()))),
        edges=tuple((found.ref, target) for found in document.dependencies or () for target in found.depends_on or ()),
        tools=_tools(metadata.tools),
        aggregate=_aggregate(document.compositions or (), subject),
        properties=_properties(metadata.properties),
    )


def outline_bom(document: Mapping[str, Any]) -> BomOutline:
    """Read as much of an already decoded document as a gate asks for; a fraction of the work of :func:`decode_bom`.

    Raises:
        Unsupported: another version of the format.
        Malformed: not a CycloneDX document.
    """
    read = convert(document, _Outline, what=_WHAT)
    _check_version(read.bom_format, read.spec_version)
    metadata = read.metadata or _Metadata()
    subject = metadata.component
    nested = len(tuple(_flattened(subject.components or ()))) if subject else 0
    return BomOutline(
        spec_version=read.spec_version,
        timestamp=_instant(metadata.timestamp),
        subject=_component(subject) if subject else None,
        components=nested + _count(read.components or ()),
        aggregate=_aggregate(read.compositions or (), subject),
    )


def _check_version(bom_format: str, version: str) -> None:
    if bom_format != "CycloneDX":
        raise Malformed(_WHAT, "bomFormat is not CycloneDX")
    if version not in _VERSIONS:
        raise Unsupported(_WHAT, f"version {version[:20]!r} is not read")


def _count(components: Iterable[_Listed]) -> int:
    return sum(1 + _count(each.components or ()) for each in components)


def _limited(components: tuple[_Component, ...]) -> tuple[BomComponent, ...]:
    found: list[BomComponent] = []
    for component in _flattened(components):
        if len(found) == _MAX_COMPONENTS:
            raise TooLarge(f"{_WHAT}: more than {_MAX_COMPONENTS} components", details={"limit": _MAX_COMPONENTS})
        found.append(_component(component))
    return tuple(found)


def _flattened(components: tuple[_Component, ...]) -> Iterator[_Component]:
    for component in components:
        yield component
        yield from _flattened(component.components or ())


def _component(read: _Component) -> BomComponent:
    occurrences = (read.evidence.occurrences if read.evidence else None) or ()
    licences = (_licence(choice) for choice in read.licenses or ())
    return BomComponent(
        ref=read.ref or "",
        name=read.name,
        version=read.version or "",
        type=read.type,
        group=read.group or "",
        purl=_purl(read.purl),
        scope=read.scope or "",
        hashes=tuple((found.alg, found.content.lower()) for found in read.hashes or ()),
        licences=tuple(licence for licence in licences if licence),
        occurrences=tuple(
            Occurrence(found.location, found.additional_context or "") for found in occurrences if found.location
        ),
        properties=_properties(read.properties),
    )


def _licence(choice: _LicenceChoice) -> str:
    licence = choice.license or _Licence()
    return choice.expression or licence.id or licence.name or ""


def _purl(text: str | None) -> Purl | None:
    if not text:
        return None
    try:
        return Purl.parse(text)
    except InvalidPurl:
        return None  # the component stays, visible as one without identity


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return parse_instant(text)
    except InvalidInstant:
        return None


def _tools(read: _Tools | tuple[_Tool, ...] | None) -> tuple[Tool, ...]:
    listed = (read.components or ()) if isinstance(read, _Tools) else (read or ())
    return tuple(Tool(tool.name or "", tool.version or "") for tool in listed)


def _aggregate(compositions: tuple[_Composition, ...], subject: _Component | None) -> Aggregate:
    """Return what is claimed of the whole: one gap anywhere is a gap, but that a part is complete says nothing."""
    claims = {composition.aggregate for composition in compositions}
    if any(claim.startswith("incomplete") for claim in claims):
        return Aggregate.INCOMPLETE
    is_whole = any(composition.is_about(subject) for composition in compositions)
    return Aggregate.COMPLETE if is_whole and claims == {"complete"} else Aggregate.UNKNOWN


def _properties(read: tuple[_Property, ...] | None) -> tuple[tuple[str, str], ...]:
    return tuple((found.name, found.value or "") for found in read or ())
