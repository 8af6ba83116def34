"""The how-to pages, followed to the letter: every console block is run as it stands, in the order of the pages.

Only what no test can have is replaced: the folder below ``/var/lib``, and the port that may be taken.
"""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.flows.command_line import PASSPHRASE, PROJECT, Done, bare, platform_at

from chainward.config import load

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

PAGES: Final = Path(__file__).parents[2] / "docs" / "how-to"
GUIDES: Final = ("run-the-platform", "ship-an-image", "revoke", "watch-the-logs")


def blocks(page: str, language: str) -> list[str]:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(page: str) -> Iterator[str]:
    """Yield the commands of a page; a line that ends with a backslash goes on.

    What needs a second machine stands in ``sh`` blocks and is not typed here.
    """
    for block in blocks(page, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            assert line.startswith("$ "), line
            yield line.removeprefix("$ ")


class Reader:
    """Somebody who types what the pages say, in one folder and one shell."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.exports: list[str] = []
        self.platform: subprocess.Popen[bytes] | None = None

    def types(self, command: str) -> Done:
        """Run one command, and expect it to do what it says."""
        text = command.replace("/var/lib/chainward", "platform").replace(":8420", f":{self.port}")
        if text.startswith("export "):
            self.exports.append(text)
            return Done(0, "", "")
        if text.startswith("chainward up"):
            self.platform = platform_at(self.folder / "platform", self.port, self.folder / "platform.log")
            return Done(0, "", "")
        done = bare(
            "-ec",
            "\n".join([*self.exports, text]),
            cwd=self.folder,
            executable=("bash",),
            CHAINWARD_KEY_PASSPHRASE_FILE=str(self.folder / "passphrase"),
        )
        assert done.status == 0, f"{command}: {done}"
        return done


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a project of their own, and nothing else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "build.py").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
    who = Reader(tmp_path, port)
    try:
        yield who
    finally:
        if who.platform is not None:
            who.platform.send_signal(signal.SIGTERM)
            who.platform.wait(30)


def test_the_pages_do_what_they_say(reader: Reader) -> None:
    told = {command: reader.types(command) for page in GUIDES for command in commands(page)}
    assert "verified" in told["chainward verify shop/web:1.0"].out
    assert "written to cluster.token" in next(done.out for text, done in told.items() if "cluster" in text)
    assert "everything stored is what was logged" in told["chainward log verify --remember checkpoint"].out
    timeline = told["chainward timeline shop/web:1.0"].out
    for environment in ("dev", "staging", "prod"):
        assert f"environment  {environment}" in re.sub(" +", "  ", timeline)
    assert "backdoor in dependency, incident 4711" in timeline
    assert told['chainward trust distrust release --reason "laptop stolen"'].out


@pytest.mark.parametrize("page", GUIDES)
def test_every_setting_on_a_page_is_one(page: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        load(path, {}, {})


def test_the_pages_have_something_to_follow() -> None:
    assert all(list(commands(page)) for page in GUIDES)
    assert len(blocks("run-the-platform", "toml")) == 3
