"""Which distribution a root is: ``etc/os-release`` (os-release(5) of systemd)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Distribution", "distribution_of"]

_LINE = re.compile(r"^([A-Z_]+)=(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']*)\s*$", re.MULTILINE)
_IDENTIFIER = re.compile(r"[a-z0-9._-]+\Z")
_PATHS: Final = ("etc/os-release", "usr/lib/os-release")


@dataclass(frozen=True, slots=True)
class Distribution:
    """The names by which package URLs know a distribution: ``debian`` and ``debian-12``."""

    vendor: str
    release: str


def distribution_of(root: str, beside: Callable[[str], bytes | None]) -> Distribution:
    """Read the distribution of the system at ``root`` (empty or ending in ``/``); Debian without release if unknown."""
    for path in _PATHS:
        data = beside(root + path)
        if data is not None:
            return _parse(data)
    return Distribution("debian", "")


def _parse(data: bytes) -> Distribution:
    values = {name: value.strip("\"'") for name, value in _LINE.findall(data.decode(errors="replace"))}
    vendor, version = values.get("ID", "").lower(), values.get("VERSION_ID", "").lower()
    if _IDENTIFIER.match(vendor) is None:
        return Distribution("debian", "")
    # Debian's testing and unstable have no VERSION_ID; their code name is the best there is.
    version = version or values.get("VERSION_CODENAME", "").lower()
    return Distribution(vendor, f"{vendor}-{version}" if _IDENTIFIER.match(version) else "")
