"""How a verdict of a gate is shown, and how a *no* ends the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fail_unless_allowed", "lines_of"]

_MARKS = {"pass": "✓", "fail": "✗", "missing": "✗", "error": "!"}


def lines_of(answer: Mapping[str, Any]) -> list[str]:
    """Return a verdict as lines: every check, and for each failed one what to do."""
    lines = ["allowed" if answer.get("allowed") else "DENIED"]
    for check in answer.get("checks", ()):
        passed = check["outcome"] == "pass"
        lines.append(f"  {_MARKS.get(check['outcome'], '?')} {check['rule']}/{check['name']}: {check['message']}")
        if not passed:
            lines.append(f"      code: {check['code']}")
            lines.append(f"      next: {check['next_step']}")
    return lines


def fail_unless_allowed(answer: Mapping[str, Any]) -> None:
    """End with exit status 1 when the gate said no."""
    if not answer.get("allowed"):
        raise click.exceptions.Exit(1)
