"""What it means to sign and to verify, whatever holds the key; chosen by URI scheme.

Schemes are few on purpose: ECDSA over P-256, P-384 and P-521, each with its own hash, and RSA of 2048, 3072 and 4096
bits for artifacts and certificates; Ed25519 for checkpoints. Everything else is refused by name
(:class:`~chainward.keys.errors.KeyUnsupported`), so that nothing is ever verified half.
"""

from __future__ import annotations

from chainward.keys.errors import SignatureInvalid
from chainward.keys.model import PublicKey, Scheme
from chainward.keys.ports import DigestSigner, Signer

__all__ = ["DigestSigner", "PublicKey", "Scheme", "SignatureInvalid", "Signer"]
