"""``chainward log``: the logs of the platform, their checkpoints and proofs, and a check of everything stored."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.adapters.remote import Remote
    from chainward.faces.cli.session import PlatformAddress
    from chainward.formats.checkpoint import Checkpoint

__all__ = ["command"]

_NAMES = click.Choice(["facts", "signatures"])


@click.group("log")
def command() -> None:
    """Look at the logs and check them."""


@command.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the logs with size, root and key."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/logs")
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [(log["name"], log["origin"], str(log["size"]), log["root"], log["verifier_key"]) for log in answer["logs"]]
    table("Logs", ["name", "origin", "size", "root", "key"], rows)


@command.command()
@click.argument("name", type=_NAMES, default="facts")
@platform_options
def checkpoint(name: str, at: PlatformAddress) -> None:
    """Print the newest signed checkpoint of a log."""
    with at.connect() as platform:
        click.echo(platform.raw(f"/api/v1/logs/{name}/checkpoint").decode(), nl=False)


@command.command()
@click.argument("name", type=_NAMES)
@click.argument("index", type=click.IntRange(0))
@platform_options
@json_option
def prove(name: str, index: int, at: PlatformAddress, as_json: bool) -> None:
    """Fetch the inclusion proof of leaf INDEX and check it here, against the signed checkpoint."""
    from chainward.ledger.proofs import verify_inclusion

    with at.connect() as platform:
        answer = platform.get(f"/api/v1/logs/{name}/proof", index=index)
        newest = _opened(platform, name, answer["checkpoint"].encode())
    hashes = [base64.b64decode(each) for each in answer["hashes"]]
    verify_inclusion(index, newest.size, base64.b64decode(answer["leaf_hash"]), hashes, newest.root)
    emit(
        as_json,
        {**answer, "verified": True},
        [f"leaf {index} is in {newest.origin} at size {newest.size}: {len(hashes)} hashes lead to the signed root"],
    )


@command.command()
@click.option(
    "--remember",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the last checkpoint seen; the new one must extend it, and replaces it.",
)
@platform_options
@json_option
def verify(remember: Path | None, at: PlatformAddress, as_json: bool) -> None:
    """Check every fact, leaf, tile and checkpoint that the platform has stored, and name whatever was tampered with.

    With --remember the facts log is also held against the checkpoint seen last time, so a history that was rewritten
    as a whole is found as well. Exit status 1 means tampered.
    """
    with at.connect() as platform:
        extended = _extend(platform, remember) if remember else None
        report = platform.post("/api/v1/logs/audit", {})
    damage = report["findings"]
    lines = [f"{log['origin']}: {log['size']} leaves checked" for log in report["logs"]]
    if extended:
        lines.append(extended)
    lines += [f"✗ {finding}" for finding in damage] or ["everything stored is what was logged"]
    emit(as_json, report, lines)
    if damage:
        raise click.exceptions.Exit(1)


def _extend(platform: Remote, remember: Path) -> str:
    """Check that the facts log extends the checkpoint in ``remember``, and remember the newest."""
    from chainward.ledger.proofs import verify_consistency

    note = platform.raw("/api/v1/logs/facts/checkpoint")
    newest = _opened(platform, "facts", note)
    told = "first checkpoint remembered"
    if remember.is_file():
        old = _opened(platform, "facts", remember.read_bytes())
        query: dict[str, Any] = {"from": old.size, "to": newest.size}
        answer = platform.get("/api/v1/logs/facts/consistency", **query)
        hashes = [base64.b64decode(each) for each in answer["hashes"]]
        verify_consistency(old.size, newest.size, hashes, old.root, newest.root)
        told = f"the facts log of size {newest.size} extends the one of size {old.size} that was remembered"
    remember.write_bytes(note)
    return told


def _opened(platform: Remote, name: str, note: bytes) -> Checkpoint:
    """Return the checkpoint in a note once its signature holds."""
    from chainward.formats.note import parse_verifier_key
    from chainward.keys.model import ed25519_of
    from chainward.ledger.checkpoint import open_checkpoint

    (log,) = (each for each in platform.get("/api/v1/logs")["logs"] if each["name"] == name)
    key = parse_verifier_key(log["verifier_key"])
    return open_checkpoint(note, log["origin"], ed25519_of(key.raw))
