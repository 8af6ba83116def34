"""What a rule kind declares of itself: its name, parameters, codes and evidence, how it is read and how it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from chainward.policy.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question

__all__ = ["CHECK_ERROR", "SIGNERS", "Code", "Judgement", "Parameter", "RuleKind", "failed", "missing", "passed"]

P = TypeVar("P")

CHECK_ERROR: Final = "check-error"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a rule kind, for the reader and for the reference."""

    name: str
    type: str
    meaning: str
    default: str = "required"


SIGNERS: Final = Parameter(
    "signers",
    "list of signer names (`*` for any text) or `key:<fingerprint>`",
    "Who must have signed the statement that this check reads.",
    "the `signers` of the rule, or else of its `signature`",
)


@dataclass(frozen=True, slots=True)
class Code:
    """One way in which a check of this kind can end, and what that means."""

    code: str
    outcome: Outcome
    meaning: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one check ended. ``flips_at`` is the first instant at which the same evidence could end otherwise."""

    outcome: Outcome
    code: str
    message: str
    next_step: str = ""
    flips_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleKind(Generic[P]):
    """A rule kind.

    ``codes`` go from the best ending to the one farthest from it; where several statements could satisfy the check,
    the one that came nearest is told. ``judge`` is pure; if it raises, the check ends with an error, which is a no.
    """

    name: str
    summary: str
    explanation: str
    reads: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    codes: tuple[Code, ...]
    example: str
    read: Callable[[Fields], P]
    judge: Callable[[P, Question, Evidence], Judgement]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that a document may use."""
        return tuple(parameter.name for parameter in self.parameters)


def passed(code: str, message: str, flips_at: datetime | None = None) -> Judgement:
    """Return a judgement in favour."""
    return Judgement(Outcome.PASS, code, message, "", flips_at)


def failed(code: str, message: str, next_step: str, flips_at: datetime | None = None) -> Judgement:
    """Return a judgement against: the evidence is there and not good enough."""
    return Judgement(Outcome.FAIL, code, message, next_step, flips_at)


def missing(code: str, message: str, next_step: str) -> Judgement:
    """Return a judgement against: the evidence is not there."""
    return Judgement(Outcome.MISSING, code, message, next_step)
