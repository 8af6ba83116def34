"""The verbs of ``chainward trust`` about authorities: list them, rotate them, and say that a key is compromised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from chainward import workbench
from chainward.faces.cli.answers import Authorities, Authority, AuthorityRequest
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options, signing_key

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["VERBS"]

_PATH = "/api/v1/trust/authorities"
_LOGS = frozenset({"log", "ct"})
_NOTE_LIMIT = 64 * 1024


@click.command()
@platform_options
@json_option
def authorities(at: PlatformAddress, as_json: bool) -> None:
    """List the authorities of the trust root: certificate authority, CT log, signature log, timestamp authority."""
    with at.connect() as platform:
        answer = platform.get(_PATH, Authorities)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [(each["name"], each["start"], _state(each), each["fingerprint"][:16]) for each in answer["authorities"]]
    table("Authorities", ["name", "since", "state", "key"], rows)


@click.command()
@click.argument("service", type=click.Choice(["ca", "ct", "log", "tsa"]))
@click.option("--root-key", metavar="REF", help="Offline root key, such as file:ca-root.pem; for ca and tsa.")
@click.option("--new-root", is_flag=True, help="Begin a new root, because the old one is lost or compromised.")
@click.option("--key", metavar="REF", help="Key that the platform opens where it is, instead of making one.")
@platform_options
@json_option
def rotate(
    *, service: str, root_key: str | None, new_root: bool, key: str | None, at: PlatformAddress, as_json: bool
) -> None:
    """Let a new instance of SERVICE take over; what the old one signed stays valid.

    A log begins a new shard, and the old one is frozen. The certificate and the timestamp authority have offline roots:
    the platform makes the new key, this command signs it with --root-key, and the platform checks and activates it.
    With --new-root, --root-key names the key of the new root.

    \b
    chainward trust rotate log
    chainward trust rotate ca --root-key file:/media/vault/ca-root.pem
    """
    if (service in _LOGS) is bool(root_key):
        wanted = "needs no --root-key" if service in _LOGS else "needs --root-key"
        raise click.UsageError(f"the rotation of {service} {wanted}")
    with at.connect() as platform:
        body: dict[str, Any] = {"new_root": new_root}
        reference = {"key": key} if key else {}
        if root_key:
            signer = signing_key(root_key)
            request = platform.post(f"{_PATH}/{service}/requests", reference, AuthorityRequest)
            body["certificates"] = list(
                workbench.certify(
                    service,
                    request["organization"],
                    request["request"].encode(),
                    signer,
                    root=None if new_root else request["root"].encode(),
                )
            )
        else:
            body |= reference
        made = platform.post(f"{_PATH}/{service}/rotate", body, Authority)
    emit(as_json, made, [f"{made['name']} is active (key sha256:{made['fingerprint']})"])


@click.command()
@click.argument("name")
@platform_options
@json_option
def retire(name: str, at: PlatformAddress, as_json: bool) -> None:
    """Let the authority NAME sign nothing new, without a successor; what it signed stays valid."""
    with at.connect() as platform:
        answer = platform.post(f"{_PATH}/{quote(name, safe='')}/retire", {}, Authority)
    emit(as_json, answer, [f"{name} is retired"])


@click.command()
@click.argument("name")
@click.option(
    "--since", required=True, metavar="INSTANT", help="Since when (RFC 3339); rather too early than too late."
)
@click.option("--reason", required=True, help="What happened, in a line.")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Signed checkpoint from before that is believed nevertheless; repeatable. [default: the last one anchored]",
)
@platform_options
@json_option
def compromise(
    *, name: str, since: str, reason: str, checkpoints: tuple[str, ...], at: PlatformAddress, as_json: bool
) -> None:
    """State that somebody else may have the key of the authority NAME.

    Nothing that relies on the key counts any more, but for what was logged before: below the size of a checkpoint that
    witnesses signed (--checkpoint), or that the facts log anchored before that instant. The authority ends. Stock
    clients are told by leaving it out of the trusted root, and then believe none of what it ever signed.

    \b
    chainward trust compromise tsa-1 --since 2026-11-20T00:00:00Z \\
        --reason 'laptop stolen'
    """
    notes = [workbench.read_bytes(Path(path), _NOTE_LIMIT).decode("utf-8", "replace") for path in checkpoints]
    body = {"since": since, "reason": reason, "checkpoints": notes}
    with at.connect() as platform:
        answer = platform.post(f"{_PATH}/{quote(name, safe='')}/compromise", body, Authority)
    kept = answer["compromise"]["checkpoints"] if answer["compromise"] else []
    pins = [f"believed up to  {pin['origin']} at {pin['size']}" for pin in kept]
    emit(as_json, answer, [f"{name} is compromised since {since}", *(pins or ["nothing of it is believed any more"])])


def _state(authority: Authority) -> str:
    if authority["compromise"] is not None:
        return f"compromised since {authority['compromise']['since']}"
    return "active" if authority["active"] else f"retired, valid until {authority['end']}"


VERBS = (authorities, rotate, retire, compromise)
