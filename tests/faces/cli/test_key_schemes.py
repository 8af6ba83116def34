"""``chainward keys generate --scheme``: the pair of files belongs together whatever the scheme."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from chainward.faces.cli.keys import command
from chainward.keys.local import load_private_key
from chainward.keys.model import PublicKey, Scheme

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "correct horse battery"
NAMES = {
    "p256": Scheme.ECDSA_P256_SHA256,
    "p384": Scheme.ECDSA_P384_SHA384,
    "p521": Scheme.ECDSA_P521_SHA512,
    "rsa2048": Scheme.RSA_2048,
    "rsa3072": Scheme.RSA_3072,
    "rsa4096": Scheme.RSA_4096,
    "ed25519": Scheme.ED25519,
}


def test_every_scheme_can_be_asked_for() -> None:
    assert set(NAMES.values()) == set(Scheme)
    told = CliRunner().invoke(command, ["generate", "--help"])
    assert all(name in told.stdout for name in NAMES)


@pytest.mark.parametrize("name", ["p384", "p521", "rsa2048"])  # opening a file takes a fifth of a second, on purpose
def test_a_pair_of_another_scheme_is_made_shown_and_signs(name: str, tmp_path: Path) -> None:
    runner = CliRunner(env={"CHAINWARD_KEY_PASSPHRASE": PASSPHRASE})
    private = tmp_path / "release.key"
    made = runner.invoke(command, ["generate", str(private), "--scheme", name, "--json"])
    assert made.exit_code == 0, made.output
    shown = runner.invoke(command, ["show", str(tmp_path / "release.pub"), "--json"])
    assert json.loads(shown.stdout)["scheme"] == json.loads(made.stdout)["scheme"] == NAMES[name]
    public = PublicKey.from_pem((tmp_path / "release.pub").read_bytes())
    signature = load_private_key(private.read_bytes(), PASSPHRASE.encode()).sign(b"data")
    public.verify(b"data", signature)


def test_a_scheme_that_nobody_knows_makes_nothing(tmp_path: Path) -> None:
    refused = CliRunner().invoke(command, ["generate", str(tmp_path / "release.key"), "--scheme", "rsa1024"])
    assert refused.exit_code == 2
    assert list(tmp_path.iterdir()) == []
