"""The page about the command line, and every help text, as a new user reads them on a terminal of 80 columns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from tools.docs_cli import PAGE, render

from chainward.faces.cli import VERBS, cli
from chainward.faces.cli.exits import EXIT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 80


def commands(context: click.Context) -> Iterator[tuple[str, click.Context]]:
    """Yield every command below a context, in contexts as they are when it is really called."""
    yield context.command_path, context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            child = context.command.get_command(context, name)
            assert child is not None
            yield from commands(click.Context(child, info_name=name, parent=context))


SETTINGS = {**cli.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
ROOT = click.Context(cli, info_name="chainward", **SETTINGS)
ALL = dict(commands(ROOT))
LEAVES = {path: each.command for path, each in ALL.items() if not isinstance(each.command, click.Group)}


def test_the_reference_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: make docs-generate"


def test_the_tool_checks_the_reference_itself() -> None:
    tool = Path(__file__).parents[3] / "tools" / "docs_cli.py"
    assert subprocess.run([sys.executable, tool, "--check"], check=False).returncode == 0


@pytest.mark.parametrize("path", ALL)
def test_a_help_text_fits_on_a_terminal(path: str) -> None:
    text = ALL[path].get_help()
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("path", LEAVES)
def test_a_command_and_each_of_its_options_explains_itself(path: str) -> None:
    command = LEAVES[path]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("path", LEAVES)
def test_a_command_answers_programs_too(path: str) -> None:
    assert "as_json" in {parameter.name for parameter in LEAVES[path].params}


@pytest.mark.parametrize("path", LEAVES)
def test_no_command_takes_a_secret_as_an_argument(path: str) -> None:
    """But for identity tokens, which live for minutes and may also come from a file, as with every Sigstore client."""
    for parameter in LEAVES[path].params:
        if any(word in (parameter.name or "") for word in ("token", "passphrase", "password", "secret")):
            named = parameter.name in {"token_id", "identity_token"}
            assert named or isinstance(parameter.type, click.Path), parameter.name


def test_the_help_tells_verbs_statuses_and_how_to_begin() -> None:
    text = ROOT.get_help()
    for verb in VERBS:
        assert f"\n  {verb} " in text
    for status in set(EXIT_STATUS.values()):
        assert f" {status}  " in text
    assert "CHAINWARD_TOKEN_FILE" in text
    assert "chainward init" in text
