"""The part of ``chainward sign`` for images in the registry: the signature goes beside the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chainward import workbench
from chainward.faces.cli.image import image_of
from chainward.faces.cli.signing import lines_of, shown

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress
    from chainward.faces.cli.signing import SigningChoice

__all__ = ["is_image_name", "refuse_options", "sign_image"]


def is_image_name(target: str) -> bool:
    """Whether what is no file may be meant as the name of an image; a slip in the path of a file is not."""
    return not target.startswith((".", "/")) and (":" in target or "@" in target)


def sign_image(target: str, by: SigningChoice, at: PlatformAddress) -> tuple[dict[str, Any], list[str]]:
    """Sign an image of the platform and attach the bundle to it; returns the result, and the lines that tell it.

    What is signed is the manifest that the platform gave for the name, after it was held against its digest.
    """
    from chainward.attest.attach import bundle_artifact
    from chainward.attest.signature import SIGNATURE, statement_of_signature
    from chainward.delivery.referrer import put_artifact
    from chainward.formats.oci import Descriptor
    from chainward.kernel.digest import Digest

    with at.connect() as platform, by.open(at) as signing:
        image, registry = image_of(platform, target), workbench.registry(platform)
        media_type, manifest = registry.get_manifest(image.repository, str(image.digest or image.tag))
        digest = image.digest or Digest.of(manifest)
        digest.verify(manifest)
        name = f"{platform.host}/{image.repository}"
        bundle = signing.statement(statement_of_signature(name, digest))
        subject = Descriptor(media_type, digest, len(manifest))
        attached = put_artifact(registry, image.repository, bundle_artifact(bundle, SIGNATURE, subject))
        facts = shown(signing, bundle)
    result = {"digest": str(digest), **facts, "image": f"{name}@{digest}", "referrer": str(attached)}
    return result, [f"signed    {name}@{digest}", *lines_of(facts), f"attached  {attached}"]


def refuse_options(output: str | None, *, in_toto: bool) -> None:
    """Refuse what only makes sense for files."""
    if output is not None or in_toto:
        raise click.UsageError("--output and --in-toto are for files; the signature of an image goes beside the image")
