"""The words of policy: what is asked, what is known, what is demanded, what is decided.

Evidence that a rule reads is verified before it comes here; what did not pass verification comes as ``rejected`` and
can only make a refusal more telling. No member of :class:`Evidence` that is missing can help an artifact.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from chainward.ledger.model import Write

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, RepositoryPattern
    from chainward.trust.model import VerifiedStatement

__all__ = [
    "ActivatePolicy",
    "Activation",
    "Check",
    "Decision",
    "Evidence",
    "Gate",
    "Match",
    "Outcome",
    "Policy",
    "Promotion",
    "Question",
    "RejectedEvidence",
    "Requirement",
    "Revoked",
    "Rule",
    "SbomEvidence",
]


class Gate(StrEnum):
    """Where a decision is asked for."""

    PROMOTE = "promote"
    ADMIT = "admit"


class Outcome(StrEnum):
    """How a check ended. Everything but ``pass`` is a no."""

    PASS = "pass"  # noqa: S105 - the trade's word, not a password
    FAIL = "fail"
    MISSING = "missing"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May this image pass this gate into this environment now?

    ``tier`` is None when no service owns the repository; then the rules of every tier apply.
    """

    repository: RepositoryName
    digest: Digest
    environment: str
    tier: str | None
    gate: Gate
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomEvidence:
    """What the document in an SBOM statement says; ``bundle`` is the bundle of that statement.

    ``format`` is the name of the format and, after a blank, its version: ``CycloneDX 1.6``.
    ``complete`` is the document's own claim about its components. ``subject_digest`` is the digest that the document
    gives for what it describes, None when it gives none; what the statement is about was verified besides.
    """

    bundle: Digest
    format: str
    components: int
    complete: bool
    subject_digest: Digest | None
    generated_at: datetime | None


@dataclass(frozen=True, slots=True)
class RejectedEvidence:
    """A bundle that was attached to the image and did not pass verification: the code and message of the reason."""

    code: str
    message: str
    bundle: Digest


@dataclass(frozen=True, slots=True)
class Promotion:
    """A verification summary of this platform, verified, by which the image came into an environment."""

    environment: str
    decided_at: datetime


class Revoked(Protocol):
    """What a decision tells of a revocation."""

    @property
    def reason(self) -> str:
        """Why it was revoked."""
        ...

    @property
    def revoked_at(self) -> datetime:
        """Since when."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that is known about one image, gathered and verified before anybody decides.

    ``revoked`` has no default: who gathers must have looked. ``host`` is the registry the image was named with, empty
    for this platform's own. ``pushed_at`` is when the image came into the registry.
    """

    revoked: Revoked | None
    statements: tuple[VerifiedStatement, ...] = ()
    rejected: tuple[RejectedEvidence, ...] = ()
    sboms: tuple[SbomEvidence, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    host: str = ""
    pushed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Where a rule applies; an empty member means everywhere."""

    repositories: tuple[RepositoryPattern, ...] = ()
    environments: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()

    def covers(self, question: Question) -> bool:
        """Whether the rule applies to a question. An unknown tier is held to the rules of every tier."""
        return (
            (not self.environments or question.environment in self.environments)
            and (not self.gates or question.gate in self.gates)
            and (not self.tiers or question.tier is None or question.tier in self.tiers)
            and (not self.repositories or any(each.matches(question.repository) for each in self.repositories))
        )


@dataclass(frozen=True, slots=True)
class Requirement:
    """One check that a rule demands: the name of a rule kind and the parameters that the kind has read."""

    kind: str
    parameters: Any


@dataclass(frozen=True, slots=True)
class Rule:
    """What is demanded of the images that a rule applies to: every one of ``requirements``."""

    id: str
    match: Match
    requirements: tuple[Requirement, ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read from the document with this digest."""

    name: str
    rules: tuple[Rule, ...]
    digest: Digest

    @property
    def environments(self) -> frozenset[str]:
        """The environments that rules name to apply to, so that a misspelt one can be found."""
        return frozenset(name for rule in self.rules for name in rule.match.environments)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was demanded, and how it stood: for a program by ``code``, for a developer by the rest."""

    rule: str
    name: str
    outcome: Outcome
    code: str
    message: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, with every check that led to it, in an order that depends on nothing but their names.

    The same evidence gives the same decision until ``valid_until``; None means for as long as policy and evidence stay.
    """

    allowed: bool
    checks: tuple[Check, ...]
    policy_digest: Digest
    valid_until: datetime | None

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if check.outcome is not Outcome.PASS)


@dataclass(frozen=True, slots=True)
class Activation:
    """A policy document and when it came into force. ``epoch`` grows with every activation."""

    epoch: int
    document: bytes
    digest: Digest
    activated_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class ActivatePolicy(Write):
    """Put a document in force; its epoch is the index of the fact that says so."""

    document: bytes
    digest: Digest
    actor: str
