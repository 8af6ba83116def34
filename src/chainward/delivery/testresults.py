"""Reads what a test run wrote down, as values that :mod:`chainward.attest.testresult` makes a statement of.

In: ``test-results.json`` with the members ``passed``, ``failed``, ``skipped`` and ``tests`` (each with ``name`` and
``outcome``). Out: :class:`~chainward.attest.testresult.RunCounts`. A run that contradicts itself, or in which no test
ran, says nothing and is refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from chainward.attest.testresult import RunCounts
from chainward.formats.codec import decode_json
from chainward.kernel.problem import Kind, Problem

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


def decode_test_results(data: bytes) -> RunCounts:
    """Read the results of a run.

    Raises:
        TooLarge: more than 8 MiB.
        Malformed: not the JSON that is expected.
        TestResultsInvalid: the numbers contradict the tests, or no test ran.
    """
    run = decode_json(data, _Run, limit=_LIMIT, what=_WHAT)
    claimed = {_Ended.PASSED: run.passed, _Ended.FAILED: run.failed, _Ended.SKIPPED: run.skipped}
    for ended, count in claimed.items():
        listed = sum(test.outcome is ended for test in run.tests)
        if count != listed:
            raise TestResultsInvalid(f"{count} tests are said to have {ended}, {listed} are listed")
    if not run.passed and not run.failed:
        raise TestResultsInvalid("no test ran")
    names = tuple(test.name for test in run.tests if test.outcome is _Ended.FAILED)
    return RunCounts(passed=run.passed, failed=run.failed, skipped=run.skipped, failed_names=names)
