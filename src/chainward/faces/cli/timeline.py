"""``chainward timeline``: everything that ever happened to an image, from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from chainward.faces.cli.image import digest_of
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.command("timeline")
@click.argument("image")
@platform_options
@json_option
def command(image: str, at: PlatformAddress, as_json: bool) -> None:
    """Show every fact about IMAGE in order: when, what, who, and where in the log it is proven."""
    with at.connect() as platform:
        repository, digest = digest_of(platform, image)
        answer = platform.get(
            "/api/v1/timeline", digest=str(digest), repository=str(repository) if repository else None
        )
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [
        (fact["recorded_at"][:23], fact["schema"], fact["actor"], _told(fact), str(fact["index"]))
        for fact in answer["facts"]
    ]
    table(f"Timeline of {digest}", ["when (UTC)", "what", "who", "details", "fact"], rows)


def _told(fact: dict[str, Any]) -> str:
    body = fact.get("body") or {}
    shown = {key: value for key, value in body.items() if key != "digest" and value not in (None, "", [], {})}
    return ", ".join(f"{key}={value}" for key, value in list(shown.items())[:6])
