"""dpkg's status database to packages (deb-control(5), dpkg(1); Debian Policy chapter 7 for relations).

The version keeps its epoch, as dpkg writes it. The qualifiers are ``arch``, ``distro`` and, where it differs,
``upstream``: the source package, with its version if that differs too. Edges follow ``Depends`` and ``Pre-Depends``; of
alternatives the first that is installed, or provided by something installed, is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chainward.kernel.problem import Problem
from chainward.kernel.purl import Purl
from chainward.sbom.catalogers.debian.os_release import Distribution, distribution_of
from chainward.sbom.catalogers.declaration import Findings, Package, Source, Want
from chainward.sbom.catalogers.fields import Fields, first, paragraphs
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["database_root", "parse_status"]

_DATABASE: Final = re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]*)\Z")
_GONE: Final = frozenset({"not-installed", "config-files"})
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
_SOURCE = re.compile(r"(\S+)(?:\s+\(([^)\s]+)\))?\Z")
_RELATION = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9+.-]*)")


def database_root(path: str) -> str:
    """The root that a status file belongs to: empty, or ending in ``/``."""
    return _DATABASE.sub("", path)


def parse_status(source: Source) -> Findings:
    """Read a whole status file, or one package's file in ``status.d``."""
    if source.path.endswith(".md5sums"):  # lies beside the fields in status.d
        return Findings()
    try:
        text = source.data.decode()
    except UnicodeDecodeError:
        raise UnreadableFile("the status file is not UTF-8") from None
    distribution = distribution_of(database_root(source.path), source.beside)
    packages: list[Package] = []
    flaws: list[str] = []
    for fields in paragraphs(text):
        if not _is_installed(fields):
            continue
        try:
            packages.append(_package(fields, distribution))
        except Problem as problem:
            flaws.append(f"package {first(fields, 'package')[:60]!r}: {problem.message}")
    if text.strip() and not packages and not flaws and "package" not in next(paragraphs(text), {}):
        raise UnreadableFile("the status file has no package fields")
    return Findings(tuple(packages), tuple(flaws))


def _is_installed(fields: Fields) -> bool:
    # Slim images keep no Status; what has a file in status.d is installed.
    states = [words[-1] for words in map(str.split, fields.get("status", ())) if words]
    return "package" in fields and (not states or any(state not in _GONE for state in states))


def _package(fields: Fields, distribution: Distribution) -> Package:
    if any(len(fields.get(field, ())) > 1 for field in ("package", "version", "status")):
        raise UnreadableFile("has a field twice, as two paragraphs have that are not parted")
    name, version = first(fields, "package"), first(fields, "version")
    if _NAME.match(name) is None or not version:
        raise UnreadableFile("has no valid name and version")
    architecture = first(fields, "architecture")
    qualifiers = {
        "arch": architecture,
        "distro": distribution.release,
        "upstream": _upstream(name, version, first(fields, "source")),
    }
    provided = (match[1] for match in map(_RELATION.match, first(fields, "provides").split(",")) if match)
    return Package(
        purl=Purl.build(type="deb", namespace=distribution.vendor, name=name, version=version, qualifiers=qualifiers),
        keys=(f"{name}:{architecture}", name, *(f"virtual {other}" for other in provided)),
        wants=tuple(_wants(fields, architecture)),
    )


def _upstream(name: str, version: str, source: str) -> str:
    match = _SOURCE.match(source)
    if match is None:
        return ""
    if match[2] and match[2] != version:
        return f"{match[1]}@{match[2]}"
    return match[1] if match[1] != name else ""


def _wants(fields: Fields, architecture: str) -> Iterator[Want]:
    for relation in ("pre-depends", "depends"):
        for clause in first(fields, relation).split(","):
            names = [match[1] for match in map(_RELATION.match, clause.split("|")) if match]
            keys = [key for name in names for key in (f"{name}:{architecture}", name, f"virtual {name}")]
            if keys:
                yield Want(tuple(keys))
