"""package-lock.json to packages: lockfileVersion 1, 2 and 3 (npm docs, "package-lock.json").

The project itself and workspace members are not components: what they ask for is direct. Aliases are resolved to the
package that is really installed. ``integrity`` becomes hashes; the flags dev, optional, devOptional and peer become the
scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_json
from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.declaration import MEBIBYTE, Findings, Package, Source, Want
from chainward.sbom.catalogers.hashes import readable
from chainward.sbom.catalogers.javascript.modules import FOLDER, candidates, licence_of, name_in, npm
from chainward.sbom.catalogers.origins import public
from chainward.sbom.errors import UnreadableFile
from chainward.sbom.model import Hash, Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = ["parse_package_lock"]

_MAX_PATH: Final = 4096
_MAX_STEPS: Final = 5_000_000
_ALIAS: Final = "npm:"
_NOT_RELEASED: Final = ("git+", "git:", "github:", "file:")


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    """A member of ``packages``, and of version 1's ``dependencies``."""

    name: str | None = None
    version: str | None = None
    resolved: Any = None
    integrity: str | None = None
    license: Any = None
    link: bool = False
    dev: bool = False
    optional: bool = False
    dev_optional: bool = False
    requires: Any = None  # version 1: true, or names to ranges
    dependencies: dict[str, Any] | None = None  # names to ranges; in version 1 names to entries
    dev_dependencies: dict[str, Any] | None = None
    optional_dependencies: dict[str, Any] | None = None
    peer_dependencies: dict[str, Any] | None = None


class _Lock(msgspec.Struct, frozen=True, rename="camel"):
    lockfile_version: int
    packages: dict[str, _Entry] | None = None
    dependencies: dict[str, Any] | None = None


def parse_package_lock(source: Source) -> Findings:
    """Read every package of a package-lock.json or npm-shrinkwrap.json."""
    lock = decode_json(source.data.removeprefix(b"\xef\xbb\xbf"), _Lock, limit=64 * MEBIBYTE, what="package-lock.json")
    if lock.lockfile_version not in {1, 2, 3}:
        raise UnreadableFile(f"package-lock.json has the unknown version {lock.lockfile_version}")
    entries = lock.packages if lock.packages is not None else dict(_version_1(lock.dependencies or {}, ""))
    _check_size(entries)
    direct = _direct(entries)
    packages: list[Package] = []
    flaws: list[str] = []
    for path, entry in entries.items():
        if FOLDER not in path or entry.link:
            continue
        try:
            packages.append(_finding(path, entry, entries.keys(), flaws, is_direct=path in direct))
        except Problem as problem:
            flaws.append(f"package {path[:120]!r}: {problem.message}")
    return Findings(tuple(packages), tuple(flaws))


def _direct(entries: Mapping[str, _Entry]) -> frozenset[str]:
    """What the project and its workspace members ask for themselves."""
    own = [(path, entry) for path, entry in entries.items() if FOLDER not in path]
    wanted = ((path, (*_wanted(entry), *(entry.dev_dependencies or ()))) for path, entry in own)
    return frozenset(found for path, names in wanted for found in _targets(path, names, entries.keys()))


def _check_size(entries: Mapping[str, _Entry]) -> None:
    """Bound the work of resolving: each want is looked for in every folder above its package."""
    if any(len(path) > _MAX_PATH for path in entries):
        raise UnreadableFile(f"package-lock.json has a path of more than {_MAX_PATH} characters")
    steps = sum(
        (path.count("/") + 2) * sum(1 for _ in (*_wanted(entry), *(entry.dev_dependencies or ())))
        for path, entry in entries.items()
    )
    if steps > _MAX_STEPS:
        raise UnreadableFile(f"package-lock.json takes more than {_MAX_STEPS} steps to resolve")


def _version_1(dependencies: Mapping[str, Any], parent: str) -> Iterator[tuple[str, _Entry]]:
    """Give the nested entries of version 1 in the flat form of version 3."""
    for name, raw in dependencies.items():
        path = f"{parent}/{FOLDER}{name}" if parent else f"{FOLDER}{name}"
        if len(path) > _MAX_PATH:
            raise UnreadableFile(f"package-lock.json has a path of more than {_MAX_PATH} characters")
        entry = _convert(raw)
        requires = entry.requires if isinstance(entry.requires, dict) else {}
        yield path, msgspec.structs.replace(entry, dependencies=requires)
        yield from _version_1(entry.dependencies or {}, path)


def _convert(raw: object) -> _Entry:
    try:
        return msgspec.convert(raw, _Entry)
    except msgspec.ValidationError as error:
        raise UnreadableFile(f"package-lock.json: {error}") from None


def _finding(path: str, entry: _Entry, places: Collection[str], flaws: list[str], *, is_direct: bool) -> Package:
    name, version = entry.name or name_in(path), entry.version or ""
    if version.startswith(_ALIAS):
        name, _, version = version.removeprefix(_ALIAS).rpartition("@")
    origin = next((text for text in (entry.resolved, version) if _is_origin(text)), "")
    return Package(
        purl=npm(name, "" if version == origin else version, "" if origin.startswith("file:") else public(origin)),
        keys=(path,),
        wants=tuple(Want((found,)) for found in _targets(path, _wanted(entry), places)),
        scope=_scope(entry),
        hashes=readable((entry.integrity or "").split(), flaws, Hash.parse_integrity),
        licences=licence_of(entry.license),
        is_direct=is_direct,
    )


def _is_origin(text: object) -> bool:
    return isinstance(text, str) and text.startswith(_NOT_RELEASED)


def _wanted(entry: _Entry) -> Iterator[str]:
    for declared in (entry.dependencies, entry.optional_dependencies, entry.peer_dependencies):
        yield from declared or ()


def _targets(path: str, names: Iterable[str], places: Collection[str]) -> Iterator[str]:
    """The packages that a package at ``path`` gets when it asks for ``names``."""
    for name in names:
        found = next((place for place in candidates(path, name) if place in places), None)
        if found is not None:
            yield found


def _scope(entry: _Entry) -> Scope:
    if entry.dev:
        return Scope.DEV
    # devOptional: a development dependency that is also an optional one of something needed at run time.
    return Scope.OPTIONAL if entry.optional or entry.dev_optional else Scope.RUNTIME
