"""The platform's own keys in its data folder, those of its offline roots, and the passphrase that opens them.

Three files belong to the running platform: the key of the facts log, the key of what the platform itself states, and
the sealing key, under which the keys of its authorities stand in the database (ADR 5). The folder ``offline`` beside
them holds the keys of the roots. The platform never opens those: they lie there only until somebody moves them away.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.adapters.signers import open_signer
from chainward.adapters.system import SystemEntropy
from chainward.keys.errors import KeyMalformed
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.keys.sealing import SealingKey
from chainward.keys.uri import KeyReference
from chainward.trust.custody import SealedKey
from chainward.trust.errors import KeySealed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chainward.adapters.home import DataFolder
    from chainward.kernel.entropy import Entropy
    from chainward.keys.local import PrivateKey
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner
    from chainward.trust.custody import KeptKey

__all__ = ["OFFLINE", "OfflineKeys", "PlatformKeys", "Vault", "load_keys", "make_keys"]

OFFLINE: Final = "offline"
_NAMES: Final = ("facts-log", "platform")
_SEALING: Final = "sealing.key"
_PASSPHRASE_BYTES: Final = 32
_TUF_ROOTS: Final = 3


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The platform's own keys: of the facts log, of what the platform itself states (VSAs), and to seal all others."""

    facts: PrivateKey
    platform: PrivateKey
    sealing: SealingKey

    @classmethod
    def fresh(cls, entropy: Entropy | None = None) -> PlatformKeys:
        """Make new keys."""
        sealing = SealingKey.fresh(entropy or SystemEntropy())
        return cls(generate(Scheme.ED25519), generate(Scheme.ECDSA_P256_SHA256), sealing)


@dataclass(frozen=True, slots=True)
class OfflineKeys:
    """The keys of the roots: of the certificate authority, of the timestamp authority, and of the TUF repository."""

    ca: PrivateKey
    tsa: PrivateKey
    tuf: tuple[PrivateKey, ...]

    @classmethod
    def fresh(cls) -> OfflineKeys:
        """Make new keys."""
        tuf = tuple(generate(Scheme.ED25519) for _ in range(_TUF_ROOTS))
        return cls(generate(Scheme.ECDSA_P256_SHA256), generate(Scheme.ECDSA_P256_SHA256), tuf)

    def named(self) -> tuple[tuple[str, PrivateKey], ...]:
        """Return every key with the name of its file."""
        tuf = ((f"tuf-root-{number}", key) for number, key in enumerate(self.tuf, 1))
        return (("ca-root", self.ca), ("tsa-root", self.tsa), *tuf)


class Vault:
    """The KeyVault that seals keys under the platform's sealing key, and opens references to others.

    ``passphrase`` gives the one for key files, if there is one.
    """

    def __init__(self, sealing: SealingKey, passphrase: Callable[[], bytes] | None = None) -> None:
        self._sealing = sealing
        self._passphrase = passphrase

    def make(self, name: str, scheme: Scheme) -> tuple[KeptKey, DigestSigner]:
        """Make a new key that only this ``name`` opens, and return it kept and opened."""
        sealed, key = self._sealing.make(name, scheme)
        return SealedKey(sealed), key

    def refer(self, reference: KeyReference) -> DigestSigner:
        """Return the signer of a key that stays where it is; raises what :func:`open_signer` raises."""
        return open_signer(reference, self._passphrase)

    def open(self, name: str, kept: KeptKey, public_key: PublicKey) -> DigestSigner:
        """Return the signer of ``public_key`` that was kept as ``name``; raises KeySealed."""
        if isinstance(kept, KeyReference):
            signer = self.refer(kept)
        else:
            try:
                signer = self._sealing.open(kept.data, name)
            except KeyMalformed as problem:
                raise KeySealed(f"the key of {name} was sealed by another platform, or changed") from problem
        if signer.public_key != public_key:
            raise KeySealed(f"the key of {name} is not the one that its authority has")
        return signer


def make_keys(
    folder: DataFolder, passphrase_file: Path, entropy: Entropy, passphrase: bytes | None
) -> tuple[PlatformKeys, OfflineKeys]:
    """Make new keys and keep them in ``folder``; an existing passphrase file is used, otherwise one is written.

    Without ``passphrase`` a random one is made.
    """
    if passphrase_file.exists():
        passphrase = folder.read_passphrase(passphrase_file)
    else:
        passphrase = passphrase or base64.urlsafe_b64encode(entropy.bytes(_PASSPHRASE_BYTES))
        folder.write_secret(passphrase_file, passphrase + b"\n")
    keys, offline = PlatformKeys.fresh(entropy), OfflineKeys.fresh()
    for name, key in zip(_NAMES, (keys.facts, keys.platform), strict=True):
        folder.store_key(name, key, passphrase)
    folder.write_secret(folder.keys / _SEALING, keys.sealing.wrapped(passphrase))
    (folder.keys / OFFLINE).mkdir(mode=0o700)
    for name, key in offline.named():
        folder.store_key(f"{OFFLINE}/{name}", key, passphrase)
    return keys, offline


def load_keys(folder: DataFolder, passphrase_file: Path, entropy: Entropy | None = None) -> PlatformKeys:
    """Open the keys of ``folder``; raises NotInitialised, FolderUnusable or PassphraseWrong."""
    passphrase = folder.read_passphrase(passphrase_file)
    facts, platform = (folder.load_key(name, passphrase) for name in _NAMES)
    wrapped = folder.read_secret(folder.keys / _SEALING)
    return PlatformKeys(facts, platform, SealingKey.unwrap(wrapped, passphrase, entropy or SystemEntropy()))
