"""Private keys at rest where many of them lie together: sealed under one random key, which the passphrase opens once.

A passphrase needs a slow derivation (scrypt, a fifth of a second); a random key of 256 bits needs none. So the slow
step is made once, when a process opens the platform's :class:`SealingKey`, and every key in the database is then sealed
and opened in microseconds (ADR 5).

Sealed: a version byte, a 96-bit nonce and AES-256-GCM (NIST SP 800-38D) over the PKCS#8 key, with the key's name and
purpose as associated data: a sealed key that is moved to another row, or to another platform, does not open. Random
nonces under one key are sound for 2^32 seals; a platform makes some hundreds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import load_der_private_key

from chainward.keys.errors import KeyMalformed, PassphraseWrong
from chainward.keys.local import PrivateKey, generate

if TYPE_CHECKING:
    from chainward.kernel.entropy import Entropy
    from chainward.keys.scheme import Scheme

__all__ = ["SealingKey"]

_SIZE: Final = 32
_NONCE: Final = 12
_SALT: Final = 16
_TAG: Final = 16
_VERSION: Final = b"\x01"
_MAX_SEALED: Final = 16 * 1024
_PURPOSE: Final = b"chainward sealed key/1\n"
_DERIVING: Final = b"chainward derived key/1\n"
_WRAPPING: Final = b"chainward sealing key/1\n"
_COST: Final = 2**14  # as for single keys, see chainward.keys.pkcs8
_BLOCK: Final = 8
_PARALLEL: Final = 5


class SealingKey:
    """The random key under which other keys are sealed. Thread-safe; never compared or shown."""

    def __init__(self, key: bytes, entropy: Entropy) -> None:
        if len(key) != _SIZE:
            raise KeyMalformed(f"a sealing key has {_SIZE} bytes, not {len(key)}")
        self._key = key
        self._cipher = AESGCM(key)
        self._entropy = entropy

    @classmethod
    def fresh(cls, entropy: Entropy) -> Self:
        """Make a new one."""
        return cls(entropy.bytes(_SIZE), entropy)

    def make(self, name: str, scheme: Scheme) -> tuple[bytes, PrivateKey]:
        """Make a new key that opens under this ``name`` only, and return it sealed and open."""
        key = generate(scheme)
        return self.seal(key, name), key

    def seal(self, key: PrivateKey, name: str) -> bytes:
        """Return ``key`` sealed; it opens under this ``name`` only."""
        nonce = self._entropy.bytes(_NONCE)
        return key.sealed(lambda der: _VERSION + nonce + self._cipher.encrypt(nonce, der, _PURPOSE + name.encode()))

    def open(self, sealed: bytes, name: str) -> PrivateKey:
        """Return the key that was sealed as ``name``.

        Raises:
            KeyMalformed: the bytes were not sealed by this key under this name.
            KeyUnsupported: a key of a scheme that is not used here.
        """
        if not len(_VERSION) + _NONCE + _TAG < len(sealed) <= _MAX_SEALED or sealed[:1] != _VERSION:
            raise KeyMalformed("the bytes are not a sealed key")
        nonce, data = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            der = self._cipher.decrypt(nonce, data, _PURPOSE + name.encode())
            return PrivateKey.of(load_der_private_key(der, None))
        except (InvalidTag, ValueError, UnsupportedAlgorithm):
            raise KeyMalformed(f"the sealed key does not open as {name[:80]!r}") from None

    def derived(self, purpose: str) -> bytes:
        """Return 32 bytes for another purpose, the same on every replica (HKDF-SHA256, RFC 5869)."""
        return HKDF(SHA256(), _SIZE, salt=None, info=_DERIVING + purpose.encode()).derive(self._key)

    def wrapped(self, passphrase: bytes) -> bytes:
        """Return this key under a passphrase, for a file."""
        salt, nonce = self._entropy.bytes(_SALT), self._entropy.bytes(_NONCE)
        return _VERSION + salt + nonce + _derived(passphrase, salt).encrypt(nonce, self._key, _WRAPPING)

    @classmethod
    def unwrap(cls, wrapped: bytes, passphrase: bytes, entropy: Entropy) -> Self:
        """Return the key in a file.

        Raises:
            KeyMalformed: the bytes are not a wrapped key.
            PassphraseWrong: the passphrase does not open it.
        """
        if len(wrapped) != len(_VERSION) + _SALT + _NONCE + _SIZE + _TAG or wrapped[:1] != _VERSION:
            raise KeyMalformed("the bytes are not a wrapped sealing key")
        salt, nonce = wrapped[1 : 1 + _SALT], wrapped[1 + _SALT : 1 + _SALT + _NONCE]
        try:
            key = _derived(passphrase, salt).decrypt(nonce, wrapped[1 + _SALT + _NONCE :], _WRAPPING)
        except InvalidTag:
            raise PassphraseWrong("the passphrase does not open the sealing key") from None
        return cls(key, entropy)

    def __repr__(self) -> str:
        return "<sealing key>"

    def __reduce__(self) -> str:
        raise TypeError("a sealing key is not pickled")


def _derived(passphrase: bytes, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=_SIZE, n=_COST, r=_BLOCK, p=_PARALLEL).derive(passphrase))
