"""Test results: which tests ran on an artifact, with which configuration, and how they ended.

Follows the in-toto predicate test-result v0.1 (``https://in-toto.io/attestation/test-result/v0.1``). In: the predicate
of a statement. Out: a :class:`TestResult`; unknown members are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from chainward.formats.codec import convert, without_empty
from chainward.formats.intoto import ResourceDescriptor, WireResource, resource_members

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Outcome", "TestResult", "decode_test_result"]

_WHAT: Final = "test result"


class Outcome(StrEnum):
    """How a whole run ended."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """A run of tests: its outcome, what configured it, and the names of the tests by outcome."""

    __test__: ClassVar[bool] = False  # the trade's word; not a class of tests

    result: Outcome
    configuration: tuple[ResourceDescriptor, ...] = ()
    url: str = ""
    passed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def to_predicate(self) -> dict[str, Any]:
        """Return the predicate for a statement."""
        optional = {
            "url": self.url,
            "passedTests": list(self.passed),
            "warnedTests": list(self.warned),
            "failedTests": list(self.failed),
        }
        return {
            "result": self.result.value,
            "configuration": [resource_members(each) for each in self.configuration],
            **without_empty(optional),
        }


class _WireResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    result: Outcome
    configuration: tuple[WireResource, ...] | None = None
    url: str | None = None
    passed_tests: tuple[str, ...] | None = None
    warned_tests: tuple[str, ...] | None = None
    failed_tests: tuple[str, ...] | None = None


def decode_test_result(predicate: Mapping[str, Any]) -> TestResult:
    """Read a test result; raises Malformed."""
    wire = convert(predicate, _WireResult, what=_WHAT)
    return TestResult(
        result=wire.result,
        configuration=tuple(each.value(_WHAT) for each in wire.configuration or ()),
        url=wire.url or "",
        passed=wire.passed_tests or (),
        warned=wire.warned_tests or (),
        failed=wire.failed_tests or (),
    )
