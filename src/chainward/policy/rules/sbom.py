"""``sbom``: there is a bill of materials of this image, complete and recent enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.intoto import CYCLONEDX
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import SIGNERS, Code, Parameter, RuleKind, failed, passed
from chainward.policy.rules.statements import attach, judge_statements, listed, nearest
from chainward.policy.rules.times import age_of, days

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question, SbomEvidence
    from chainward.policy.rules.declaration import Judgement
    from chainward.trust.model import VerifiedStatement

__all__ = ["KIND", "Sbom"]

_TYPES: Final[Mapping[str, str]] = {"cyclonedx": CYCLONEDX}


@dataclass(frozen=True, slots=True)
class Sbom:
    """Who signs it, in which formats, whether it must be complete, and how old it may be."""

    signers: tuple[str, ...]
    formats: tuple[str, ...]
    complete: bool
    max_age: timedelta | None


def _read(fields: Fields) -> Sbom:
    return Sbom(
        fields.signers(),
        fields.choices("formats", tuple(_TYPES)),
        fields.flag("complete", default=True),
        fields.duration("max-age"),
    )


def _judge(wanted: Sbom, question: Question, evidence: Evidence) -> Judgement:
    step = attach(
        question, "chainward sbom OUT -o sbom.json && chainward attest OUT --type sbom --predicate sbom.json --key KEY"
    )

    def examine(statement: VerifiedStatement) -> Judgement:
        contents = [each for each in evidence.sboms if each.bundle == statement.bundle_digest]
        if not contents:
            return failed("sbom-unreadable", "the document in the SBOM statement cannot be read", step)
        return nearest([_content(wanted, question, each, step) for each in contents], KIND.codes)

    types = [_TYPES[each] for each in wanted.formats]
    return judge_statements("sbom", types, wanted.signers, KIND.codes, question, evidence, step, examine)


def _content(wanted: Sbom, question: Question, sbom: SbomEvidence, step: str) -> Judgement:
    if sbom.subject_digest is not None and sbom.subject_digest != question.digest:
        return failed("sbom-other-digest", f"the SBOM describes {sbom.subject_digest}, not this image", step)
    if sbom.format.partition(" ")[0].lower() not in wanted.formats:
        return failed("sbom-wrong-format", f"the SBOM is {sbom.format[:40]}, not {listed(wanted.formats)}", step)
    if sbom.components <= 0:
        return failed("sbom-empty", "the SBOM lists no component", step)
    if wanted.complete and not sbom.complete:
        return failed("sbom-incomplete", "the SBOM does not claim to list all components", step)
    count = f"SBOM with {sbom.components} components"
    return _dated(wanted.max_age, question, sbom, count, step) if wanted.max_age else passed("sbom-valid", count)


def _dated(limit: timedelta, question: Question, sbom: SbomEvidence, count: str, step: str) -> Judgement:
    if sbom.generated_at is None:
        return failed("sbom-undated", f"the SBOM does not say when it was made; it may be {days(limit)} old", step)
    age = age_of(sbom.generated_at, question.now, limit)
    if age.ahead:
        return failed("sbom-undated", f"the SBOM claims to be made at {sbom.generated_at:%F %T}Z", step, age.flips_at)
    if age.too_old:
        when = f"{sbom.generated_at:%F}"
        return failed("sbom-too-old", f"the SBOM was made on {when}, which is more than {days(limit)} ago", step)
    return passed("sbom-valid", f"{count}, made on {sbom.generated_at:%F}", age.flips_at)


KIND: Final = RuleKind(
    name="sbom",
    summary="There is a bill of materials of this image: complete, and recent enough if demanded.",
    explanation=(
        "One statement must have everything that is demanded. Complete means that the document itself claims to list "
        "all components; a list without any component never counts. A date ahead of now counts as none."
    ),
    reads=("statements", "sboms", "rejected"),
    parameters=(
        SIGNERS,
        Parameter("formats", "list of `cyclonedx`", "Which formats are accepted.", "all of them"),
        Parameter("complete", "true or false", "Whether the document must claim to be complete.", "true"),
        Parameter("max-age", "duration such as `30d` or `12h`", "How long ago it may have been made.", "any age"),
    ),
    codes=(
        Code("sbom-valid", Outcome.PASS, "There is an SBOM as demanded."),
        Code("sbom-too-old", Outcome.FAIL, "It was made too long ago."),
        Code("sbom-undated", Outcome.FAIL, "It does not say when it was made, or names a time to come."),
        Code("sbom-incomplete", Outcome.FAIL, "It does not claim to list all components."),
        Code("sbom-empty", Outcome.FAIL, "It lists no component."),
        Code("sbom-wrong-format", Outcome.FAIL, "It is of another format."),
        Code("sbom-unreadable", Outcome.FAIL, "The statement is signed, but its document cannot be read."),
        Code("sbom-wrong-signer", Outcome.FAIL, "There is an SBOM, but not by the demanded signer."),
        Code("sbom-other-digest", Outcome.FAIL, "There is an SBOM, but of another digest."),
        Code("sbom-missing", Outcome.MISSING, "There is no SBOM."),
    ),
    example="sbom: {formats: [cyclonedx], complete: true, max-age: 30d}",
    read=_read,
    judge=_judge,
)
