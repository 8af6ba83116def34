"""The row changes of delivery, each carried out inside the transaction that also makes its facts durable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.ledger.model import Write

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName

__all__ = [
    "Anchor",
    "KeepAdmission",
    "KeepAnchor",
    "KeepPromotion",
    "KeepRepeats",
    "MovePosition",
    "NoteCompletion",
    "NoteEvidence",
    "Promotion",
    "Repeat",
    "RepeatRow",
]


@dataclass(frozen=True, slots=True)
class Repeat:
    """One more admission under a decision that is a fact already; ``request`` is the uid of its review."""

    key: str
    request: str


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """A repetition read back. Ids grow in the order in which repetitions became durable."""

    id: int
    key: str
    at: datetime
    request: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """The rows ``first`` to ``last``, how many there are, and their digest."""

    first: int
    last: int
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """An image that was promoted into an environment; ``vsa`` is the digest of the bundle that says so."""

    repository: RepositoryName
    digest: Digest
    environment: str
    vsa: Digest
    promoted_at: datetime
    fact_index: int


@dataclass(frozen=True, slots=True)
class KeepAdmission(Write):
    """Remember that the fact at ``offset`` of this commit is the first of its decision; refused with AdmissionKnown."""

    key: str
    offset: int


@dataclass(frozen=True, slots=True)
class KeepRepeats(Write):
    """Keep repetitions, in order; never refused."""

    repeats: tuple[Repeat, ...]


@dataclass(frozen=True, slots=True)
class KeepAnchor(Write):
    """Remember an anchor; AnchorMoved unless it begins behind the last one."""

    anchor: Anchor


@dataclass(frozen=True, slots=True)
class KeepPromotion(Write):
    """Remember a promotion; PromotionKnown when it is one already, PromotionRevoked for a revoked image."""

    repository: RepositoryName
    digest: Digest
    environment: str
    vsa: Digest


@dataclass(frozen=True, slots=True)
class NoteEvidence(Write):
    """Note that a referrer was looked at; EvidenceNoted when it was before."""

    repository: RepositoryName
    referrer: Digest


@dataclass(frozen=True, slots=True)
class NoteCompletion(Write):
    """Note that the evidence of an artifact became complete; EvidenceNoted when that was noted before."""

    repository: RepositoryName
    digest: Digest


@dataclass(frozen=True, slots=True)
class MovePosition(Write):
    """Remember how far a follower came; never moves back and is never refused."""

    name: str
    position: int
