"""How keys sign: the few schemes that are used, each with its curve or size and its one hash.

The names are those of Sigstore's ``PublicKeyDetails``, as they stand in log entries and trust documents. A scheme fixes
the hash: a P-384 key never signs a SHA-256 here, so that nobody who can choose the hash can choose a weaker one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from chainward.keys.errors import KeyUnsupported

__all__ = ["CURVE_SCHEMES", "DIGEST_SIZES", "ECDSA", "ECDSA_PREHASHED", "RSA_SCHEMES", "Scheme"]


class Scheme(StrEnum):
    """How a key signs; the value is Sigstore's name for it."""

    ECDSA_P256_SHA256 = "PKIX_ECDSA_P256_SHA_256"
    ECDSA_P384_SHA384 = "PKIX_ECDSA_P384_SHA_384"
    ECDSA_P521_SHA512 = "PKIX_ECDSA_P521_SHA_512"
    RSA_2048 = "PKIX_RSA_PKCS1V15_2048_SHA256"
    RSA_3072 = "PKIX_RSA_PKCS1V15_3072_SHA256"
    RSA_4096 = "PKIX_RSA_PKCS1V15_4096_SHA256"
    ED25519 = "PKIX_ED25519"

    @property
    def hash_name(self) -> str:
        """What :mod:`hashlib` calls the hash whose digests this scheme signs.

        Raises:
            KeyUnsupported: Ed25519, which signs messages and not digests (Ed25519ph is another scheme).

        >>> Scheme.ECDSA_P384_SHA384.hash_name
        'sha384'
        """
        if self is Scheme.ED25519:
            raise KeyUnsupported("an Ed25519 key cannot sign a digest", hint="Use an ECDSA P-256 key.")
        return _HASH_NAMES.get(self, "sha256")


_HASH_NAMES: Final = {Scheme.ECDSA_P384_SHA384: "sha384", Scheme.ECDSA_P521_SHA512: "sha512"}

CURVE_SCHEMES: Final = {
    ec.SECP256R1.name: Scheme.ECDSA_P256_SHA256,
    ec.SECP384R1.name: Scheme.ECDSA_P384_SHA384,
    ec.SECP521R1.name: Scheme.ECDSA_P521_SHA512,
}
RSA_SCHEMES: Final = {2048: Scheme.RSA_2048, 3072: Scheme.RSA_3072, 4096: Scheme.RSA_4096}
DIGEST_SIZES: Final = {"sha256": 32, "sha384": 48, "sha512": 64}

# Made once: building these objects costs as much as a tenth of a P-256 signature.
ECDSA: Final = {
    Scheme.ECDSA_P256_SHA256: ec.ECDSA(hashes.SHA256()),
    Scheme.ECDSA_P384_SHA384: ec.ECDSA(hashes.SHA384()),
    Scheme.ECDSA_P521_SHA512: ec.ECDSA(hashes.SHA512()),
}
ECDSA_PREHASHED: Final = {
    Scheme.ECDSA_P256_SHA256: ec.ECDSA(utils.Prehashed(hashes.SHA256())),
    Scheme.ECDSA_P384_SHA384: ec.ECDSA(utils.Prehashed(hashes.SHA384())),
    Scheme.ECDSA_P521_SHA512: ec.ECDSA(utils.Prehashed(hashes.SHA512())),
}
