"""X.509 certificates (RFC 5280) from bytes that anybody may have sent, and the keys that they are about.

A key of a certificate may verify more than :class:`~chainward.keys.model.PublicKey` does: authorities of others sign
with RSA keys of any size, and with hashes that their curve does not fix. So the algorithm is an argument here, chosen
from a short list, and must be what the signed document itself says, as a signer's algorithm is part of what he signs.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.utils import CryptographyDeprecationWarning

from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid

__all__ = ["MAX_CERTIFICATE", "CertifiedKey", "read_certificate"]

MAX_CERTIFICATE: Final = 64 * 1024
_PKCS1: Final = padding.PKCS1v15()
_HASHES: Final = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
_ECDSA: Final = {name: ec.ECDSA(algorithm) for name, algorithm in _HASHES.items()}
_CURVES: Final = frozenset({ec.SECP256R1.name, ec.SECP384R1.name, ec.SECP521R1.name})
_MIN_RSA: Final = 2048
_MAX_RSA: Final = 8192
_EXPONENT: Final = 65537


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate in DER; its parts are decoded when they are asked for, and may still be malformed then.

    Raises:
        KeyMalformed: not a certificate, or larger than 64 KiB.
    """
    if len(der) > MAX_CERTIFICATE:
        raise KeyMalformed(f"{len(der)} bytes are too many for a certificate")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion, CryptographyDeprecationWarning):  # a warning where those are errors
        raise KeyMalformed("the bytes are not a certificate") from None


class CertifiedKey:
    """The key that a certificate is about, read once, to verify signatures of any family and hash on the list.

    Raises:
        KeyMalformed: the certificate holds no key that can be read.
        KeyUnsupported: neither ECDSA on a NIST curve nor RSA of 2048 to 8192 bits.
    """

    def __init__(self, certificate: x509.Certificate) -> None:
        try:
            key = certificate.public_key()
        except UnsupportedAlgorithm:
            raise KeyUnsupported("the key of the certificate is of an unknown type") from None
        except ValueError:
            raise KeyMalformed("the certificate holds no key") from None
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
            self._key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = key
        elif isinstance(key, rsa.RSAPublicKey) and _is_sound(key):
            self._key = key
        else:
            raise KeyUnsupported(f"a key of type {type(key).__name__}, of this size, is not used here")
        self._family = "rsa" if isinstance(key, rsa.RSAPublicKey) else "ecdsa"

    @property
    def family(self) -> str:
        """``ecdsa`` or ``rsa``."""
        return self._family

    def verify(self, data: bytes, signature: bytes, hash_name: str) -> None:
        """Return if this key made ``signature`` over ``data`` by this hash.

        Raises:
            SignatureInvalid: in every other case, also for a hash that is not SHA-256, SHA-384 or SHA-512.
        """
        if hash_name not in _HASHES:
            raise SignatureInvalid(f"signatures over {hash_name[:40]} are not believed")
        try:
            if isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signature, data, _PKCS1, _HASHES[hash_name])
            else:
                self._key.verify(signature, data, _ECDSA[hash_name])
        except (InvalidSignature, ValueError):
            raise SignatureInvalid("the signature was not made by the key in the certificate") from None


def _is_sound(key: rsa.RSAPublicKey) -> bool:
    return _MIN_RSA <= key.key_size <= _MAX_RSA and key.public_numbers().e >= _EXPONENT
