"""Leaves of a certificate log, as somebody reads them who watches the log (RFC 6962, section 3.4).

In: the bytes of a MerkleTreeLeaf. Out: a :class:`CertificateLeaf` with the certificate in it. What a log holds for a
precertificate is only its to-be-signed part; it is given out as a certificate whose signature is empty, so that it can
be read like one. Nobody may believe it for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chainward.formats.codec import check_size
from chainward.formats.errors import Malformed, Unsupported

__all__ = ["MAX_LEAF", "CertificateLeaf", "decode_certificate_leaf"]

MAX_LEAF: Final = 1 << 24
_WHAT: Final = "leaf of a certificate log"
_HEAD: Final = b"\x00\x00"  # version v1, leaf type timestamped_entry
_X509_ENTRY: Final = 0
_PRECERT_ENTRY: Final = 1
_KEY_HASH: Final = 32
_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_VERSION: Final = 0xA0
_EMPTY_SIGNATURE: Final = b"\x03\x01\x00"
_LONG_FORM: Final = 0x80
_MAX_LENGTH_SIZE: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_TIMESTAMP: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class CertificateLeaf:
    """When something was logged, and the certificate: whole, or (``is_precertificate``) with an empty signature."""

    timestamp: datetime
    certificate_der: bytes
    is_precertificate: bool


def decode_certificate_leaf(data: bytes) -> CertificateLeaf:
    """Read a leaf; raises TooLarge, Malformed, or Unsupported for another version or type of entry."""
    check_size(data, limit=MAX_LEAF, what=_WHAT)
    if data[: len(_HEAD)] != _HEAD:
        raise Unsupported(_WHAT, "is not a timestamped entry of version 1")
    moment = int.from_bytes(_taken(data, 2, 8), "big")
    if moment > _MAX_TIMESTAMP:
        raise Malformed(_WHAT, "its time is beyond the year 9999")
    timestamp = _EPOCH + timedelta(milliseconds=moment)
    kind = int.from_bytes(_taken(data, 10, 2), "big")
    if kind not in {_X509_ENTRY, _PRECERT_ENTRY}:
        raise Unsupported(_WHAT, f"entries of type {kind} are not read")
    start = 12 + (_KEY_HASH if kind == _PRECERT_ENTRY else 0)
    size = int.from_bytes(_taken(data, start, 3), "big")
    body = _taken(data, start + 3, size)
    after = start + 3 + size
    extensions = int.from_bytes(_taken(data, after, 2), "big")
    if after + 2 + extensions != len(data):
        raise Malformed(_WHAT, "ends too early or too late")
    if kind == _X509_ENTRY:
        return CertificateLeaf(timestamp, body, is_precertificate=False)
    return CertificateLeaf(timestamp, _as_certificate(body), is_precertificate=True)


def _as_certificate(tbs: bytes) -> bytes:
    """Return a to-be-signed part with its own algorithm and an empty signature around it."""
    _, inner, end = _element(tbs, 0, _SEQUENCE)
    if end != len(tbs):
        raise Malformed(_WHAT, "the certificate in it has bytes behind its end")
    if tbs[inner : inner + 1] == bytes((_VERSION,)):
        _, _, inner = _element(tbs, inner, _VERSION)
    _, _, algorithm = _element(tbs, inner, _INTEGER)
    start, _, end = _element(tbs, algorithm, _SEQUENCE)
    content = tbs + tbs[start:end] + _EMPTY_SIGNATURE
    return bytes((_SEQUENCE,)) + _length(len(content)) + content


def _element(data: bytes, at: int, tag: int) -> tuple[int, int, int]:
    """Return where a DER element starts, where its content starts, and where it ends."""
    first = _taken(data, at, 2)
    if first[0] != tag:
        raise Malformed(_WHAT, "the certificate in it is not one in DER")
    size, content = first[1], at + 2
    if size & _LONG_FORM:
        count = size & ~_LONG_FORM
        if not 1 <= count <= _MAX_LENGTH_SIZE:
            raise Malformed(_WHAT, "the certificate in it is not one in DER")
        size = int.from_bytes(_taken(data, content, count), "big")
        content += count
    _taken(data, content, size)
    return at, content, content + size


def _length(size: int) -> bytes:
    if size < _LONG_FORM:
        return bytes((size,))
    encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((_LONG_FORM | len(encoded),)) + encoded


def _taken(data: bytes, start: int, count: int) -> bytes:
    if start + count > len(data):
        raise Malformed(_WHAT, "ends too early")
    return data[start : start + count]
