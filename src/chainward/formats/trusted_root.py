"""Sigstore trusted roots: the logs, certificate authorities and timestamp authorities that a verifier believes.

Follows sigstore protobuf-specs (sigstore_trustroot.proto). Read: media types ``…trustedroot+json;version=0.1`` and
``…trustedroot.v0.1+json``, ``…v0.2+json``; written: the first, the only one that all current clients read. In: JSON
bytes. Out: a :class:`TrustedRoot` of bytes and instants; no key and no certificate in it has been looked at.

``origin`` is what follows the scheme in ``base_url``: Go clients take the checkpoint's origin from the host name there,
JavaScript clients look for the origin within it. A bare host name serves both, so nothing else is written. The windows
are closed intervals, and each has a start: one that is missing is an error, not minus infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_json, deterministic_json, encode_base64, without_empty
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.protojson import raw, raw_members
from chainward.kernel.instant import parse_instant, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "MAX_TRUSTED_ROOT",
    "TRUSTED_ROOT_V01",
    "TRUSTED_ROOT_V02",
    "AuthorityChain",
    "LogKey",
    "TrustedRoot",
    "decode_trusted_root",
    "encode_trusted_root",
]

TRUSTED_ROOT_V01: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
TRUSTED_ROOT_V02: Final = "application/vnd.dev.sigstore.trustedroot.v0.2+json"
_TRUSTED_ROOT_V01_NEW_SPELLING: Final = "application/vnd.dev.sigstore.trustedroot.v0.1+json"
_KNOWN: Final = frozenset({TRUSTED_ROOT_V01, TRUSTED_ROOT_V02, _TRUSTED_ROOT_V01_NEW_SPELLING})
MAX_TRUSTED_ROOT: Final = 1024 * 1024
_MAX_MEMBERS: Final = 256
_MAX_CHAIN: Final = 10
_WHAT: Final = "trusted root"
_SCHEME: Final = "https://"
_SCHEMES: Final = (_SCHEME, "http://")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityChain:
    """The certificates (DER) of an authority, the one nearest to what it signs first, and when they were used."""

    uri: str
    organization: str
    common_name: str
    certificates: tuple[bytes, ...]
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """A trusted root, each list in its order."""

    logs: tuple[LogKey, ...]
    ct_logs: tuple[LogKey, ...] = ()
    certificate_authorities: tuple[AuthorityChain, ...] = ()
    timestamp_authorities: tuple[AuthorityChain, ...] = ()


class _WirePeriod(msgspec.Struct, frozen=True, kw_only=True):
    start: str
    end: str | None = None

    def window(self) -> tuple[datetime, datetime | None]:
        return parse_instant(self.start), parse_instant(self.end) if self.end else None


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
    log_id: _WireLogId | None = None
    checkpoint_key_id: _WireLogId | None = None

    def value(self) -> LogKey:
        if self.hash_algorithm != _SHA256:
            raise Unsupported(_WHAT, f"{self.hash_algorithm[:40]!r} is not a known hash of logs")
        named = self.log_id or self.checkpoint_key_id
        if named is None:
            raise Malformed(_WHAT, "a log has no logId")
        start, end = self.public_key.valid_for.window()
        return LogKey(
            origin=_origin(self.base_url),
            base_url=self.base_url,
            public_key_der=raw(self.public_key.raw_bytes, what=f"{_WHAT}: rawBytes"),
            key_details=self.public_key.key_details,
            key_id=raw(named.key_id, what=f"{_WHAT}: keyId"),
            start=start,
            end=end,
        )


class _WireSubject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    organization: str = ""
    common_name: str = ""


class _WireRaw(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    raw_bytes: str


class _WireChain(msgspec.Struct, frozen=True, kw_only=True):
    certificates: tuple[_WireRaw, ...]


class _WireAuthority(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    cert_chain: _WireChain
    valid_for: _WirePeriod
    subject: _WireSubject = _WireSubject()
    uri: str = ""

    def value(self) -> AuthorityChain:
        if not 1 <= len(self.cert_chain.certificates) <= _MAX_CHAIN:
            raise Malformed(_WHAT, f"an authority has 1 to {_MAX_CHAIN} certificates")
        start, end = self.valid_for.window()
        return AuthorityChain(
            uri=self.uri,
            organization=self.subject.organization,
            common_name=self.subject.common_name,
            certificates=tuple(
                raw(each.raw_bytes, what=f"{_WHAT}: certificate") for each in self.cert_chain.certificates
            ),
            start=start,
            end=end,
        )


class _WireRoot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    tlogs: tuple[_WireLog, ...] = ()
    ctlogs: tuple[_WireLog, ...] = ()
    certificate_authorities: tuple[_WireAuthority, ...] = ()
    timestamp_authorities: tuple[_WireAuthority, ...] = ()


def decode_trusted_root(data: bytes) -> TrustedRoot:
    """Read a trusted root; raises TooLarge, Unsupported, Malformed or InvalidInstant."""
    wire = decode_json(data, _WireRoot, limit=MAX_TRUSTED_ROOT, what=_WHAT)
    if wire.media_type not in _KNOWN:
        raise Unsupported(_WHAT, f"{wire.media_type[:120]!r} is not a known version")
    lists = (wire.tlogs, wire.ctlogs, wire.certificate_authorities, wire.timestamp_authorities)
    if any(len(members) > _MAX_MEMBERS for members in lists):
        raise Malformed(_WHAT, f"lists more than {_MAX_MEMBERS} instances of one service")
    return TrustedRoot(
        tuple(log.value() for log in wire.tlogs),
        tuple(log.value() for log in wire.ctlogs),
        tuple(authority.value() for authority in wire.certificate_authorities),
        tuple(authority.value() for authority in wire.timestamp_authorities),
    )


def encode_trusted_root(root: TrustedRoot) -> bytes:
    """Write a trusted root; raises Unwritable when a base URL does not name the log's origin, or a chain is empty."""
    return deterministic_json(
        {
            "mediaType": TRUSTED_ROOT_V01,
            "tlogs": [_log_members(log) for log in root.logs],
            "certificateAuthorities": [_authority_members(each) for each in root.certificate_authorities],
            "ctlogs": [_log_members(log) for log in root.ct_logs],
            "timestampAuthorities": [_authority_members(each) for each in root.timestamp_authorities],
        }
    )


