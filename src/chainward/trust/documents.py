"""What clients are told of the authorities: trusted root, signing config, and both in one document.

In: all authorities of the platform, and where it is reached. Out: the documents of sigstore protobuf-specs. Every
instance that ever was stands in the trusted root with its window, so that what it signed stays verifiable. Only
compromised instances are left out: stock clients know neither pinned checkpoints nor, all of them, the end of a window
(sigstore-python and sigstore-go believe a log for ever), so leaving out is the one revocation that all of them
understand. For them everything that a compromised instance signed is invalid then; our own verifier sees more, with the
export of :mod:`chainward.trust.export`.

Base URLs and URIs are names, ``https://<origin>``, and need not resolve: clients compare them with the origin of
checkpoints (a bare host name serves Go, JavaScript and Python). Where to send requests stands in the signing config.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from chainward.formats.signing_config import (
    ClientTrustConfig,
    Service,
    SigningConfig,
    encode_client_trust_config,
    encode_signing_config,
)
from chainward.formats.trusted_root import AuthorityChain, LogKey, TrustedRoot, decode_trusted_root, encode_trusted_root
from chainward.keys.model import PublicKey
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import AuthorityMissing
from chainward.trust.material import TrustMaterial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.trust.authorities import Authorities
    from chainward.trust.authority import Authority, AuthoritySnapshot
    from chainward.trust.material import TrustedLog

__all__ = [
    "CLIENT_TRUST_CONFIG_NAME",
    "SIGNING_CONFIG_NAME",
    "TRUSTED_ROOT_NAME",
    "DocumentSet",
    "Documents",
    "Places",
    "logs_of_trusted_root",
    "signing_config_of",
    "trusted_root_of",
]

TRUSTED_ROOT_NAME: Final = "trusted_root.json"
SIGNING_CONFIG_NAME: Final = "signing_config.v0.2.json"
CLIENT_TRUST_CONFIG_NAME: Final = "client_trust_config.json"
_TIMESTAMPS: Final = "/api/v1/timestamp"
_CA_VERSION: Final = 1
_LOG_VERSION: Final = 2
_TSA_VERSION: Final = 1
_OIDC_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Places:
    """Where the platform and its issuers are reached, and who runs it.

    ``is_certain`` says that somebody set the URL: then all replicas have the same, and a new one is news.
    """

    public_url: str
    organization: str
    issuers: tuple[str, ...] = ()
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """The documents of one epoch, ready to be served."""

    epoch: int
    trusted_root: bytes
    signing_config: bytes
    client_trust_config: bytes


class Documents:
    """The trust documents of a platform. Thread-safe; made anew when an authority changed."""

    def __init__(self, authorities: Authorities, places: Places) -> None:
        self._authorities = authorities
        self._places = places
        self._made: DocumentSet | None = None

    def current(self) -> DocumentSet:
        """Return the documents of all authorities as they are now."""
        snapshot = self._authorities.snapshot()
        made = self._made
        if made is None or made.epoch != snapshot.epoch:
            made = self._made = self._make(snapshot)
        return made

    def marker(self) -> str:
        """Return what changes exactly when the documents must be published anew."""
        current = self.current()
        content = current.trusted_root + (current.signing_config if self._places.is_certain else b"")
        return hashlib.sha256(content).hexdigest()

    def _make(self, snapshot: AuthoritySnapshot) -> DocumentSet:
        root = trusted_root_of(snapshot, self._places.organization)
        config = signing_config_of(snapshot, self._places)
        return DocumentSet(
            snapshot.epoch,
            encode_trusted_root(root),
            encode_signing_config(config),
            encode_client_trust_config(ClientTrustConfig(root, config)),
        )


def trusted_root_of(snapshot: AuthoritySnapshot, organization: str) -> TrustedRoot:
    """Return every authority that is not compromised, each service newest last."""
    believed = {kind: [each for each in snapshot.of(kind) if each.compromise is None] for kind in AuthorityKind}
    return TrustedRoot(
        tuple(_log_key(each) for each in believed[AuthorityKind.LOG]),
        tuple(_log_key(each) for each in believed[AuthorityKind.CT]),
        tuple(_chain(each, organization) for each in believed[AuthorityKind.CA]),
        tuple(_chain(each, organization) for each in believed[AuthorityKind.TSA]),
    )


def signing_config_of(snapshot: AuthoritySnapshot, places: Places) -> SigningConfig:
    """Return where to sign now: the active instance of each service, none for a service that has none."""

    def services(kind: AuthorityKind, path: str, version: int) -> tuple[Service, ...]:
        try:
            active = snapshot.active(kind)
        except AuthorityMissing:
            return ()
        url = f"{places.public_url}{path}"
        return (Service(url=url, version=version, start=active.start, operator=places.organization),)

    ca = services(AuthorityKind.CA, "", _CA_VERSION)
    return SigningConfig(
        ca=ca,
        oidc=tuple(
            Service(url=url, version=_OIDC_VERSION, start=each.start, operator=places.organization)
            for each in ca
            for url in places.issuers
        ),
        logs=services(AuthorityKind.LOG, "", _LOG_VERSION),
        tsas=services(AuthorityKind.TSA, _TIMESTAMPS, _TSA_VERSION),
    )


def logs_of_trusted_root(data: bytes) -> tuple[TrustedLog, ...]:
    """Read the logs of a trusted root that can be believed.

    Whoever gave the document decides which logs those are: take it from a place that you trust.

    Raises:
        TooLarge, Malformed, Unsupported, InvalidInstant: not a trusted root.
    """
    return TrustMaterial.from_document(decode_trusted_root(data)).logs


def _log_key(log: Authority) -> LogKey:
    return LogKey(
        origin=log.origin,
        base_url=f"https://{log.origin}",
        public_key_der=log.public_key.der,
        key_details=log.public_key.scheme.value,
        key_id=log.log_id,
        start=log.start,
        end=log.end,
    )


def _chain(authority: Authority, organization: str) -> AuthorityChain:
    return AuthorityChain(
        uri=f"https://{authority.name}.{organization}",
        organization=organization,
        common_name=_common_name(authority.certificates),
        certificates=authority.certificates,
        start=authority.start,
        end=authority.end,
    )


def _common_name(certificates: Sequence[bytes]) -> str:
    names = x509.load_der_x509_certificate(certificates[0]).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else PublicKey.from_certificate(certificates[0]).fingerprint
