"""``chainward init``: create a platform and print the first admin token, once."""

from __future__ import annotations

from pathlib import Path

import click

from chainward.faces.cli.output import emit, json_option

__all__ = ["command"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("init")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder. [default: ~/.local/state/chainward]")
@click.option("--config", type=_FILE, help="Configuration (TOML).")
@click.option(
    "--instance", default=None, help="Name of the platform; it stands in its logs. [default: chainward.local]"
)
@click.option(
    "--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Passphrase of the keys."
)
@click.option("--token-out", type=click.Path(path_type=Path), help="Write the token to this new file, mode 0600.")
@json_option
def command(
    data: Path | None,
    config: Path | None,
    instance: str | None,
    passphrase_file: Path | None,
    token_out: Path | None,
    as_json: bool,
) -> None:
    """Create a platform: trust root, database, logs, environments dev, staging and prod, a starter policy.

    The first admin token is printed once, or written to --token-out. Whoever holds it may do everything. The keys of
    the roots (certificate authority, timestamp authority, TUF) are written to keys/offline in the data folder; move
    them away, and give them to `chainward trust rotate` when they are needed.
    """
    from chainward import wiring, workbench
    from chainward.faces.cli.settings import load

    if token_out is not None:
        workbench.check_new(token_out)
    loaded = load(config, data=data, instance=instance)
    secret = workbench.read_bytes(passphrase_file, 4096).strip() if passphrase_file else None
    issued = wiring.initialise(loaded, passphrase=secret)
    result = {"data": str(loaded.folder), "instance": loaded.instance.name, "token_id": issued.token.id}
    shown = issued.text.reveal()
    if token_out is not None:
        workbench.write_secret(token_out, shown.encode() + b"\n")
        shown = f"written to {token_out}"
        result["token_file"] = str(token_out)
    else:
        result["token"] = shown
    lines = [
        f"data      {loaded.folder}",
        f"instance  {loaded.instance.name}",
        f"token     {shown}",
        "",
        "Keep the token: it is shown this once, and may do everything.",
        f"Move {loaded.folder / 'keys' / 'offline'} to a safe place: rotations alone need the keys of the roots.",
        f"Next: chainward up --data {loaded.folder}" if data else "Next: chainward up",
    ]
    emit(as_json, result, lines)
