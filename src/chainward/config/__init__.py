"""Settings: an unvalidated TOML file, the environment and the command line in, one frozen :class:`Config` out.

What is not set has a default that works on one machine. The sections are declared in :mod:`chainward.config.model` and
:mod:`chainward.config.trust`, and read by :mod:`chainward.config.load`.
"""

from __future__ import annotations

from chainward.config.load import CONFIG_FILE, Setting, default_folder, load, settings
from chainward.config.model import (
    Config,
    ConfigInvalid,
    Gates,
    Instance,
    Keys,
    Logging,
    Registry,
    Server,
    Storage,
)
from chainward.config.trust import IssuerSettings, ProviderSettings, Trust

__all__ = [
    "CONFIG_FILE",
    "Config",
    "ConfigInvalid",
    "Gates",
    "Instance",
    "IssuerSettings",
    "Keys",
    "Logging",
    "ProviderSettings",
    "Registry",
    "Server",
    "Setting",
    "Storage",
    "Trust",
    "default_folder",
    "load",
    "settings",
]
