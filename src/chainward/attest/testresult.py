"""The statement that tests ran on an artifact, and how they ended.

Predicate test-result v0.1 of in-toto. It lists names of tests; what a runner reports are counts and a file. So the
counts stand as annotations of the configuration, beside the digest of the report that they were read from, and names
are given for failures alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.attest.errors import TestCountsInvalid
from chainward.formats.intoto import TEST_RESULT, ResourceDescriptor, Statement
from chainward.formats.testresult import Outcome, TestResult

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest

__all__ = ["RunCounts", "outcome_of", "statement_of_tests"]

_MAX_NAMES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """How many tests of one run ended how. ``failed_names`` are those of the failures, or empty if nobody knows them.

    Raises:
        TestCountsInvalid: a negative count, or names that are not those of the failures.
    """

    passed: int
    failed: int
    warned: int = 0
    skipped: int = 0
    failed_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if min(self.passed, self.failed, self.warned, self.skipped) < 0:
            raise TestCountsInvalid("a count of tests is negative")
        if self.failed_names and len(self.failed_names) != self.failed:
            raise TestCountsInvalid(f"{self.failed} tests failed, and {len(self.failed_names)} are named")


def outcome_of(counts: RunCounts) -> Outcome:
    """Return how the run ended: with one failure it failed; a run in which nothing passed is no proof of anything."""
    if counts.failed or not counts.passed:
        return Outcome.FAILED
    return Outcome.WARNED if counts.warned else Outcome.PASSED


def statement_of_tests(
    name: str, digest: Digest, counts: RunCounts, *, suite: str, report: Digest, url: str = ""
) -> Statement:
    """Return the statement that ``suite`` ran on the artifact, with the digest of the ``report`` it left."""
    configuration = ResourceDescriptor(
        suite,
        {report.algorithm.value: report.hex},
        annotations={
            "passed": counts.passed,
            "failed": counts.failed,
            "warned": counts.warned,
            "skipped": counts.skipped,
        },
    )
    result = TestResult(
        result=outcome_of(counts),
        configuration=(configuration,),
        url=url,
        failed=counts.failed_names[:_MAX_NAMES],
    )
    return Statement((ResourceDescriptor.of(name, digest),), TEST_RESULT, result.to_predicate())
