"""``chainward admit``: ask the gate about a Kubernetes AdmissionReview, as the API server would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainward import workbench
from chainward.faces.cli.answers import Review, Status
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.answers import ReviewAnswer
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_LIMIT = 8 * 1024 * 1024


@click.command("admit")
@click.argument("review", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mutate", is_flag=True, help="Ask the mutating webhook: tags of Pods become digests.")
@platform_options
@json_option
def command(review: Path, mutate: bool, at: PlatformAddress, as_json: bool) -> None:
    """Send the AdmissionReview in REVIEW (JSON) to the gate and show its answer.

    Exit status 1 means denied.
    """
    body = workbench.read_bytes(review, _LIMIT)
    with at.connect() as platform:
        path = "/admission/v1/mutate" if mutate else "/admission/v1/validate"
        answer = platform.send("POST", path, body, "application/json", Review)
    response = answer["response"]
    emit(as_json, answer, _lines(response))
    if response.get("allowed") is not True:
        raise click.exceptions.Exit(1)


def _lines(response: ReviewAnswer) -> list[str]:
    lines = ["allowed" if response.get("allowed") is True else "DENIED"]
    message = response.get("status", Status()).get("message", "")
    lines += [f"  {line}" for line in message.splitlines()]
    lines += [f"  warning: {warning}" for warning in response.get("warnings", ())]
    for operation in _patch(response.get("patch", "")):
        if operation.get("op") == "replace":
            lines.append(f"  pinned: {operation.get('path')} = {operation.get('value')}")
    return lines


def _patch(text: str) -> list[dict[str, Any]]:
    """Return the operations of a JSON patch as a review carries it."""
    from chainward.formats.codec import decode_base64, decode_json

    if not text:
        return []
    content = decode_base64(text, what="the patch")
    return decode_json(content, list[dict[str, Any]], limit=_LIMIT, what="the patch")
