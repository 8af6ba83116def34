"""Sigstore trusted roots: the logs whose checkpoints a verifier believes.

Follows sigstore protobuf-specs (sigstore_trustroot.proto), media type ``…trustedroot+json;version=0.1``, the only one
that all current clients read. In: JSON bytes. Out: a :class:`TrustedRoot` with the transparency logs; certificate
authorities, certificate logs and timestamp authorities are written as empty lists and skipped when read.

``origin`` is what follows ``https://`` in ``base_url``: Go clients take the checkpoint's origin from the host name
there, JavaScript clients look for the origin within it. A bare host name serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_json, deterministic_json, encode_base64, without_empty
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.protojson import raw
from chainward.kernel.instant import parse_instant, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "MAX_TRUSTED_ROOT",
    "TRUSTED_ROOT_V01",
    "LogKey",
    "TrustedRoot",
    "decode_trusted_root",
    "encode_trusted_root",
]

TRUSTED_ROOT_V01: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
MAX_TRUSTED_ROOT: Final = 1024 * 1024
_WHAT: Final = "trusted root"
_SCHEME: Final = "https://"
_SHA256: Final = "SHA2_256"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """A log's key: whose checkpoints it signs, its SPKI and kind, the id by which entries name it, when it was used."""

    origin: str
    base_url: str
    public_key_der: bytes
    key_details: str
    key_id: bytes
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """The transparency logs of a trusted root, in its order."""

    logs: tuple[LogKey, ...]


class _WirePeriod(msgspec.Struct, frozen=True, kw_only=True):
    start: str
    end: str | None = None


class _WireKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    raw_bytes: str
    key_details: str
    valid_for: _WirePeriod


class _WireLogId(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    key_id: str


class _WireLog(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    base_url: str
    hash_algorithm: str
    public_key: _WireKey
    log_id: _WireLogId

    def value(self) -> LogKey:
        if self.hash_algorithm != _SHA256:
            raise Unsupported(_WHAT, f"{self.hash_algorithm[:40]!r} is not a known hash of logs")
        key = self.public_key
        return LogKey(
            origin=_origin(self.base_url),
            base_url=self.base_url,
            public_key_der=raw(key.raw_bytes, what=f"{_WHAT}: rawBytes"),
            key_details=key.key_details,
            key_id=raw(self.log_id.key_id, what=f"{_WHAT}: keyId"),
            start=parse_instant(key.valid_for.start),
            end=parse_instant(key.valid_for.end) if key.valid_for.end else None,
        )


class _WireRoot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    tlogs: tuple[_WireLog, ...] = ()


def decode_trusted_root(data: bytes) -> TrustedRoot:
    """Read a trusted root; raises TooLarge, Unsupported, Malformed or InvalidInstant."""
    wire = decode_json(data, _WireRoot, limit=MAX_TRUSTED_ROOT, what=_WHAT)
    if wire.media_type != TRUSTED_ROOT_V01:
        raise Unsupported(_WHAT, f"{wire.media_type[:120]!r} is not a known version")
    return TrustedRoot(tuple(log.value() for log in wire.tlogs))


def encode_trusted_root(root: TrustedRoot) -> bytes:
    """Write a trusted root; raises Unwritable when a base URL does not name the log's origin."""
    return deterministic_json(
        {
            "mediaType": TRUSTED_ROOT_V01,
            "tlogs": [_log_members(log) for log in root.logs],
            "certificateAuthorities": [],
            "ctlogs": [],
            "timestampAuthorities": [],
        }
    )


def _origin(base_url: str) -> str:
    origin = base_url.removeprefix(_SCHEME).rstrip("/")
    if not base_url.startswith(_SCHEME) or not origin:
        raise Malformed(_WHAT, f"{base_url[:120]!r} is not an https URL")
    return origin


def _log_members(log: LogKey) -> dict[str, Any]:
    if log.base_url != f"{_SCHEME}{log.origin}" or not log.origin:
        raise Unwritable(_WHAT, f"the base URL {log.base_url[:120]!r} is not https:// and {log.origin[:80]!r}")
    period = {"start": rfc3339(log.start), "end": rfc3339(log.end) if log.end else None}
    return {
        "baseUrl": log.base_url,
        "hashAlgorithm": _SHA256,
        "publicKey": {
            "rawBytes": encode_base64(log.public_key_der),
            "keyDetails": log.key_details,
            "validFor": without_empty(period),
        },
        "logId": {"keyId": encode_base64(log.key_id)},
    }
