"""The verb: a tree goes in, an inventory comes out.

Every wanted file is read once and given to the catalogers that declare it. Whatever goes wrong with a file is written
down as unreadable, with the reason, and the run goes on: one hostile file must not hide the others. What was found in
several places is one component with united hashes, licences, locations and edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers import ALL
from chainward.sbom.catalogers.declaration import Source
from chainward.sbom.link import edges_of, roots_of
from chainward.sbom.model import Component, Evidence, Location, Sbom, Scope, Unreadable
from chainward.sbom.select import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chainward.kernel.instant import Clock
    from chainward.kernel.purl import Purl
    from chainward.sbom.catalogers.declaration import Cataloger, Findings, Package
    from chainward.sbom.model import Edge, Subject
    from chainward.sbom.ports import File, Tree

__all__ = ["MAX_PACKAGES", "generate"]

MAX_PACKAGES: Final = 500_000
_MAX_STEPS: Final = 10_000_000
_MAX_REASON: Final = 300
_COMPANION_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Found:
    """One package where it was found, and by whom."""

    package: Package
    cataloger: Cataloger
    location: Location


def generate(
    tree: Tree,
    *,
    subject: Subject,
    clock: Clock,
    catalogers: Sequence[Cataloger] = ALL,
    max_packages: int = MAX_PACKAGES,
) -> Sbom:
    """Take the inventory of ``tree``; the same tree at the same instant gives an equal inventory.

    A file that would bring the findings above ``max_packages``, or the names that have to be tried to resolve their
    dependencies above a fixed number, is written down as unreadable.

    Raises:
        TreeUnreadable: there is no tree, or it is beyond the limits as a whole.
    """
    selection = Selection(catalogers)
    listed = list(tree.select(selection.wants))
    files = {file.path: file for file in listed}
    found: list[_Found] = []
    unreadable: list[Unreadable] = []
    steps = 0
    for file in listed:  # not those of the mapping: two names may look the same and be two files
        for cataloger in selection.readers_of(file.path):
            findings = _read(file, cataloger, files, unreadable)
            if findings is None:
                continue
            more = findings.steps + sum(len(package.wants) for package in findings.packages)
            if len(found) + len(findings.packages) > max_packages or steps + more > _MAX_STEPS:
                unreadable.append(Unreadable(file.path, f"more than {max_packages} packages, or too many dependencies"))
                continue
            steps += more
            place = Location(file.path, file.layer)
            found.extend(_Found(package, cataloger, place) for package in findings.packages)
            unreadable.extend(_remark(file.path, flaw) for flaw in findings.flaws)
    return _assembled(found, [*unreadable, *tree.unreadable()], subject, clock, catalogers)


def _read(file: File, cataloger: Cataloger, files: Mapping[str, File], unreadable: list[Unreadable]) -> Findings | None:
    def beside(path: str) -> bytes | None:
        companion = files.get(path)
        try:
            return companion.read(_COMPANION_LIMIT) if companion else None
        except Problem as problem:
            unreadable.append(_remark(path, problem.message))
            return None

    try:
        return cataloger.parse(Source(file.path, file.read(cataloger.limit), beside))
    except Problem as problem:
        unreadable.append(_remark(file.path, problem.message))
    except Exception as error:  # noqa: BLE001 - the last line of defence: a defect of one parser is not worth the whole run
        unreadable.append(_remark(file.path, f"the cataloger {cataloger.name} failed: {type(error).__name__}: {error}"))
    return None


def _remark(path: str, reason: str) -> Unreadable:
    printable = "".join(character if character.isprintable() else " " for character in reason[:_MAX_REASON])
    return Unreadable(path, printable)


def _assembled(
    found: Sequence[_Found],
    unreadable: Iterable[Unreadable],
    subject: Subject,
    clock: Clock,
    catalogers: Sequence[Cataloger],
) -> Sbom:
    components = tuple(_merged(same) for _, same in sorted(_by_purl(found).items()))
    edges = _edges(found)
    purls = [component.purl for component in components]
    return Sbom(
        subject=subject,
        components=components,
        edges=edges,
        roots=roots_of(purls, edges, (hit.package.purl for hit in found if hit.package.is_direct)),
        unreadable=tuple(sorted(set(unreadable))),
        catalogers=tuple(sorted(cataloger.name for cataloger in catalogers)),
        generated=clock.now(),
    )


def _by_purl(found: Iterable[_Found]) -> dict[Purl, list[_Found]]:
    same: dict[Purl, list[_Found]] = {}
    for hit in found:
        same.setdefault(hit.package.purl, []).append(hit)
    return same


def _merged(same: Sequence[_Found]) -> Component:
    """Unite the findings of one package."""
    packages = [hit.package for hit in same]
    return Component(
        purl=packages[0].purl,
        scope=Scope.strongest(package.scope for package in packages),
        hashes=tuple(sorted({value for package in packages for value in package.hashes})),
        licences=tuple(sorted({licence for package in packages for licence in package.licences})),
        locations=tuple(sorted({hit.location for hit in same}, key=lambda location: location.sort_key)),
        evidence=tuple(sorted({Evidence(hit.cataloger.name, hit.cataloger.confidence) for hit in same})),
    )


def _edges(found: Iterable[_Found]) -> tuple[Edge, ...]:
    groups: dict[tuple[str, str], list[Package]] = {}
    for hit in found:
        groups.setdefault((hit.cataloger.name, hit.cataloger.group(hit.location.path)), []).append(hit.package)
    return tuple(sorted({edge for group in groups.values() for edge in edges_of(group)}))
