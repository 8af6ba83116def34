"""What is believed (signers with their scope, logs) and what verification gives (verified values).

A verified value is another type than what was read from bytes, and only :mod:`chainward.trust.verify` can make one: who
holds a :class:`VerifiedStatement` need not ask again who signed it, whether it was logged, or what it is about.
"""

from __future__ import annotations

import re
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Final

from chainward.formats.codec import deterministic_json
from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.keys.model import Scheme
from chainward.trust.errors import SignerInvalid
from chainward.trust.match import members_of
from chainward.trust.material import TrustedLog, TrustMaterial
from chainward.trust.proven import MESSAGE_SIGNATURE

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.formats.intoto import Statement
    from chainward.kernel.name import RepositoryName, RepositoryPattern
    from chainward.keys.model import PublicKey
    from chainward.trust.checkpoints import CheckpointDemands
    from chainward.trust.identity import Identity, IdentityMatch
    from chainward.trust.revocations import SignatureRevocation

__all__ = [
    "ANY_PREDICATE",
    "MESSAGE_SIGNATURE",
    "SEAL",
    "TrustMaterial",
    "TrustRoot",
    "TrustSnapshot",
    "TrustedLog",
    "TrustedSigner",
    "VerifiedArtifact",
    "VerifiedStatement",
]

ANY_PREDICATE: Final = "*"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_PREDICATE: Final = re.compile(r"[!-~]{1,512}\Z")
_MAX_SCOPE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedSigner:
    """Who is believed: a key or an identity, under which name, about which repositories, for which predicate types.

    ``portable`` says that its statements count in every repository of its scope, not only in the one of them where they
    were first published. A signer stays known after ``distrusted_at``, so that its bundles are refused by name. With
    ``distrusted_since``, what is proven to be signed before that still counts; without it nothing does.

    Raises:
        SignerInvalid: a name, scope, key or identity that cannot be.
    """

    name: str
    public_key: PublicKey | None = None
    match: IdentityMatch | None = None
    repositories: tuple[RepositoryPattern, ...]
    predicates: tuple[str, ...]
    portable: bool = False
    trusted_since: datetime
    distrusted_at: datetime | None = None
    distrusted_since: datetime | None = None

    def __post_init__(self) -> None:
        if _NAME.match(self.name) is None:
            raise SignerInvalid(f"{self.name[:80]!r} is not a name of a signer")
        if (self.public_key is None) is (self.match is None):
            raise SignerInvalid(f"signer {self.name} needs either a key or an identity")
        if self.public_key is not None and self.public_key.scheme is Scheme.ED25519:
            raise SignerInvalid(
                f"a {self.public_key.scheme} key cannot sign artifacts: the log takes signatures over digests only"
            )
        if not 1 <= len(self.repositories) <= _MAX_SCOPE or not 1 <= len(self.predicates) <= _MAX_SCOPE:
            raise SignerInvalid(f"signer {self.name} needs 1 to {_MAX_SCOPE} repository patterns and predicate types")
        if any(_PREDICATE.match(predicate) is None for predicate in self.predicates):
            raise SignerInvalid(f"signer {self.name} has a predicate type that is not a URI")

    @property
    def id(self) -> str:
        """What tells the signer from all others that ever were: its key, or its name, identity and first moment."""
        if self.match is None:
            return self.fingerprint
        first = [self.name, members_of(self.match), rfc3339(self.trusted_since)]
        return Digest.of(deterministic_json(first)).hex

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key; empty for an identity."""
        return "" if self.public_key is None else self.public_key.fingerprint

    def covers(self, repository: RepositoryName) -> bool:
        """Whether what the signer says counts in ``repository``."""
        return any(pattern.matches(repository) for pattern in self.repositories)

    def states(self, predicate_type: str) -> bool:
        """Whether the signer may make statements of ``predicate_type``."""
        return predicate_type in self.predicates or ANY_PREDICATE in self.predicates

    def is_believed(self, signed_at: datetime | None) -> bool:
        """Whether the signer is trusted, or was when it signed; ``signed_at`` is proven, None if nothing proves it."""
        if self.distrusted_at is None:
            return True
        return self.distrusted_since is not None and signed_at is not None and signed_at < self.distrusted_since


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """Everything that verification believes; a value, so that one decision sees one root.

    Raises:
        SignerInvalid: one key is named twice, so that its scope would depend on the order.
    """

    signers: tuple[TrustedSigner, ...]
    material: TrustMaterial
    revocations: tuple[SignatureRevocation, ...] = ()
    checkpoints: CheckpointDemands | None = None
    _keys: dict[str, TrustedSigner] = field(init=False, repr=False, compare=False)
    _identities: tuple[TrustedSigner, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys = [signer for signer in self.signers if signer.public_key is not None]
        identities = sorted((signer for signer in self.signers if signer.match), key=lambda signer: signer.name)
        object.__setattr__(self, "_keys", {signer.fingerprint: signer for signer in keys})
        object.__setattr__(self, "_identities", tuple(identities))
        if len(self._keys) != len(keys):
            raise SignerInvalid("a trust root names one key twice, so its scope would depend on the order")

    @property
    def logs(self) -> tuple[TrustedLog, ...]:
        """The signature logs that are believed."""
        return self.material.logs

    def signer(self, fingerprint: str) -> TrustedSigner | None:
        """Return the signer with this key, distrusted or not."""
        return self._keys.get(fingerprint)

    def signers_of(self, identity: Identity) -> tuple[TrustedSigner, ...]:
        """Return all signers that mean this identity, distrusted or not, by name."""
        return tuple(signer for signer in self._identities if signer.match and signer.match.matches(identity))

    def log(self, key_id: bytes) -> TrustedLog | None:
        """Return the log with this 32-byte key id."""
        return self.material.log(key_id)


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

    ``signers`` are the names of all trusted signers who may say this here, at least one. ``fingerprint`` is that of the
    key, or of the certificate if there is an ``identity``. ``subjects`` are the sha256 and sha512 digests it is about;
    if verification was asked about one digest, that is among them. ``bundle_digest`` names the very bytes that were
    verified. ``signed_at`` is the earliest proven time, ``published_at`` when it first came to this platform.
    """

    statement: Statement
    signers: tuple[str, ...]
    fingerprint: str
    subjects: tuple[Digest, ...]
    log_origin: str
    log_index: int
    bundle_digest: Digest
    identity: Identity | None = None
    signed_at: datetime | None = None
    published_at: datetime | None = None
    seal: InitVar[_Seal]

    def __post_init__(self, seal: _Seal) -> None:
        _check_seal(seal)

    @property
    def signer(self) -> str:
        """The first of the signers by name."""
        return self.signers[0]

    @property
    def predicate_type(self) -> str:
        """What kind of statement it is."""
        return self.statement.predicate_type


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedArtifact:
    """A digest that a trusted signer signed as such (a message signature) and a trusted log holds."""

    digest: Digest
    signers: tuple[str, ...]
    fingerprint: str
    log_origin: str
    log_index: int
    bundle_digest: Digest
    identity: Identity | None = None
    signed_at: datetime | None = None
    published_at: datetime | None = None
    seal: InitVar[_Seal]

    def __post_init__(self, seal: _Seal) -> None:
        _check_seal(seal)

    @property
    def signer(self) -> str:
        """The first of the signers by name."""
        return self.signers[0]


def _check_seal(seal: _Seal) -> None:
    if seal is not SEAL:
        raise TypeError("only verification makes verified values")
