"""The command starts fast, lists its verbs without loading them, and every verb explains itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from chainward.faces.cli import VERBS, cli

HEAVY = (
    "alembic",
    "cryptography",
    "granian",
    "httpx",
    "jinja2",
    "jsonschema_rs",
    "msgspec",
    "orjson",
    "rich",
    "sqlalchemy",
    "starlette",
    "structlog",
    "yaml",
)


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import json, sys\n"
        "sys.argv = ['chainward', '--help']\n"
        "from chainward.faces.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_an_unknown_verb_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli, ["frobnicate"]).exit_code == 2
