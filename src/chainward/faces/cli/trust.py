"""``chainward trust``: whose signatures count for what, and the authorities that stand behind them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli import trust_authorities, trust_revocations, trust_signers, trust_tuf
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_EXPORT_LIMIT = 16 * 1024 * 1024


@click.group("trust")
def command() -> None:
    """Say whose signatures count for what, and look after the authorities behind them."""


for _verb in (*trust_signers.VERBS, *trust_revocations.VERBS, *trust_authorities.VERBS, trust_tuf.command):
    command.add_command(_verb)


@command.command()
@click.argument("path", type=click.Path(dir_okay=False), required=False)
@click.option("--stock", is_flag=True, help="Write the standard trusted_root.json alone, for stock Sigstore clients.")
@platform_options
@json_option
def export(*, path: str | None, stock: bool, at: PlatformAddress, as_json: bool) -> None:
    """Write all that verification needs into one file, or to standard output, for where no network is.

    Authorities with their compromises, signers and their scope, revocations of signatures, the TUF root, checkpoints.
    Whoever gives the file decides what is believed there: carry it by a way that you trust, or compare its digest.

    \b
    chainward trust export trust.json
    chainward verify release.tar --bundle release.tar.sigstore.json \\
        --trust trust.json
    """
    if stock:
        document = at.root_document()
    else:
        with at.connect() as platform:
            document = platform.raw("/api/v1/trust/export", limit=_EXPORT_LIMIT)
    if path is None:
        click.echo(document)
        return
    workbench.write_bytes(Path(path), document)
    digest = f"sha256:{hashlib.sha256(document).hexdigest()}"
    emit(as_json, {"written": path, "digest": digest}, [f"written  {path}", f"digest   {digest}"])
