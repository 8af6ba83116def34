"""The platform's own keys in its data folder, and the passphrase that opens them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.keys.local import generate
from chainward.keys.model import Scheme

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.adapters.home import DataFolder
    from chainward.kernel.entropy import Entropy
    from chainward.keys.local import PrivateKey

__all__ = ["PlatformKeys", "load_keys", "make_keys"]

_NAMES: Final = ("facts-log", "signature-log", "platform")
_PASSPHRASE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The platform's own keys: one for each log, one for what the platform itself states (VSAs)."""

    facts: PrivateKey
    signatures: PrivateKey
    platform: PrivateKey

    @classmethod
    def fresh(cls) -> PlatformKeys:
        """Make new keys."""
        return cls(generate(Scheme.ED25519), generate(Scheme.ED25519), generate(Scheme.ECDSA_P256_SHA256))


def make_keys(folder: DataFolder, passphrase_file: Path, entropy: Entropy, passphrase: bytes | None) -> PlatformKeys:
    """Make new keys and keep them in ``folder``; an existing passphrase file is used, otherwise one is written.

    Without ``passphrase`` a random one is made.
    """
    if passphrase_file.exists():
        passphrase = folder.read_passphrase(passphrase_file)
    else:
        passphrase = passphrase or base64.urlsafe_b64encode(entropy.bytes(_PASSPHRASE_BYTES))
        folder.write_secret(passphrase_file, passphrase + b"\n")
    keys = PlatformKeys.fresh()
    for name, key in zip(_NAMES, (keys.facts, keys.signatures, keys.platform), strict=True):
        folder.store_key(name, key, passphrase)
    return keys


def load_keys(folder: DataFolder, passphrase_file: Path) -> PlatformKeys:
    """Open the keys of ``folder``; raises NotInitialised, FolderUnusable or PassphraseWrong."""
    passphrase = folder.read_passphrase(passphrase_file)
    return PlatformKeys(*(folder.load_key(name, passphrase) for name in _NAMES))
