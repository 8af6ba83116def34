"""``chainward trust tuf``: the TUF repository by which clients follow the trust root, and the keys of its own root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.answers import OnlineKeys, TrustRepository
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options, signing_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_PATH = "/api/v1/trust/repository"
_ROOT_LIMIT = 512 * 1024


@click.group("tuf")
def command() -> None:
    """Look after the TUF repository that tells clients of new keys."""


@command.command()
@platform_options
@json_option
def status(at: PlatformAddress, as_json: bool) -> None:
    """Show versions, dates and keys of the repository."""
    with at.connect() as platform:
        answer = platform.get(_PATH, TrustRepository)
    emit(as_json, answer, _lines(answer))


@command.command("rotate-root")
@click.option(
    "--root-key",
    "keys",
    metavar="REF",
    multiple=True,
    required=True,
    help="Key that signs, such as file:tuf-root-2.pem; one that is no root key yet becomes one. Repeatable.",
)
@click.option("--remove", "removed", metavar="KEYID", multiple=True, help="Id of a root key that goes; repeatable.")
@click.option("--new-online-keys", is_flag=True, help="Replace the online keys of the platform as well.")
@platform_options
@json_option
def rotate_root(
    *, keys: tuple[str, ...], removed: tuple[str, ...], new_online_keys: bool, at: PlatformAddress, as_json: bool
) -> None:
    """Publish the next root: renewed, or with other keys.

    It must be signed by enough keys of the present root and of the new one (two, unless changed). Clients that hold any
    earlier root follow.

    \b
    chainward trust tuf rotate-root --root-key file:tuf-root-2.pem \\
        --root-key file:tuf-root-3.pem \\
        --root-key file:tuf-root-4.pem --remove 9a2f…
    """
    signers = [signing_key(reference) for reference in keys]
    with at.connect() as platform:
        present = platform.get(_PATH, TrustRepository)
        current = platform.raw(f"/tuf/{present['versions']['root']}.root.json", limit=_ROOT_LIMIT)
        online = platform.post(f"{_PATH}/online-keys", {}, OnlineKeys)["online_keys"] if new_online_keys else None
        following = workbench.next_tuf_root(current, signers, removed, online)
        answer = platform.post(f"{_PATH}/root", {"root": following.decode()}, TrustRepository)
    emit(as_json, answer, _lines(answer))


def _lines(answer: TrustRepository) -> Sequence[str]:
    roles = [
        f"{role:<9}  {answer['versions'][role]}, valid until {answer['expires'][role]}" for role in answer["versions"]
    ]
    ids = [f"root key   {key_id}" for key_id in answer["root_keys"]]
    return [*roles, f"threshold  {answer['threshold']} of {len(ids)}", *ids]
