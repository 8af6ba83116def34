"""``age``: the image was pushed, or built as its provenance says, not too long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.formats.slsa import decode_provenance
from chainward.kernel.problem import Problem
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import SIGNERS, Code, Parameter, RuleKind, failed, missing, passed
from chainward.policy.rules.statements import attach, judge_statements
from chainward.policy.rules.times import age_of, days

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement
    from chainward.trust.model import VerifiedStatement

__all__ = ["KIND", "Age"]

_MOST_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class Age:
    """How old, and what: ``signers`` are empty when the age is that of the image."""

    limit: timedelta
    signers: tuple[str, ...]


def _read(fields: Fields) -> Age:
    limit = timedelta(days=fields.whole("max-days", 1, _MOST_DAYS))
    of_predicate = fields.choice("of", ("image", "predicate"), "image") == "predicate"
    return Age(limit, fields.signers() if of_predicate else ())


def _judge(wanted: Age, question: Question, evidence: Evidence) -> Judgement:
    if not wanted.signers:
        if evidence.pushed_at is None:
            return missing("age-unknown", "nobody knows when the image was pushed", _again(question))
        return _aged(wanted.limit, question, evidence.pushed_at, "pushed")
    step = attach(question, "chainward attest OUT --type provenance --predicate OUT/provenance.json --key KEY")

    def examine(statement: VerifiedStatement) -> Judgement:
        try:
            stated = decode_provenance(statement.statement.predicate)
        except Problem:
            return failed("age-unknown", "the provenance cannot be read", step)
        built = stated.finished_on or stated.started_on
        if built is None:
            return failed("age-unknown", "the provenance does not say when", step)
        return _aged(wanted.limit, question, built, "built")

    return judge_statements("age", (SLSA_PROVENANCE,), wanted.signers, KIND.codes, question, evidence, step, examine)


def _aged(limit: timedelta, question: Question, instant: datetime, verb: str) -> Judgement:
    age = age_of(instant, question.now, limit)
    when = f"{verb} on {instant:%F %T}Z"
    if age.ahead:
        return failed("age-ahead", f"{when}, which is yet to come", _again(question), age.flips_at)
    if age.too_old:
        return failed("age-exceeded", f"{when}, which is more than {days(limit)} ago", _again(question))
    return passed("age-within", f"{when}, less than {days(limit)} ago", age.flips_at)


def _again(question: Question) -> str:
    return f"chainward build -o OUT -- COMMAND && chainward push OUT {question.repository}:TAG"


KIND: Final = RuleKind(
    name="age",
    summary="The image was pushed, or built, not too long ago.",
    explanation=(
        "`of: image` counts from when the image came into the registry. `of: predicate` counts from when its SLSA "
        "provenance says that the build finished (or else started), and needs signers as every check that reads a "
        "statement. A time more than five minutes ahead is refused."
    ),
    reads=("pushed_at", "statements", "rejected"),
    parameters=(
        SIGNERS,
        Parameter("max-days", "whole number from 1 to 3650", "How many days ago at most."),
        Parameter("of", "`image` or `predicate`", "What is as old as that.", "`image`"),
    ),
    codes=(
        Code("age-within", Outcome.PASS, "Recent enough."),
        Code("age-exceeded", Outcome.FAIL, "Too old."),
        Code("age-ahead", Outcome.FAIL, "Dated ahead of now."),
        Code("age-unknown", Outcome.MISSING, "No time is known."),
        Code("age-wrong-signer", Outcome.FAIL, "There is provenance, but not by the demanded signer."),
        Code("age-other-digest", Outcome.FAIL, "There is provenance, but of another digest."),
        Code("age-missing", Outcome.MISSING, "There is no provenance."),
    ),
    example="age: {max-days: 90, of: image}",
    read=_read,
    judge=_judge,
)
