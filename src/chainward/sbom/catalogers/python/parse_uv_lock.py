"""uv.lock to packages (uv's lock format, version 1).

The project itself and the other members of its workspace are not components: what they ask for is direct. What only
development groups lead to has the scope ``dev``; what only an extra of the project leads to is ``optional``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.declaration import Findings, Package, Source, Want
from chainward.sbom.catalogers.hashes import readable
from chainward.sbom.catalogers.origins import public
from chainward.sbom.catalogers.python.names import normalised, pypi, read_toml
from chainward.sbom.catalogers.python.reach import Reach
from chainward.sbom.errors import UnreadableFile
from chainward.sbom.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["parse_uv_lock"]

_VERSION: Final = 1
_FIRST_PARTY: Final = frozenset({"virtual", "editable", "directory"})
_ELSEWHERE: Final = frozenset({"registry", "git", "url", "path"})


class _Dependency(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None
    extra: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True):
    hash: str | None = None


class _Package(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    version: str | None = None
    source: dict[str, str] = {}
    dependencies: tuple[_Dependency, ...] = ()
    optional_dependencies: dict[str, tuple[_Dependency, ...]] = {}
    dev_dependencies: dict[str, tuple[_Dependency, ...]] = {}
    sdist: _File | None = None
    wheels: tuple[_File, ...] = ()

    @property
    def is_first_party(self) -> bool:
        # Where both are written, uv installs what lies elsewhere.
        return not _FIRST_PARTY.isdisjoint(self.source) and _ELSEWHERE.isdisjoint(self.source)


class _Lock(msgspec.Struct, frozen=True):
    version: int
    package: tuple[_Package, ...] = ()


def parse_uv_lock(source: Source) -> Findings:
    """Read every package that uv.lock has locked from elsewhere."""
    lock = read_toml(source.data, _Lock, what="uv.lock")
    if lock.version != _VERSION:
        raise UnreadableFile(f"uv.lock has the unknown version {lock.version}")
    own = [package for package in lock.package if package.is_first_party]
    others = [package for package in lock.package if not package.is_first_party]
    reach = _reach(own, others)
    asked: dict[str, set[str]] = {}  # what the project asks for, and which extras of it
    for want in (want for package in own for want in _all_wants(package)):
        for key in want.alternatives:
            asked.setdefault(key, set()).update(want.asks_for)
    packages: list[Package] = []
    flaws: list[str] = []
    for package in others:
        try:
            packages.append(_finding(package, reach, asked, flaws))
        except Problem as problem:
            flaws.append(f"package {package.name[:60]!r}: {problem.message}")
    return Findings(tuple(packages), tuple(flaws))


def _finding(package: _Package, reach: Reach, asked: Mapping[str, set[str]], flaws: list[str]) -> Package:
    keys = _keys(package)
    extras = {extra for key in keys for extra in asked.get(key, ())}
    files = (package.sdist, *package.wheels)
    return Package(
        purl=pypi(package.name, package.version or "", _origin(package.source)),
        keys=keys,
        # The project is no component, so its asking for an extra is settled here.
        wants=tuple(replace(want, feature="") if want.feature in extras else want for want in _wants(package)),
        scope=reach.scope_of(keys[0]),
        hashes=readable((found.hash for found in files if found and found.hash), flaws),
        is_direct=not asked.keys().isdisjoint(keys),
    )


def _keys(package: _Package) -> tuple[str, str]:
    name = normalised(package.name)
    return f"{name}@{package.version or ''}", name


def _want(dependency: _Dependency, feature: str = "") -> Want:
    # The version is written only where several versions of one name are locked.
    name = normalised(dependency.name)
    keys = (f"{name}@{dependency.version}",) if dependency.version else (name,)
    return Want(keys, feature=feature, asks_for=tuple(map(normalised, dependency.extra)))


def _wants(package: _Package) -> Iterator[Want]:
    yield from map(_want, package.dependencies)
    for extra, dependencies in package.optional_dependencies.items():
        yield from (_want(dependency, normalised(extra)) for dependency in dependencies)


def _all_wants(package: _Package) -> Iterator[Want]:
    yield from _wants(package)
    yield from (_want(dependency) for group in package.dev_dependencies.values() for dependency in group)


def _reach(own: Sequence[_Package], others: Sequence[_Package]) -> Reach:
    reach = Reach({key: (_keys(package)[0], tuple(_wants(package))) for package in others for key in _keys(package)})
    for package in own:
        reach.follow(map(_want, package.dependencies), Scope.RUNTIME)
    for package in own:
        optional = (found for group in package.optional_dependencies.values() for found in group)
        reach.follow(map(_want, optional), Scope.OPTIONAL)
    for package in own:
        groups = (found for group in package.dev_dependencies.values() for found in group)
        reach.follow(map(_want, groups), Scope.DEV)
    return reach


def _origin(source: Mapping[str, str]) -> dict[str, str]:
    return {"vcs_url": public(f"git+{source['git']}")} if "git" in source else {}
