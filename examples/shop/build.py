"""Builds the shop: ``python build.py``. The same source gives the same bytes in ``build/``.

1. ``build/site-packages``: the locked wheels, each held against the hash in ``requirements.lock`` by pip.
2. ``build/app``: the service, its front end, and the lock files that say what both are made of.
3. ``build/test-results.json``: how the tests ended, run against exactly what was built; a failure fails the build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
PACKAGES = BUILD / "site-packages"
APP = BUILD / "app"
LOCK = ROOT / "requirements.lock"

# What pip notes about an installation: when, from where, by whom. None of it is part of the packages.
NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", ".npmrc", "dist")


def install() -> None:
    """Install the locked wheels, nothing else and nothing compiled."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile"]
    command += ["--target", str(PACKAGES), "--requirement", str(LOCK)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
    shutil.rmtree(PACKAGES / "bin", ignore_errors=True)  # scripts that name this machine's interpreter
    for information in PACKAGES.glob("*.dist-info"):
        for note in NOTES:
            (information / note).unlink(missing_ok=True)


def assemble() -> None:
    """Put the service and its front end together."""
    shutil.copytree(ROOT / "app", APP, ignore=LEFT_OUT)
    shutil.copytree(ROOT / "frontend", APP / "frontend", ignore=LEFT_OUT)
    shutil.copy(LOCK, APP / LOCK.name)


def normalise() -> None:
    """Give every file and folder the mode that it should have, whatever this machine's habits are."""
    for path in [BUILD, *sorted(BUILD.rglob("*"))]:
        if path.is_symlink():
            raise SystemExit(f"{path} is a link; a build has none")
        path.chmod(0o755 if path.is_dir() else 0o644)


def test() -> int:
    """Run the tests against what was built."""
    environment = {**os.environ, "PYTHONPATH": f"{PACKAGES}{os.pathsep}{APP}", "PYTHONDONTWRITEBYTECODE": "1"}
    # -s: what lies in the home folder is not what ships.
    command = [sys.executable, "-s", str(ROOT / "tests" / "run.py"), str(BUILD / "test-results.json")]
    return subprocess.run(command, check=False, cwd=BUILD, env=environment).returncode


def main() -> int:
    """Build from nothing; returns 0 if everything was built and every test passed."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir()
    install()
    assemble()
    status = test()
    normalise()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
