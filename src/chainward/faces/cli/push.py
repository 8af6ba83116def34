"""``chainward push``: an image and its evidence into the registry of the platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.image import image_of
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.progress import WatchedLayout
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_BUNDLE_LIMIT = 4 * 1024 * 1024
_SBOM_LIMIT = 16 * 1024 * 1024


@click.command("push")
@click.argument("image", type=click.Path(exists=True, file_okay=False))
@click.argument("name")
@click.option(
    "--bundle", "bundles", multiple=True, type=click.Path(exists=True, dir_okay=False), help="Evidence; repeatable."
)
@click.option(
    "--sbom", "boms", multiple=True, type=click.Path(exists=True, dir_okay=False), help="SBOM as it is; repeatable."
)
@platform_options
@json_option
def command(
    image: str,
    name: str,
    bundles: tuple[str, ...],
    boms: tuple[str, ...],
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Push the image in IMAGE (an OCI layout, or the result folder of `chainward build`) as NAME, such as shop/web:1.0.

    The evidence goes first and the tag last, so whoever sees the tag sees the evidence.
    Blobs that are there already are not sent again.

    \b
    chainward push out shop/web:1.0 --sbom sbom.cdx.json \\
        --bundle sign.sigstore.json --bundle sbom.sigstore.json
    """
    from chainward.delivery.publish import publish

    layout = WatchedLayout(workbench.layout(Path(image)), quiet=as_json)
    evidence = [workbench.read_bytes(Path(path), _BUNDLE_LIMIT) for path in bundles]
    inventories = [workbench.read_bytes(Path(path), _SBOM_LIMIT) for path in boms]
    with at.connect() as platform:
        target = image_of(platform, name)
        done = publish(
            workbench.registry(platform),
            target.repository,
            target.tag,
            layout,
            bundles=evidence,
            sboms=inventories,
            progress=layout.starts,
        )
        pull = f"{platform.host}/{target.repository}@{done.digest}"
    result = {
        "repository": str(target.repository),
        "tag": str(target.tag) if target.tag else None,
        "digest": str(done.digest),
        "attachments": [str(digest) for digest in done.attachments],
        "image": pull,
    }
    emit(
        as_json,
        result,
        [f"image     {pull}", f"tag       {target.tag or '-'}", f"evidence  {len(done.attachments)} attached"],
    )
