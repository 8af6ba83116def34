"""What cosign up to version 2 wrote beside images: layers under the tags ``sha256-<hex>.sig`` and ``.att``. Read only.

Follows cosign's published signature specification (specs/SIGNATURE_SPEC.md, specs/ATTESTATION_SPEC.md): a layer of a
``.sig`` is a payload in the "simple signing" format, a layer of an ``.att`` a DSSE envelope; signature, certificate,
log entry (Rekor v1, with the log's promise) and timestamps stand in annotations of the layer. In: such a layer. Out: a
Sigstore bundle v0.1 with the same content, for :mod:`chainward.trust.prove`; nothing of it is verified here.

Of a payload two members count: its type, and the digest of the manifest that was signed. ``docker-reference`` is the
name that the signer gave the image, and proves nothing about where it lies.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.bundle import BUNDLE_V01
from chainward.formats.codec import decode_base64, decode_json, deterministic_json, encode_base64
from chainward.formats.dsse import decode_envelope, envelope_members
from chainward.formats.errors import Malformed
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MAX_LEGACY_LAYER",
    "SIMPLE_SIGNING",
    "LegacyLayer",
    "bundle_of_layer",
    "decode_simple_signing",
    "fallback_tag",
    "legacy_tags",
]

SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
MAX_LEGACY_LAYER: Final = 4 * 1024 * 1024
_TYPES: Final = frozenset({"cosign container image signature", "atomic container signature"})
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_BUNDLE: Final = "dev.sigstore.cosign/bundle"
_CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
_TIMESTAMP: Final = "dev.sigstore.cosign/rfc3161timestamp"
_MAX_ANNOTATION: Final = 8 * 1024 * 1024
_MAX_PAYLOAD: Final = 64 * 1024
_PEM: Final = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,87400})-----END CERTIFICATE-----\s*\Z")
_WHAT: Final = "cosign layer"


@dataclass(frozen=True, slots=True)
class LegacyLayer:
    """One signature as it lies in a registry: the media type, content and annotations of its layer."""

    media_type: str
    content: bytes
    annotations: Mapping[str, str]

    @property
    def is_signature(self) -> bool:
        """Whether the image was signed as such; else the layer is an attestation about it."""
        return self.media_type == SIMPLE_SIGNING


class _Image(msgspec.Struct, frozen=True, kw_only=True):
    digest: str = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    image: _Image


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    critical: _Critical


class _LogPayload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    body: str
    integrated_time: int
    log_index: int
    log_id: str = msgspec.field(name="logID")


class _LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    promise: str = msgspec.field(name="SignedEntryTimestamp")
    payload: _LogPayload = msgspec.field(name="Payload")


class _Kind(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    kind: str
    api_version: str


class _Timestamp(msgspec.Struct, frozen=True, kw_only=True):
    token: str = msgspec.field(name="SignedRFC3161Timestamp")


def legacy_tags(digest: Digest) -> tuple[str, str]:
    """Return the tags under which signatures of an image, and attestations about it, lie.

    >>> from chainward.kernel.digest import Algorithm, Digest
    >>> legacy_tags(Digest(Algorithm.SHA256, "ab" * 32))[0][:12]
    'sha256-ababa'
    """
    stem = fallback_tag(digest)
    return f"{stem}.sig", f"{stem}.att"


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the list of referrers where a registry keeps none (distribution-spec 1.1.1)."""
    return f"{digest.algorithm.value}-{digest.hex}"


def decode_simple_signing(payload: bytes) -> Digest:
    """Return the digest of the manifest that a payload signs.

    Raises:
        TooLarge, Malformed: it is not a payload of an image signature.
        InvalidDigest: what it signs is not a digest.
    """
    critical = decode_json(payload, _Payload, limit=_MAX_PAYLOAD, what=_WHAT).critical
    if critical.type not in _TYPES:
        raise Malformed(_WHAT, f"a payload of type {critical.type[:60]!r} signs no image")
    return Digest.parse(critical.image.digest)


def bundle_of_layer(layer: LegacyLayer) -> bytes:
    """Return the bundle v0.1 with the content of a layer.

    A log entry that is not there is not there in the bundle; a root or intermediate in the annotations is left out,
    because issuers come from the trusted root.

    Raises:
        TooLarge, Malformed: the layer or an annotation cannot be read.
    """
    certificate = layer.annotations.get(_CERTIFICATE, "")
    verifier = {"certificate": {"rawBytes": _der(certificate)}} if certificate else {"publicKey": {"hint": ""}}
    tokens = _timestamps(layer.annotations.get(_TIMESTAMP, ""))
    material: dict[str, Any] = {
        **verifier,
        "tlogEntries": _entries(layer.annotations.get(_BUNDLE, "")),
        "timestampVerificationData": {"rfc3161Timestamps": tokens},
    }
    return deterministic_json(
        {"mediaType": BUNDLE_V01, "verificationMaterial": material, **_content(layer)},
    )


def _content(layer: LegacyLayer) -> dict[str, Any]:
    if not layer.is_signature:
        return {"dsseEnvelope": envelope_members(decode_envelope(layer.content, limit=MAX_LEGACY_LAYER))}
    signature = decode_base64(layer.annotations.get(_SIGNATURE, ""), what=f"{_WHAT}: signature")
    if not signature:
        raise Malformed(_WHAT, "has no signature")
    digest = {"algorithm": "SHA2_256", "digest": encode_base64(hashlib.sha256(layer.content).digest())}
    return {"messageSignature": {"messageDigest": digest, "signature": encode_base64(signature)}}


def _entries(text: str) -> list[dict[str, Any]]:
    """Return the log entry of an annotation as bundles write it."""
    if not text:
        return []
    entry = decode_json(text.encode(), _LogEntry, limit=_MAX_ANNOTATION, what=f"{_WHAT}: log entry")
    body = decode_base64(entry.payload.body, what=f"{_WHAT}: body")
    kind = decode_json(body, _Kind, limit=_MAX_ANNOTATION, what=f"{_WHAT}: body")
    try:
        log_id = bytes.fromhex(entry.payload.log_id)
    except ValueError:
        raise Malformed(_WHAT, "the id of the log is not hexadecimal") from None
    return [
        {
            "logIndex": str(entry.payload.log_index),
            "logId": {"keyId": encode_base64(log_id)},
            "kindVersion": {"kind": kind.kind, "version": kind.api_version},
            "integratedTime": str(entry.payload.integrated_time),
            "inclusionPromise": {"signedEntryTimestamp": entry.promise},
            "canonicalizedBody": encode_base64(body),
        }
    ]


def _timestamps(text: str) -> list[dict[str, str]]:
    if not text:
        return []
    found = decode_json(text.encode(), _Timestamp, limit=_MAX_ANNOTATION, what=f"{_WHAT}: timestamp")
    return [{"signedTimestamp": found.token}]


def _der(pem: str) -> str:
    """Return the DER of one certificate in base64, as bundles write it."""
    match = _PEM.match(pem)
    if match is None:
        raise Malformed(_WHAT, "the certificate is not one PEM block")
    return encode_base64(decode_base64("".join(match[1].split()), what=f"{_WHAT}: certificate"))
