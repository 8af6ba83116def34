"""poetry.lock to packages: lock formats 1.0 to 2.1.

Format 2.1 names the groups that need each package, older ones a category or nothing. The lock does not say what the
project asks for itself, so what nothing else needs counts as that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.declaration import Findings, Package, Source, Want
from chainward.sbom.catalogers.hashes import readable
from chainward.sbom.catalogers.origins import public
from chainward.sbom.catalogers.python.names import normalised, pypi, read_toml, requirement
from chainward.sbom.model import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["parse_poetry_lock"]


class _File(msgspec.Struct, frozen=True):
    hash: str


class _Origin(msgspec.Struct, frozen=True):
    type: str = ""
    url: str = ""
    resolved_reference: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str
    optional: bool = False
    category: str = ""
    groups: tuple[str, ...] = ()
    files: tuple[_File, ...] = ()
    dependencies: dict[str, Any] = {}
    extras: dict[str, tuple[str, ...]] = {}
    source: _Origin | None = None


class _Metadata(msgspec.Struct, frozen=True):
    files: dict[str, tuple[_File, ...]] = {}


class _Lock(msgspec.Struct, frozen=True):
    metadata: _Metadata
    package: tuple[_Package, ...] = ()


def parse_poetry_lock(source: Source) -> Findings:
    """Read every package of a poetry.lock."""
    lock = read_toml(source.data, _Lock, what="poetry.lock")
    packages: list[Package] = []
    flaws: list[str] = []
    for package in lock.package:
        files = package.files or lock.metadata.files.get(package.name, ())
        try:
            packages.append(_finding(package, files, flaws))
        except Problem as problem:
            flaws.append(f"package {package.name[:60]!r}: {problem.message}")
    return Findings(tuple(packages), tuple(flaws))


def _finding(package: _Package, files: Sequence[_File], flaws: list[str]) -> Package:
    return Package(
        purl=pypi(package.name, package.version, _origin(package.source)),
        keys=(normalised(package.name),),
        wants=tuple(_wants(package)),
        scope=_scope(package),
        hashes=readable((found.hash for found in files), flaws),
    )


def _origin(source: _Origin | None) -> dict[str, str]:
    if source is None or source.type != "git":
        return {}
    commit = f"@{source.resolved_reference}" if source.resolved_reference else ""
    return {"vcs_url": public(f"git+{source.url}{commit}")}


def _scope(package: _Package) -> Scope:
    if package.category == "dev" or (package.groups and "main" not in package.groups):
        return Scope.DEV
    return Scope.OPTIONAL if package.optional else Scope.RUNTIME


def _wants(package: _Package) -> Iterator[Want]:
    behind_extras: dict[str, list[str]] = {}
    for extra, texts in package.extras.items():
        for found in filter(None, map(requirement, texts)):
            behind_extras.setdefault(found.name, []).append(normalised(extra))
    for name, constraint in package.dependencies.items():
        key = normalised(name)
        is_optional = any(isinstance(each, dict) and each.get("optional") for each in _listed(constraint))
        for extra in behind_extras.get(key, [""]) if is_optional else [""]:
            yield Want((key,), feature=extra, asks_for=tuple(_extras(constraint)))


def _listed(constraint: object) -> list[object]:
    return constraint if isinstance(constraint, list) else [constraint]


def _extras(constraint: object) -> Iterator[str]:
    for found in _listed(constraint):
        extras = found.get("extras", ()) if isinstance(found, dict) else ()
        yield from (normalised(extra) for extra in extras if isinstance(extra, str))
