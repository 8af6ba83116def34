"""What verification believes about services: logs, certificate logs, certificate and timestamp authorities.

In: any Sigstore trusted root, or the authorities of this platform. Out: one immutable :class:`TrustMaterial`, indexed
by the ids that bundles use. A trusted root may hold what we have no use for (a key in a form of old, an id that fits no
origin): such members are left out and named in ``unusable``, because one instance that we cannot read must not keep
us from believing the others. Leaving out can only make verification refuse more.

Keys and ids: a log of Rekor v2 has the full C2SP key id of its origin and Ed25519 key; logs of Rekor v1, certificate
logs, and all logs with ECDSA keys have the SHA-256 of the key (sigstore protobuf-specs, sigstore_trustroot.proto).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeVar

from cryptography import x509

from chainward.formats.note import ed25519_key_id
from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.model import PublicKey, Scheme, raw_ed25519
from chainward.trust.errors import CertificateMalformed, LogKeyInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from chainward.formats.trusted_root import AuthorityChain, LogKey, TrustedRoot
    from chainward.trust.authority import Authority, Compromise

__all__ = ["ProvenTime", "TrustMaterial", "TrustedAuthority", "TrustedLog", "load_certificate"]

Member = TypeVar("Member")
Value = TypeVar("Value")

MAX_CERTIFICATE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ProvenTime:
    """An instant at which something existed, and who vouches for that (the name of an authority, or of a log).

    ``compromise`` is that of who vouches: whether such a time still counts is decided with the log entry at hand.
    """

    instant: datetime
    source: str
    compromise: Compromise | None = None


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log that is believed: whose checkpoints, by which key, named by which id (all 32 bytes), when.

    ``start`` and ``end`` belong to the window; None leaves it open on that side.

    Raises:
        LogKeyInvalid: the key id belongs to another origin or key.
    """

    origin: str
    public_key: PublicKey
    key_id: bytes
    base_url: str = field(default="", kw_only=True)
    start: datetime | None = field(default=None, kw_only=True)
    end: datetime | None = field(default=None, kw_only=True)
    compromise: Compromise | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.key_id not in _key_ids(self.origin, self.public_key):
            raise LogKeyInvalid(f"the key id of log {self.origin} belongs to another origin or key")

    @classmethod
    def of(cls, origin: str, public_key: PublicKey) -> Self:
        """Believe the log ``origin`` that signs with ``public_key``, under the key id of signed notes (Rekor v2)."""
        return cls(origin, public_key, _key_ids(origin, public_key)[0])

    @property
    def is_v1(self) -> bool:
        """Whether the id is the bare hash of the key, as logs of Rekor v1 have it (and those with ECDSA keys)."""
        return self.key_id == _bare_id(self.public_key)

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether ``instant`` lies within the window, its ends included."""
        return _within(self.start, instant, self.end)


class Chain(tuple[x509.Certificate, ...]):  # noqa: SLOT001 - a tuple has no room for what it remembers, but in a dict
    """Certificates, one issued by the next, as a tuple that hashes their bytes once: what is known of it is kept by it.

    Equal to a tuple of the same certificates, and of the same hash.
    """

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """A certificate or timestamp authority that is believed: its certificates up to the root, and its window.

    ``certificates`` are in the order of trusted roots: the one that signs (a CA's intermediate, a TSA's leaf) first.
    """

    name: str
    certificates: tuple[x509.Certificate, ...]
    start: datetime | None = None
    end: datetime | None = None
    compromise: Compromise | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "certificates", Chain(self.certificates))

    @classmethod
    def of(
        cls,
        name: str,
        certificates: Sequence[bytes],
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        compromise: Compromise | None = None,
    ) -> Self:
        """Believe the authority with these certificates (DER); raises CertificateMalformed."""
        return cls(name, tuple(load_certificate(der) for der in certificates), start, end, compromise)

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether ``instant`` lies within the window, its ends included."""
        return _within(self.start, instant, self.end)


