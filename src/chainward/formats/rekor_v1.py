"""Entries of Rekor v1: what a log of old says was signed, and what it promised about it. Read only.

Follows the published types of Rekor v1: hashedrekord 0.0.1 (a digest, a signature, a verifier in PEM), dsse 0.0.1 (the
digest of a payload, signatures with their verifiers) and intoto 0.0.2 (the same, with the members of the envelope in
base64 twice). In: the canonical body of an entry. Out: a :class:`LoggedSignature`; nothing of it is verified. A body is
the leaf of the log as it stands, so it is read, never rebuilt; what it says is compared with what was signed.

:func:`promised_bytes` gives what a log signs when it promises to include an entry (SignedEntryTimestamp): the RFC 8785
form of body, time, log and index.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from chainward.formats.codec import canonical_json, decode_base64, decode_json, encode_base64
from chainward.formats.errors import Malformed, Unsupported

__all__ = ["MAX_BODY", "V1_KINDS", "LoggedSignature", "decode_v1_body", "promised_bytes"]

MAX_BODY: Final = 48 * 1024 * 1024  # intoto entries of old may carry the whole envelope
V1_KINDS: Final = frozenset({("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.2")})
_WHAT: Final = "rekor v1 entry"
_DIGEST_SIZES: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_PEM: Final = re.compile(
    rb"\s*-----BEGIN (CERTIFICATE|PUBLIC KEY)-----\s([A-Za-z0-9+/=\s]{1,87400})-----END \1-----\s*\Z"
)
_CERTIFICATE: Final = b"CERTIFICATE"


@dataclass(frozen=True, slots=True)
class LoggedSignature:
    """A signature as the log holds it.

    ``digest`` is that of the signed file for a hashedrekord, that of the payload within the envelope for the others;
    ``verifier_der`` is a certificate or a public key (SPKI).
    """

    hash_name: str
    digest: bytes
    signature: bytes
    verifier_der: bytes
    is_certificate: bool


class _Hash(msgspec.Struct, frozen=True, kw_only=True):
    algorithm: str
    value: str

    def raw(self) -> tuple[str, bytes]:
        if _DIGEST_SIZES.get(self.algorithm) != len(self.value):
            raise Malformed(_WHAT, f"{self.algorithm[:20]!r} and its digest do not fit")
        try:
            return self.algorithm, bytes.fromhex(self.value)
        except ValueError:
            raise Malformed(_WHAT, "a digest is not hexadecimal") from None


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    content: str


class _Signature(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    content: str
    public_key: _Content


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    hash: _Hash


class _HashedRekordSpec(msgspec.Struct, frozen=True, kw_only=True):
    data: _Data
    signature: _Signature


class _DsseSignature(msgspec.Struct, frozen=True, kw_only=True):
    signature: str
    verifier: str


class _DsseSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    payload_hash: _Hash
    signatures: tuple[_DsseSignature, ...]


class _IntotoSignature(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    sig: str
    public_key: str


class _IntotoEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    signatures: tuple[_IntotoSignature, ...]


class _IntotoContent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    envelope: _IntotoEnvelope
    payload_hash: _Hash


class _IntotoSpec(msgspec.Struct, frozen=True, kw_only=True):
    content: _IntotoContent


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str
    kind: str
    spec: msgspec.Raw


def decode_v1_body(data: bytes) -> tuple[tuple[str, str], LoggedSignature]:
    """Read a leaf of a Rekor v1 log: its kind and version, and the one signature in it.

    Raises:
        TooLarge: more than :data:`MAX_BODY` bytes.
        Unsupported: an entry of another kind or version.
        Malformed: anything else, also an entry with several signatures.
    """
    body = decode_json(data, _Body, limit=MAX_BODY, what=_WHAT, depth=None)
    kind = (body.kind, body.api_version)
    spec = bytes(body.spec)
    match kind:
        case ("hashedrekord", "0.0.1"):
            return kind, _hashedrekord(spec)
        case ("dsse", "0.0.1"):
            return kind, _dsse(spec)
        case ("intoto", "0.0.2"):
            return kind, _intoto(spec)
        case _:
            raise Unsupported(_WHAT, f"{body.kind[:40]} {body.api_version[:40]} is not read")


def promised_bytes(body: bytes, integrated_time: int, log_id: bytes, log_index: int) -> bytes:
    """Return what the log signed when it promised to include ``body`` at ``log_index``.

    >>> promised_bytes(b"{}", 1, bytes(2), 7)
    b'{"body":"e30=","integratedTime":1,"logID":"0000","logIndex":7}'
    """
    return canonical_json(
        {"body": encode_base64(body), "integratedTime": integrated_time, "logID": log_id.hex(), "logIndex": log_index}
    )


def _hashedrekord(spec: bytes) -> LoggedSignature:
    wire = decode_json(spec, _HashedRekordSpec, limit=MAX_BODY, what=_WHAT, depth=None)
    return _logged(wire.data.hash, _base64(wire.signature.content), _base64(wire.signature.public_key.content))


def _dsse(spec: bytes) -> LoggedSignature:
    wire = decode_json(spec, _DsseSpec, limit=MAX_BODY, what=_WHAT, depth=None)
    if len(wire.signatures) != 1:
        raise Malformed(_WHAT, f"has {len(wire.signatures)} signatures, not one")
    return _logged(wire.payload_hash, _base64(wire.signatures[0].signature), _base64(wire.signatures[0].verifier))


def _intoto(spec: bytes) -> LoggedSignature:
    wire = decode_json(spec, _IntotoSpec, limit=MAX_BODY, what=_WHAT, depth=None).content
    signatures = wire.envelope.signatures
    if len(signatures) != 1:
        raise Malformed(_WHAT, f"has {len(signatures)} signatures, not one")
    twice = _base64(signatures[0].sig).decode("ascii", "replace")
    return _logged(wire.payload_hash, _base64(twice), _base64(signatures[0].public_key))


def _logged(digest: _Hash, signature: bytes, verifier_pem: bytes) -> LoggedSignature:
    match = _PEM.match(verifier_pem)
    if match is None:
        raise Malformed(_WHAT, "the verifier is not one certificate or public key in PEM")
    try:
        der = binascii.a2b_base64(b"".join(match[2].split()), strict_mode=True)
    except binascii.Error:
        raise Malformed(_WHAT, "the verifier is not base64") from None
    name, value = digest.raw()
    return LoggedSignature(name, value, signature, der, match[1] == _CERTIFICATE)


def _base64(text: str) -> bytes:
    return decode_base64(text, what=_WHAT)
