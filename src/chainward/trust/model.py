"""What is believed (signers with their scope, logs) and what verification gives (verified values).

A verified value is another type than what was read from bytes, and only :mod:`chainward.trust.verify` can make one: who
holds a :class:`VerifiedStatement` need not ask again who signed it, whether it was logged, or what it is about.
"""

from __future__ import annotations

import re
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Final, Self

from chainward.formats.note import ed25519_key_id
from chainward.keys.model import PublicKey, Scheme, raw_ed25519
from chainward.trust.errors import LogKeyInvalid, SignerInvalid

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.formats.intoto import Statement
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, RepositoryPattern

__all__ = [
    "ANY_PREDICATE",
    "MESSAGE_SIGNATURE",
    "SEAL",
    "TrustRoot",
    "TrustSnapshot",
    "TrustedLog",
    "TrustedSigner",
    "VerifiedArtifact",
    "VerifiedStatement",
]

ANY_PREDICATE: Final = "*"
MESSAGE_SIGNATURE: Final = "message-signature"  # in a signer's predicates: may sign a file as such, without a statement
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_PREDICATE: Final = re.compile(r"[!-~]{1,512}\Z")
_MAX_SCOPE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedSigner:
    """A key that is believed: under which name, about which repositories, for which predicate types.

    A signer stays known after ``distrusted_at``, so that its bundles are refused by name. Nothing in a bundle that a
    key signed says when it was signed, so distrust covers everything that the key ever signed.

    Raises:
        SignerInvalid: a name, scope or key that cannot be.
    """

    name: str
    public_key: PublicKey
    repositories: tuple[RepositoryPattern, ...]
    predicates: tuple[str, ...]
    trusted_since: datetime
    distrusted_at: datetime | None = None

    def __post_init__(self) -> None:
        if _NAME.match(self.name) is None:
            raise SignerInvalid(f"{self.name[:80]!r} is not a name of a signer")
        if self.public_key.scheme is not Scheme.ECDSA_P256_SHA256:
            raise SignerInvalid(
                f"a {self.public_key.scheme} key cannot sign artifacts: the log takes signatures over digests only"
            )
        if not 1 <= len(self.repositories) <= _MAX_SCOPE or not 1 <= len(self.predicates) <= _MAX_SCOPE:
            raise SignerInvalid(f"signer {self.name} needs 1 to {_MAX_SCOPE} repository patterns and predicate types")
        if any(_PREDICATE.match(predicate) is None for predicate in self.predicates):
            raise SignerInvalid(f"signer {self.name} has a predicate type that is not a URI")

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key."""
        return self.public_key.fingerprint

    def covers(self, repository: RepositoryName) -> bool:
        """Whether what the signer says counts in ``repository``."""
        return any(pattern.matches(repository) for pattern in self.repositories)

    def states(self, predicate_type: str) -> bool:
        """Whether the signer may make statements of ``predicate_type``."""
        return predicate_type in self.predicates or ANY_PREDICATE in self.predicates


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A signature log that is believed. ``key_id`` has all 32 bytes and is derived from the other two.

    Raises:
        LogKeyInvalid: the key id belongs to another origin or key.
        KeyUnsupported: the key is not an Ed25519 key.
    """

    origin: str
    public_key: PublicKey
    key_id: bytes

    def __post_init__(self) -> None:
        if self.key_id != _key_id(self.origin, self.public_key):
            raise LogKeyInvalid(f"the key id of log {self.origin} belongs to another origin or key")

    @classmethod
    def of(cls, origin: str, public_key: PublicKey) -> Self:
        """Believe the log ``origin`` that signs with ``public_key``; raises KeyUnsupported unless that is Ed25519."""
        return cls(origin, public_key, _key_id(origin, public_key))


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """Everything that verification believes; a value, so that one decision sees one root."""

    signers: tuple[TrustedSigner, ...]
    logs: tuple[TrustedLog, ...]
    _signers: dict[str, TrustedSigner] = field(init=False, repr=False, compare=False)
    _logs: dict[bytes, TrustedLog] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_signers", {signer.fingerprint: signer for signer in self.signers})
        object.__setattr__(self, "_logs", {log.key_id: log for log in self.logs})
        if len(self._signers) != len(self.signers):
            raise SignerInvalid("a trust root names one key twice, so its scope would depend on the order")

    def signer(self, fingerprint: str) -> TrustedSigner | None:
        """Return the signer with this key, distrusted or not."""
        return self._signers.get(fingerprint)

    def log(self, key_id: bytes) -> TrustedLog | None:
        """Return the log with this 32-byte key id."""
        return self._logs.get(key_id)


@dataclass(frozen=True, slots=True)
class TrustSnapshot:
    """A trust root and the epoch at which it was read; the epoch grows with every change of the signers."""

    epoch: int
    root: TrustRoot


class _Seal:
    """The type of the one token without which verified values cannot be made."""

    __slots__ = ()


SEAL: Final = _Seal()  # for chainward.trust.verify alone; a test looks who else takes it


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """A statement that a trusted signer made and a trusted log holds.

    ``subjects`` are the sha256 and sha512 digests it is about; if verification was asked about one digest, that is
    among them. ``bundle_digest`` names the very bytes that were verified.
    """

    statement: Statement
    signer: str
    fingerprint: str
    subjects: tuple[Digest, ...]
    log_origin: str
    log_index: int
    bundle_digest: Digest
    seal: InitVar[_Seal]

    def __post_init__(self, seal: _Seal) -> None:
        _check_seal(seal)

    @property
    def predicate_type(self) -> str:
        """What kind of statement it is."""
        return self.statement.predicate_type


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedArtifact:
    """A digest that a trusted signer signed as such (a message signature) and a trusted log holds."""

    digest: Digest
    signer: str
    fingerprint: str
    log_origin: str
    log_index: int
    bundle_digest: Digest
    seal: InitVar[_Seal]

    def __post_init__(self, seal: _Seal) -> None:
        _check_seal(seal)


def _check_seal(seal: _Seal) -> None:
    if seal is not SEAL:
        raise TypeError("only verification makes verified values")


def _key_id(origin: str, public_key: PublicKey) -> bytes:
    return ed25519_key_id(origin, raw_ed25519(public_key))
