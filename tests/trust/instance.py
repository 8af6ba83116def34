"""A whole Sigstore instance in memory: certificate authority, certificate log, signature log, timestamp authority.

Each part implements a port of trust and can be told to lie. The certificates are put together here from
``cryptography`` and not by the product's own authority, so that a mistake of one is not repeated by the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.tokens import jwt_of
from tests.trust.world import MemoryLog

from chainward.formats.fulcio import encode_claims
from chainward.formats.rfc3161 import TokenWriter
from chainward.formats.sct import SCT_LIST, encode_sct_list
from chainward.formats.timestamp_info import Accuracy, TimestampInfo
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.keys.x509 import issuing_key
from chainward.trust.ambient import IdentityToken
from chainward.trust.material import TrustedAuthority, TrustedLog, TrustMaterial
from chainward.trust.sct import issuer_key_hash, promise

if TYPE_CHECKING:
    from chainward.keys.ports import DigestSigner

__all__ = ["ISSUER", "JANE", "MemoryAuthority", "MemoryInstance", "MemoryStamps", "token_of"]

ISSUER: Final = "https://issuer.example"
JANE: Final = "jane@example.org"
_POLICY: Final = "1.3.6.1.4.1.57264.2"
_YEAR: Final = timedelta(days=365)


def token_of(subject: str = JANE, issuer: str = ISSUER, *, email: bool = True) -> IdentityToken:
    """A token about ``subject``, valid for ten minutes from now."""
    expires = datetime.now(UTC) + timedelta(minutes=10)
    if email:
        return IdentityToken.parse(jwt_of(iss=issuer, sub="1234", email=subject, email_verified=True, expires=expires))
    return IdentityToken.parse(jwt_of(iss=issuer, sub=subject, expires=expires))


def _key() -> PrivateKey:
    return generate(Scheme.ECDSA_P256_SHA256)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _ca(name: str, key: PrivateKey, issuer: str, issuer_key: PrivateKey, usages: list[x509.ObjectIdentifier]) -> bytes:
    """A certificate of an authority, or the self-signed one of a root."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(name), _public(key), x509.random_serial_number())
        .not_valid_before(now - _YEAR)
        .not_valid_after(now + _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(_public(key)), critical=False)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuing_key(issuer_key), SHA256()).public_bytes(Encoding.DER)


def _public(key: DigestSigner) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(key.public_key.der)
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    no = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
        **no,
    )


@dataclass
class MemoryAuthority:
    """A certificate authority with its certificate log; what it is told to certify instead, it does."""

    name: str = "example"
    instead_key: PrivateKey | None = None
    instead_name: x509.GeneralName | None = None
    instead_issuer: str | None = None
    claims: dict[str, str] = field(default_factory=dict)
    logs_certificates: bool = True
    chain: list[bytes] | None = None
    root_key: PrivateKey = field(default_factory=_key)
    key: PrivateKey = field(default_factory=_key)
    ct_key: PrivateKey = field(default_factory=_key)
    certified: list[str] = field(default_factory=list)

    @cached_property
    def certificates(self) -> tuple[bytes, ...]:
        root = f"root of {self.name}"
        code = [ExtendedKeyUsageOID.CODE_SIGNING]
        return (
            _ca(self.name, self.key, root, self.root_key, code),
            _ca(root, self.root_key, root, self.root_key, []),
        )

    @property
    def ct_log(self) -> TrustedLog:
        return TrustedLog.of(f"ct.{self.name}.test", self.ct_key.public_key)

    def certify(self, token: IdentityToken, signer: DigestSigner) -> tuple[bytes, ...]:
        self.certified.append(token.challenge)
        if self.chain is not None:
            return tuple(self.chain)
        builder = self._builder(token, self.instead_key or signer)
        if self.logs_certificates:
            tbs = builder.sign(issuing_key(self.key), SHA256()).tbs_certificate_bytes
            issuer = x509.load_der_x509_certificate(self.certificates[0])
            sct = promise(self.ct_key, issuer_key_hash(issuer), tbs, datetime.now(UTC))
            listed = x509.UnrecognizedExtension(SCT_LIST, encode_sct_list([sct]))
            builder = builder.add_extension(listed, critical=False)
        leaf = builder.sign(issuing_key(self.key), SHA256()).public_bytes(Encoding.DER)
        return (leaf, *self.certificates)

    def _builder(self, token: IdentityToken, signer: DigestSigner) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        own = x509.RFC822Name(token.email) if token.email else x509.UniformResourceIdentifier(token.subject)
        issuer = x509.load_der_x509_certificate(self.certificates[0])
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        builder = (
            x509.CertificateBuilder(_name(self.name), x509.Name([]), _public(signer), x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=5))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(_public(signer)), critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.SubjectAlternativeName([self.instead_name or own]), critical=True)
        )
        for extension in encode_claims({"issuer": self.instead_issuer or token.issuer, **self.claims}):
            builder = builder.add_extension(extension, critical=False)
        return builder


@dataclass
class MemoryStamps:
    """A timestamp authority; what it is told to stamp instead, or at another time, it does."""

    name: str = "stamps"
    instead: bytes | None = None
    late: timedelta = timedelta(0)
    root_key: PrivateKey = field(default_factory=_key)
    key: PrivateKey = field(default_factory=_key)
    stamped: list[bytes] = field(default_factory=list)

    @cached_property
    def certificates(self) -> tuple[bytes, ...]:
        now = datetime.now(UTC)
        root = f"root of {self.name}"
        leaf = (
            x509.CertificateBuilder(_name(root), _name(self.name), _public(self.key), x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(now + _YEAR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        )
        signed = leaf.sign(issuing_key(self.root_key), SHA256()).public_bytes(Encoding.DER)
        return (signed, _ca(root, self.root_key, root, self.root_key, []))

    @property
    def authorities(self) -> tuple[TrustedAuthority, ...]:
        return (TrustedAuthority.of(self.name, self.certificates),)

    def stamp(self, message: bytes) -> bytes:
        self.stamped.append(message)
        digest = hashlib.sha256(self.instead if self.instead is not None else message).digest()
        return self.answer(digest, None)

    def answer(self, digest: bytes, nonce: int | None) -> bytes:
        """A reply about a sha256 digest."""
        at = (datetime.now(UTC) + self.late).replace(microsecond=0)
        info = TimestampInfo(
            hash_name="sha256",
            digest=digest,
            gen_time=at,
            serial=1 + len(self.stamped),
            policy=_POLICY,
            nonce=nonce,
            accuracy=Accuracy(seconds=1),
        )
        return TokenWriter(self.certificates, "sha256").encode_response(info, self.key.sign, certificates=True)


@dataclass
class MemoryInstance:
    """All services together, and what an honest client believes of them."""

    certificates: MemoryAuthority = field(default_factory=MemoryAuthority)
    log: MemoryLog = field(default_factory=MemoryLog)
    stamps: MemoryStamps = field(default_factory=MemoryStamps)

    @cached_property
    def material(self) -> TrustMaterial:
        authority = TrustedAuthority.of(self.certificates.name, self.certificates.certificates)
        return TrustMaterial((self.log.log,), (self.certificates.ct_log,), (authority,), self.stamps.authorities)
