"""``age``: the image was pushed, or built as its provenance says, or something stated about it, not too long ago.

The age of a statement counts from when it was *proven* to be signed, whatever it says about its own date: from the
earliest timestamp in its bundle, or from its first publication on this platform if that was earlier. So neither an old
scan that was dated anew nor an old verification summary that is shown again looks fresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.formats.slsa import decode_provenance
from chainward.kernel.problem import Problem
from chainward.policy.fields import refuse
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import SIGNERS, Code, Parameter, RuleKind, failed, missing, passed
from chainward.policy.rules.statements import attach, judge_statements, listed
from chainward.policy.rules.times import age_of, days

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement
    from chainward.trust.model import VerifiedStatement

__all__ = ["KIND", "Age"]

_MOST_DAYS: Final = 3650
_MOST_HOURS: Final = 24 * _MOST_DAYS


class Of(StrEnum):
    """What is as old as that."""

    IMAGE = "image"
    PREDICATE = "predicate"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class Age:
    """How old, and what: ``signers`` are empty when the age is that of the image, ``types`` unless of statements."""

    limit: timedelta
    of: Of
    signers: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


def _read(fields: Fields) -> Age:
    of = Of(fields.choice("of", tuple(Of), Of.IMAGE))
    types = fields.texts("predicate-type")
    if of is Of.STATEMENT and not types:
        refuse(fields.node, "the age of a statement needs predicate-type: which statements must be recent")
    if of is not Of.STATEMENT and types:
        refuse(fields.need("predicate-type"), f"predicate-type has no meaning for the age of: {of.value}")
    return Age(_limit(fields), of, () if of is Of.IMAGE else fields.signers(), types)


def _limit(fields: Fields) -> timedelta:
    if fields.has("max-days") == fields.has("max-hours"):
        refuse(fields.node, "an age is limited by either max-days or max-hours")
    if fields.has("max-hours"):
        return timedelta(hours=fields.whole("max-hours", 1, _MOST_HOURS))
    return timedelta(days=fields.whole("max-days", 1, _MOST_DAYS))


def _judge(wanted: Age, question: Question, evidence: Evidence) -> Judgement:
    match wanted.of:
        case Of.IMAGE:
            if evidence.pushed_at is None:
                return missing("age-unknown", "nobody knows when the image was pushed", _build(question))
            return _aged(wanted.limit, question, evidence.pushed_at, "pushed", _build(question))
        case Of.PREDICATE:
            return _of_predicate(wanted, question, evidence)
        case Of.STATEMENT:
            return _of_statement(wanted, question, evidence)
        case _:
            assert_never(wanted.of)


def _of_predicate(wanted: Age, question: Question, evidence: Evidence) -> Judgement:
    step = attach(question, "chainward attest OUT --type provenance --predicate OUT/provenance.json --key KEY")

    def examine(statement: VerifiedStatement) -> Judgement:
        try:
            stated = decode_provenance(statement.statement.predicate)
        except Problem:
            return failed("age-unknown", "the provenance cannot be read", step)
        built = stated.finished_on or stated.started_on
        if built is None:
            return failed("age-unknown", "the provenance does not say when", step)
        return _aged(wanted.limit, question, built, "built", _build(question))

    return judge_statements("age", (SLSA_PROVENANCE,), wanted.signers, KIND.codes, question, evidence, step, examine)


def _of_statement(wanted: Age, question: Question, evidence: Evidence) -> Judgement:
    shown = listed(wanted.types)
    step = attach(question, f"chainward attest OUT --type {wanted.types[0]} --predicate PREDICATE")

    def examine(statement: VerifiedStatement) -> Judgement:
        if statement.signed_at is None:
            return failed("age-unproven", f"no timestamp proves when {statement.predicate_type} was signed", step)
        known = statement.published_at
        since = statement.signed_at if known is None else min(statement.signed_at, known)
        return _aged(wanted.limit, question, since, f"{statement.predicate_type} was signed", step)

    judgement = judge_statements("age", wanted.types, wanted.signers, KIND.codes, question, evidence, step, examine)
    return (
        judgement
        if judgement.outcome is not Outcome.MISSING
        else missing(judgement.code, f"{judgement.message} (of type {shown})", step)
    )


def _aged(limit: timedelta, question: Question, instant: datetime, verb: str, step: str) -> Judgement:
    age = age_of(instant, question.now, limit)
    when = f"{verb} on {instant:%F %T}Z"
    if age.ahead:
        return failed("age-ahead", f"{when}, which is yet to come", step, age.flips_at)
    if age.too_old:
        return failed("age-exceeded", f"{when}, which is more than {days(limit)} ago", step)
    return passed("age-within", f"{when}, less than {days(limit)} ago", age.flips_at)


def _build(question: Question) -> str:
    return f"chainward build -o OUT -- COMMAND && chainward push OUT {question.repository}:TAG"


KIND: Final = RuleKind(
    name="age",
    summary="The image was pushed, or built, or something was stated about it, not too long ago.",
    explanation=(
        "`of: image` counts from when the image came into the registry. `of: predicate` counts from when its SLSA "
        "provenance says that the build finished (or else started). `of: statement` counts from when a statement of "
        "one of the types `predicate-type` was *proven* to be signed: from the earliest timestamp in its bundle, or "
        "from its first publication on this platform if that was earlier, never from what the predicate says. One "
        "statement that is recent enough suffices. A bundle of a key without timestamps proves no time; of a "
        "certificate, which lives for minutes, the time is exact, while whoever has an old signature of a *key* "
        "outside of this platform could have it timestamped anew: let identities state what has to be fresh. Checks "
        "that read statements need signers. A time more than five minutes ahead is refused."
    ),
    reads=("pushed_at", "statements", "rejected"),
    parameters=(
        SIGNERS,
        Parameter("max-days", "whole number from 1 to 3650", "How many days ago at most.", "this or `max-hours`"),
        Parameter("max-hours", "whole number from 1 to 87600", "How many hours ago at most.", "this or `max-days`"),
        Parameter("of", "`image`, `predicate` or `statement`", "What is as old as that.", "`image`"),
        Parameter(
            "predicate-type",
            "list of predicate types",
            "Which statements must be recent.",
            "required for `of: statement`, else not allowed",
        ),
    ),
    codes=(
        Code("age-within", Outcome.PASS, "Recent enough."),
        Code("age-exceeded", Outcome.FAIL, "Too old."),
        Code("age-ahead", Outcome.FAIL, "Dated ahead of now."),
        Code("age-unproven", Outcome.FAIL, "There is such a statement, but nothing proves when it was signed."),
        Code("age-unknown", Outcome.MISSING, "No time is known."),
        Code("age-wrong-signer", Outcome.FAIL, "There is such a statement, but not by the demanded signer."),
        Code("age-other-digest", Outcome.FAIL, "There is such a statement, but of another digest."),
        Code("age-missing", Outcome.MISSING, "There is no such statement."),
    ),
    example="age: {max-hours: 24, of: statement, predicate-type: ['https://in-toto.io/attestation/vulns/v0.2']}",
    read=_read,
    judge=_judge,
)
