"""The to-be-signed part of a certificate (RFC 5280 §4.1): what can be put into it and around it without reading it all.

In: the part in DER, as a builder of certificates wrote it. Out: the same with one extension more, or the certificate
that a signature makes of it. So a certificate that differs from what was logged by the log's promise alone (RFC 6962
§3.2) is written once and not twice. Whoever gives bytes of others gets an error for those that are no such part.
"""

from __future__ import annotations

from typing import Final

from chainward.formats.der import SEQUENCE, bounds, element
from chainward.formats.errors import Malformed

__all__ = ["certificate_of", "with_extension"]

_WHAT: Final = "to-be-signed part of a certificate"
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_BIT_STRING: Final = 0x03
_NO_UNUSED_BITS: Final = b"\x00"


def with_extension(tbs: bytes, extension: bytes) -> bytes:
    """Return ``tbs`` with ``extension``, a whole Extension in DER, behind the others that it has; raises Malformed."""
    try:
        start, end = _inside(tbs)
        at = start
        while tbs[at] != _EXTENSIONS:
            at = bounds(tbs, at)[1]
        listed, last = bounds(tbs, at)
        first, _ = bounds(tbs, listed)
    except (IndexError, ValueError):
        raise Malformed(_WHAT, "has no extensions that another one could follow") from None
    if last != end:
        raise Malformed(_WHAT, "goes on behind its extensions")
    extensions = element(_EXTENSIONS, element(SEQUENCE, tbs[first:last], extension))
    return element(SEQUENCE, tbs[start:at], extensions)


def certificate_of(tbs: bytes, signature: bytes) -> bytes:
    """Return the certificate that ``signature``, by the algorithm that ``tbs`` names, makes of it; raises Malformed."""
    try:
        at, _ = _inside(tbs)
        if tbs[at] == _VERSION:
            at = bounds(tbs, at)[1]
        algorithm = bounds(tbs, at)[1]
        end = bounds(tbs, algorithm)[1]
    except (IndexError, ValueError):
        raise Malformed(_WHAT, "names no algorithm") from None
    return element(SEQUENCE, tbs, tbs[algorithm:end], element(_BIT_STRING, _NO_UNUSED_BITS, signature))


def _inside(tbs: bytes) -> tuple[int, int]:
    start, end = bounds(tbs, 0)
    if tbs[0] != SEQUENCE or end != len(tbs):
        raise ValueError("not one element")
    return start, end
