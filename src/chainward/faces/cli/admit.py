"""``chainward admit``: ask the gate about a Kubernetes AdmissionReview, as the API server would."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
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
        answer = platform.request("POST", path, body=body, headers={"Content-Type": "application/json"}).json()
    response: dict[str, Any] = answer["response"]
    emit(as_json, answer, _lines(response))
    if not response["allowed"]:
        raise click.exceptions.Exit(1)


def _lines(response: dict[str, Any]) -> list[str]:
    lines = ["allowed" if response["allowed"] else "DENIED"]
    message = response.get("status", {}).get("message", "")
    lines += [f"  {line}" for line in message.splitlines()]
    lines += [f"  warning: {warning}" for warning in response.get("warnings", ())]
    if response.get("patch"):
        for operation in json.loads(base64.b64decode(response["patch"])):
            if operation["op"] == "replace":
                lines.append(f"  pinned: {operation['path']} = {operation['value']}")
    return lines
