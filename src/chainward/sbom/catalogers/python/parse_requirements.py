"""A requirements file to packages: pip's format, as ``uv pip compile`` and ``pip-compile`` lock it.

Only entries pinned with ``==`` or ``===`` are components; anything else says what may be installed, not what is. The
``# via`` remarks of the compilers give the edges; an entry that is there because of a file, or for no stated reason,
is one that the project asks for itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.declaration import Findings, Package, Source, Want
from chainward.sbom.catalogers.hashes import readable
from chainward.sbom.catalogers.python.names import normalised, pypi, requirement
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["parse_requirements"]

_PIN = re.compile(r"={2,3}\s*([A-Za-z0-9][A-Za-z0-9._+!-]*)\Z")
_HASH = re.compile(r"--hash[= ]\s*([a-z0-9]+:[0-9A-Fa-f]+)")
_OPTION = re.compile(r"\s--?[A-Za-z]")
_REMARK = re.compile(r"(?:^|\s)#(.*)\Z")
_PARENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?\Z")
_VIA: Final = "via"


@dataclass(slots=True)
class _Entry:
    """One logical line with the remark lines below it."""

    text: str
    remarks: list[str] = field(default_factory=list)


def parse_requirements(source: Source) -> Findings:
    """Read the pinned entries of a requirements file."""
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableFile("the requirements file is not UTF-8") from None
    if "\0" in text:
        raise UnreadableFile("the requirements file is binary")
    pinned: list[tuple[Package, tuple[str, ...]]] = []
    flaws: list[str] = []
    for entry in _entries(text):
        try:
            package = _package(entry.text, flaws)
        except Problem as problem:
            flaws.append(f"entry {entry.text[:60]!r}: {problem.message}")
            continue
        if package:
            pinned.append((package, _parents(entry.remarks)))
    return Findings(tuple(_connected(pinned)), tuple(flaws))


def _entries(text: str) -> Iterator[_Entry]:
    """Give the entries; remark lines belong to the entry above them."""
    entry: _Entry | None = None
    for line, remark in _logical_lines(text):
        if line and entry:
            yield entry
        if line:
            entry = _Entry(line)
        if remark and entry:
            entry.remarks.append(remark)
    if entry:
        yield entry


def _logical_lines(text: str) -> Iterator[tuple[str, str]]:
    """Join continued lines as pip does, and part each from its remark.

    Nothing stands between the parts of a continued line, and a line that is only a remark ends it, as the file does.
    """
    parts: list[str] = []
    for line in text.splitlines():
        remark = _REMARK.search(line)
        bare = line[: remark.start()] if remark else line
        is_remark = remark is not None and not bare.strip()
        if not is_remark:
            parts.append(bare.rstrip("\\"))
        if is_remark or not bare.endswith("\\"):
            yield "".join(parts).strip(), remark[1].strip() if remark else ""
            parts = []
    yield "".join(parts).strip(), ""


def _package(text: str, flaws: list[str]) -> Package | None:
    found = requirement(_OPTION.split(text, maxsplit=1)[0])
    pin = _PIN.match(found.constraint) if found else None
    if found is None or pin is None:
        return None
    return Package(
        purl=pypi(found.name, pin[1]),
        keys=(found.name,),
        hashes=readable(_HASH.findall(text), flaws),
    )


def _parents(remarks: Sequence[str]) -> tuple[str, ...]:
    """The names after ``via``, on its line or on the lines below it; ``-r file`` stands for the project itself."""
    names: list[str] = []
    is_via = False
    for remark in remarks:
        word, _, rest = remark.partition(" ")
        if word == _VIA:
            is_via, remark = True, rest  # noqa: PLW2901 - the rest of the line is the first parent
        if is_via and remark.strip():
            names.extend(part.strip() for part in remark.split(","))
    return tuple(normalised(name.partition("[")[0]) if _PARENT.match(name) else "" for name in names)


def _connected(pinned: Sequence[tuple[Package, tuple[str, ...]]]) -> Iterator[Package]:
    children: dict[str, list[str]] = {}
    for package, parents in pinned:
        for parent in parents:
            children.setdefault(parent, []).append(package.keys[0])
    for package, parents in pinned:
        wants = tuple(Want((child,)) for child in children.get(package.keys[0], ()))
        is_direct = not parents or "" in parents
        yield Package(package.purl, package.keys, wants, hashes=package.hashes, is_direct=is_direct)
