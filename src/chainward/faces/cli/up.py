"""``chainward up``: run the platform."""

from __future__ import annotations

from pathlib import Path

import click

from chainward.faces.cli.output import emit, json_option

__all__ = ["command"]


@click.command("up")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder. [default: ~/.local/state/chainward]")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Configuration (TOML).")
@click.option("--host", default=None, help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port to listen on. [default: 8420]")
@json_option
def command(data: Path | None, config: Path | None, host: str | None, port: int | None, as_json: bool) -> None:
    """Run the platform until SIGTERM or Ctrl-C. Logs are JSON lines on standard error.

    One line on standard output says that it is ready, and where. CHAINWARD_URL tells the other verbs.
    """
    from chainward.faces.cli.settings import load
    from chainward.faces.http.server import serve

    loaded = load(config, data=data, host=host, port=port)
    serve(loaded, lambda url: emit(as_json, {"url": url}, [f"chainward is ready at {url}"]))
