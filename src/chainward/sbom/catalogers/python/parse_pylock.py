"""pylock.toml to packages (PEP 751, lock version 1.0).

The file says what to install, not who asked: a package that no other package's ``dependencies`` names is direct. What
the file points to as a local directory is the project's own and no component.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.declaration import Findings, Package, Source, Want
from chainward.sbom.catalogers.hashes import readable
from chainward.sbom.catalogers.origins import public
from chainward.sbom.catalogers.python.names import normalised, pypi, read_toml
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["parse_pylock"]


class _Dependency(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None


class _File(msgspec.Struct, frozen=True):
    hashes: dict[str, str] = {}


class _Vcs(msgspec.Struct, frozen=True, rename="kebab"):
    type: str = ""
    url: str = ""
    commit_id: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None
    dependencies: tuple[_Dependency, ...] = ()
    directory: dict[str, object] | None = None
    vcs: _Vcs | None = None
    archive: _File | None = None
    sdist: _File | None = None
    wheels: tuple[_File, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether a local directory is the only thing to install from; the standard allows nothing beside it."""
        return self.directory is not None and not (self.vcs or self.archive or self.sdist or self.wheels)


class _Lock(msgspec.Struct, frozen=True, rename="kebab"):
    lock_version: str
    packages: tuple[_Package, ...]


def parse_pylock(source: Source) -> Findings:
    """Read every package of a pylock.toml."""
    lock = read_toml(source.data, _Lock, what="pylock.toml")
    if lock.lock_version.partition(".")[0] != "1":
        raise UnreadableFile(f"pylock.toml has the unknown version {lock.lock_version[:20]!r}")
    packages: list[Package] = []
    flaws: list[str] = []
    for package in lock.packages:
        if package.is_local:
            continue
        try:
            packages.append(_finding(package, flaws))
        except Problem as problem:
            flaws.append(f"package {package.name[:60]!r}: {problem.message}")
    return Findings(tuple(packages), tuple(flaws))


def _finding(package: _Package, flaws: list[str]) -> Package:
    name = normalised(package.name)
    return Package(
        purl=pypi(package.name, package.version or "", _origin(package.vcs)),
        keys=(f"{name}@{package.version or ''}", name),
        wants=tuple(map(_want, package.dependencies)),
        hashes=readable(_hashes(package), flaws),
    )


def _want(dependency: _Dependency) -> Want:
    name = normalised(dependency.name)
    return Want((f"{name}@{dependency.version}",) if dependency.version else (name,))


def _origin(vcs: _Vcs | None) -> dict[str, str]:
    if vcs is None or not vcs.url:  # a path on the locker's own disk is nobody else's origin
        return {}
    return {"vcs_url": public(f"{vcs.type}+{vcs.url}@{vcs.commit_id}")}


def _hashes(package: _Package) -> Iterator[str]:
    for found in (package.archive, package.sdist, *package.wheels):
        for algorithm, value in found.hashes.items() if found else ():
            yield f"{algorithm}:{value}"
