"""The project speaks of the project only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked_texts() -> dict[str, str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - git from PATH
    names = [name for name in done.stdout.decode().split("\0") if name]
    texts = {}
    for name in names:
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 1_000_000 and path != Path(__file__):
            texts[name] = path.read_text(encoding="utf-8", errors="replace")
    return texts


def test_no_file_carries_an_absolute_path_of_a_machine_it_was_written_on() -> None:
    pattern = re.compile(r"(?<![\w/.-])/(?:root|work|Users)/[\w.-]+")
    found = {name: match[0] for name, text in tracked_texts().items() if (match := pattern.search(text))}
    assert found == {}


def test_no_python_file_holds_unfinished_work() -> None:
    pattern = re.compile(r"NotImplementedError|\b(?:TODO|FIXME|XXX)\b")
    found = {
        name: match[0]
        for name, text in tracked_texts().items()
        if name.endswith(".py") and (match := pattern.search(text))
    }
    assert found == {}
