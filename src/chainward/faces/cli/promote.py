"""``chainward promote``: move an image to the next environment, its evidence checked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainward.faces.cli.answers import Promotion
from chainward.faces.cli.image import image_of
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.command("promote")
@click.argument("image")
@click.option("--to", "environment", required=True, help="Environment, such as staging.")
@platform_options
@json_option
def command(image: str, environment: str, at: PlatformAddress, as_json: bool) -> None:
    """Promote IMAGE to an environment. The evidence is verified anew, and the verdict signed as a VSA.

    Exit status 1 means that the gate said no; the message names the failed checks and what to do about each.
    """
    with at.connect() as platform:
        name = image_of(platform, image)
        answer = platform.post("/api/v1/promotions", {"image": str(name), "to": environment}, Promotion)
    lines = [
        f"promoted  {answer['repository']}@{answer['digest']}",
        f"to        {answer['environment']} at {answer['promoted_at']} (fact {answer['fact_index']})",
        f"VSA       {answer['vsa']}, signed and logged, beside the image",
    ]
    emit(as_json, answer, lines)
