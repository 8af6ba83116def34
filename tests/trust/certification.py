"""A certificate authority to try things on: real keys and chains, stand-ins for tokens and authorities."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.access.standins import CountingEntropy
from tests.trust.identities import NOW

from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.trust.authority import Authority, AuthorityKind, AuthoritySnapshot
from chainward.trust.issuers import Issuer, IssuerType
from chainward.trust.issuing_chain import issuing_intermediate, issuing_root
from chainward.trust.possession import ChallengeProof, RequestProof
from chainward.trust.principal import VerifiedToken

if TYPE_CHECKING:
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner

__all__ = [
    "CountingSigner",
    "MemoryAuthorities",
    "SubjectKey",
    "TokenDesk",
    "challenge_proof",
    "fresh_key",
    "request_pem",
    "request_proof",
]

SubjectKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass
class CountingSigner:
    """Another holder of a key, who counts how often he is asked."""

    key: PrivateKey
    count: int = 0

    @property
    def public_key(self) -> PublicKey:
        return self.key.public_key

    def sign(self, data: bytes) -> bytes:
        self.count += 1
        return self.key.sign(data)

    def sign_prehashed(self, digest: bytes) -> bytes:
        self.count += 1
        return self.key.sign_prehashed(digest)


@dataclass
class MemoryAuthorities:
    """Implements IssuingAuthorities; ``logs`` are the origins of certificate logs, of which the first is active."""

    logs: list[str]
    scheme: Scheme = Scheme.ECDSA_P256_SHA256
    start: datetime = NOW - timedelta(days=1)
    end: datetime = NOW + timedelta(days=365)
    found: dict[str, Authority] = field(default_factory=dict)
    signers: dict[str, CountingSigner] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root, entropy = generate(Scheme.ECDSA_P256_SHA256), CountingEntropy()
        self.signers["ca-1"] = CountingSigner(generate(self.scheme))
        window = {"start": self.start, "end": self.end}
        top = issuing_root(root, "Example", entropy=entropy, **window)
        key = self.signers["ca-1"].public_key
        middle = issuing_intermediate(key, top, root, organization="Example", entropy=entropy, **window)
        self.found["ca-1"] = Authority(
            name="ca-1", kind=AuthorityKind.CA, origin="", public_key=key, certificates=(middle, top), start=self.start
        )
        for number, origin in enumerate(self.logs, 1):
            signer = self.signers[f"ct-{number}"] = CountingSigner(generate(Scheme.ECDSA_P256_SHA256))
            self.found[f"ct-{number}"] = Authority(
                name=f"ct-{number}",
                kind=AuthorityKind.CT,
                origin=origin,
                public_key=signer.public_key,
                certificates=(),
                start=self.start,
            )
        self.active_log = 1

    def snapshot(self) -> AuthoritySnapshot:
        retired = [f"ct-{number}" for number in range(1, len(self.logs) + 1) if number != self.active_log]
        ended = {name: replace(self.found[name], end=NOW) for name in retired}
        return AuthoritySnapshot(1, tuple({**self.found, **ended}.values()))

    def signer(self, name: str) -> DigestSigner:
        return self.signers[name]


@dataclass
class TokenDesk:
    """Implements TokenVerifier: every text is believed to be a token with the claims it was given."""

    claims: dict[str, Any]
    issuer: Issuer = field(default_factory=lambda: Issuer(url="https://login.example.org", type=IssuerType.EMAIL))
    failure: Exception | None = None

    def verify(self, token: str) -> VerifiedToken:
        del token
        if self.failure is not None:
            raise self.failure
        return VerifiedToken(self.issuer, self.issuer.url, self.claims)


def fresh_key(kind: str = "P-256") -> SubjectKey:
    """A key to be certified."""
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def request_pem(key: SubjectKey, *extensions: x509.ExtensionType, common_name: str = "") -> bytes:
    names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM)


def request_proof(key: SubjectKey) -> RequestProof:
    return RequestProof(request_pem(key))


def challenge_proof(key: SubjectKey, challenge: str) -> ChallengeProof:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    data = challenge.encode()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ChallengeProof(public, key.sign(data))
    if isinstance(key, rsa.RSAPrivateKey):
        return ChallengeProof(public, key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    hashing = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
    return ChallengeProof(public, key.sign(data, ec.ECDSA(hashing)))
