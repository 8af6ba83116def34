"""That who asks for a certificate holds the private key: one of two proofs in, the public key out.

Either a certificate request (PKCS#10, RFC 2986), which is signed by the key in it, of which nothing but that key is
used; or a public key with a signature over the challenge, which is a claim of the very token that was sent. The
challenge is no secret and fresh only as far as the token is: it binds key and token together, no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid
from chainward.keys.model import PublicKey
from chainward.trust.errors import CertificateRequestInvalid, PossessionUnproven

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_REQUEST", "ChallengeProof", "PossessionProof", "RequestProof", "prove_possession"]

MAX_REQUEST: Final = 32 * 1024
_LABEL: Final = b"-----BEGIN CERTIFICATE REQUEST-----"


@dataclass(frozen=True, slots=True)
class RequestProof:
    """A certificate request in PEM."""

    pem: bytes


@dataclass(frozen=True, slots=True)
class ChallengeProof:
    """A public key in PEM and a signature over the challenge."""

    public_key: bytes
    signature: bytes


PossessionProof = RequestProof | ChallengeProof


def prove_possession(proof: PossessionProof, challenge: str) -> PublicKey:
    """Return the public key whose private half the caller is proven to hold.

    Raises:
        CertificateRequestInvalid: it cannot be read, or is a key that is not certified.
        PossessionUnproven: the signature is not of that key, or not over that challenge.
    """
    if isinstance(proof, RequestProof):
        return _requested(proof.pem)
    key = _key(lambda: PublicKey.from_pem(proof.public_key))
    try:
        key.verify(challenge.encode(), proof.signature)
    except SignatureInvalid:
        raise PossessionUnproven(
            "the signature was not made by the key to be certified over the challenge claim of the token"
        ) from None
    return key


def _requested(pem: bytes) -> PublicKey:
    if len(pem) > MAX_REQUEST:
        raise CertificateRequestInvalid(f"{len(pem)} bytes are too many for a certificate request")
    if pem.count(b"-----BEGIN ") != 1 or _LABEL not in pem:
        raise CertificateRequestInvalid("this is not exactly one PEM block CERTIFICATE REQUEST")
    try:
        request = x509.load_pem_x509_csr(pem)
        public = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise CertificateRequestInvalid("the certificate request cannot be read") from None
    key = _key(lambda: PublicKey.from_der(public))
    if not _is_signed(request):
        raise PossessionUnproven("the certificate request was not signed by the key in it")
    return key


def _is_signed(request: x509.CertificateSigningRequest) -> bool:
    try:
        return request.is_signature_valid
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):  # also a hash or a padding that nobody should use
        return False


def _key(read: Callable[[], PublicKey]) -> PublicKey:
    try:
        return read()
    except (KeyMalformed, KeyUnsupported) as problem:
        raise CertificateRequestInvalid(f"the key cannot be certified: {problem.message}") from None
