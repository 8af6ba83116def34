"""Private keys that this process holds: making, signing, wrapping for a file, unwrapping.

In: a scheme, or PEM bytes and a passphrase (PKCS#8, RFC 5958). Out: a :class:`PrivateKey`, which is a Signer and a
DigestSigner. Reading and writing files is :mod:`chainward.adapters.signers`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from chainward.keys.errors import KeyMalformed, KeyUnencrypted, KeyUnsupported, PassphraseWeak, PassphraseWrong
from chainward.keys.model import PublicKey
from chainward.keys.modulus import EXPONENT
from chainward.keys.pkcs8 import ENCRYPTED_LABEL, check_encrypted, encrypt
from chainward.keys.scheme import DIGEST_SIZES, ECDSA, ECDSA_PREHASHED, RSA_SCHEMES, Scheme

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PrivateKey", "generate", "load_private_key"]

_MAX_PEM: Final = 16 * 1024
_MIN_PASSPHRASE: Final = 8
_MAX_PASSPHRASE: Final = 1024
_CLEAR_LABEL: Final = b"PRIVATE KEY"
_PKCS1: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()
_PREHASHED: Final = utils.Prehashed(_SHA256)
_CURVES: Final = {
    Scheme.ECDSA_P256_SHA256: ec.SECP256R1(),
    Scheme.ECDSA_P384_SHA384: ec.SECP384R1(),
    Scheme.ECDSA_P521_SHA512: ec.SECP521R1(),
}
_SIZES: Final = {scheme: size for size, scheme in RSA_SCHEMES.items()}

_Key = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | rsa.RSAPrivateKey


class PrivateKey:
    """A private key in this process; implements DigestSigner. Never compared, hashed by content or shown."""

    def __init__(self, key: _Key) -> None:
        self._key = key

    @classmethod
    def of(cls, key: object) -> Self:
        """Wrap a key object of ``cryptography``; raises KeyUnsupported unless its scheme is used here."""
        if not isinstance(key, (ec.EllipticCurvePrivateKey, Ed25519PrivateKey, rsa.RSAPrivateKey)):
            raise KeyUnsupported(f"a key of type {type(key).__name__} is not used here")
        made = cls(key)
        made.public_key  # noqa: B018 - reading it checks curve, size and exponent
        return made

    @cached_property
    def public_key(self) -> PublicKey:
        """The public half."""
        public = self._key.public_key()
        return PublicKey.from_der(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def sign(self, data: bytes) -> bytes:
        """Return a signature over ``data``."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(data, ECDSA[self.public_key.scheme])
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, _PKCS1, _SHA256)
        return self._key.sign(data)

    def sign_prehashed(self, digest: bytes) -> bytes:
        """Return a signature over bytes whose hash, the one of the key's scheme, is ``digest``.

        Raises:
            KeyUnsupported: an Ed25519 key, or a digest of another length.
        """
        scheme = self.public_key.scheme
        if isinstance(self._key, Ed25519PrivateKey) or len(digest) != DIGEST_SIZES[scheme.hash_name]:
            raise KeyUnsupported(f"a {scheme} key does not sign digests of {len(digest)} bytes")
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(digest, _PKCS1, _PREHASHED)
        return self._key.sign(digest, ECDSA_PREHASHED[scheme])

    def encrypted_pem(self, passphrase: bytes) -> bytes:
        """Return the key as PKCS#8 under ``passphrase``.

        Raises:
            PassphraseWeak: fewer than 8 bytes, or more than 1,024.
        """
        if not _MIN_PASSPHRASE <= len(passphrase) <= _MAX_PASSPHRASE:
            raise PassphraseWeak(f"a passphrase of {len(passphrase)} bytes is not accepted")
        return self.sealed(lambda der: encrypt(der, passphrase))

    def sealed(self, seal: Callable[[bytes], bytes]) -> bytes:
        """Return what ``seal`` makes of the key as PKCS#8 in the clear (DER); nothing else gets to see that."""
        return seal(self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def __repr__(self) -> str:
        return f"<private key of sha256:{self.public_key.fingerprint}>"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not pickled")


def generate(scheme: Scheme) -> PrivateKey:
    """Make a new key. Its randomness is the operating system's, taken by ``cryptography`` itself."""
    if scheme is Scheme.ED25519:
        return PrivateKey(Ed25519PrivateKey.generate())
    if scheme in _CURVES:
        return PrivateKey(ec.generate_private_key(_CURVES[scheme]))
    return PrivateKey(rsa.generate_private_key(EXPONENT, _SIZES[scheme]))


def load_private_key(pem: bytes, passphrase: bytes | None, *, allow_unencrypted: bool = False) -> PrivateKey:
    """Open a PKCS#8 key.

    ``allow_unencrypted`` is for keys that something else protects, such as a mounted secret; the caller must have been
    asked for it in so many words.

    Raises:
        KeyMalformed: not exactly one PKCS#8 PEM block, or not a private key inside.
        KeyUnencrypted: the key is in the clear, and that was not allowed.
        KeyUnsupported: a key of a scheme that is not used here.
        PassphraseWrong: no passphrase, or another one.
    """
    if len(pem) > _MAX_PEM:
        raise KeyMalformed(f"{len(pem)} bytes are too many for a private key")
    label = _label_of(pem)
    if label == _CLEAR_LABEL:
        if not allow_unencrypted:
            raise KeyUnencrypted("the private key is not encrypted")
        return _open(pem, None, KeyMalformed("the PEM block does not hold a private key"))
    check_encrypted(pem)
    if not passphrase:
        raise PassphraseWrong("the private key is encrypted and no passphrase was given")
    return _open(pem, passphrase, PassphraseWrong("the passphrase does not open the private key"))


def _label_of(pem: bytes) -> bytes:
    for label in (ENCRYPTED_LABEL, _CLEAR_LABEL):
        if pem.count(b"-----BEGIN ") == 1 and b"-----BEGIN " + label + b"-----" in pem:
            return label
    raise KeyMalformed(
        "this is not exactly one PEM block PRIVATE KEY or ENCRYPTED PRIVATE KEY",
        hint="Convert an older key file with: openssl pkcs8 -topk8 -scrypt -in old.key -out release.key",
    )


def _open(pem: bytes, passphrase: bytes | None, refusal: KeyMalformed | PassphraseWrong) -> PrivateKey:
    try:
        key = load_pem_private_key(pem, passphrase)
    except (UnsupportedAlgorithm, InternalError):  # the latter for parameters that OpenSSL itself refuses
        raise KeyUnsupported("the key, or the way it is encrypted, is of an unknown type") from None
    except (ValueError, TypeError):
        raise refusal from None
    return PrivateKey.of(key)
