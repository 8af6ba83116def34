"""JavaScript: what npm has locked, and what lies in node_modules."""

from __future__ import annotations

from typing import Final

from chainward.sbom.catalogers.declaration import MEBIBYTE, Cataloger
from chainward.sbom.catalogers.javascript.parse_package_json import outermost_root, parse_package_json
from chainward.sbom.catalogers.javascript.parse_package_lock import parse_package_lock

__all__ = ["NODE_MODULES", "PACKAGE_LOCK"]

PACKAGE_LOCK: Final = Cataloger(
    name="npm-lock",
    ecosystem="JavaScript",
    title="package-lock.json and npm-shrinkwrap.json, versions 1 to 3",
    globs=("**/package-lock.json", "**/npm-shrinkwrap.json"),
    purl_types=("npm",),
    gives=("hashes", "licences", "edges", "scope"),
    confidence=90,
    parse=parse_package_lock,
)

NODE_MODULES: Final = Cataloger(
    name="node-modules",
    ecosystem="JavaScript",
    title="packages in node_modules/<name> and node_modules/@scope/<name>",
    globs=("**/node_modules/*/package.json", "**/node_modules/@*/*/package.json"),
    purl_types=("npm",),
    gives=("licences", "edges"),
    confidence=100,
    parse=parse_package_json,
    group=outermost_root,
    limit=4 * MEBIBYTE,
)
