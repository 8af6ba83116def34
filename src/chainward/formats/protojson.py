"""Small words of protobuf's JSON mapping, which Sigstore's documents are written in.

Follows the ProtoJSON format: 64-bit integers are strings (numbers are read too), bytes are base64 in either alphabet,
members with default values may be left out, instants are RFC 3339. Used by :mod:`~chainward.formats.bundle`,
:mod:`~chainward.formats.rekor` and :mod:`~chainward.formats.trusted_root`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from chainward.formats.codec import decode_base64, encode_base64
from chainward.formats.errors import Malformed

__all__ = ["Int64", "RawBytes", "natural", "raw", "raw_members"]

Int64 = int | str
_NATURAL: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_MAX: Final = 2**63 - 1


class RawBytes(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Bytes in an object of their own: a certificate, a public key."""

    raw_bytes: str


def natural(value: Int64, *, what: str) -> int:
    """Return a non-negative 64-bit integer; raises Malformed."""
    if isinstance(value, str):
        if _NATURAL.match(value) is None:
            raise Malformed(what, f"{value[:40]!r} is not a non-negative integer")
        value = int(value)
    if not 0 <= value <= _MAX:
        raise Malformed(what, "an integer is out of range")
    return value


def raw(text: str, *, what: str, size: int | None = None) -> bytes:
    """Return the bytes behind ``text``, exactly ``size`` of them if given; raises Malformed."""
    data = decode_base64(text, what=what, url_safe_too=True)
    if size is not None and len(data) != size:
        raise Malformed(what, f"has {len(data)} bytes, not {size}")
    return data


def raw_members(data: bytes) -> dict[str, str]:
    """Return the JSON members of :class:`RawBytes`."""
    return {"rawBytes": encode_base64(data)}
