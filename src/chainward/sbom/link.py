"""Dependencies by name to edges between components, and which components the subject itself needs.

Within a group (a lock file, an installed environment, a package database) each name stands for the first package that
has it. Wants behind a feature count once somebody asks for the feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.sbom.catalogers.declaration import by_feature
from chainward.sbom.model import Edge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from chainward.kernel.purl import Purl
    from chainward.sbom.catalogers.declaration import Package, Want

__all__ = ["edges_of", "roots_of"]


def edges_of(group: Sequence[Package]) -> frozenset[Edge]:
    """Resolve the wants of one group's packages."""
    by_key: dict[str, Package] = {}
    for package in group:
        for key in package.keys:
            by_key.setdefault(key, package)
    wants = {id(package): by_feature(package.wants) for package in group}
    edges: set[Edge] = set()
    pending = [(package, "") for package in group]
    visited = {(id(package), "") for package in group}
    while pending:
        package, feature = pending.pop()
        for target, asks_for in _targets(wants[id(package)].get(feature, ()), by_key):
            if target.purl != package.purl:
                edges.add(Edge(package.purl, target.purl))
            new = [(target, asked) for asked in asks_for if (id(target), asked) not in visited]
            visited.update((id(found), asked) for found, asked in new)
            pending.extend(new)
    return frozenset(edges)


def _targets(wants: Iterable[Want], by_key: Mapping[str, Package]) -> Iterator[tuple[Package, tuple[str, ...]]]:
    for want in wants:
        target = next((by_key[key] for key in want.alternatives if key in by_key), None)
        if target is not None:
            yield target, want.asks_for


def roots_of(purls: Sequence[Purl], edges: Iterable[Edge], direct: Iterable[Purl]) -> tuple[Purl, ...]:
    """The components that the subject needs itself: the direct ones, those nobody needs, and one of each other cycle.

    Every component is reachable from the roots. ``purls`` are sorted, and so is the answer.
    """
    targets: dict[Purl, list[Purl]] = {}
    needed: set[Purl] = set()
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.depends_on)
        needed.add(edge.depends_on)
    roots = set(direct) | {purl for purl in purls if purl not in needed}
    reached: set[Purl] = set()
    _reach(roots, targets, reached)
    for purl in purls:
        if purl not in reached:
            roots.add(purl)
            _reach([purl], targets, reached)
    return tuple(sorted(roots))


def _reach(start: Iterable[Purl], targets: dict[Purl, list[Purl]], reached: set[Purl]) -> None:
    pending = list(start)
    while pending:
        purl = pending.pop()
        if purl not in reached:
            reached.add(purl)
            pending.extend(targets.get(purl, ()))
