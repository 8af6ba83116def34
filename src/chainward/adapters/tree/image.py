"""An image as a tree: its layers laid over each other in memory, content kept only for files that are wanted.

Layers are read once, in order, as streams (image-spec 1.1.1, layer.md): what a layer whites out or replaces is gone,
and each file remembers the layer that its content comes from. A second pass fetches what only a link leads to.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.adapters.tree.archive import Kind, entries
from chainward.adapters.tree.limits import Limits
from chainward.adapters.tree.links import resolve
from chainward.adapters.tree.overlay import Change, Node, Overlay
from chainward.adapters.tree.stream import Budget, LayerStream
from chainward.sbom.errors import TreeUnreadable, UnreadableFile
from chainward.sbom.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.adapters.tree.archive import Content, Entry
    from chainward.formats.oci import Descriptor, Manifest
    from chainward.kernel.digest import Digest
    from chainward.sbom.ports import BlobReader

__all__ = ["ImageTree"]

_MAX_PATH: Final = 4096  # PATH_MAX of Linux: nobody can unpack or open a longer one


class ImageTree:
    """The file system of one image, read from its manifest and a provider of blobs."""

    def __init__(self, manifest: Manifest, blobs: BlobReader, *, limits: Limits | None = None) -> None:
        if manifest.is_index:
            raise TreeUnreadable("an index of images has no files of its own", hint="Name one image of the index.")
        self._layers = manifest.layers
        self._blobs = blobs
        self._limits = limits or Limits()
        self._unreadable: set[Unreadable] = set()

    def select(self, wanted: Callable[[str], bool]) -> Iterator[_ImageFile]:
        """Give the files whose path is wanted, ordered by path.

        Raises:
            TreeUnreadable: a layer is missing, is not what its digest names, or is beyond the limits.
        """
        self._unreadable.clear()
        if len(self._layers) > self._limits.layers:
            raise TreeUnreadable(f"the image has more than {self._limits.layers} layers")
        budget = Budget(self._limits)
        keep = _Keeper(self._limits)
        overlay = Overlay()
        for number in range(len(self._layers)):
            overlay.apply(self._change(number, wanted, budget, keep))
        found = {path: node for path, node in overlay.nodes.items() if wanted(_printable(path))}
        finals = {path: _final(overlay, path) if node.is_link else node for path, node in found.items()}
        self._fetch_missing([node for node in finals.values() if isinstance(node, Node)], budget, keep)
        for path, node in sorted(found.items(), key=lambda pair: (_printable(pair[0]), pair[0])):
            final = finals[path]
            if isinstance(final, str):
                yield _ImageFile(_printable(path), self._layers[node.layer].digest, None, final)
            elif final.is_content:
                data = keep.data.get((final.layer, final.member))
                yield _ImageFile(_printable(path), self._layers[final.layer].digest, data, keep.reason(final))

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The entries that were refused because of their names."""
        return tuple(sorted(self._unreadable))

    def _change(self, number: int, wanted: Callable[[str], bool], budget: Budget, keep: _Keeper) -> Change:
        """Read a layer, keeping the content of what is wanted under the name that it has there."""
        change = Change(number)
        for member, path, entry, content in self._entries(number, budget):
            change.add(path, entry, member)
            if entry.kind is Kind.FILE and wanted(_printable(path)):
                keep.take((number, member), entry, content)
        return change

    def _fetch_missing(self, nodes: list[Node], budget: Budget, keep: _Keeper) -> None:
        """Fetch what is wanted under another name than its entry's: behind a link, or below a linked folder."""
        by_layer: dict[int, set[int]] = {}
        for node in nodes:
            is_stored = node.kind in {Kind.FILE, Kind.HARD_LINK} and node.member >= 0
            if is_stored and (node.layer, node.member) not in keep:
                by_layer.setdefault(node.layer, set()).add(node.member)
        for number, members in sorted(by_layer.items()):
            for member, _, entry, content in self._entries(number, budget):
                if member in members and entry.kind is Kind.FILE:
                    keep.take((number, member), entry, content)

    def _entries(self, number: int, budget: Budget) -> Iterator[tuple[int, str, Entry, Content]]:
        descriptor = self._layers[number]
        with closing(self._blobs.open(descriptor.digest)) as blob:
            stream = LayerStream(blob, descriptor, budget)
            for member, (entry, content) in enumerate(entries(stream, budget)):
                path = self._path(entry.name, descriptor)
                if path:
                    yield member, path, entry, content
            stream.finish()

    def _path(self, name: str, layer: Descriptor) -> str:
        parts = [part for part in name.split("/") if part not in {"", "."}]
        reason = ""
        if name.startswith("/") or ".." in parts or "\0" in name:
            reason = "the name leads out of the image"
        elif len(name) > _MAX_PATH:
            reason = f"the name is longer than {_MAX_PATH} characters"
        if reason:
            self._unreadable.add(Unreadable(_printable(name[:200]), f"layer {layer.digest}: {reason}"))
            return ""
        return "/".join(parts)


class _Keeper:
    """The content that is kept, within limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.kept
        self._refused: dict[tuple[int, int], str] = {}
        self.data: dict[tuple[int, int], bytes] = {}

    def __contains__(self, key: object) -> bool:
        return key in self.data or key in self._refused

    def take(self, key: tuple[int, int], entry: Entry, content: Content) -> None:
        """Keep an entry's content, or remember why not."""
        if entry.size > self._limits.file:
            self._refused[key] = f"is larger than {self._limits.file} bytes"
        elif entry.size > self._left:
            self._refused[key] = f"more than {self._limits.kept} bytes would have to be kept of this image"
        else:
            self._left -= entry.size
            self.data[key] = content.read()

    def reason(self, node: Node) -> str:
        """Why the content of a node is not there."""
        return self._refused.get((node.layer, node.member), "has no content in its layer")


def _printable(name: str) -> str:
    """Return a name as valid Unicode; bytes of another encoding are shown as escapes."""
    return name if name.isascii() else name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _final(overlay: Overlay, path: str) -> Node | str:
    """Return the node that a link leads to, or why there is none."""
    try:
        node = overlay.nodes.get(resolve(path, overlay.target_of))
    except UnreadableFile as problem:
        return problem.message
    if node is None:
        return "the symbolic link leads to nothing in the image"
    return node if node.is_content else "the symbolic link does not lead to a file"


@dataclass(frozen=True, slots=True)
class _ImageFile:
    """A file with the content that was kept, or the reason why there is none."""

    path: str
    layer: Digest
    data: bytes | None
    reason: str

    def read(self, limit: int) -> bytes:
        """Return the content; raises ``UnreadableFile``."""
        if self.data is None:
            raise UnreadableFile(self.reason)
        if len(self.data) > limit:
            raise UnreadableFile(f"is larger than {limit} bytes")
        return self.data
