"""Sigstore signing configs and client trust configs: where the services are, and both documents in one.

Follows sigstore protobuf-specs (sigstore_trustroot.proto): ``SigningConfig`` v0.2 and ``ClientTrustConfig`` v0.1. In:
JSON bytes. Out: values. Of the selectors only ``ANY`` is written, the only one that all current clients take; read are
all of them, because which service is taken is the reader's own business here. Clients read these documents strictly,
so there are no members of our own in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from chainward.formats.codec import canonical_json, decode_json, deterministic_json
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.trusted_root import TrustedRoot, decode_trusted_root, encode_trusted_root
from chainward.kernel.instant import parse_instant, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = [
    "CLIENT_TRUST_CONFIG",
    "SIGNING_CONFIG",
    "ClientTrustConfig",
    "Service",
    "SigningConfig",
    "decode_client_trust_config",
    "decode_signing_config",
    "encode_client_trust_config",
    "encode_signing_config",
]

SIGNING_CONFIG: Final = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
CLIENT_TRUST_CONFIG: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_WHAT: Final = "signing config"
_BOTH: Final = "client trust config"
_LIMIT: Final = 1024 * 1024
_MAX_SERVICES: Final = 256
_MAX_URL: Final = 2048
_ANY: Final = {"selector": "ANY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: its URL, the major version of its API, when it may be used, and who runs it.

    The URL of a certificate authority and of a log is a base to which paths are added; that of a timestamp authority is
    the whole one.
    """

    url: str
    version: int
    start: datetime
    end: datetime | None = None
    operator: str = ""


@dataclass(frozen=True, slots=True)
class SigningConfig:
    """Where to have a key certified, an identity proven, a signature logged and timestamped; newest first."""

    ca: tuple[Service, ...] = ()
    oidc: tuple[Service, ...] = ()
    logs: tuple[Service, ...] = ()
    tsas: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientTrustConfig:
    """All that a client needs: what to believe, and where to sign."""

    trusted_root: TrustedRoot
    signing_config: SigningConfig


class _WirePeriod(msgspec.Struct, frozen=True, kw_only=True):
    start: str
    end: str | None = None


class _WireService(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    url: str
    major_api_version: int
    valid_for: _WirePeriod
    operator: str = ""

    def value(self) -> Service:
        _check_url(self.url)
        end = self.valid_for.end
        return Service(
            url=self.url,
            version=self.major_api_version,
            start=parse_instant(self.valid_for.start),
            end=parse_instant(end) if end else None,
            operator=self.operator,
        )


class _WireSigningConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    ca_urls: tuple[_WireService, ...] = ()
    oidc_urls: tuple[_WireService, ...] = ()
    rekor_tlog_urls: tuple[_WireService, ...] = ()
    tsa_urls: tuple[_WireService, ...] = ()

    def value(self) -> SigningConfig:
        if self.media_type != SIGNING_CONFIG:
            raise Unsupported(_WHAT, f"{self.media_type[:120]!r} is not a known version")
        lists = (self.ca_urls, self.oidc_urls, self.rekor_tlog_urls, self.tsa_urls)
        if any(len(services) > _MAX_SERVICES for services in lists):
            raise Malformed(_WHAT, f"lists more than {_MAX_SERVICES} services of one kind")
        ca, oidc, logs, tsas = (tuple(service.value() for service in services) for services in lists)
        return SigningConfig(ca, oidc, logs, tsas)


class _WireClientTrustConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    trusted_root: dict[str, Any]
    signing_config: _WireSigningConfig


def decode_signing_config(data: bytes) -> SigningConfig:
    """Read a signing config; raises TooLarge, Unsupported, Malformed or InvalidInstant."""
    return decode_json(data, _WireSigningConfig, limit=_LIMIT, what=_WHAT).value()


def encode_signing_config(config: SigningConfig) -> bytes:
    """Write a signing config; raises Unwritable when a service cannot be written."""
    return deterministic_json(_members(config))


def decode_client_trust_config(data: bytes) -> ClientTrustConfig:
    """Read a client trust config; raises TooLarge, Unsupported, Malformed or InvalidInstant."""
    wire = decode_json(data, _WireClientTrustConfig, limit=2 * _LIMIT, what=_BOTH)
    if wire.media_type != CLIENT_TRUST_CONFIG:
        raise Unsupported(_BOTH, f"{wire.media_type[:120]!r} is not a known version")
    return ClientTrustConfig(decode_trusted_root(canonical_json(wire.trusted_root)), wire.signing_config.value())


def encode_client_trust_config(config: ClientTrustConfig) -> bytes:
    """Write a client trust config; raises Unwritable when a part of it cannot be written."""
    return deterministic_json(
        {
            "mediaType": CLIENT_TRUST_CONFIG,
            "trustedRoot": msgspec.json.decode(encode_trusted_root(config.trusted_root)),
            "signingConfig": _members(config.signing_config),
        }
    )


def _members(config: SigningConfig) -> dict[str, Any]:
    members: dict[str, Any] = {
        "mediaType": SIGNING_CONFIG,
        "caUrls": _services(config.ca),
        "oidcUrls": _services(config.oidc),
        "rekorTlogUrls": _services(config.logs),
        "rekorTlogConfig": _ANY,
        "tsaUrls": _services(config.tsas),
        "tsaConfig": _ANY,
    }
    return {name: value for name, value in members.items() if value}


def _services(services: Sequence[Service]) -> list[dict[str, Any]]:
    return [_service(each) for each in services]


def _service(service: Service) -> dict[str, Any]:
    if service.version < 1 or not service.operator:
        raise Unwritable(_WHAT, f"{service.url[:120]!r} needs a version and an operator")
    try:
        _check_url(service.url)
    except Malformed as malformed:
        raise Unwritable(_WHAT, malformed.message) from None
    period = {"start": rfc3339(service.start)}
    if service.end is not None:
        period["end"] = rfc3339(service.end)
    return {
        "url": service.url,
        "majorApiVersion": service.version,
        "validFor": period,
        "operator": service.operator,
    }


def _check_url(url: str) -> None:
    if not _is_url(url):
        raise Malformed(_WHAT, f"{url[:120]!r} is not the URL of a service")


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return False
    named = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return named and len(url) <= _MAX_URL and "@" not in parts.netloc and not parts.fragment
