"""What proving a bundle gives: values that only :mod:`chainward.trust.prove` makes.

Who holds a :class:`Proven` knows what was signed, by which key or identity, where it was logged and when it existed. It
says nothing about whether that signer may say such a thing, and nothing about what a payload means.
"""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.keys.model import PublicKey
    from chainward.trust.identity import Identity
    from chainward.trust.material import ProvenTime, TrustedLog

__all__ = ["MESSAGE_SIGNATURE", "MessageDigest", "Proven", "ProvenCertificate", "ProvenKey", "StatementPayload"]

MESSAGE_SIGNATURE: Final = "message-signature"  # what a signature over a file is called where statements have a type


class _Seal:
    """The type of the one token without which proven values cannot be made."""

    __slots__ = ()


SEAL: Final = _Seal()  # for chainward.trust.prove alone; a test looks who else takes it


@dataclass(frozen=True, slots=True)
class StatementPayload:
    """The payload of an envelope: the very bytes that were signed, and of what type the signer said they are."""

    payload: bytes
    payload_type: str


@dataclass(frozen=True, slots=True)
class MessageDigest:
    """The digest of a file that was signed; ``hash_name`` is what :mod:`hashlib` calls its algorithm."""

    hash_name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class ProvenKey:
    """Signed by a key that the caller knows."""

    public_key: PublicKey

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key."""
        return self.public_key.fingerprint


@dataclass(frozen=True, slots=True)
class ProvenCertificate:
    """Signed under a certificate of a trusted authority (named ``authority``), which vouches for ``identity``.

    Nothing was signed under it before ``not_before``.
    """

    der: bytes
    serial: int
    identity: Identity
    public_key: PublicKey
    authority: str
    not_before: datetime

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, in lowercase hex."""
        return hashlib.sha256(self.der).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A signature that is proven in every part.

    ``signature`` are its bytes. ``log_index`` is where the entry stands in ``log``, and ``checkpoint`` the signed note
    (all lines of it) that proves that, empty where only a promise does. ``times`` may be empty for a key, never for a
    certificate. ``bundle_digest`` names the very bytes that were proven.
    """

    payload: StatementPayload | MessageDigest
    signature: bytes
    signer: ProvenKey | ProvenCertificate
    log: TrustedLog
    log_index: int
    checkpoint: str
    times: tuple[ProvenTime, ...]
    bundle_digest: Digest
    seal: InitVar[_Seal]

    def __post_init__(self, seal: _Seal) -> None:
        if seal is not SEAL:
            raise TypeError("only proving makes proven values")

    @property
    def signed_at(self) -> datetime | None:
        """The earliest proven time, by which the signature existed; None if nothing proves any."""
        return min((time.instant for time in self.times), default=None)
