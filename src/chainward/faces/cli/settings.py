"""Settings for the verbs that work on the data folder itself: file, environment, command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.config import Config

__all__ = ["load"]


def load(
    config: Path | None,
    *,
    data: Path | None = None,
    instance: str | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Config:
    """Return the settings; what the command line gave wins."""
    from chainward import config as settings

    given: dict[tuple[str, str], object | None] = {
        ("storage", "folder"): data,
        ("instance", "name"): instance,
        ("server", "host"): host,
        ("server", "port"): port,
    }
    return settings.load(config, overrides={key: value for key, value in given.items() if value is not None})
