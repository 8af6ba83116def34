"""What a room needs from whatever holds a private key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chainward.keys.model import PublicKey

__all__ = ["DigestSigner", "Signer"]


class Signer(Protocol):
    """Signs with one private key, wherever that is: in this process, a file, a token, a service.

    Any thread may call it. Signatures verify under :attr:`public_key`; ECDSA signatures are random, so two calls give
    two signatures. A key that cannot sign now raises a Problem of kind *unavailable* and has signed nothing.
    """

    @property
    def public_key(self) -> PublicKey:
        """The public half; constant for the life of the signer."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return a signature over ``data`` (ECDSA: DER; RSA: PKCS #1 v1.5; Ed25519: 64 bytes)."""
        ...


class DigestSigner(Signer, Protocol):
    """A signer that can also sign what it does not see; every holder of ECDSA keys can (file, PKCS#11, cloud KMS)."""

    def sign_prehashed(self, digest: bytes) -> bytes:
        """Return a signature over bytes whose hash, the one of the key's scheme, is ``digest``.

        Raises:
            KeyUnsupported: an Ed25519 key, or a digest of another length.
        """
        ...
