"""``chainward policy``: show, check and activate the policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.answers import Policy
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_LIMIT = 256 * 1024


@click.group("policy")
def command() -> None:
    """Show, check and activate the policy."""


@command.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False))
@json_option
def check(path: str, as_json: bool) -> None:
    """Check the policy in PATH without activating it; errors point at the line."""
    from chainward.policy.document import parse_policy

    policy = parse_policy(workbench.read_bytes(Path(path), _LIMIT))
    result = {"name": policy.name, "rules": [rule.id for rule in policy.rules], "digest": str(policy.digest)}
    emit(
        as_json,
        result,
        [
            f"policy  {policy.name}",
            f"rules   {', '.join(rule.id for rule in policy.rules)}",
            f"digest  {policy.digest}",
        ],
    )


@command.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False))
@platform_options
@json_option
def activate(path: str, at: PlatformAddress, as_json: bool) -> None:
    """Make the policy in PATH the one that every gate asks from now on."""
    document = workbench.read_bytes(Path(path), _LIMIT)
    with at.connect() as platform:
        answer = platform.send("PUT", "/api/v1/policy", document, "application/yaml", Policy)
    emit(as_json, answer, [f"active  {answer['name']}", f"epoch   {answer['epoch']}", f"digest  {answer['digest']}"])


@command.command()
@platform_options
@json_option
def show(at: PlatformAddress, as_json: bool) -> None:
    """Show the active policy."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/policy", Policy)
    emit(as_json, answer, [f"# epoch {answer['epoch']}, {answer['digest']}", answer["document"].rstrip("\n")])
