"""The shards of the platform's public logs: which there are, which takes entries now, which are frozen.

The signature log and the certificate log turn over once a year, so that no log grows without end: a new shard begins
under a new origin and a new key, the old one is frozen and stays readable and provable for ever. Each shard is an
authority (:mod:`chainward.trust.authority`); opening, freezing and the facts about it are one commit of a rotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.ledger.errors import LogReserved, LogUnknown
from chainward.trust.authority import AuthorityKind
from chainward.trust.model import TrustedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.trust.authority import Authority, AuthoritySnapshot

__all__ = ["Shard", "Shards"]


@dataclass(frozen=True, slots=True)
class Shard:
    """One public log: the authority that signs it, and the log as its readers know it."""

    authority: Authority
    log: TrustedLog

    @property
    def is_active(self) -> bool:
        """Whether it takes entries."""
        return self.authority.is_active


class Shards:
    """The public logs of one platform. Thread-safe; what a rotation on another replica changed is seen at once."""

    def __init__(self, snapshot: Callable[[], AuthoritySnapshot]) -> None:
        self._snapshot = snapshot

    def active(self) -> TrustedLog:
        """Return the shard of the signature log that takes entries; raises AuthorityMissing."""
        return _shard(self._snapshot().active(AuthorityKind.LOG)).log

    def listed(self) -> tuple[Shard, ...]:
        """Return all shards of both logs, those of the signature log first, the newest first."""
        snapshot = self._snapshot()
        return tuple(
            _shard(each) for kind in (AuthorityKind.LOG, AuthorityKind.CT) for each in reversed(snapshot.of(kind))
        )

    def of_origin(self, origin: str) -> Shard:
        """Return the shard with this origin, frozen or not.

        Raises:
            LogUnknown: there is none; the facts log is not public.
        """
        authority = self._snapshot().of_origin(origin)
        if authority is None:
            raise LogUnknown(f"there is no public log {origin[:253]!r}")
        return _shard(authority)

    def signature_log(self, origin: str) -> TrustedLog:
        """Return a shard of the signature log.

        Raises:
            LogUnknown: there is none with this origin.
            LogReserved: this is the certificate log, whose entries only the certificate authority makes.
        """
        shard = self.of_origin(origin)
        if shard.authority.kind is not AuthorityKind.LOG:
            raise LogReserved(f"log {origin} takes certificates of this platform only")
        return shard.log


def _shard(authority: Authority) -> Shard:
    return Shard(authority, TrustedLog.of(authority.origin, authority.public_key))