def _origin(base_url: str) -> str:
    for scheme in _SCHEMES:
        origin = base_url.removeprefix(scheme).rstrip("/")
        if base_url.startswith(scheme) and origin:
            return origin
    raise Malformed(_WHAT, f"{base_url[:120]!r} is not a URL")


def _log_members(log: LogKey) -> dict[str, Any]:
    if log.base_url != f"{_SCHEME}{log.origin}" or not log.origin:
        raise Unwritable(_WHAT, f"the base URL {log.base_url[:120]!r} is not https:// and {log.origin[:80]!r}")
    return {
        "baseUrl": log.base_url,
        "hashAlgorithm": _SHA256,
        "publicKey": {
            "rawBytes": encode_base64(log.public_key_der),
            "keyDetails": log.key_details,
            "validFor": _period_members(log),
        },
        "logId": {"keyId": encode_base64(log.key_id)},
    }


def _authority_members(authority: AuthorityChain) -> dict[str, Any]:
    if not 1 <= len(authority.certificates) <= _MAX_CHAIN:
        raise Unwritable(_WHAT, f"the authority {authority.uri[:120]!r} needs 1 to {_MAX_CHAIN} certificates")
    return {
        "subject": {"organization": authority.organization, "commonName": authority.common_name},
        "uri": authority.uri,
        "certChain": {"certificates": [raw_members(each) for each in authority.certificates]},
        "validFor": _period_members(authority),
    }


def _period_members(used: LogKey | AuthorityChain) -> dict[str, str]:
    return without_empty({"start": rfc3339(used.start), "end": rfc3339(used.end) if used.end else None})
