"""``chainward rebuild``: the projections anew from fact 0, on the data folder of a platform that is not running."""

from __future__ import annotations

from pathlib import Path

import click

from chainward.faces.cli.output import emit, json_option

__all__ = ["command"]


@click.command("rebuild")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder. [default: ~/.local/state/chainward]")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Configuration (TOML).")
@click.option("--only", "names", multiple=True, help="Projection; repeatable. [default: all]")
@json_option
def command(data: Path | None, config: Path | None, names: tuple[str, ...], as_json: bool) -> None:
    """Drop the projections and fill them again from the facts; what was authoritative is not touched."""
    from chainward import wiring
    from chainward.faces.cli.settings import load

    rebuilt = wiring.rebuild(load(config, data=data), names)
    emit(as_json, {"rebuilt": rebuilt}, [f"{name}: {count} facts" for name, count in rebuilt.items()])
