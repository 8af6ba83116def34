"""Public keys: what they are, what names them, and what it takes to believe a signature of theirs.

A key is known by its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) in DER. One key has one encoding here: whatever would
decode to the same point from other bytes (explicit curve parameters, compressed points, trailing bytes) is refused, so
that a fingerprint names a key and not a spelling. Scheme names are those of Sigstore's ``PublicKeyDetails``.

Verification returns nothing or raises; all arithmetic is pyca/cryptography's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid

__all__ = ["PublicKey", "Scheme", "SignatureInvalid", "ed25519_of", "raw_ed25519"]

_MAX_ENCODED: Final = 16 * 1024
_DIGEST_SIZE: Final = 32
_SHA256: Final = ec.ECDSA(hashes.SHA256())
_PREHASHED: Final = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


class Scheme(StrEnum):
    """How a key signs; the value is Sigstore's name for it."""

    ECDSA_P256_SHA256 = "PKIX_ECDSA_P256_SHA_256"
    ED25519 = "PKIX_ED25519"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that is known to be well-formed and of a known scheme; equal keys have equal bytes.

    Raises:
        KeyMalformed: ``der`` is not a SubjectPublicKeyInfo in its one encoding.
        KeyUnsupported: the key is of another scheme than ``scheme``, or of none that is used here.
    """

    der: bytes
    scheme: Scheme

    def __post_init__(self) -> None:
        found = _scheme_of(_loaded(self.der))
        if found is not self.scheme:
            raise KeyUnsupported(f"this is a {found} key, not a {self.scheme} key")

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a SubjectPublicKeyInfo; raises KeyMalformed or KeyUnsupported."""
        return cls(der, _scheme_of(_loaded(der)))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a PEM block ``PUBLIC KEY``; raises KeyMalformed or KeyUnsupported."""
        if len(pem) > _MAX_ENCODED:
            raise KeyMalformed(f"{len(pem)} bytes are too many for a public key")
        if pem.count(b"-----BEGIN ") != 1 or b"-----BEGIN PUBLIC KEY-----" not in pem:
            raise KeyMalformed("this is not exactly one PEM block PUBLIC KEY")
        try:
            key = load_pem_public_key(pem)
        except UnsupportedAlgorithm:
            raise KeyUnsupported("the key is of an unknown type") from None
        except ValueError:
            raise KeyMalformed("the PEM block does not hold a public key") from None
        return cls.from_der(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the DER, in lowercase hex: the name of the key everywhere in Chainward."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def pem(self) -> bytes:
        """The key as a PEM block ``PUBLIC KEY``."""
        return _loaded(self.der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, data: bytes, signature: bytes) -> None:
        """Return if this key made ``signature`` over ``data``.

        Raises:
            SignatureInvalid: in every other case, also for a signature that is not even well-formed.
        """
        key = _loaded(self.der)
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, data)
            else:
                key.verify(signature, data, _SHA256)
        except (InvalidSignature, ValueError):
            raise self._refusal() from None

    def verify_prehashed(self, digest: bytes, signature: bytes) -> None:
        """Return if this key made ``signature`` over bytes whose SHA-256 is ``digest``.

        Raises:
            KeyUnsupported: an Ed25519 key: it signs messages, not digests (Ed25519ph is another scheme).
            SignatureInvalid: in every other case but a valid signature.
        """
        key = _loaded(self.der)
        if isinstance(key, Ed25519PublicKey):
            raise KeyUnsupported("an Ed25519 key cannot sign a digest")
        if len(digest) != _DIGEST_SIZE:
            raise SignatureInvalid(f"{len(digest)} bytes are not a SHA-256 digest")
        try:
            key.verify(signature, digest, _PREHASHED)
        except (InvalidSignature, ValueError):
            raise self._refusal() from None

    def _refusal(self) -> SignatureInvalid:
        return SignatureInvalid(
            f"the signature was not made by key sha256:{self.fingerprint} over this content",
            details={"fingerprint": self.fingerprint},
        )


def raw_ed25519(public_key: PublicKey) -> bytes:
    """Return the 32 bytes of an Ed25519 key; raises KeyUnsupported for any other key."""
    key = _loaded(public_key.der)
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnsupported(f"a {public_key.scheme} key is not an Ed25519 key", hint="Logs sign with Ed25519 keys.")
    return key.public_bytes_raw()


def ed25519_of(raw: bytes) -> PublicKey:
    """Return the Ed25519 key of 32 raw bytes, as it stands in a signed note's verifier key.

    Raises:
        KeyMalformed: not 32 bytes.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise KeyMalformed(f"an Ed25519 key has 32 bytes, not {len(raw)}") from None
    return PublicKey.from_der(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


# Parsing a key costs as much as a quarter of a verification; the same few keys verify nearly everything.
@lru_cache(maxsize=1024)
def _loaded(der: bytes) -> ec.EllipticCurvePublicKey | Ed25519PublicKey:
    if len(der) > _MAX_ENCODED:
        raise KeyMalformed(f"{len(der)} bytes are too many for a public key")
    try:
        key = load_der_public_key(der)
    except UnsupportedAlgorithm:
        raise KeyUnsupported("the key is of an unknown type") from None
    except ValueError:
        raise KeyMalformed("the bytes are not a public key") from None
    if not isinstance(key, (ec.EllipticCurvePublicKey, Ed25519PublicKey)):
        raise KeyUnsupported(f"a key of type {type(key).__name__} is not used here")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1):
        raise KeyUnsupported(f"a key on curve {key.curve.name} is not used here")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise KeyMalformed("the key is not in its one encoding (named curve, uncompressed point, nothing behind it)")
    return key


def _scheme_of(key: ec.EllipticCurvePublicKey | Ed25519PublicKey) -> Scheme:
    return Scheme.ED25519 if isinstance(key, Ed25519PublicKey) else Scheme.ECDSA_P256_SHA256
