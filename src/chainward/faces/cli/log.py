"""``chainward log``: the logs of the platform, their checkpoints and proofs, and a check of everything stored."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import click

from chainward import workbench
from chainward.faces.cli.answers import Audit, Consistency, Inclusion, Logs
from chainward.faces.cli.log_monitor import monitor
from chainward.faces.cli.log_shard import shard
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from chainward.adapters.remote import Remote
    from chainward.faces.cli.answers import Log
    from chainward.faces.cli.session import PlatformAddress
    from chainward.formats.checkpoint import Checkpoint

__all__ = ["command"]

_NOTE_LIMIT = 64 * 1024


class LogShrunk(Problem):
    """A log has fewer leaves than a checkpoint of it that was seen before: its history was cut."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-shrunk"
    hint = "Keep the remembered checkpoint; it proves what was there. Was an old backup restored?"


class LogMissing(Problem):
    """The platform shows no log of this name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "log-missing"
    hint = "See which logs there are with: chainward log list"


@click.group("log")
def command() -> None:
    """Look at the logs and check them."""


command.add_command(monitor)
command.add_command(shard)


@command.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the logs with size, root and key."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/logs", Logs)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [(log["name"], str(log["size"]), log["root"], log["verifier_key"]) for log in answer["logs"]]
    table("Logs", ["log", "size", "root", "key"], rows)


@command.command()
@click.argument("name", default="facts")
@platform_options
@json_option
def checkpoint(name: str, at: PlatformAddress, as_json: bool) -> None:
    """Print the newest checkpoint of the log NAME, once its signature holds.

    NAME is facts, signatures or certificates (the active shards), or the origin of any shard.

    \b
    chainward log checkpoint facts > checkpoint
    chainward log verify --remember checkpoint
    """
    with at.connect() as platform:
        log = _log(platform, name)
        note = platform.raw(f"/api/v1/logs/{quote(log['origin'], safe='')}/checkpoint", limit=_NOTE_LIMIT)
        newest = _opened(log, note)
    shown = {"origin": newest.origin, "size": newest.size, "root": base64.b64encode(newest.root).decode()}
    if as_json:
        emit(as_json, {**shown, "checkpoint": note.decode()}, [])
    else:
        click.echo(note, nl=False)


@command.command()
@click.argument("name")
@click.argument("index", type=click.IntRange(0))
@platform_options
@json_option
def prove(name: str, index: int, at: PlatformAddress, as_json: bool) -> None:
    """Fetch the inclusion proof of leaf INDEX of the log NAME and check it here, against the signed checkpoint.

    NAME is facts, signatures or certificates (the active shards), or the origin of any shard.
    """
    from chainward.formats.codec import decode_base64
    from chainward.ledger.proofs import verify_inclusion

    with at.connect() as platform:
        log = _log(platform, name)
        answer = platform.get(f"/api/v1/logs/{quote(log['origin'], safe='')}/proof", Inclusion, index=index)
        newest = _opened(log, answer["checkpoint"].encode())
    hashes = [decode_base64(each, what="a hash of the proof") for each in answer["hashes"]]
    leaf = decode_base64(answer["leaf_hash"], what="the hash of the leaf")
    verify_inclusion(index, newest.size, leaf, hashes, newest.root)
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

    All logs are checked: the facts, and every shard of the signature log and the certificate log, frozen ones too.

    With --remember the facts log is also held against the checkpoint seen last time, so a history that was rewritten
    as a whole is found as well. Exit status 1 means tampered.
    """
    with at.connect() as platform:
        extended = _extend(platform, remember) if remember else None
        report = platform.post("/api/v1/logs/audit", {}, Audit)
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
    from chainward.formats.codec import decode_base64
    from chainward.ledger.proofs import verify_consistency

    log = _log(platform, "facts")  # asked once: the old and the new checkpoint are held against one key
    note = platform.raw("/api/v1/logs/facts/checkpoint", limit=_NOTE_LIMIT)
    newest = _opened(log, note)
    told = "first checkpoint remembered"
    if remember.exists():
        old = _opened(log, workbench.read_bytes(remember, _NOTE_LIMIT))
        if newest.size < old.size:
            raise LogShrunk(f"the facts log has {newest.size} leaves, and had {old.size} when it was last seen")
        query: dict[str, Any] = {"from": old.size, "to": newest.size}
        answer = platform.get("/api/v1/logs/facts/consistency", Consistency, **query)
        hashes = [decode_base64(each, what="a hash of the proof") for each in answer["hashes"]]
        verify_consistency(old.size, newest.size, hashes, old.root, newest.root)
        told = f"the facts log of size {newest.size} extends the one of size {old.size} that was remembered"
    workbench.write_bytes(remember, note)
    return told


def _log(platform: Remote, name: str) -> Log:
    for log in platform.get("/api/v1/logs", Logs)["logs"]:
        if name in {log["name"], log["origin"]}:
            return log
    raise LogMissing(f"the platform shows no log {name}")


def _opened(log: Log, note: bytes) -> Checkpoint:
    """Return the checkpoint in a note once its signature holds."""
    from chainward.formats.note import VerifierKey
    from chainward.ledger.checkpoint import log_key, open_checkpoint

    return open_checkpoint(note, log["origin"], log_key(VerifierKey.parse(log["verifier_key"])))
