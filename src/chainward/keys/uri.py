"""Where a signing key is, as text: ``file:release.key``.

The scheme says which kind of holder (RFC 3986 §3.1), the rest is that holder's own business and is not interpreted
here. A text without a scheme is a file. Turning a reference into a Signer is :mod:`chainward.adapters.signers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from chainward.keys.errors import KeyReferenceInvalid

__all__ = ["KeyReference"]

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{1,31}):(.*)\Z", re.DOTALL)
_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class KeyReference:
    """A key by the kind of its holder and its place there.

    >>> KeyReference.parse("file:keys/release.key")
    KeyReference(scheme='file', place='keys/release.key')
    >>> KeyReference.parse("release.key")
    KeyReference(scheme='file', place='release.key')
    """

    scheme: str
    place: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``scheme:place``, or a bare path; raises KeyReferenceInvalid."""
        if len(text) > _MAX or "\x00" in text:
            raise KeyReferenceInvalid(f"{text[:80]!r} does not say where a key is")
        match = _SCHEME.match(text)
        scheme, place = (match[1], match[2]) if match else ("file", text)
        if not place:
            raise KeyReferenceInvalid(f"{text[:80]!r} does not say where a key is")
        return cls(scheme, place)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.place}"
