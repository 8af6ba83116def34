"""Reads what a test run wrote down and turns it into an in-toto test result.

In: ``test-results.json`` with the members ``passed``, ``failed``, ``skipped`` and ``tests`` (each with ``name`` and
``outcome``). Out: a :class:`~chainward.formats.testresult.TestResult` (predicate test-result v0.1). A run that
contradicts itself, or in which no test ran, says nothing and is refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from chainward.formats.codec import decode_json
from chainward.formats.intoto import ResourceDescriptor
from chainward.formats.testresult import Outcome, TestResult
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TestResultsInvalid", "decode_test_results"]

_LIMIT: Final = 8 * 1024 * 1024
_WHAT: Final = "test results"


class TestResultsInvalid(Problem):
    """A file of test results contradicts itself, or no test ran."""

    __test__: ClassVar[bool] = False  # the trade's word; not a class of tests

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "test-results-invalid"
    hint = "Write the numbers of the run and one member of tests for each test, with name and outcome."


class _Ended(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class _Test(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    outcome: _Ended


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    passed: int
    failed: int
    skipped: int = 0
    tests: tuple[_Test, ...] = ()


def decode_test_results(data: bytes, *, name: str = "test-results.json") -> TestResult:
    """Read the results of a run; the file itself, by digest, becomes the configuration of the predicate.

    Raises:
        TooLarge: more than 8 MiB.
        Malformed: not the JSON that is expected.
        TestResultsInvalid: the numbers contradict the tests, or no test ran.
    """
    run = decode_json(data, _Run, limit=_LIMIT, what=_WHAT)
    counted = {ended: _names(run.tests, ended) for ended in _Ended}
    claimed = {_Ended.PASSED: run.passed, _Ended.FAILED: run.failed, _Ended.SKIPPED: run.skipped}
    for ended, names in counted.items():
        if claimed[ended] != len(names):
            raise TestResultsInvalid(f"{claimed[ended]} tests are said to have {ended}, {len(names)} are listed")
    if not run.passed and not run.failed:
        raise TestResultsInvalid("no test ran")
    return TestResult(
        result=Outcome.FAILED if run.failed else Outcome.PASSED,
        configuration=(ResourceDescriptor.of(name, Digest.of(data)),),
        passed=counted[_Ended.PASSED],
        failed=counted[_Ended.FAILED],
    )


def _names(tests: Iterable[_Test], ended: _Ended) -> tuple[str, ...]:
    return tuple(test.name for test in tests if test.outcome is ended)
