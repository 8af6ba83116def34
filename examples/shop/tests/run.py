"""Runs all tests and writes down how each of them ended: ``python tests/run.py RESULTS``.

The file has counts and names, no times and no paths: the same code gives the same bytes.
"""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Recorder", "main"]

_OUTCOMES = ("passed", "failed", "skipped")


class Recorder(unittest.TextTestResult):
    """Notes the outcome of every test; one failing part fails its test."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(*arguments, **keywords)
        self.outcomes: dict[str, str] = {}

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        """Take a test that nothing was said about for passed."""
        super().stopTest(test)
        self.outcomes.setdefault(test.id(), "passed")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: ANN401, N802 - unittest's name and type
        """Note a failure."""
        super().addFailure(test, err)
        self.outcomes[test.id()] = "failed"

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: ANN401, N802 - unittest's name and type
        """Note an error: for those who ship, it is a failure."""
        super().addError(test, err)
        self.outcomes[test.id()] = "failed"

    def addSubTest(  # noqa: N802 - unittest's name
        self,
        test: unittest.TestCase,
        subtest: unittest.TestCase,
        err: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None,
    ) -> None:
        """Note a part that failed."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcomes[test.id()] = "failed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802 - unittest's name
        """Note a test that was left out."""
        super().addSkip(test, reason)
        self.outcomes[test.id()] = "skipped"


def main(results: Path) -> int:
    """Run, write, and return 0 if all is well and something ran."""
    here = Path(__file__).parent
    suite = unittest.defaultTestLoader.discover(str(here), top_level_dir=str(here))
    runner = unittest.TextTestRunner(resultclass=Recorder, verbosity=1)
    ended = runner.run(suite)
    assert isinstance(ended, Recorder)
    tests = [{"name": name, "outcome": outcome} for name, outcome in sorted(ended.outcomes.items())]
    counts = {kind: sum(test["outcome"] == kind for test in tests) for kind in _OUTCOMES}
    results.write_text(json.dumps({"suite": "shop", **counts, "tests": tests}, indent=2) + "\n", encoding="utf-8")
    return 0 if counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
