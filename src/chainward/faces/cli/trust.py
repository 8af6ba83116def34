"""``chainward trust``: whose signatures count, for which repositories and which statements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from chainward import workbench
from chainward.faces.cli.answers import Signer, Signers
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.group("trust")
def command() -> None:
    """Say whose signatures count, for which repositories and which statements."""


@command.command()
@click.argument("name")
@click.option("--key", "path", type=click.Path(exists=True, dir_okay=False), required=True, help="Public key (PEM).")
@click.option("--repositories", multiple=True, required=True, help="Pattern such as shop/**; repeatable.")
@click.option(
    "--predicate", "predicates", multiple=True, default=("*",), help="Predicate type; repeatable. [default: all]"
)
@platform_options
@json_option
def add(
    name: str,
    path: str,
    repositories: tuple[str, ...],
    predicates: tuple[str, ...],
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Trust the public key in --key under NAME."""
    key = workbench.read_public_key(Path(path))
    body = {
        "name": name,
        "public_key": key.pem.decode(),
        "repositories": list(repositories),
        "predicates": list(predicates),
    }
    with at.connect() as platform:
        signer = platform.post("/api/v1/signers", body, Signer)
    emit(as_json, signer, [f"{name} is trusted for {', '.join(repositories)} (sha256:{signer['fingerprint']})"])


@command.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the signers, those that are trusted and those that were."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/signers", Signers)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [
        (
            signer["name"],
            f"sha256:{signer['fingerprint']}",
            "\n".join(signer["repositories"]),
            "\n".join(signer["predicates"]),
            f"distrusted {signer['distrusted_at']}" if signer["distrusted_at"] else "trusted",
        )
        for signer in answer["signers"]
    ]
    table("Signers", ["name", "key", "repositories", "statements", "state"], rows)


@command.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@platform_options
@json_option
def remove(name: str, reason: str, at: PlatformAddress, as_json: bool) -> None:
    """Distrust NAME: nothing that it ever signed counts from now on."""
    with at.connect() as platform:
        platform.delete(f"/api/v1/signers/{quote(name, safe='')}?reason={quote(reason, safe='')}")
    emit(as_json, {"name": name, "trusted": False}, [f"{name} is distrusted"])


@command.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File to write. [default: standard output]")
@platform_options
@json_option
def export(output: str | None, at: PlatformAddress, as_json: bool) -> None:
    """Write the trusted root of the platform (Sigstore trusted_root.json), for verification elsewhere."""
    with at.connect() as platform:
        document = workbench.root_document(platform)
    if output is None:
        click.echo(document)
        return
    workbench.write_bytes(Path(output), document)
    emit(as_json, {"written": output}, [f"written  {output}"])
