"""What a verb prints: JSON for programs; lines, and tables that are never torn apart, for people.

Text from elsewhere (a platform, a file) may hold characters that change what a terminal shows; they are printed as
escapes, so nobody can make a refusal look like a success.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    _Command = TypeVar("_Command", bound=Callable[..., Any])

__all__ = ["amount", "emit", "json_option", "say", "table", "visible"]

_GAP: Final = "  "
_UNITS: Final = ("B", "kB", "MB", "GB")
_THOUSAND: Final = 1000


def json_option(command: _Command) -> _Command:
    """Add ``--json`` to a verb, as the parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result, or the error, as JSON.")(command)


def emit(as_json: bool, result: Mapping[str, Any] | Sequence[object], lines: Iterable[str]) -> None:
    """Print ``result`` as JSON, or ``lines`` for a person."""
    if as_json:
        click.echo(json.dumps(result, indent=2, default=str))
        return
    for line in lines:
        say(line)


def say(text: str, *, err: bool = False) -> None:
    """Print text for a person."""
    click.echo(visible(text), err=err)


def visible(text: str) -> str:
    r"""Return text with everything but printable characters, tabs and ends of lines written as escapes.

    >>> visible("denied\x1b[2K\rallowed")
    'denied\\x1b[2K\\rallowed'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def amount(size: int) -> str:
    """Return a number of bytes as people read it.

    >>> amount(999), amount(1_500_000)
    ('999 B', '1.5 MB')
    """
    value, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if value < _THOUSAND or unit == _UNITS[-1]:
            break
        value /= _THOUSAND
    return f"{size} B" if unit == _UNITS[0] else f"{value:.1f} {unit}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below their columns; where the terminal is too narrow, each row as a block of its own.

    No cell is ever wrapped or cut, so whatever is printed can be copied, and searched for, as a whole.
    """
    cells = [[visible(cell).replace("\n", ", ") for cell in row] for row in rows]
    if not cells:
        click.echo(f"{title}: none")
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= _room():
        click.echo(f"{title}:")
        for row in (columns, *cells):
            click.echo(_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    click.echo(f"{title}:")
    margin = max(map(len, columns))
    for number, row in enumerate(cells):
        if number:
            click.echo()
        for column, cell in zip(columns, row, strict=True):
            click.echo(f"{column.ljust(margin)}{_GAP}{cell}".rstrip())


def _room() -> float:
    """Return how many characters fit on a line; as many as one likes when no terminal is there to wrap them."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return float("inf")
    return shutil.get_terminal_size().columns
