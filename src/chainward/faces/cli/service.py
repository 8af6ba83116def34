"""``chainward service``: what is run, by whom, and where it may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainward.faces.cli.answers import Environment, Environments, Service, Services
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.group("service")
def command() -> None:
    """Declare services and environments."""


@command.command()
@click.argument("name")
@click.option("--owner", required=True, help="Team or person that answers for it.")
@click.option("--tier", required=True, help="How much depends on it, such as 1, 2 or 3.")
@click.option("--repositories", multiple=True, required=True, help="Pattern such as shop/**; repeatable.")
@platform_options
@json_option
def declare(
    name: str,
    owner: str,
    tier: str,
    repositories: tuple[str, ...],
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Declare the service NAME, or replace its declaration."""
    body = {"name": name, "owner": owner, "tier": tier, "repositories": list(repositories)}
    with at.connect() as platform:
        answer = platform.post("/api/v1/services", body, Service)
    emit(as_json, answer, [f"{name}: owner {owner}, tier {tier}, images in {', '.join(repositories)}"])


@command.command()
@click.argument("name")
@click.option("--order", type=click.IntRange(0, 1000), required=True, help="Images move from lower to higher.")
@click.option("--namespaces", multiple=True, required=True, help="Namespace or pattern; repeatable.")
@platform_options
@json_option
def environment(
    name: str,
    order: int,
    namespaces: tuple[str, ...],
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Declare the environment NAME, or replace its declaration."""
    body = {"name": name, "order": order, "namespaces": list(namespaces)}
    with at.connect() as platform:
        answer = platform.post("/api/v1/environments", body, Environment)
    emit(as_json, answer, [f"{name}: order {order}, namespaces {', '.join(namespaces)}"])


@command.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List services and environments."""
    with at.connect() as platform:
        services = platform.get("/api/v1/services", Services)["services"]
        environments = platform.get("/api/v1/environments", Environments)["environments"]
    if as_json:
        emit(as_json, {"services": services, "environments": environments}, [])
        return
    rows = [(each["name"], each["owner"], each["tier"], "\n".join(each["repositories"])) for each in services]
    table("Services", ["name", "owner", "tier", "repositories"], rows)
    click.echo()
    places = [(each["name"], str(each["order"]), "\n".join(each["namespaces"])) for each in environments]
    table("Environments", ["name", "order", "namespaces"], places)
