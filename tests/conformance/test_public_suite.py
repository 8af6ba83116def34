"""The verification cases of sigstore-conformance, through the very executable that the suite would call.

The suite is not ours and its assets are not copied here: name a checkout of
https://github.com/sigstore/sigstore-conformance in ``SIGSTORE_CONFORMANCE``. Each folder of
``test/assets/bundle-verify`` is a case, run twice as the suite does it: with the file, and with its digest. A folder
whose name ends in ``_fail`` must be refused, for a reason and not by a defect; every other must verify.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

VARIABLE: Final = "SIGSTORE_CONFORMANCE"
CLIENT: Final = Path(__file__).with_name("sigstore-client")
BEACON: Final = "sigstore-conformance/extremely-dangerous-public-oidc-beacon"
IDENTITY: Final = f"https://github.com/{BEACON}/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
ISSUER: Final = "https://token.actions.githubusercontent.com"
DEFECT: Final = 70
FEWEST: Final = 60  # cases in the suite when this was written: 70


def assets() -> Path | None:
    checkout = os.environ.get(VARIABLE)
    return Path(checkout) / "test" / "assets" / "bundle-verify" if checkout else None


def cases() -> list[str]:
    folder = assets()
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder else ["every case"]


@dataclass(frozen=True)
class Case:
    """A folder of the suite: a bundle, and what goes with it where that is not the common one."""

    folder: Path

    @property
    def must_verify(self) -> bool:
        return not self.folder.name.endswith("fail")

    @property
    def artifact(self) -> Path:
        own = self.folder / "artifact"
        return own if own.exists() else self.folder.parent / "a.txt"

    def words(self, target: str) -> list[str]:
        key, root = self.folder / "key.pub", self.folder / "trusted_root.json"
        who = ["--certificate-identity", self.text("identity", IDENTITY)]
        who += ["--certificate-oidc-issuer", self.text("issuer", ISSUER)]
        return [
            "verify-bundle",
            *("--bundle", str(self.folder / "bundle.sigstore.json")),
            *(["--key", str(key)] if key.exists() else who),
            *(["--trusted-root", str(root)] if root.exists() else []),
            target,
        ]

    def text(self, name: str, common: str) -> str:
        file = self.folder / name
        return file.read_text().strip() if file.exists() else common


def answer(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the client with a home and an environment in which there is nothing to find, and no network to reach."""
    chainward = str(Path(sys.executable).with_name("chainward"))
    environment = {"PATH": os.environ["PATH"], "CHAINWARD": chainward, "CHAINWARD_URL": "http://127.0.0.1:9"}
    return subprocess.run([CLIENT, *words], capture_output=True, text=True, check=False, env=environment, timeout=60)


@pytest.mark.parametrize("named", ["file", "digest"])
@pytest.mark.parametrize("name", cases())
def test_a_case_of_the_public_suite_ends_as_its_authors_say(name: str, named: str) -> None:
    folder = assets()
    if folder is None:
        pytest.skip(f"{VARIABLE} names no checkout of sigstore-conformance")
    case = Case(folder / name)
    digest = f"sha256:{hashlib.sha256(case.artifact.read_bytes()).hexdigest()}"
    done = answer(case.words(str(case.artifact) if named == "file" else digest))
    assert (done.returncode == 0) is case.must_verify, done.stdout + done.stderr
    if not case.must_verify:
        assert done.returncode != DEFECT, done.stderr
        assert "\n  code: " in done.stderr or "Usage:" in done.stderr, done.stderr


def test_the_checkout_of_the_public_suite_is_whole() -> None:
    if assets() is None:
        pytest.skip(f"{VARIABLE} names no checkout of sigstore-conformance")
    assert len(cases()) >= FEWEST
