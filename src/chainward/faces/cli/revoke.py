"""``chainward revoke``: stop a digest everywhere, now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from chainward.faces.cli.answers import Revocation
from chainward.faces.cli.image import digest_of
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.command("revoke")
@click.argument("image")
@click.option("--reason", required=True, help="Why; everybody who is refused reads it.")
@click.option("--here", is_flag=True, help="Only in the repository of IMAGE. [default: everywhere]")
@platform_options
@json_option
def command(image: str, reason: str, here: bool, at: PlatformAddress, as_json: bool) -> None:
    """Revoke IMAGE (a name with tag or digest, or a bare sha256:… digest).

    From the answer on no pull hands it out, no promotion moves it and no gate lets it through.
    """
    with at.connect() as platform:
        repository, digest = digest_of(platform, image)
        body: dict[str, object] = {"digest": str(digest), "reason": reason}
        if here:
            if repository is None:
                raise click.UsageError("--here needs an image name, not a bare digest")
            body["repository"] = str(repository)
        started = time.perf_counter()
        answer = platform.post("/api/v1/revocations", body, Revocation)
        milliseconds = (time.perf_counter() - started) * 1000
    where = answer["repository"] or "everywhere"
    emit(
        as_json,
        {**answer, "call_ms": round(milliseconds, 1)},
        [
            f"revoked  {answer['digest']}",
            f"where    {where}",
            f"since    {answer['revoked_at']} (fact {answer['fact_index']})",
        ],
    )
