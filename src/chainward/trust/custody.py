"""How private keys of authorities are kept, and what waits for an offline root.

A key is either sealed, in the very row that says that its authority exists, so that a rotation reaches every replica in
one transaction; or it stays where it is, in a file, a token or a service, and the row says where (ADR 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.keys.uri import KeyReference
from chainward.ledger.model import Write

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.keys.model import PublicKey
    from chainward.trust.authority import Authority, AuthorityKind, Compromise

__all__ = [
    "CompromiseAuthority",
    "EstablishAuthority",
    "KeepPending",
    "KeptKey",
    "PendingAuthority",
    "RetireAuthority",
    "SealedKey",
]


@dataclass(frozen=True, slots=True, repr=False)
class SealedKey:
    """A private key as :class:`chainward.keys.sealing.SealingKey` sealed it."""

    data: bytes

    def __repr__(self) -> str:
        return "<sealed key>"


KeptKey = SealedKey | KeyReference
"""A private key at rest."""


@dataclass(frozen=True, slots=True)
class PendingAuthority:
    """An instance whose key is made and whose certificates an offline root has yet to sign."""

    name: str
    kind: AuthorityKind
    public_key: PublicKey
    key: KeptKey


@dataclass(frozen=True, slots=True)
class KeepPending(Write):
    """Let ``pending`` wait for its certificates, in place of any earlier one of its kind."""

    pending: PendingAuthority


@dataclass(frozen=True, slots=True)
class EstablishAuthority(Write):
    """Begin an instance; refused with AuthorityConflict if its name or key is taken. Bumps the trust epoch.

    Whatever of its kind was pending waits no more.
    """

    authority: Authority
    key: KeptKey


@dataclass(frozen=True, slots=True)
class RetireAuthority(Write):
    """End an instance; refused with AuthorityConflict unless it is active. Bumps the trust epoch."""

    name: str
    end: datetime


@dataclass(frozen=True, slots=True)
class CompromiseAuthority(Write):
    """Mark an instance as compromised, and end it if it is active; bumps the trust epoch.

    Refused with AuthorityConflict if it is marked already with an earlier ``since``: trust never grows back.
    """

    name: str
    compromise: Compromise
    end: datetime
