"""``chainward up``: run the platform."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("up")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder. [default: ~/.local/state/chainward]")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Configuration (TOML).")
@click.option("--host", default=None, help="Address to listen on. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="Port to listen on. [default: 8420]")
def command(data: Path | None, config: Path | None, host: str | None, port: int | None) -> None:
    """Run the platform until SIGTERM or Ctrl-C. Logs are JSON lines on standard error."""
    from chainward.faces.cli.settings import load
    from chainward.faces.http.server import serve

    loaded = load(config, data=data, host=host, port=port)
    serve(loaded, lambda url: click.echo(f"chainward is ready at {url}"))
