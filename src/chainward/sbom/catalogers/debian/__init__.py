"""Debian and its descendants: packages that dpkg has installed, in a root or in the per-package form of slim images."""

from __future__ import annotations

from typing import Final

from chainward.sbom.catalogers.debian.parse_status import database_root, parse_status
from chainward.sbom.catalogers.declaration import Cataloger

__all__ = ["DPKG_STATUS"]

DPKG_STATUS: Final = Cataloger(
    name="dpkg-status",
    ecosystem="Debian",
    title="packages installed by dpkg",
    globs=("**/var/lib/dpkg/status", "**/var/lib/dpkg/status.d/*"),
    companions=("**/etc/os-release", "**/usr/lib/os-release"),
    purl_types=("deb",),
    gives=("architecture", "distribution", "source package", "edges"),
    confidence=100,
    parse=parse_status,
    group=database_root,
)
