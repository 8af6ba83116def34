"""An identity token and a proof of possession in, a certificate for ten minutes out (Fulcio's part).

The certificate says who the token names and nothing else about the key; its profile is that of Fulcio's certificate
specification: no subject, one critical subject alternative name, codeSigning alone, the issuer's claims as extensions,
and the promise of our certificate log (:mod:`chainward.trust.sct`). The log entry and a fact commit before anybody sees
the certificate, so there is none that the log does not hold; a certificate that nobody saw may be in it.

The precertificate, which only the log sees, is not signed: it is built to know the bytes that the promise is over, and
the certificate is those bytes with the promise as their last extension. So one certificate is built once and costs one
signature of the authority, which counts when its key is in a token or a cloud service.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from chainward.formats.sct import merkle_leaf, sct_extension
from chainward.formats.tbs import certificate_of, with_extension
from chainward.kernel.instant import rfc3339
from chainward.keys.x509 import hash_of, issuing_key
from chainward.ledger.errors import LogFrozen
from chainward.ledger.proofs import leaf_hash
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import CertificateRequestInvalid, CertificatesUnavailable
from chainward.trust.facts import CertificateIssued
from chainward.trust.possession import prove_possession
from chainward.trust.principal import principal_of
from chainward.trust.sct import issuer_key_hash, promise

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    from chainward.kernel.entropy import Entropy
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner
    from chainward.ledger.commit import Ledger
    from chainward.trust.authority import Authority, AuthoritySnapshot
    from chainward.trust.ports import IssuingAuthorities, TokenVerifier
    from chainward.trust.possession import PossessionProof
    from chainward.trust.principal import Principal

__all__ = ["LIFETIME", "Certifier"]

LIFETIME: Final = timedelta(minutes=10)
_BACKDATED: Final = timedelta(seconds=5)  # so that a timestamp of a clock that is a little behind still lies inside
_SERIAL_SIZE: Final = 20
_SERIAL_MASK: Final = (1 << 159) - 1  # positive, and at most 20 bytes in DER (RFC 5280 §4.1.2.2)
_ATTEMPTS: Final = 2
_SNAPSHOT_AGE: Final = timedelta(seconds=1)
_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_CODE_SIGNING: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
_NOBODY: Final = x509.Name([])

CertificatePublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | Ed25519PublicKey


class Certifier:
    """The certificate authority of the platform. Thread-safe."""

    def __init__(
        self, ledger: Ledger, authorities: IssuingAuthorities, tokens: TokenVerifier, clock: Clock, entropy: Entropy
    ) -> None:
        self._ledger = ledger
        self._authorities = authorities
        self._tokens = tokens
        self._clock = clock
        self._entropy = entropy
        self._desks: dict[str, _Desk] = {}
        self._seen: tuple[datetime, AuthoritySnapshot] | None = None

    def certify(self, token: str, proof: PossessionProof, *, context: Context) -> tuple[bytes, ...]:
        """Return a certificate for whom ``token`` names, and those above it up to the root, each in DER.

        When this returns, the certificate is in the certificate log, and durably so.

        Raises:
            TokenMalformed, IssuerUntrusted, IssuerUnreachable, TokenInvalid: the token is not believed.
            IdentityRefused: the token names nobody whom a certificate can be about.
            CertificateRequestInvalid: the key cannot be certified.
            PossessionUnproven: the caller does not hold the key.
            CertificatesUnavailable: the authority's own certificate is about to end.
            AuthorityMissing, KeySealed: there is no certificate authority or log that could sign.
        """
        principal = principal_of(self._tokens.verify(token))
        key = prove_possession(proof, principal.challenge)
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._issue(principal, key, context)
            except LogFrozen:  # the log's next shard took over just now
                self._seen = None
        return self._issue(principal, key, context)

    def _issue(self, principal: Principal, key: PublicKey, context: Context) -> tuple[bytes, ...]:
        now = self._clock.now()
        snapshot = self._snapshot(now)
        desk, log = self._desk(snapshot.active(AuthorityKind.CA)), snapshot.active(AuthorityKind.CT)
        draft = desk.draft(principal, key, now, self._serial())
        tbs = draft.built().sign(desk.blank, desk.hash).tbs_certificate_bytes
        sct = promise(self._authorities.signer(log.name), desk.key_hash, tbs, now)
        der = desk.signed(with_extension(tbs, sct_extension((sct,))))
        entry = merkle_leaf(sct.timestamp, desk.key_hash, tbs)
        fact = CertificateIssued(
            subject=principal.subject,
            issuer=principal.issuer,
            serial=f"{draft.serial:x}",
            certificate=hashlib.sha256(der).hexdigest(),
            fingerprint=key.fingerprint,
            authority=desk.authority.name,
            expires_at=rfc3339(draft.end),
            origin=log.origin,
            leaf=leaf_hash(entry).hex(),
        )
        self._ledger.commit([fact], context=context, entries=[(log.origin, entry)], occurred_at=now)
        return (der, *desk.authority.certificates)

    def _snapshot(self, now: datetime) -> AuthoritySnapshot:
        """Return who signs; what a rotation changed is seen within a second, and at once if a log was frozen by it."""
        seen = self._seen
        if seen is None or not timedelta() <= now - seen[0] < _SNAPSHOT_AGE:
            seen = self._seen = (now, self._authorities.snapshot())
        return seen[1]

    def _desk(self, authority: Authority) -> _Desk:
        desk = self._desks.get(authority.name)
        if desk is None or desk.authority.certificates != authority.certificates:
            desk = self._desks[authority.name] = _Desk.of(authority, self._authorities.signer(authority.name))
        return desk

    def _serial(self) -> int:
        return int.from_bytes(self._entropy.bytes(_SERIAL_SIZE), "big") & _SERIAL_MASK or 1


@dataclass(frozen=True, slots=True)
class _Desk:
    """All that is the same for each certificate of one authority, made ready once."""

    authority: Authority
    issuer: x509.Certificate
    signer: DigestSigner
    blank: ec.EllipticCurvePrivateKey
    hash: SHA256 | SHA384 | SHA512
    key_hash: bytes
    key_identifier: x509.AuthorityKeyIdentifier

    @classmethod
    def of(cls, authority: Authority, signer: DigestSigner) -> _Desk:
        issuer = x509.load_der_x509_certificate(authority.certificates[0])
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return cls(
            authority,
            issuer,
            signer,
            issuing_key(_Blank(signer.public_key)),
            hash_of(signer.public_key),
            issuer_key_hash(issuer),
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own),
        )

    def draft(self, principal: Principal, key: PublicKey, now: datetime, serial: int) -> _Draft:
        """Return all of a certificate but for the promise and the signature."""
        start = max((now - _BACKDATED).replace(microsecond=0), self.issuer.not_valid_before_utc)
        end = start + LIFETIME
        if end > self.issuer.not_valid_after_utc:
            raise CertificatesUnavailable(f"the certificate of {self.authority.name} ends before one for {LIFETIME}")
        public = _loaded(key)
        extensions = (
            _extension(_USAGE, critical=True),
            _extension(_CODE_SIGNING),
            _extension(x509.SubjectKeyIdentifier.from_public_key(public)),
            _extension(self.key_identifier),
            _extension(x509.SubjectAlternativeName([principal.subject_name]), critical=True),
            *map(_extension, principal.extensions),
        )
        return _Draft(self.issuer.subject, public, serial, start, end, extensions)

    def signed(self, tbs: bytes) -> bytes:
        """Return the certificate that the authority's signature makes of its to-be-signed part."""
        digest = hashlib.new(self.hash.name, tbs).digest()
        return certificate_of(tbs, self.signer.sign_prehashed(digest))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A certificate that is yet to be signed."""

    issuer: x509.Name
    public_key: CertificatePublicKey
    serial: int
    start: datetime
    end: datetime
    extensions: tuple[x509.Extension[x509.ExtensionType], ...]

    def built(self) -> x509.CertificateBuilder:
        """Return the certificate without a promise."""
        return x509.CertificateBuilder(
            self.issuer, _NOBODY, self.public_key, self.serial, self.start, self.end, list(self.extensions)
        )


def _extension(value: x509.ExtensionType, *, critical: bool = False) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, critical, value)


def _loaded(key: PublicKey) -> CertificatePublicKey:
    public = load_der_public_key(key.der)
    if not isinstance(public, CertificatePublicKey):
        raise CertificateRequestInvalid(f"a {key.scheme} key is not certified")
    return public


@dataclass(frozen=True, slots=True)
class _Blank:
    """Signs nothing: for a certificate of which only the part that would be signed is wanted."""

    public_key: PublicKey

    def sign(self, data: bytes) -> bytes:
        del data
        return b""

    def sign_prehashed(self, digest: bytes) -> bytes:
        del digest
        return b""
