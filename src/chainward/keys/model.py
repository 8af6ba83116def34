"""Public keys: what they are, what names them, and what it takes to believe a signature of theirs.

A key is known by its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) in DER. One key has one encoding here: whatever would
decode to the same point from other bytes (explicit curve parameters, compressed points, trailing bytes) is refused, so
that a fingerprint names a key and not a spelling. Which schemes there are is :mod:`chainward.keys.scheme`.

Verification returns nothing or raises; all arithmetic is pyca/cryptography's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from chainward.keys.certificate import read_certificate
from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid
from chainward.keys.modulus import rsa_scheme
from chainward.keys.scheme import CURVE_SCHEMES, DIGEST_SIZES, ECDSA, ECDSA_PREHASHED, Scheme

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["PublicKey", "Scheme", "SignatureInvalid", "ed25519_of", "raw_ed25519", "verify_certified"]

_MAX_ENCODED: Final = 16 * 1024
_PKCS1: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()
_PREHASHED: Final = utils.Prehashed(_SHA256)

_Key = ec.EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey
_KINDS: Final = (ec.EllipticCurvePublicKey, Ed25519PublicKey, RSAPublicKey)


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
        found = _loaded(self.der)[1]
        if found is not self.scheme:
            raise KeyUnsupported(f"this is a {found} key, not a {self.scheme} key")

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a SubjectPublicKeyInfo; raises KeyMalformed or KeyUnsupported."""
        return cls(der, _loaded(der)[1])

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

    @classmethod
    def from_certificate(cls, der: bytes) -> Self:
        """Return the key that an X.509 certificate is about; raises KeyMalformed or KeyUnsupported.

        Nothing else of the certificate is looked at: whether it may be believed is the caller's question.
        """
        return cls.of_certificate(read_certificate(der))

    @classmethod
    def of_certificate(cls, certificate: x509.Certificate) -> Self:
        """Return the key that a certificate is about which was read already; raises KeyMalformed or KeyUnsupported."""
        key, scheme = _certified(certificate)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if len(der) <= _MAX_ENCODED:
            _remembered(der, (key, scheme))  # what the library writes is the one encoding
        return cls(der, scheme)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the DER, in lowercase hex: the name of the key everywhere in Chainward."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def hash_name(self) -> str:
        """What :mod:`hashlib` calls the hash whose digests this key signs; raises KeyUnsupported for Ed25519."""
        return self.scheme.hash_name

    @property
    def pem(self) -> bytes:
        """The key as a PEM block ``PUBLIC KEY``."""
        return _loaded(self.der)[0].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, data: bytes, signature: bytes) -> None:
        """Return if this key made ``signature`` over ``data``.

        Raises:
            SignatureInvalid: in every other case, also for a signature that is not even well-formed.
        """
        key, scheme = _loaded(self.der)
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, data, ECDSA[scheme])
            elif isinstance(key, RSAPublicKey):
                key.verify(signature, data, _PKCS1, _SHA256)
            else:
                key.verify(signature, data)
        except (InvalidSignature, ValueError):
            raise self._refusal() from None

    def verify_prehashed(self, digest: bytes, signature: bytes) -> None:
        """Return if this key made ``signature`` over bytes whose :attr:`hash_name` is ``digest``.

        Raises:
            KeyUnsupported: an Ed25519 key: it signs messages, not digests (Ed25519ph is another scheme).
            SignatureInvalid: in every other case but a valid signature.
        """
        try:
            _verify_digest(*_loaded(self.der), digest, signature)
        except (InvalidSignature, ValueError):
            raise self._refusal() from None

    def _refusal(self) -> SignatureInvalid:
        return SignatureInvalid(
            f"the signature was not made by key sha256:{self.fingerprint} over this content",
            details={"fingerprint": self.fingerprint},
        )


def verify_certified(certificate: bytes, digest: bytes, signature: bytes) -> Scheme:
    """Return the scheme of the key that an X.509 certificate is about, if it made ``signature`` over that digest.

    The same as :meth:`PublicKey.from_certificate` and :meth:`PublicKey.verify_prehashed`, at half the cost for a key
    that is met once. Nothing else of the certificate is looked at.

    Raises:
        KeyMalformed, KeyUnsupported, SignatureInvalid: as those do.
    """
    key, scheme = _certified(read_certificate(certificate))
    try:
        _verify_digest(key, scheme, digest, signature)
    except (InvalidSignature, ValueError):
        raise SignatureInvalid("the signature was not made by the key of the certificate over this content") from None
    return scheme


def raw_ed25519(public_key: PublicKey) -> bytes:
    """Return the 32 bytes of an Ed25519 key; raises KeyUnsupported for any other key."""
    key, _ = _loaded(public_key.der)
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


def _certified(certificate: x509.Certificate) -> tuple[_Key, Scheme]:
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        raise KeyUnsupported("the key of the certificate is of an unknown type") from None
    except ValueError:
        raise KeyMalformed("the certificate holds no key") from None
    if not isinstance(key, _KINDS):
        raise KeyUnsupported(f"a key of type {type(key).__name__} is not used here")
    return key, _scheme_of(key)


def _verify_digest(key: _Key, scheme: Scheme, digest: bytes, signature: bytes) -> None:
    if isinstance(key, Ed25519PublicKey):
        raise KeyUnsupported("an Ed25519 key cannot sign a digest")
    if len(digest) != DIGEST_SIZES[scheme.hash_name]:
        name = scheme.hash_name.upper().replace("SHA", "SHA-")
        raise SignatureInvalid(f"{len(digest)} bytes are not a {name} digest")
    if isinstance(key, RSAPublicKey):
        key.verify(signature, digest, _PKCS1, _PREHASHED)
    else:
        key.verify(signature, digest, ECDSA_PREHASHED[scheme])


# Parsing a key costs as much as a quarter of a verification; the same few keys verify nearly everything.
_MAX_KNOWN: Final = 1024
_known: dict[bytes, tuple[_Key, Scheme]] = {}


def _loaded(der: bytes) -> tuple[_Key, Scheme]:
    return _known.get(der) or _remembered(der, _read(der))


def _remembered(der: bytes, loaded: tuple[_Key, Scheme]) -> tuple[_Key, Scheme]:
    """Keep a key under the bytes that are its one encoding; when there are too many, begin anew."""
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    _known[der] = loaded
    return loaded


def _read(der: bytes) -> tuple[_Key, Scheme]:
    if len(der) > _MAX_ENCODED:
        raise KeyMalformed(f"{len(der)} bytes are too many for a public key")
    try:
        key = load_der_public_key(der)
    except UnsupportedAlgorithm:
        raise KeyUnsupported("the key is of an unknown type") from None
    except ValueError:
        raise KeyMalformed("the bytes are not a public key") from None
    if not isinstance(key, _KINDS):
        raise KeyUnsupported(f"a key of type {type(key).__name__} is not used here")
    scheme = _scheme_of(key)
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise KeyMalformed("the key is not in its one encoding (named curve, uncompressed point, nothing behind it)")
    return key, scheme


def _scheme_of(key: _Key) -> Scheme:
    if isinstance(key, Ed25519PublicKey):
        return Scheme.ED25519
    if isinstance(key, RSAPublicKey):
        return rsa_scheme(key)
    scheme = CURVE_SCHEMES.get(key.curve.name)
    if scheme is None:
        raise KeyUnsupported(f"a key on curve {key.curve.name} is not used here")
    return scheme
