"""Byte ranges: of a download (RFC 9110, section 14) and of a chunk that is uploaded (distribution-spec 1.1.1).

In: the text of a header. Out: which bytes are meant, or a Problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chainward.faces.http.errors import ParameterInvalid
from chainward.faces.http.oci.errors import RangeNotSatisfiable
from chainward.registry.errors import UploadLengthWrong
from chainward.registry.upload import Span

__all__ = ["ByteRange", "download_range", "upload_span"]

_UNIT: Final = "bytes="
_RANGE: Final = re.compile(r"([0-9]{0,19})-([0-9]{0,19})\Z")
_CHUNK: Final = re.compile(r"(?:bytes )?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?\Z")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def download_range(header: str | None, size: int) -> ByteRange | None:
    """Return which bytes of a blob of ``size`` bytes a Range header asks for; None means all of them.

    Other units and several ranges at once are ignored, as the standard allows.

    Raises:
        RangeNotSatisfiable: there are no such bytes.
    """
    if header is None or not header.startswith(_UNIT) or "," in header:
        return None
    match = _RANGE.match(header.removeprefix(_UNIT).strip())
    if match is None or match[0] == "-":
        raise RangeNotSatisfiable(f"{header[:80]!r} is not a range", size)
    if not match[1]:
        found = ByteRange(max(size - int(match[2]), 0), size)
    else:
        found = ByteRange(int(match[1]), min(int(match[2]) + 1, size) if match[2] else size)
    if found.start >= found.stop:
        raise RangeNotSatisfiable(f"{header[:80]!r} lies outside of {size} bytes", size)
    return found


def upload_span(content_range: str | None, content_length: int | None) -> Span:
    """Return where a chunk belongs and how long it is.

    Raises:
        ParameterInvalid: Content-Range is not a range.
        UploadLengthWrong: Content-Range and Content-Length contradict each other.
    """
    if content_range is None:
        return Span(None, content_length)
    match = _CHUNK.match(content_range.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise ParameterInvalid(f"Content-Range {content_range[:80]!r} is not of the form first-last")
    length = int(match[2]) - int(match[1]) + 1
    if content_length is not None and content_length != length:
        raise UploadLengthWrong(f"Content-Range covers {length} bytes, Content-Length says {content_length}")
    return Span(int(match[1]), length)
