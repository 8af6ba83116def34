"""``chainward sign``: sign a file, or an image, log it, and keep the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options, signing_key, signing_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.command("sign")
@click.argument("target", type=click.Path(exists=True))
@click.option("--name", default="image", show_default=True, help="Name of an image in its statement.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="File for the Sigstore bundle.")
@signing_options
@platform_options
@json_option
def command(
    *,
    target: str,
    name: str,
    output: str,
    key: str,
    trusted_root: Path | None,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Sign TARGET: a file as it is, or the image in an OCI layout or in the result folder of `chainward build`.

    An image is signed by a statement of type https://sigstore.dev/cosign/sign/v1, as cosign 3 does it.

    \b
    chainward sign out --name shop/web --key release.key -o sign.sigstore.json
    """
    from chainward.attest.signature import statement_of_signature
    from chainward.formats.bundle import decode_bundle
    from chainward.trust.sign import sign_digest, sign_statement

    path = Path(target)
    workbench.check_output(Path(output), path, Path(key.removeprefix("file:")))
    signer = signing_key(key)
    with at.connect() as platform:
        log = workbench.signature_log(platform, trusted_root)
        if path.is_dir():
            descriptor, _ = workbench.layout(path).manifest()
            digest = descriptor.digest
            bundle = sign_statement(statement_of_signature(name, digest), signer, log)
        else:
            digest = workbench.file_digest(path)
            bundle = sign_digest(digest, signer, log)
    workbench.write_bytes(Path(output), bundle)
    entry = decode_bundle(bundle).entries[0]
    result = {
        "digest": str(digest),
        "key": f"sha256:{signer.public_key.fingerprint}",
        "log_index": entry.log_index,
        "bundle": output,
    }
    emit(
        as_json,
        result,
        [
            f"signed   {digest}",
            f"key      sha256:{signer.public_key.fingerprint}",
            f"logged   index {entry.log_index}, inclusion proof and checkpoint in the bundle",
            f"written  {output}",
        ],
    )
