"""Small tools: their output and nothing else, up to a limit and up to a time."""

from __future__ import annotations

import os
import time

import pytest

from chainward.adapters.process import output_of
from chainward.delivery.errors import ToolMissing

PATH = {"PATH": os.defpath}


def test_a_tool_gives_its_status_and_its_standard_output_only() -> None:
    script = "echo told; echo secret >&2; env; exit 3"
    status, output = output_of(("sh", "-c", script), PATH | {"GIVEN": "yes"}, seconds=10, limit=10_000)
    assert status == 3
    assert output.startswith(b"told\n")
    assert b"secret" not in output
    assert b"GIVEN=yes" in output
    assert b"HOME=" not in output


def test_a_tool_that_never_ends_is_stopped_with_all_that_it_started() -> None:
    started = time.monotonic()
    with pytest.raises(ToolMissing, match="did not end"):
        output_of(("sh", "-c", "sleep 60 & sleep 60"), PATH, seconds=0.2, limit=10)
    assert time.monotonic() - started < 20


def test_a_tool_that_never_stops_writing_is_refused() -> None:
    with pytest.raises(ToolMissing, match="more than 10 bytes"):
        output_of(("sh", "-c", "echo 0123456789a"), PATH, seconds=10, limit=10)


def test_a_tool_reads_nothing_from_the_terminal() -> None:
    assert output_of(("cat",), PATH, seconds=10, limit=10) == (0, b"")


@pytest.mark.parametrize("argv", [("chainward-no-such-tool",), ("bad\0name",)])
def test_a_tool_that_is_not_there_is_named(argv: tuple[str, ...]) -> None:
    with pytest.raises(ToolMissing, match="cannot be started"):
        output_of(argv, PATH, seconds=1, limit=1)
