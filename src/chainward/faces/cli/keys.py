"""``chainward keys``: make signing keys, and show what a key is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import passphrase

if TYPE_CHECKING:
    from chainward.keys.model import PublicKey

__all__ = ["command"]

_SCHEMES = {
    "p256": "ECDSA_P256_SHA256",
    "p384": "ECDSA_P384_SHA384",
    "p521": "ECDSA_P521_SHA512",
    "rsa2048": "RSA_2048",
    "rsa3072": "RSA_3072",
    "rsa4096": "RSA_4096",
    "ed25519": "ED25519",
}


@click.group("keys")
def command() -> None:
    """Make signing keys, and show what a key is."""


@command.command()
@click.argument("path", type=click.Path(dir_okay=False))
@click.option("--scheme", type=click.Choice(sorted(_SCHEMES)), default="p256", show_default=True, help="Kind of key.")
@json_option
def generate(path: str, scheme: str, as_json: bool) -> None:
    """Make a key pair: PATH (such as release.key) holds the private key under a passphrase, release.pub the public one.

    The passphrase comes from CHAINWARD_KEY_PASSPHRASE_FILE, CHAINWARD_KEY_PASSPHRASE or the terminal.
    """
    from chainward.keys.local import generate as make
    from chainward.keys.model import Scheme

    private, public = Path(path), Path(path).with_suffix(".pub")
    workbench.check_key_pair(private, public)
    key = make(Scheme[_SCHEMES[scheme]])
    workbench.store_key(private, public, key, passphrase(f"Passphrase for {private}", confirm=True))
    result = {**_shown(key.public_key), "private": str(private), "public": str(public)}
    emit(as_json, result, [f"private key  {private} (encrypted)", f"public key   {public}", *_lines(key.public_key)])


@command.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False))
@json_option
def show(path: str, as_json: bool) -> None:
    """Show scheme and fingerprint of the public key in PATH."""
    key = workbench.read_public_key(Path(path))
    emit(as_json, _shown(key), _lines(key))


def _shown(key: PublicKey) -> dict[str, object]:
    return {"scheme": key.scheme.value, "fingerprint": key.fingerprint, "pem": key.pem.decode()}


def _lines(key: PublicKey) -> list[str]:
    return [f"scheme       {key.scheme.value}", f"fingerprint  sha256:{key.fingerprint}"]
