"""A tree in memory, a clock that stands still, and short ways to run one parser."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chainward.sbom.catalogers.declaration import Source
from chainward.sbom.errors import UnreadableFile
from chainward.sbom.generate import generate
from chainward.sbom.model import Sbom, Subject, SubjectKind, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chainward.kernel.digest import Digest
    from chainward.sbom.catalogers.declaration import Cataloger, Findings, Package

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SUBJECT = Subject("shop", SubjectKind.APPLICATION, "1.0")


class StoppedClock:
    """Always noon."""

    def now(self) -> datetime:
        return NOON


@dataclass(frozen=True)
class MemoryFile:
    path: str
    data: bytes
    layer: Digest | None = None

    def read(self, limit: int) -> bytes:
        if len(self.data) > limit:
            raise UnreadableFile(f"is larger than {limit} bytes")
        return self.data


class MemoryTree:
    """Files by path; ``refused`` are what the tree itself could not look into."""

    def __init__(
        self, files: Mapping[str, bytes], *, layer: Digest | None = None, refused: tuple[Unreadable, ...] = ()
    ) -> None:
        self._files = files
        self._layer = layer
        self._refused = refused

    def select(self, wanted: Callable[[str], bool]) -> Iterator[MemoryFile]:
        for path in sorted(self._files):
            if wanted(path):
                yield MemoryFile(path, self._files[path], self._layer)

    def unreadable(self) -> tuple[Unreadable, ...]:
        return self._refused


def inventory(files: Mapping[str, bytes | str]) -> Sbom:
    """Take the inventory of files in memory."""
    data = {path: content if isinstance(content, bytes) else content.encode() for path, content in files.items()}
    return generate(MemoryTree(data), subject=SUBJECT, clock=StoppedClock())


def parsed(cataloger: Cataloger, content: bytes | str, path: str = "file", **beside: str) -> Findings:
    """Run one parser over one file; ``beside`` are companions, with ``__`` for a slash and ``_`` for a dash."""
    known = {name.replace("__", "/").replace("_", "-"): text.encode() for name, text in beside.items()}
    data = content if isinstance(content, bytes) else content.encode()
    return cataloger.parse(Source(path, data, known.get))


def by_name(findings: Findings) -> dict[str, Package]:
    """The packages by the name in their purl."""
    return {package.purl.name: package for package in findings.packages}


def edge_names(sbom: Sbom) -> set[tuple[str, str]]:
    """Edges by name alone."""
    return {(edge.source.name, edge.depends_on.name) for edge in sbom.edges}


def purls(sbom: Sbom) -> list[str]:
    """The purls of an inventory, in its order."""
    return [str(component.purl) for component in sbom.components]


def roots(sbom: Sbom) -> set[str]:
    """The names of the roots."""
    return {purl.name for purl in sbom.roots}
