"""What is printed: JSON, lines, tables that are never torn apart, and statuses that mean one thing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.faces import cli
from chainward.faces.cli import exits, output
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = [("facts", "sha256:" + "a" * 64), ("signatures", "sha256:" + "b" * 64)]


@given(st.text())
def test_what_is_visible_moves_no_cursor_and_loses_no_letter(text: str) -> None:
    shown = output.visible(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    if text.isprintable():
        assert shown == text


def test_a_table_that_fits_has_one_line_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    output.table("Logs", ["log", "root"], ROWS)
    title, head, *rest = capsys.readouterr().out.splitlines()
    assert title == "Logs:"
    assert head.split() == ["log", "root"]
    assert [tuple(line.split()) for line in rest] == ROWS
    assert rest[0].index("sha256") == rest[1].index("sha256") == head.index("root")


def test_a_table_that_does_not_fit_tears_nothing_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output.table("Logs", ["log", "root"], ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line] == [
        ["Logs:"],
        *([name, value] for row in ROWS for name, value in zip(("log", "root"), row, strict=True)),
    ]
    assert max(map(len, lines)) <= 80


def test_a_table_into_a_pipe_has_one_line_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    output.table("Logs", ["log", "root"], [("x" * 500, "y" * 500)])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_table_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    output.table("Services", ["name"], [])
    assert capsys.readouterr().out == "Services: none\n"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (7_000_000_000_000, "7000.0 GB")],
)
def test_an_amount_is_told_as_people_read_it(size: int, text: str) -> None:
    assert output.amount(size) == text


class _Refusal(Problem):
    """A refusal for these tests."""

    kind = Kind.REFUSED
    code = "test-refused"
    hint = "Do something else."


def _raiser(error: BaseException) -> Callable[..., object]:
    def raising(**_: object) -> object:
        raise error

    return raising


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (_Refusal("no"), 1),
        (click.UsageError("what?"), 2),
        (click.Abort(), exits.INTERRUPTED),
        (KeyboardInterrupt(), exits.INTERRUPTED),
        (ValueError("oops"), 70),
        (AssertionError(), 70),
    ],
    ids=repr,
)
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_only_a_refusal_ends_with_1(
    error: BaseException,
    status: int,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["chainward", "verb", *words])
    monkeypatch.setattr(cli.cli, "main", _raiser(error))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == status
    told = capsys.readouterr()
    if words and status != exits.INTERRUPTED:
        assert set(json.loads(told.out)["error"]) == {"code", "kind", "message", "hint", "details"}
    else:
        assert told.out == ""
        assert told.err


def test_json_of_a_wrapped_command_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["chainward", "build", "-o", "out", "--", "npm", "ls", "--json"])
    assert exits.report(_Refusal("no")) == 1
    assert capsys.readouterr().out == ""
