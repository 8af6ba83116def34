"""Python: what is installed, and what lock files have pinned."""

from __future__ import annotations

from typing import Final

from chainward.sbom.catalogers.declaration import MEBIBYTE, Cataloger
from chainward.sbom.catalogers.python.parse_metadata import environment_of, parse_metadata
from chainward.sbom.catalogers.python.parse_poetry_lock import parse_poetry_lock
from chainward.sbom.catalogers.python.parse_pylock import parse_pylock
from chainward.sbom.catalogers.python.parse_requirements import parse_requirements
from chainward.sbom.catalogers.python.parse_uv_lock import parse_uv_lock

__all__ = ["INSTALLED", "POETRY_LOCK", "PYLOCK", "REQUIREMENTS", "UV_LOCK"]

INSTALLED: Final = Cataloger(
    name="python-installed",
    ecosystem="Python",
    title="distributions installed by pip, uv and others",
    globs=("**/*.dist-info/METADATA", "**/site-packages/*.egg-info/PKG-INFO", "**/dist-packages/*.egg-info/PKG-INFO"),
    purl_types=("pypi",),
    gives=("licences", "edges"),
    confidence=100,
    parse=parse_metadata,
    group=environment_of,
    limit=8 * MEBIBYTE,
)

REQUIREMENTS: Final = Cataloger(
    name="python-requirements",
    ecosystem="Python",
    title="requirements files; only what is pinned with ==",
    globs=(
        "**/*requirements*.txt",
        "**/*requirements*.lock",
        "**/requirements/*.txt",
        "**/requirements/*.lock",
    ),
    purl_types=("pypi",),
    gives=("hashes", "edges from `# via` remarks"),
    confidence=90,
    parse=parse_requirements,
    limit=16 * MEBIBYTE,
)

UV_LOCK: Final = Cataloger(
    name="uv-lock",
    ecosystem="Python",
    title="uv.lock",
    globs=("**/uv.lock",),
    purl_types=("pypi",),
    gives=("hashes", "edges", "scope"),
    confidence=90,
    parse=parse_uv_lock,
    limit=32 * MEBIBYTE,
)

POETRY_LOCK: Final = Cataloger(
    name="poetry-lock",
    ecosystem="Python",
    title="poetry.lock, format 1 and 2",
    globs=("**/poetry.lock",),
    purl_types=("pypi",),
    gives=("hashes", "edges", "scope"),
    confidence=90,
    parse=parse_poetry_lock,
    limit=32 * MEBIBYTE,
)

PYLOCK: Final = Cataloger(
    name="pylock",
    ecosystem="Python",
    title="pylock.toml (PEP 751)",
    globs=("**/pylock.toml", "**/pylock.*.toml"),
    purl_types=("pypi",),
    gives=("hashes", "edges"),
    confidence=90,
    parse=parse_pylock,
    limit=32 * MEBIBYTE,
)
