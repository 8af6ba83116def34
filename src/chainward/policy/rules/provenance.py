"""``provenance``: SLSA provenance v1 says which builder made the image, and from which source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.formats.slsa import decode_provenance
from chainward.kernel.pattern import matches
from chainward.kernel.problem import Problem
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import SIGNERS, Code, Parameter, RuleKind, failed, passed
from chainward.policy.rules.statements import attach, judge_statements, listed

if TYPE_CHECKING:
    from chainward.formats.slsa import Provenance as SlsaProvenance
    from chainward.policy.fields import Fields, Globs
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement
    from chainward.trust.model import VerifiedStatement

__all__ = ["KIND", "Provenance"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who signs it, which builders are accepted, and which sources (none named: any)."""

    signers: tuple[str, ...]
    builders: Globs
    source: Globs


def _read(fields: Fields) -> Provenance:
    fields.need("builders")
    return Provenance(fields.signers(), fields.globs("builders"), fields.globs("source"))


def _judge(wanted: Provenance, question: Question, evidence: Evidence) -> Judgement:
    step = attach(question, "chainward attest OUT --type provenance --predicate OUT/provenance.json --key KEY")
    again = f"chainward build -o OUT -- COMMAND && {step}"

    def examine(statement: VerifiedStatement) -> Judgement:
        try:
            stated = decode_provenance(statement.statement.predicate)
        except Problem as problem:
            return failed("provenance-unreadable", f"the provenance cannot be read: {problem.message}", step)
        if not any(matches(builder, stated.builder_id) for builder in wanted.builders):
            return failed(
                "provenance-wrong-builder",
                f"built by {_short(stated.builder_id)}, but only {listed(wanted.builders)} may build this",
                again,
            )
        source = _source_of(stated)
        if wanted.source and not any(matches(pattern, source) for pattern in wanted.source):
            return failed(
                "provenance-wrong-source",
                f"built from {_short(source) or 'a source that is not named'}, not from {listed(wanted.source)}",
                again,
            )
        return passed("provenance-valid", f"built by {_short(stated.builder_id)}, as {statement.signer} signed")

    return judge_statements(
        "provenance", (SLSA_PROVENANCE,), wanted.signers, KIND.codes, question, evidence, step, examine
    )


def _source_of(stated: SlsaProvenance) -> str:
    """Return the source that the builder was told to build, as its build type writes it; empty if it does not."""
    parameters = stated.external_parameters
    workflow = parameters.get("workflow")
    source = parameters.get("source", workflow.get("repository") if isinstance(workflow, dict) else None)
    if isinstance(source, dict):
        source = source.get("uri")
    return source if isinstance(source, str) else ""


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004 - what a terminal shows without harm


KIND: Final = RuleKind(
    name="provenance",
    summary="SLSA provenance v1 names an accepted builder and, if demanded, an accepted source.",
    explanation=(
        "Builders and sources are exact URIs or patterns: `*` stands for text without a slash, `**` for any text. "
        "The source is `externalParameters.source` (a text, or an object with `uri`) or else "
        "`externalParameters.workflow.repository` of the provenance; a dependency is never taken for the source."
    ),
    reads=("statements", "rejected"),
    parameters=(
        SIGNERS,
        Parameter("builders", "list of URIs or patterns", "Which `builder.id` is accepted."),
        Parameter("source", "list of URIs or patterns", "Which source is accepted.", "any source"),
    ),
    codes=(
        Code("provenance-valid", Outcome.PASS, "An accepted builder made it from an accepted source."),
        Code("provenance-wrong-source", Outcome.FAIL, "The builder is accepted, the source is not."),
        Code("provenance-wrong-builder", Outcome.FAIL, "Another builder made it."),
        Code("provenance-unreadable", Outcome.FAIL, "The statement is signed, but is no SLSA provenance v1."),
        Code("provenance-wrong-signer", Outcome.FAIL, "There is provenance, but not by the demanded signer."),
        Code("provenance-other-digest", Outcome.FAIL, "There is provenance, but of another digest."),
        Code("provenance-missing", Outcome.MISSING, "There is no provenance."),
    ),
    example="provenance: {builders: ['https://ci.example/builders/*'], source: ['https://git.example/shop/**']}",
    read=_read,
    judge=_judge,
)
