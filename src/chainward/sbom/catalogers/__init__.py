"""The family of catalogers: one folder per ecosystem, one declaration per kind of file, one list.

To add a member, write a declaration with its ``parse_…`` module in the ecosystem's folder, name it in ``ALL``, and run
``tools/docs_catalogers.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.sbom.catalogers.debian import DPKG_STATUS
from chainward.sbom.catalogers.javascript import NODE_MODULES, PACKAGE_LOCK
from chainward.sbom.catalogers.python import INSTALLED, POETRY_LOCK, PYLOCK, REQUIREMENTS, UV_LOCK

if TYPE_CHECKING:
    from chainward.sbom.catalogers.declaration import Cataloger

__all__ = ["ALL"]

ALL: Final[tuple[Cataloger, ...]] = (
    DPKG_STATUS,
    INSTALLED,
    REQUIREMENTS,
    UV_LOCK,
    POETRY_LOCK,
    PYLOCK,
    PACKAGE_LOCK,
    NODE_MODULES,
)
