"""The entries of a tar archive, read forward from a bounded stream.

Knows what image layers consist of: ustar, the GNU extensions for long names and large numbers, and pax headers
(POSIX.1-2008, "pax Interchange Format"). Sparse files are given without content. Names come out as they stand (bytes
that are not UTF-8 as lone surrogates); whether they may be used is decided by the caller.

Where the formats leave room, an entry has the name that Go's ``archive/tar`` gives it, because that is what container
runtimes unpack with: a second reading of the same bytes would be a place to hide packages in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
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
_TIME = re.compile(rb"[ \0]*[0-7]*[ \0]*(?:\0.*)?\Z", re.DOTALL)
_PAX_LENGTH = re.compile(rb"([0-9]{1,8}) ")
_DECIMAL = re.compile(rb"[0-9]{1,19}\Z")
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_SPARSE: Final = b"S"
_SPARSE_VERSIONS: Final = frozenset({(b"0", b"0"), (b"0", b"1"), (b"1", b"0")})
_SPARSE_MAPS: Final = (b"GNU.sparse.map", b"GNU.sparse.offset", b"GNU.sparse.numbytes")
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
    """What extended headers say about the next entry: GNU's long names, and the records of the last pax header."""

    name: bytes = b""
    target: bytes = b""
    records: dict[bytes, bytes] = field(default_factory=dict)

    def record(self, key: bytes) -> bytes:
        """The value of a pax record; an empty one takes back what it names."""
        return self.records.get(key, b"")

    @property
    def is_sparse(self) -> bool:
        """Whether any record speaks of a sparse file, in whatever version."""
        return any(key.startswith(b"GNU.sparse.") for key in self.records)

    @property
    def sparse_name(self) -> bytes:
        """The name of a sparse file; the usual place holds another, for readers that know no sparse files."""
        version = (self.record(b"GNU.sparse.major"), self.record(b"GNU.sparse.minor"))
        is_known = version in _SPARSE_VERSIONS or (not any(version) and any(map(self.record, _SPARSE_MAPS)))
        return self.record(b"GNU.sparse.name") if is_known else b""


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
            if not stream.is_at_end() and stream.read(_BLOCK) != _EMPTY:
                raise TreeUnreadable("a layer is not a tar archive: a lone empty block stands between its entries")
            return
        budget.spend_entry()
        _check(block)
        kind, size = block[156:157], _number(block[124:136])
        if kind in {_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL}:
            _extend(extension, kind, _header(stream, size, budget))
            continue
        entry = _entry(block, kind, size, extension)
        if kind == _SPARSE:
            _skip_map(stream, block)
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
            extension.name = _text(data)
        case b"K":
            extension.target = _text(data)
        case b"x":
            extension.records = dict(_records(data))  # a second header replaces the first
        case _:
            # Global headers carry comments; a path for all entries makes no sense. They part an entry from what was
            # said about it before.
            extension.name = extension.target = b""
            extension.records = {}


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    data = data.rstrip(b"\0")
    start = 0
    while start < len(data):
        match = _PAX_LENGTH.match(data, start)
        end = start + int(match[1]) if match else start
        key, equals, value = data[match.end() : end - 1].partition(b"=") if match else (b"", b"", b"")
        if not equals or data[end - 1 : end] != b"\n":
            raise TreeUnreadable("a layer has a malformed pax header")
        yield key, value
        start = end


def _skip_map(stream: LayerStream, block: bytes) -> None:
    """Pass over the blocks in which the map of a sparse file goes on; its size does not count them."""
    more = block[482]
    while more:
        more = stream.read(_BLOCK)[504]


def _decimal(value: bytes) -> int:
    number = int(value) if _DECIMAL.match(value) else _MAX_SIZE + 1
    if number > _MAX_SIZE:
        raise TreeUnreadable("a layer has an entry of impossible size")
    return number


def _entry(block: bytes, kind: bytes, size: int, extension: _Extension) -> Entry:
    name = extension.sparse_name or extension.name or extension.record(b"path") or _ustar_name(block)
    target = extension.target or extension.record(b"linkpath") or _text(block[157:257])
    entry = Entry(
        name=name.decode(errors="surrogateescape"),
        kind=_KINDS.get(kind, Kind.SPECIAL),
        size=_decimal(extension.record(b"size")) if extension.record(b"size") else size,
        target=target.decode(errors="surrogateescape"),
    )
    if extension.is_sparse and entry.kind is Kind.FILE:
        return replace(entry, kind=Kind.SPARSE)
    if entry.kind in {Kind.HARD_LINK, Kind.LINK, Kind.FOLDER} or kind in b"346":
        return replace(entry, size=0)  # readers agree that these have no content, whatever the header says
    if kind == b"\0" and entry.name.endswith("/"):
        return replace(entry, kind=Kind.FOLDER)  # how the oldest archives write folders, and only they
    return entry


def _ustar_name(block: bytes) -> bytes:
    name, prefix = _text(block[:100]), _prefix(block)
    return prefix + b"/" + name if prefix else name


def _prefix(block: bytes) -> bytes:
    """Return what stands before the name: in ustar 155 bytes, in star 131, in GNU's own format two times.

    Writers that put a prefix there under GNU's magic have existed, so it counts where no times can be read.
    """
    if block[257:263] == b"ustar\0":
        return _text(block[345:476] if block[508:512] == b"tar\0" else block[345:500])
    if block[257:265] != b"ustar  \0" or (_is_time(block[345:357]) and _is_time(block[357:369])):
        return b""
    prefix = _text(block[345:500])
    return prefix if prefix.isascii() else b""


def _is_time(field: bytes) -> bool:
    return field[0] >= 0x80 or _TIME.match(field) is not None  # noqa: PLR2004 - GNU's marker for a binary number


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
