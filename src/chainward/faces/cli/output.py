"""What a verb prints: JSON for programs, a table or lines for people. rich is imported only for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    _Command = TypeVar("_Command", bound=Callable[..., Any])

__all__ = ["emit", "json_option", "table"]


def json_option(command: _Command) -> _Command:
    """Add ``--json`` to a verb, as the parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def emit(as_json: bool, result: Mapping[str, object] | Sequence[object], lines: Iterable[str]) -> None:
    """Print ``result`` as JSON, or ``lines`` for a person."""
    if as_json:
        click.echo(json.dumps(result, indent=2, default=str))
        return
    for line in lines:
        click.echo(line)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for a person."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    Console().print(grid)
