"""Install the stock clients that are no Python packages into .conformance: Sigstore for JavaScript, and cosign.

Versions are pinned here and in ``tests/conformance/js/package.json``. What cannot be installed on this machine is said
and left out; the tests that need it then skip with that reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PLACE: Final = ROOT / ".conformance"
COSIGN: Final = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
SECONDS: Final = 600


def install_javascript() -> bool:
    """Install the npm packages; False if npm is not there or failed."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: no sigstore-js")
        return False
    folder = PLACE / "js"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (ROOT / "tests" / "conformance" / "js" / "package.json").read_bytes()
    known = folder / "package.json"
    if known.is_file() and known.read_bytes() == wanted and (folder / "node_modules" / "@sigstore").is_dir():
        return True
    known.write_bytes(wanted)
    return run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], folder)


def install_cosign() -> bool:
    """Build cosign; False if Go is not there, or it takes too long."""
    if (PLACE / "bin" / "cosign").is_file():
        return True
    go = shutil.which("go")
    if go is None:
        print("Go is not installed: no cosign")
        return False
    return run([go, "install", COSIGN], PLACE, GOBIN=str(PLACE / "bin"), GOFLAGS="-mod=mod")


def run(command: list[str], folder: Path, **environment: str) -> bool:
    """Run an installer; False if it failed."""
    try:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, timeout=SECONDS, check=False, capture_output=True
        )
    except subprocess.TimeoutExpired:
        print(f"{' '.join(command)} took more than {SECONDS} s and was given up")
        return False
    if done.returncode:
        sys.stdout.write(done.stderr.decode(errors="replace")[-2000:])
        print(f"{' '.join(command)} failed")
    return done.returncode == 0


def main() -> None:
    """Install what can be installed."""
    PLACE.mkdir(exist_ok=True)
    print("sigstore-js:", "ready" if install_javascript() else "not here")
    print("cosign:", "ready" if install_cosign() else "not here")


if __name__ == "__main__":
    main()
