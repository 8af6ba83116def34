"""What an inventory says: components, how they depend on each other, where they were found, what was unreadable.

All values are immutable, and everything with an order is sorted, so that equal trees give equal inventories.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.kernel.purl import Purl

__all__ = [
    "Component",
    "Edge",
    "Evidence",
    "Hash",
    "HashAlgorithm",
    "Location",
    "Sbom",
    "Scope",
    "Subject",
    "SubjectKind",
    "Unreadable",
]

_HEX = re.compile(r"[0-9a-f]+\Z")


class HashAlgorithm(StrEnum):
    """The algorithms that lock files name; old ones identify, they do not protect."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


_HEX_LENGTH: Final = {
    HashAlgorithm.MD5: 32,
    HashAlgorithm.SHA1: 40,
    HashAlgorithm.SHA256: 64,
    HashAlgorithm.SHA384: 96,
    HashAlgorithm.SHA512: 128,
}


@dataclass(frozen=True, slots=True, order=True)
class Hash:
    """The hash of one file that a component may be delivered as."""

    algorithm: HashAlgorithm
    hex: str

    @classmethod
    def parse(cls, algorithm: str, hexadecimal: str) -> Self:
        """Read a named algorithm and hex; raises :class:`~chainward.sbom.errors.UnreadableFile`."""
        text = hexadecimal.lower()
        try:
            known = HashAlgorithm(algorithm.lower())
        except ValueError:
            raise UnreadableFile(f"the hash algorithm {algorithm[:20]!r} is unknown") from None
        if len(text) != _HEX_LENGTH[known] or _HEX.match(text) is None:
            raise UnreadableFile(f"{hexadecimal[:140]!r} is not a {known.value} hash")
        return cls(known, text)

    @classmethod
    def parse_integrity(cls, text: str) -> Self:
        """Read one ``algorithm-base64`` of a Subresource Integrity string; raises as :meth:`parse` does."""
        algorithm, _, encoded = text.partition("?")[0].partition("-")
        try:
            return cls.parse(algorithm, base64.b64decode(encoded, validate=True).hex())
        except (binascii.Error, ValueError):
            raise UnreadableFile(f"{text[:140]!r} is not an integrity string") from None


class Scope(StrEnum):
    """What a component is there for, strongest first when two findings disagree: runtime, optional, dev."""

    RUNTIME = "runtime"
    OPTIONAL = "optional"
    DEV = "dev"

    @staticmethod
    def strongest(scopes: Iterable[Scope]) -> Scope:
        """The scope that wins when a component was found in several."""
        return min(scopes, key=list(Scope).index)


@dataclass(frozen=True, slots=True)
class Location:
    """The file that a component was found in, and the image layer that the file came from."""

    path: str
    layer: Digest | None = None

    @property
    def sort_key(self) -> tuple[str, str]:
        """Orders locations by path, then by layer."""
        return self.path, str(self.layer or "")


@dataclass(frozen=True, slots=True, order=True)
class Evidence:
    """Which cataloger found a component, and how sure that is, in percent."""

    cataloger: str
    confidence: int


@dataclass(frozen=True, slots=True)
class Component:
    """One package, whatever number of places it was found in."""

    purl: Purl
    scope: Scope = Scope.RUNTIME
    hashes: tuple[Hash, ...] = ()
    licences: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def name(self) -> str:
        """The package's name, without its namespace."""
        return self.purl.name

    @property
    def version(self) -> str:
        """The package's version, or the empty string."""
        return self.purl.version

    @property
    def confidence(self) -> int:
        """How sure the surest finding is, in percent."""
        return max((found.confidence for found in self.evidence), default=0)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One component needs another."""

    source: Purl
    depends_on: Purl


@dataclass(frozen=True, slots=True, order=True)
class Unreadable:
    """Something in the tree that could not be looked into, and why; an inventory with one is incomplete."""

    path: str
    reason: str


class SubjectKind(StrEnum):
    """What an inventory is about."""

    CONTAINER = "container"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing whose components are listed; an image is named by its manifest's digest."""

    name: str
    kind: SubjectKind
    version: str = ""
    digest: Digest | None = None
    purl: Purl | None = None


@dataclass(frozen=True, slots=True)
class Sbom:
    """The inventory of one subject.

    ``roots`` are the components that the subject itself needs; from them every component is reached along ``edges``.
    ``catalogers`` names what was looked for, so that a reader knows what an empty answer means.
    """

    subject: Subject
    components: tuple[Component, ...]
    edges: tuple[Edge, ...]
    roots: tuple[Purl, ...]
    unreadable: tuple[Unreadable, ...]
    catalogers: tuple[str, ...]
    generated: datetime

    @property
    def is_complete(self) -> bool:
        """Whether everything that the catalogers asked for could be read."""
        return not self.unreadable
