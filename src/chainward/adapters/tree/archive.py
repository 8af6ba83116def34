"""The entries of a tar archive, read forward from a bounded stream.

Knows what image layers consist of: ustar, the GNU extensions for long names and large numbers, and pax headers
(POSIX.1-2008, "pax Interchange Format"). Sparse files are given without content. Names come out as they stand; whether
they may be used is decided by the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from chainward.sbom.errors import TreeUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.adapters.tree.stream import Budget, LayerStream

__all__ = ["Entry", "Kind", "entries"]

_BLOCK: Final = 512
_EMPTY: Final = b"\0" * _BLOCK
_CHECKSUM: Final = slice(148, 156)
_OCTAL = re.compile(rb"[ \0]*([0-7]+)[ \0]*\Z")
_PAX_LENGTH = re.compile(rb"([0-9]{1,8}) ")
_DECIMAL = re.compile(rb"[0-9]{1,19}\Z")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_MAX_SIZE: Final = 2**62


class Kind(Enum):
    """What an entry is."""

    FILE = "file"
    SPARSE = "sparse file"
    HARD_LINK = "hard link"
    LINK = "symbolic link"
    FOLDER = "folder"
    SPECIAL = "device or pipe"


_KINDS: Final = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"S": Kind.SPARSE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.LINK,
    b"5": Kind.FOLDER,
    b"3": Kind.SPECIAL,
    b"4": Kind.SPECIAL,
    b"6": Kind.SPECIAL,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; its content is read with ``stream.read(entry.size)`` right when the entry is given, or passed over."""

    name: str
    kind: Kind
    size: int
    target: str


@dataclass(slots=True)
class _Extension:
    """What extended headers say about the next entry."""

    name: bytes = b""
    target: bytes = b""
    size: int | None = None
    is_sparse: bool = False


class Content:
    """The content of the entry given last; what is not read is passed over."""

    def __init__(self, stream: LayerStream, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % _BLOCK

    def read(self) -> bytes:
        """Return the whole content."""
        data = self._stream.read(self._left)
        self._left = 0
        return data

    def finish(self) -> None:
        """Go to the next header."""
        self._stream.skip(self._left + self._padding)


def entries(stream: LayerStream, budget: Budget) -> Iterator[tuple[Entry, Content]]:
    """Give entry after entry until the archive's end; raises ``TreeUnreadable`` for what is not a tar archive."""
    extension = _Extension()
    while not stream.is_at_end():
        block = stream.read(_BLOCK)
        if block == _EMPTY:
            return
        budget.spend_entry()
        _check(block)
        kind, size = block[156:157], _number(block[124:136])
        if kind in {_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL}:
            _extend(extension, kind, _header(stream, size, budget))
            continue
        entry = _entry(block, kind, size, extension)
        content = Content(stream, entry.size)
        extension = _Extension()
        yield entry, content
        content.finish()


def _check(block: bytes) -> None:
    promised = _number(block[_CHECKSUM])
    actual = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if promised != actual:
        raise TreeUnreadable("a layer is not a tar archive: a header has a wrong checksum")


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # noqa: PLR2004 - GNU's marker for a binary number
        number = int.from_bytes(field[1:], "big")
    else:
        match = _OCTAL.match(field)
        if match is None and field.strip(b" \0"):
            raise TreeUnreadable("a layer is not a tar archive: a header has no number where one belongs")
        number = int(match[1], 8) if match else 0
    if number > _MAX_SIZE:
        raise TreeUnreadable("a layer has an entry of impossible size")
    return number


def _header(stream: LayerStream, size: int, budget: Budget) -> bytes:
    if size > budget.limits.header:
        raise TreeUnreadable(f"a layer has an extended header of more than {budget.limits.header} bytes")
    content = Content(stream, size)
    data = content.read()
    content.finish()
    return data


def _extend(extension: _Extension, kind: bytes, data: bytes) -> None:
    match kind:
        case b"L":
            extension.name = data.rstrip(b"\0")
        case b"K":
            extension.target = data.rstrip(b"\0")
        case b"x":
            _extend_by_pax(extension, data)
        case _:
            pass  # global headers carry comments; a path for all entries makes no sense


def _extend_by_pax(extension: _Extension, data: bytes) -> None:
    while data.strip(b"\0"):
        match = _PAX_LENGTH.match(data)
        length = int(match[1]) if match else 0
        record, data = data[:length], data[length:]
        key, equals, value = record.partition(b" ")[2].removesuffix(b"\n").partition(b"=")
        if not record.endswith(b"\n") or not equals:
            raise TreeUnreadable("a layer has a malformed pax header")
        if key == b"path":
            extension.name = value
        elif key == b"linkpath":
            extension.target = value
        elif key == b"size":
            extension.size = _decimal(value)
        elif key.startswith(b"GNU.sparse."):
            extension.is_sparse = True


def _decimal(value: bytes) -> int:
    number = int(value) if _DECIMAL.match(value) else _MAX_SIZE + 1
    if number > _MAX_SIZE:
        raise TreeUnreadable("a layer has an entry of impossible size")
    return number


def _entry(block: bytes, kind: bytes, size: int, extension: _Extension) -> Entry:
    name = extension.name or _ustar_name(block)
    entry = Entry(
        name=name.decode(errors="backslashreplace"),
        kind=_KINDS.get(kind, Kind.SPECIAL),
        size=size if extension.size is None else extension.size,
        target=(extension.target or _text(block[157:257])).decode(errors="backslashreplace"),
    )
    if extension.is_sparse and entry.kind is Kind.FILE:
        return replace(entry, kind=Kind.SPARSE)
    if entry.kind in {Kind.HARD_LINK, Kind.LINK, Kind.FOLDER} or kind in b"346":
        return replace(entry, size=0)  # readers agree that these have no content, whatever the header says
    if entry.kind is Kind.FILE and entry.name.endswith("/"):
        return replace(entry, kind=Kind.FOLDER)  # how the oldest archives write folders
    return entry


def _ustar_name(block: bytes) -> bytes:
    name = _text(block[:100])
    # GNU's own format has other things where ustar has the prefix; its magic ends in two spaces.
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
