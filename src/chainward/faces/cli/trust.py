"""``chainward trust``: whose signatures count, for which repositories and which statements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli import trust_revocations, trust_signers
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.group("trust")
def command() -> None:
    """Say whose signatures count, for which repositories and which statements."""


for _verb in (*trust_signers.VERBS, *trust_revocations.VERBS):
    command.add_command(_verb)


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