@dataclass(frozen=True, slots=True)
class TrustMaterial:
    """All services that one verification believes; a value, so that a decision sees one state of it.

    ``unusable`` says which members of a document were left out, and why.

    Raises:
        LogKeyInvalid: two logs have one key id, so that which window counts would depend on the order.
    """

    logs: tuple[TrustedLog, ...] = ()
    ct_logs: tuple[TrustedLog, ...] = ()
    certificate_authorities: tuple[TrustedAuthority, ...] = ()
    timestamp_authorities: tuple[TrustedAuthority, ...] = ()
    unusable: tuple[str, ...] = ()
    _logs: dict[bytes, TrustedLog] = field(init=False, repr=False, compare=False)
    _issuers: dict[bytes, tuple[TrustedAuthority, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for named, logs in (("logs", self.logs), ("certificate logs", self.ct_logs)):
            if len({log.key_id for log in logs}) != len(logs):
                raise LogKeyInvalid(f"two {named} have one key id, so its window would depend on the order")
        issuers: dict[bytes, tuple[TrustedAuthority, ...]] = {}
        for authority in self.certificate_authorities:
            identifier = _key_identifier(authority.certificates[0])
            issuers[identifier] = (*issuers.get(identifier, ()), authority)
        object.__setattr__(self, "_logs", {log.key_id: log for log in self.logs})
        object.__setattr__(self, "_issuers", issuers)

    @classmethod
    def from_document(cls, root: TrustedRoot) -> Self:
        """Believe what a trusted root lists; whoever gave the document decides, so take it from a place you trust."""
        unusable: list[str] = []
        return cls(
            tuple(_usable(root.logs, _log_of, "log", unusable)),
            tuple(_usable(root.ct_logs, _log_of, "certificate log", unusable)),
            tuple(_usable(root.certificate_authorities, _authority_of, "certificate authority", unusable)),
            tuple(_usable(root.timestamp_authorities, _authority_of, "timestamp authority", unusable)),
            tuple(unusable),
        )

    @classmethod
    def from_authorities(cls, authorities: Iterable[Authority]) -> Self:
        """Believe the authorities of this platform, retired and compromised ones with their limits."""
        found = tuple(authorities)
        return cls(
            tuple(_own_log(each) for each in found if each.kind == "log"),
            tuple(_own_log(each) for each in found if each.kind == "ct"),
            tuple(_own_authority(each) for each in found if each.kind == "ca"),
            tuple(_own_authority(each) for each in found if each.kind == "tsa"),
        )

    def log(self, key_id: bytes) -> TrustedLog | None:
        """Return the log with this 32-byte key id."""
        return self._logs.get(key_id)

    def issuers(self, key_identifier: bytes | None) -> tuple[TrustedAuthority, ...]:
        """Return the certificate authorities that may have issued a certificate with this authority key identifier.

        It is a hint that saves trying all of them (RFC 5280 §4.2.1.1); their names and signatures decide.
        """
        if key_identifier is None:
            return self.certificate_authorities
        return self._issuers.get(key_identifier, self.certificate_authorities)


def load_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate, of which nothing is believed yet; raises CertificateMalformed."""
    if len(der) > MAX_CERTIFICATE:
        raise CertificateMalformed(f"{len(der)} bytes are too many for a certificate")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise CertificateMalformed("the bytes are not a certificate") from None


def _key_identifier(certificate: x509.Certificate) -> bytes:
    """Return the subject key identifier of a certificate, nothing if it has none that can be read."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return b""


def _bare_id(public_key: PublicKey) -> bytes:
    return hashlib.sha256(public_key.der).digest()


def _key_ids(origin: str, public_key: PublicKey) -> tuple[bytes, ...]:
    """Return the ids that a log with this origin and key can have, the one of signed notes first."""
    bare = _bare_id(public_key)
    if public_key.scheme is Scheme.ED25519:
        return ed25519_key_id(origin, raw_ed25519(public_key)), bare
    return (bare,)


def _within(start: datetime | None, instant: datetime, end: datetime | None) -> bool:
    return (start is None or start <= instant) and (end is None or instant <= end)


def _log_of(key: LogKey) -> TrustedLog:
    public_key = PublicKey.from_der(key.public_key_der)
    if public_key.scheme.value != key.key_details:
        raise KeyUnsupported(f"a {public_key.scheme} key is declared as {key.key_details[:60]}")
    host = key.origin.partition("/")[0].partition(":")[0]  # Go clients know a log by the host in its URL alone
    origin = next((each for each in (key.origin, host) if key.key_id in _key_ids(each, public_key)), key.origin)
    return TrustedLog(origin, public_key, key.key_id, base_url=key.base_url, start=key.start, end=key.end)


def _authority_of(chain: AuthorityChain) -> TrustedAuthority:
    name = chain.uri or chain.common_name or chain.organization
    return TrustedAuthority.of(name, chain.certificates, start=chain.start, end=chain.end)


def _own_log(own: Authority) -> TrustedLog:
    return TrustedLog(
        own.origin,
        own.public_key,
        own.log_id,
        base_url=f"https://{own.origin}",
        start=own.start,
        end=own.end,
        compromise=own.compromise,
    )


def _own_authority(own: Authority) -> TrustedAuthority:
    return TrustedAuthority.of(own.name, own.certificates, start=own.start, end=own.end, compromise=own.compromise)


def _usable(
    members: Sequence[Member], read: Callable[[Member], Value], named: str, unusable: list[str]
) -> Iterable[Value]:
    for position, member in enumerate(members):
        try:
            yield read(member)
        except (KeyMalformed, KeyUnsupported, LogKeyInvalid, CertificateMalformed) as problem:
            unusable.append(f"{named} {position}: {problem.message}")
