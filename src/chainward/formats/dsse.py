"""DSSE envelopes: a payload, its type, and signatures over both.

Follows the Dead Simple Signing Envelope specification v1.0.2 (protocol.md: PAE; envelope.md: JSON form, unknown members
are ignored, either base64 alphabet is read). In: JSON bytes. Out: an :class:`Envelope` whose payload is the very bytes
that were signed; nobody needs to encode them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chainward.formats.codec import decode_base64, decode_json, deterministic_json, encode_base64
from chainward.formats.errors import Malformed

__all__ = [
    "MAX_ENVELOPE",
    "PAYLOAD_TYPE_INTOTO",
    "Envelope",
    "Signature",
    "WireEnvelope",
    "decode_envelope",
    "encode_envelope",
    "envelope_members",
    "pae",
]

PAYLOAD_TYPE_INTOTO: Final = "application/vnd.in-toto+json"
MAX_ENVELOPE: Final = 32 * 1024 * 1024
_WHAT: Final = "dsse envelope"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over the PAE; ``keyid`` is a hint and proves nothing."""

    sig: bytes
    keyid: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type, and at least one signature over both; not verified."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]

    def pae(self) -> bytes:
        """Return the bytes that the signatures are over."""
        return pae(self.payload_type, self.payload)


class _WireSignature(msgspec.Struct, frozen=True, kw_only=True):
    sig: str
    keyid: str | None = None


class WireEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON form, as a member of other documents; :meth:`value` gives the envelope."""

    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: tuple[_WireSignature, ...]

    def value(self) -> Envelope:
        """Return the envelope with its base64 members decoded; raises Malformed."""
        if not self.payload_type:
            raise Malformed(_WHAT, "payloadType is empty")
        if not self.signatures:
            raise Malformed(_WHAT, "there is no signature")
        return Envelope(
            decode_base64(self.payload, what=f"{_WHAT}: payload", url_safe_too=True),
            self.payload_type,
            tuple(
                Signature(decode_base64(each.sig, what=f"{_WHAT}: sig", url_safe_too=True), each.keyid or "")
                for each in self.signatures
            ),
        )


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: unambiguous, so a payload cannot be passed off as another type.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def decode_envelope(data: bytes, *, limit: int = MAX_ENVELOPE) -> Envelope:
    """Read an envelope; raises TooLarge or Malformed."""
    return decode_json(data, WireEnvelope, limit=limit, what=_WHAT, depth=None).value()


def encode_envelope(envelope: Envelope) -> bytes:
    """Write an envelope as JSON, deterministically."""
    return deterministic_json(envelope_members(envelope))


def envelope_members(envelope: Envelope) -> dict[str, Any]:
    """Return the JSON members of an envelope, for documents that contain one."""
    signatures = [
        {"sig": encode_base64(signature.sig)} | ({"keyid": signature.keyid} if signature.keyid else {})
        for signature in envelope.signatures
    ]
    return {
        "payload": encode_base64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": signatures,
    }
