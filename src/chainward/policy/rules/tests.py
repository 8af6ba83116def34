"""``tests``: a signed test result says that the tests of this image passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.intoto import TEST_RESULT
from chainward.formats.testresult import Outcome as TestOutcome
from chainward.formats.testresult import decode_test_result
from chainward.kernel.problem import Problem
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import SIGNERS, Code, Parameter, RuleKind, failed, passed
from chainward.policy.rules.statements import attach, judge_statements

if TYPE_CHECKING:
    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement
    from chainward.trust.model import VerifiedStatement

__all__ = ["KIND", "PassedTests"]


@dataclass(frozen=True, slots=True)
class PassedTests:
    """Who signs the result; the result itself must be ``passed``."""

    signers: tuple[str, ...]


def _read(fields: Fields) -> PassedTests:
    fields.choice("result", ("passed",), "passed")
    return PassedTests(fields.signers())


def _judge(wanted: PassedTests, question: Question, evidence: Evidence) -> Judgement:
    step = attach(question, "chainward attest OUT --type test-result --predicate RESULT --key KEY")

    def examine(statement: VerifiedStatement) -> Judgement:
        try:
            stated = decode_test_result(statement.statement.predicate)
        except Problem as problem:
            return failed("tests-unreadable", f"the test result cannot be read: {problem.message}", step)
        if stated.result is not TestOutcome.PASSED:
            return failed("tests-not-passed", f"the tests ended as {stated.result.value}", step)
        return passed("tests-passed", f"tests passed, as {statement.signer} signed")

    return judge_statements("tests", (TEST_RESULT,), wanted.signers, KIND.codes, question, evidence, step, examine)


KIND: Final = RuleKind(
    name="tests",
    summary="A signed test result says that the tests passed.",
    explanation=(
        "One in-toto test result by the demanded signer with the result PASSED is enough; results of earlier, failed "
        "runs of the same image do not count against it, because nothing proves which run was the last."
    ),
    reads=("statements", "rejected"),
    parameters=(SIGNERS, Parameter("result", "`passed`", "How the tests must have ended.", "`passed`")),
    codes=(
        Code("tests-passed", Outcome.PASS, "The tests passed."),
        Code("tests-not-passed", Outcome.FAIL, "Every test result there is says that tests failed or warned."),
        Code("tests-unreadable", Outcome.FAIL, "The statement is signed, but is no test result."),
        Code("tests-wrong-signer", Outcome.FAIL, "There is a test result, but not by the demanded signer."),
        Code("tests-other-digest", Outcome.FAIL, "There is a test result, but of another digest."),
        Code("tests-missing", Outcome.MISSING, "There is no test result."),
    ),
    example="tests: {result: passed}",
    read=_read,
    judge=_judge,
)
