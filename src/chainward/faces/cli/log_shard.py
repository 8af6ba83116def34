"""``chainward log shard``: the shards of the public logs, and the turnover to the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainward.faces.cli.answers import Authorities, Authority, Logs
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["shard"]

_AUTHORITIES = "/api/v1/trust/authorities"
_SERVICES = {"signatures": "log", "certificates": "ct"}


@click.group()
def shard() -> None:
    """See the shards of the public logs, and begin new ones.

    The signature log and the certificate log begin a new shard now and then, usually once a year, so that none grows
    without end. The old shard is frozen: it takes no more entries, and stays readable and provable for ever.
    """


@shard.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the shards of both logs, with size, state and path."""
    with at.connect() as platform:
        logs = {log["origin"]: log for log in platform.get("/api/v1/logs", Logs)["logs"]}
        known = platform.get(_AUTHORITIES, Authorities)["authorities"]
    shards = [
        {
            "authority": each["name"],
            "service": each["service"],
            "origin": each["origin"],
            "size": logs[each["origin"]]["size"],
            "active": each["active"],
            "frozen_at": logs[each["origin"]]["frozen_at"],
            "path": f"/log/{each['origin']}",
        }
        for each in known
        if each["origin"] in logs
    ]
    if as_json:
        emit(as_json, {"shards": shards}, [])
        return
    rows = [
        (
            str(each["origin"]),
            str(each["size"]),
            f"frozen {each['frozen_at']}" if each["frozen_at"] else "active",
            str(each["path"]),
        )
        for each in shards
    ]
    table("Shards", ["origin", "size", "state", "path"], rows)


@shard.command()
@click.argument("log", type=click.Choice(list(_SERVICES)), default="signatures")
@click.option("--key", metavar="REF", help="Key that the platform opens where it is, instead of making one.")
@platform_options
@json_option
def rotate(*, log: str, key: str | None, at: PlatformAddress, as_json: bool) -> None:
    """Begin the next shard of LOG under a new key and origin, and freeze the present one.

    Both happen in one transaction, so no entry is lost or refused meanwhile: what is submitted to the active log goes
    into the new shard. Bundles from before stay valid, and clients learn the new key from the TUF repository.

    \b
    chainward log shard rotate
    chainward log shard list
    """
    with at.connect() as platform:
        made = platform.post(f"{_AUTHORITIES}/{_SERVICES[log]}/rotate", {"key": key} if key else {}, Authority)
    emit(as_json, made, [f"{made['origin']} is the active shard (key sha256:{made['fingerprint']})"])
