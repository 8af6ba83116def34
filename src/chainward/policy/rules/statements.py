"""Choosing the statements that a check may read: about this image, of the right type, signed by the right signer.

A check passes when *one* statement has all that is demanded; it never gathers one part here and another there, so a
good SBOM by one signer cannot lend its signature to provenance by another. Statements that do not fit are passed over:
they can neither help nor harm, which is why removing evidence never opens a gate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chainward.kernel.pattern import matches
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import CHECK_ERROR, Judgement, failed, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Code
    from chainward.trust.model import VerifiedStatement

__all__ = ["attach", "image", "is_signed_by", "judge_statements", "listed", "nearest", "rejections"]


def image(question: Question) -> str:
    """Return the image as the commands take it."""
    return f"{question.repository}@{question.digest}"


def attach(question: Question, make: str) -> str:
    """Return the commands that make a bundle and put it beside the image; OUT is the folder of the build."""
    return f"{make} -o bundle.json && chainward push OUT {question.repository}:TAG --bundle bundle.json"


def listed(words: Iterable[str], conjunction: str = "or") -> str:
    """Return words as a sentence has them.

    >>> listed(["a", "b", "c"])
    'a, b or c'
    """
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def is_signed_by(statement: VerifiedStatement, signers: Sequence[str]) -> bool:
    """Whether one of ``signers`` (names, patterns over names, or keys) made the statement.

    A statement that several trusted signers cover, such as an identity that two of them match, is by each of them. A
    key stands for itself only: that a certificate was issued for it once is another thing.
    """
    return any(
        statement.identity is None and statement.fingerprint == signer.removeprefix("key:")
        if signer.startswith("key:")
        else any(matches(signer, name) for name in statement.signers)
        for signer in signers
    )


def rejections(evidence: Evidence) -> str:
    """Return what was attached but not believed, as the end of a sentence; empty if there is nothing."""
    if not evidence.rejected:
        return ""
    first = min(evidence.rejected, key=lambda each: (each.code, str(each.bundle), each.message))
    count = len(evidence.rejected)
    return f"; {count} attached bundle{'s' if count > 1 else ''} did not verify ({first.code}: {first.message})"


def nearest(judgements: Iterable[Judgement], codes: Sequence[Code]) -> Judgement:
    """Return the judgement that came nearest to passing; among those that pass, the one that lasts longest.

    If none passes, it flips as soon as any of them does.
    """
    judgements = list(judgements)
    rank = {code.code: position for position, code in enumerate(codes)}

    def order(judgement: Judgement) -> tuple[bool, int, bool, float, str]:
        flips_at = judgement.flips_at
        good = judgement.outcome is Outcome.PASS
        when = flips_at.timestamp() if flips_at else 0.0
        return (not good, rank.get(judgement.code, len(rank)), flips_at is not None, -when, judgement.message)

    best = min(judgements, key=order)
    if best.outcome is Outcome.PASS:
        return best
    return replace(best, flips_at=min((each.flips_at for each in judgements if each.flips_at), default=None))


def judge_statements(
    noun: str,
    predicate_types: Sequence[str],
    signers: Sequence[str],
    codes: Sequence[Code],
    question: Question,
    evidence: Evidence,
    step: str,
    examine: Callable[[VerifiedStatement], Judgement],
) -> Judgement:
    """Judge every statement of the types by the signers, and return the best; or say why there is none to judge.

    ``noun`` begins the codes of the latter: ``noun-missing``, ``noun-other-digest``, ``noun-wrong-signer``; ``step`` is
    what to do about it.
    """
    by_type = [each for each in evidence.statements if each.predicate_type in predicate_types]
    about = [each for each in by_type if question.digest in each.subjects]
    own = [each for each in about if is_signed_by(each, signers)]
    if own:
        return nearest([_examined(noun, examine, each) for each in own], codes)
    wanted = f"{noun} of {image(question)} signed by {listed(signers)}"
    if about:
        others = listed(sorted({each.signer for each in about}), "and")
        return failed(f"{noun}-wrong-signer", f"there is no {wanted}, only by {others}", step)
    if by_type:
        return failed(f"{noun}-other-digest", f"there is no {wanted}, only of another digest", step)
    return missing(f"{noun}-missing", f"there is no {wanted}{rejections(evidence)}", step)


def _examined(noun: str, examine: Callable[[VerifiedStatement], Judgement], statement: VerifiedStatement) -> Judgement:
    try:
        return examine(statement)
    except Exception as error:  # noqa: BLE001 - one statement that breaks the check must not speak for the others
        return Judgement(
            Outcome.ERROR,
            CHECK_ERROR,
            f"the {noun} in bundle {statement.bundle_digest} could not be judged ({type(error).__name__})",
            "chainward policy show",
        )
