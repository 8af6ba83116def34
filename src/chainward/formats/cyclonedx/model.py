"""What a bill of materials says, in CycloneDX's words (ECMA-424, clauses "metadata" to "compositions")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.purl import Purl

__all__ = [
    "Aggregate",
    "Bom",
    "BomComponent",
    "BomOutline",
    "BomSummary",
    "Identification",
    "InvalidBom",
    "Occurrence",
    "Tool",
]


class InvalidBom(Problem):
    """The document does not satisfy the CycloneDX 1.6 schema; ``details["errors"]`` lists the first violations."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "sbom-invalid"
    hint = "Correct the listed places, or generate the document anew with `chainward sbom`."


class Aggregate(StrEnum):
    """How complete a document says that it is."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place where a component was found."""

    location: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Identification:
    """How a component's identity was established; ``confidence`` is in percent."""

    technique: str
    confidence: int
    value: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that took part in making the document."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class BomComponent:
    """One component, or the subject of the document; absent texts are empty.

    ``purl`` is ``None`` where the document has none that can be read. ``hashes`` are pairs of CycloneDX's algorithm
    name and lowercase hex. ``licences`` are SPDX identifiers, expressions or names. ``scope`` is ``required``,
    ``optional``, ``excluded`` or empty.
    """

    ref: str
    name: str
    version: str = ""
    type: str = "library"
    group: str = ""
    purl: Purl | None = None
    scope: str = ""
    hashes: tuple[tuple[str, str], ...] = ()
    licences: tuple[str, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    identification: Identification | None = None
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bom:
    """A document to be written.

    ``edges`` map a reference to those it depends on; every reference is a component's ``ref`` or the subject's.
    Everything is written in the order given.
    """

    subject: BomComponent
    components: tuple[BomComponent, ...]
    edges: tuple[tuple[str, tuple[str, ...]], ...]
    timestamp: datetime
    tools: tuple[Tool, ...]
    aggregate: Aggregate
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BomSummary:
    """What was read from anybody's document: the parts that policies and the component index use.

    Nested components are listed beside their parents. ``edges`` are pairs (reference, reference it depends on).
    """

    spec_version: str
    serial_number: str
    version: int
    timestamp: datetime | None
    subject: BomComponent | None
    components: tuple[BomComponent, ...]
    edges: tuple[tuple[str, str], ...]
    tools: tuple[Tool, ...]
    aggregate: Aggregate
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def subject_digests(self) -> frozenset[str]:
        """The subject's SHA-256 and SHA-512 digests as ``sha256:…``."""
        return _digests_of(self.subject)


@dataclass(frozen=True, slots=True)
class BomOutline:
    """What a gate asks of anybody's document: how many components it lists, about what, since when, how completely."""

    spec_version: str
    timestamp: datetime | None
    subject: BomComponent | None
    components: int
    aggregate: Aggregate

    @property
    def subject_digests(self) -> frozenset[str]:
        """The subject's SHA-256 and SHA-512 digests as ``sha256:…``."""
        return _digests_of(self.subject)


def _digests_of(subject: BomComponent | None) -> frozenset[str]:
    known = {"SHA-256": "sha256", "SHA-512": "sha512"}
    hashes = subject.hashes if subject else ()
    return frozenset(f"{known[name]}:{value}" for name, value in hashes if name in known)
