"""How a command ends: the exit status of every kind of Problem, and the text that goes with it.

A status says one thing only: 1 is a *no* of a gate or a verification, and nothing else ends with it, neither a defect
nor Ctrl-C, so a script may rely on it.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import TYPE_CHECKING, Final

import click

from chainward.faces.cli.output import say
from chainward.kernel.problem import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.problem import Problem

__all__ = ["BROKEN_PIPE", "EXIT_STATUS", "INTERRUPTED", "report", "report_defect", "report_usage"]

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
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE


def report(problem: Problem) -> int:
    """Print a Problem (as JSON when the command line asked for JSON) and return the exit status."""
    _print(problem.code, problem.kind, problem.message, problem.hint, problem.details)
    return EXIT_STATUS[problem.kind]


def report_usage(error: click.ClickException) -> int:
    """Print what is wrong with a command line and return the exit status."""
    if _asked_for_json():
        _print("usage-invalid", Kind.INVALID, error.format_message(), "Look at the command with --help.", {})
    else:
        error.show()
    return EXIT_STATUS[Kind.INVALID]


def report_defect(error: BaseException) -> int:
    """Print what a report of a defect needs and return the exit status."""
    traceback.print_exception(error)
    message = f"{type(error).__name__}: {error}"
    _print("internal", Kind.INTERNAL, message, "Report this with the lines above; it is a defect.", {})
    return EXIT_STATUS[Kind.INTERNAL]


def _print(code: str, kind: Kind, message: str, hint: str, details: dict[str, object]) -> None:
    if _asked_for_json():
        error = {"code": code, "kind": kind.value, "message": message, "hint": hint, "details": details}
        click.echo(json.dumps({"error": error}, default=str))
    else:
        say(f"error: {message}\n  code: {code}\n  next: {hint}", err=True)


def _asked_for_json(words: Sequence[str] | None = None) -> bool:
    """Whether ``--json`` is a word for us, and not one of a command that we only start."""
    given = sys.argv[1:] if words is None else words
    return "--json" in (given[: given.index("--")] if "--" in given else given)
