"""How a Problem ends a command: its text on standard error and its exit status."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from chainward.kernel.problem import Kind

if TYPE_CHECKING:
    from chainward.kernel.problem import Problem

__all__ = ["EXIT_STATUS", "report"]

EXIT_STATUS: Final = {
    Kind.REFUSED: 1,
    Kind.UNTRUSTED: 1,
    Kind.INVALID: 2,
    Kind.TOO_LARGE: 2,
    Kind.NOT_FOUND: 3,
    Kind.UNAUTHENTICATED: 4,
    Kind.FORBIDDEN: 4,
    Kind.CONFLICT: 5,
    Kind.UNAVAILABLE: 6,
    Kind.TOO_MANY: 6,
    Kind.INTERNAL: 70,
}


def report(problem: Problem) -> int:
    """Print a Problem (as JSON when the command line asked for JSON) and return the exit status."""
    if "--json" in sys.argv:
        document = {
            "error": {
                "code": problem.code,
                "kind": problem.kind.value,
                "message": problem.message,
                "hint": problem.hint,
                "details": problem.details,
            }
        }
        print(json.dumps(document, default=str), file=sys.stdout)  # noqa: T201 - this is the command's output
    else:
        print(f"error: {problem.message}\n  code: {problem.code}\n  next: {problem.hint}", file=sys.stderr)  # noqa: T201
    return EXIT_STATUS[problem.kind]
