"""An installed package's package.json to a package.

Only ``node_modules/<name>`` and ``node_modules/@scope/<name>`` are packages; a package.json deeper inside one is
somebody's test data. The name is the file's own, so an alias is known by what it really is. Edges are resolved as Node
would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chainward.formats.codec import decode_json
from chainward.sbom.catalogers.declaration import MEBIBYTE, Findings, Package, Source, Want
from chainward.sbom.catalogers.javascript.modules import FOLDER, Search, licence_of, npm
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["outermost_root", "parse_package_json"]


class _PackageJson(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    version: str = ""
    license: Any = None
    licenses: Any = None
    dependencies: Any = None
    optional_dependencies: Any = None
    peer_dependencies: Any = None


def outermost_root(path: str) -> str:
    """The folder above the outermost ``node_modules``: everything below it is one installation."""
    head, _, _ = f"/{path}".partition(f"/{FOLDER}")
    return head


def parse_package_json(source: Source) -> Findings:
    """Read one installed package."""
    read = decode_json(source.data.removeprefix(b"\xef\xbb\xbf"), _PackageJson, limit=4 * MEBIBYTE, what="package.json")
    if not read.name:
        raise UnreadableFile("the package has no name")
    place = source.path.rpartition("/")[0]
    package = Package(
        purl=npm(read.name, read.version),
        keys=(place,),
        wants=tuple(Want(Search(place, name)) for name in _names(read)),
        licences=licence_of(read.license) or licence_of(read.licenses),
    )
    return Findings((package,), steps=len(package.wants) * (place.count("/") + 2))


def _names(read: _PackageJson) -> Iterator[str]:
    # Packages write all kinds of things here, a list instead of an object among them.
    for declared in (read.dependencies, read.optional_dependencies, read.peer_dependencies):
        if isinstance(declared, dict):
            yield from declared
