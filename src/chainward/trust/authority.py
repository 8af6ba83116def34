"""What an authority is: one instance of one service of the private trust root, with its public key and its window.

The platform runs four services: the certificate authority, the log of its certificates (CT), the signature log, and the
timestamp authority. Each has one active instance at a time and any number of retired ones; a rotation begins a new
instance and retires the old one. Here stand public facts only: what a trusted root tells clients, and what only our own
verifier understands (since when an instance is compromised, and which states of the logs are believed nevertheless).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chainward.formats.note import ed25519_key_id
from chainward.keys.model import Scheme, raw_ed25519
from chainward.trust.errors import AuthorityInvalid, AuthorityMissing, AuthorityUnknown

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.keys.model import PublicKey

__all__ = ["Authority", "AuthorityKind", "AuthoritySnapshot", "Compromise", "PinnedCheckpoint"]

_NAME: Final = re.compile(r"(ca|ct|log|tsa)-([1-9][0-9]{0,5})\Z")
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_ROOT_SIZE: Final = 32
_MAX_REASON: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class AuthorityKind(StrEnum):
    """Which service."""

    CA = "ca"
    CT = "ct"
    LOG = "log"
    TSA = "tsa"

    @property
    def is_log(self) -> bool:
        """Whether instances of it are tile logs, with an origin and without certificates."""
        return self in {AuthorityKind.CT, AuthorityKind.LOG}


_SCHEMES: Final = {
    AuthorityKind.CA: frozenset({Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384}),
    AuthorityKind.CT: frozenset({Scheme.ECDSA_P256_SHA256}),
    AuthorityKind.LOG: frozenset({Scheme.ED25519}),
    AuthorityKind.TSA: frozenset({Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384}),
}
"""What stock clients verify: no Ed25519 issuer (sigstore-python), no RSA timestamps (sigstore-js)."""


@dataclass(frozen=True, slots=True, order=True)
class PinnedCheckpoint:
    """A state of a log that is believed whatever happens to keys later.

    Raises:
        AuthorityInvalid: not a state that a log can have.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if _HOST.match(self.origin) is None or self.size < 0 or len(self.root) != _ROOT_SIZE:
            raise AuthorityInvalid(f"{self.origin[:80]!r} at {self.size} is not a state of a log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compromise:
    """Since when somebody else may have had the key, and what is believed nevertheless.

    Who holds the key can date what he signs as he likes. So what relies on it counts only if it was logged in one of
    the pinned ``checkpoints``, which were witnessed or anchored before ``since``.
    """

    since: datetime
    checkpoints: tuple[PinnedCheckpoint, ...]
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip() or len(self.reason) > _MAX_REASON or _CONTROL.search(self.reason):
            raise AuthorityInvalid(
                f"a reason is one line of 1 to {_MAX_REASON} characters", hint="Say in a line what happened."
            )
        if len({pin.origin for pin in self.checkpoints}) != len(self.checkpoints):
            raise AuthorityInvalid("a compromise pins one log twice")

    def pinned(self, origin: str) -> PinnedCheckpoint | None:
        """Return the state of log ``origin`` that is believed nevertheless."""
        return next((pin for pin in self.checkpoints if pin.origin == origin), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """One instance of one service.

    ``origin`` is the bare host name in the checkpoints of a log, empty for the others. ``certificates`` are DER, as in
    a trusted root: intermediate to root, or timestamping leaf to root; logs have none. Nothing new is signed after
    ``end``.

    Raises:
        AuthorityInvalid: the parts do not belong together.
    """

    name: str
    kind: AuthorityKind
    origin: str
    public_key: PublicKey
    certificates: tuple[bytes, ...]
    start: datetime
    end: datetime | None = None
    compromise: Compromise | None = None

    def __post_init__(self) -> None:
        match = _NAME.match(self.name)
        if match is None or match[1] != self.kind:
            raise AuthorityInvalid(f"{self.name[:80]!r} is not a name of a {self.kind} authority")
        if self.public_key.scheme not in _SCHEMES[self.kind]:
            raise AuthorityInvalid(f"a {self.public_key.scheme} key cannot be that of a {self.kind} authority")
        if self.kind.is_log:
            if _HOST.match(self.origin) is None or self.certificates:
                raise AuthorityInvalid(f"{self.name} needs a host name as its origin, and no certificates")
        elif self.origin or len(self.certificates) < 2:  # noqa: PLR2004 - clients want an issuer and its root
            raise AuthorityInvalid(f"{self.name} needs at least two certificates, and no origin")
        if self.end is not None and self.end < self.start:
            raise AuthorityInvalid(f"{self.name} ends before it starts")

    @property
    def number(self) -> int:
        """Which instance of its service it is, from 1."""
        return int(self.name.rpartition("-")[2])

    @property
    def is_active(self) -> bool:
        """Whether it signs new things."""
        return self.end is None and self.compromise is None

    @property
    def log_id(self) -> bytes:
        """The 32 bytes by which entries name a log: the whole checkpoint key hash, or for CT that of the key.

        Raises:
            AuthorityInvalid: not a log.
        """
        match self.kind:
            case AuthorityKind.LOG:
                return ed25519_key_id(self.origin, raw_ed25519(self.public_key))
            case AuthorityKind.CT:
                return bytes.fromhex(self.public_key.fingerprint)
            case _:
                raise AuthorityInvalid(f"{self.name} is not a log")


@dataclass(frozen=True, slots=True)
class AuthoritySnapshot:
    """All instances that ever were, by kind and age, and the trust epoch at which they were read."""

    epoch: int
    authorities: tuple[Authority, ...]

    def of(self, kind: AuthorityKind) -> tuple[Authority, ...]:
        """Return the instances of one service, oldest first."""
        return tuple(each for each in self.authorities if each.kind is kind)

    def active(self, kind: AuthorityKind) -> Authority:
        """Return the instance that signs new things; raises AuthorityMissing."""
        for each in reversed(self.of(kind)):
            if each.is_active:
                return each
        raise AuthorityMissing(f"the platform has no active {kind} authority")

    def named(self, name: str) -> Authority:
        """Return one instance; raises AuthorityUnknown."""
        for each in self.authorities:
            if each.name == name:
                return each
        raise AuthorityUnknown(f"there is no authority {name[:80]!r}")

    def of_origin(self, origin: str) -> Authority | None:
        """Return the log with this origin."""
        return next((each for each in self.authorities if each.origin == origin and origin), None)
