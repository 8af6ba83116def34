"""``chainward sign``: sign a file, or an image, log it, and keep the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options
from chainward.faces.cli.sign_image import is_image_name, refuse_options, sign_image
from chainward.faces.cli.signing import lines_of, shown, signing_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress
    from chainward.faces.cli.signing import SigningChoice

__all__ = ["command"]


@click.command("sign")
@click.argument("target")
@click.option("--name", default="image", show_default=True, help="Name of an image in its statement.")
@click.option(
    "-o",
    "--output",
    "--bundle",
    "output",
    type=click.Path(dir_okay=False),
    help="File for the bundle. [default: TARGET.sigstore.json]",
)
@click.option("--in-toto", is_flag=True, help="TARGET is an in-toto statement: sign what it states, in an envelope.")
@signing_options
@platform_options
@json_option
def command(
    *,
    target: str,
    name: str,
    output: str | None,
    in_toto: bool,
    by: SigningChoice,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Sign TARGET: a file as it is, or an image.

    An image is one in an OCI layout, in the result folder of `chainward build`, or in the registry of the platform,
    beside which the signature then stands. It is signed by a statement of type https://sigstore.dev/cosign/sign/v1,
    as cosign 3 does it. Without --key an identity signs: that of --identity-token, else that of the CI job or workload
    where this runs.

    \b
    chainward sign release.tar.gz
    chainward sign out --name shop/web --key release.key -o sign.sigstore.json
    chainward sign shop/web:1.0
    """
    from chainward.attest.signature import statement_of_signature
    from chainward.formats.intoto import MAX_STATEMENT

    path = Path(target)
    if not path.exists():
        if not is_image_name(target):
            raise click.BadParameter(f"Path {target!r} does not exist.", param_hint="'TARGET'")
        refuse_options(output, in_toto=in_toto)
        emit(as_json, *sign_image(target, by, at))
        return
    place = Path(output) if output else path.with_name(f"{path.resolve().name}.sigstore.json")
    workbench.check_output(place, path, *by.key_file)
    with by.open(at) as signing:
        if path.is_dir():
            digest = workbench.layout(path).manifest()[0].digest
            bundle = signing.statement(statement_of_signature(name, digest))
        elif in_toto:
            digest = workbench.file_digest(path)
            bundle = signing.payload(workbench.read_bytes(path, MAX_STATEMENT))
        else:
            digest = workbench.signable_digest(path, signing.signer.public_key.hash_name)
            bundle = signing.digest(digest)
        facts = shown(signing, bundle)
    workbench.write_bytes(place, bundle)
    result = {"digest": str(digest), **facts, "bundle": str(place)}
    emit(as_json, result, [f"signed   {digest}", *lines_of(facts), f"written  {place}"])
