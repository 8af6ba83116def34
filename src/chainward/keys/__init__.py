"""What it means to sign and to verify, whatever holds the key; chosen by URI scheme.

Schemes are few on purpose: ECDSA over P-256 with SHA-256 for artifacts, Ed25519 for checkpoints. Everything else is
refused by name (:class:`~chainward.keys.errors.KeyUnsupported`), so that nothing is ever verified half.
"""

from __future__ import annotations

from chainward.keys.errors import SignatureInvalid
from chainward.keys.model import PublicKey, Scheme
from chainward.keys.ports import DigestSigner, Signer

__all__ = ["DigestSigner", "PublicKey", "Scheme", "SignatureInvalid", "Signer"]
