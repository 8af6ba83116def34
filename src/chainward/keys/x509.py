"""Certificates and certificate requests signed by any signer, wherever its key is.

``cryptography`` signs certificates (RFC 5280) and requests (RFC 2986) with its own key objects only. So a signer is
dressed as one here: :func:`issuing_key` has the public half and the curve of the signer's key, hashes what it is given
and lets the signer sign the digest. An authority with its key in a file, a token or a cloud service is then the same
code.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Never

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.scheme import ECDSA

if TYPE_CHECKING:
    from cryptography.utils import Buffer

    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner

__all__ = ["certificate_request", "hash_of", "issuing_key"]


def issuing_key(signer: DigestSigner) -> ec.EllipticCurvePrivateKey:
    """Return ``signer`` as a key that ``CertificateBuilder.sign`` and its siblings accept.

    Sign with :func:`hash_of` its public key, for example ``builder.sign(issuing_key(signer), hash_of(key))``. What the
    signer raises comes through unchanged.

    Raises:
        KeyUnsupported: the signer's key is not ECDSA.
    """
    return _IssuingKey(signer)


def hash_of(public_key: PublicKey) -> SHA256 | SHA384 | SHA512:
    """Return the hash that goes with ``public_key`` in a certificate; raises KeyUnsupported for Ed25519."""
    match public_key.hash_name:
        case "sha384":
            return SHA384()
        case "sha512":
            return SHA512()
        case _:
            return SHA256()


def certificate_request(signer: DigestSigner, subject: str = "") -> bytes:
    """Return a certificate request for the key of ``signer``, in PEM: its signature proves possession of the key.

    ``subject`` is the common name; authorities that take the name from an identity token ignore it.

    Raises:
        KeyMalformed: the subject cannot be a common name.
        KeyUnsupported: the signer's key is not ECDSA.
    """
    key = issuing_key(signer)
    try:
        names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else []
    except ValueError:
        raise KeyMalformed(
            f"{subject[:80]!r} cannot be the subject of a certificate", hint="A common name has at most 64 characters."
        ) from None
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return builder.sign(key, hash_of(signer.public_key)).public_bytes(Encoding.PEM)


class _IssuingKey(ec.EllipticCurvePrivateKey):
    """A signer in the dress of a private key; what would need the private half itself is refused."""

    def __init__(self, signer: DigestSigner) -> None:
        key = load_der_public_key(signer.public_key.der)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise KeyUnsupported(f"a {signer.public_key.scheme} key does not sign certificates here")
        self._signer = signer
        self._public = key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.curve.key_size

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        public_key = self._signer.public_key
        wanted, own = signature_algorithm.algorithm, ECDSA[public_key.scheme].algorithm
        if type(wanted) is not type(own):
            raise KeyUnsupported(f"a {public_key.scheme} key signs data by its {public_key.hash_name} only")
        return self._signer.sign_prehashed(hashlib.new(public_key.hash_name, data).digest())

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        _refuse(algorithm, peer_public_key)

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        _refuse()

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> bytes:  # noqa: A002 - its name there
        _refuse(encoding, format, encryption_algorithm)

    def __copy__(self) -> ec.EllipticCurvePrivateKey:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> ec.EllipticCurvePrivateKey:
        return self


def _refuse(*_: object) -> Never:
    raise KeyUnsupported("this key signs, and does nothing else")
