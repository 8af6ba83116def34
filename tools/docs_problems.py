"""Write ``docs/reference/problems.md`` from all Problem subclasses, or check with ``--check`` that it is fresh."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import chainward
from chainward.faces.cli.exits import EXIT_STATUS
from chainward.faces.http.errors import HttpProblem
from chainward.faces.http.problems import documented_status
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "problems.md"
ABSTRACT = {Problem, HttpProblem}
HEAD = """# Problems

Every error has a stable code. Over HTTP it is the member `code` of the problem document (in the registry's own errors,
of `detail`); on the command line it is printed with the message and the next step, and decides the exit status.

| code | kind | HTTP | exit | what it means | next step |
|---|---|---|---|---|---|
"""


def problems() -> list[type[Problem]]:
    """Return every problem of the package by code, after importing all of it."""
    for module in walk_packages(chainward.__path__, "chainward."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    found = {kind for kind in _below(Problem) if kind.__module__.startswith("chainward.")}
    return sorted(found - ABSTRACT, key=lambda kind: kind.code)


def _below(kind: type[Problem]) -> Iterator[type[Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("``", "`")


def render() -> str:
    """Return the page."""
    rows = []
    for kind in problems():
        status = documented_status(kind)
        meaning = (kind.__doc__ or "").split("\n\n", 1)[0]
        cells = (f"`{kind.code}`", kind.kind.value, str(status), str(EXIT_STATUS[kind.kind]))
        rows.append(f"| {' | '.join(cells)} | {_cell(meaning)} | {_cell(kind.hint)} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Write or check the page; returns 1 if a check finds it stale."""
    page = render()
    if "--check" in sys.argv:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
