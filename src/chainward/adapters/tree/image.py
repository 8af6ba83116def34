"""An image as a tree: its layers laid over each other in memory, content kept only for files that are wanted.

Layers are read once, in order, as streams (image-spec 1.1.1, layer.md): what a layer whites out or replaces is gone,
and each file remembers the layer that its content comes from. A second pass fetches what only a link leads to.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.adapters.tree.archive import Kind, entries
from chainward.adapters.tree.limits import Limits
from chainward.adapters.tree.links import resolve
from chainward.adapters.tree.overlay import Change, Node, Overlay
from chainward.adapters.tree.stream import Budget, LayerStream
from chainward.sbom.errors import TreeUnreadable, UnreadableFile
from chainward.sbom.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from chainward.adapters.tree.archive import Content, Entry
    from chainward.formats.oci import Descriptor, Manifest
    from chainward.kernel.digest import Digest
    from chainward.sbom.ports import BlobReader

__all__ = ["ImageTree"]


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
        found = [(path, overlay.nodes[path]) for path in overlay.nodes if wanted(path)]
        targets = {path: _final(overlay, path) for path, node in found if node.is_link}
        self._fetch_missing([node for node in targets.values() if isinstance(node, Node)], budget, keep)
        for path, node in sorted(found, key=lambda pair: pair[0]):
            final = targets.get(path, node)
            if isinstance(final, str):
                yield _ImageFile(path, self._layers[node.layer].digest, None, final)
            elif final.is_content:
                data = keep.data.get((final.layer, final.member))
                yield _ImageFile(path, self._layers[final.layer].digest, data, keep.reason(final))

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The entries that were refused because their names lead out of the image."""
        return tuple(sorted(self._unreadable))

    def _change(self, number: int, wanted: Callable[[str], bool], budget: Budget, keep: _Keeper) -> Change:
        """Read a layer, keeping the content of what is wanted."""
        change = Change(number)
        wanted_later: set[str] = set()
        for path, entry, content in self._entries(number, budget):
            change.add(path, entry)
            if entry.kind is Kind.FILE and wanted(path):
                keep.take((number, path), entry, content)
            if entry.kind is Kind.HARD_LINK and wanted(path):
                wanted_later.add(change.nodes[path].member)
        missing = {member for member in wanted_later if (number, member) not in keep}
        self._fetch(number, missing, budget, keep)
        return change

    def _fetch_missing(self, nodes: list[Node], budget: Budget, keep: _Keeper) -> None:
        by_layer: dict[int, set[str]] = {}
        for node in nodes:
            if node.is_content and (node.layer, node.member) not in keep:
                by_layer.setdefault(node.layer, set()).add(node.member)
        for number, members in sorted(by_layer.items()):
            self._fetch(number, members, budget, keep)

    def _fetch(self, number: int, members: Collection[str], budget: Budget, keep: _Keeper) -> None:
        if members:
            for path, entry, content in self._entries(number, budget):
                if path in members and entry.kind is Kind.FILE:
                    keep.take((number, path), entry, content)

    def _entries(self, number: int, budget: Budget) -> Iterator[tuple[str, Entry, Content]]:
        descriptor = self._layers[number]
        with closing(self._blobs.open(descriptor.digest)) as blob:
            stream = LayerStream(blob, descriptor, budget)
            for entry, content in entries(stream, budget):
                path = self._path(entry.name, descriptor)
                if path:
                    yield path, entry, content
            stream.finish()

    def _path(self, name: str, layer: Descriptor) -> str:
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if name.startswith("/") or ".." in parts or "\0" in name:
            self._unreadable.add(Unreadable(name[:200], f"layer {layer.digest}: the name leads out of the image"))
            return ""
        return "/".join(parts)


class _Keeper:
    """The content that is kept, within limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.kept
        self._refused: dict[tuple[int, str], str] = {}
        self.data: dict[tuple[int, str], bytes] = {}

    def __contains__(self, key: object) -> bool:
        return key in self.data or key in self._refused

    def take(self, key: tuple[int, str], entry: Entry, content: Content) -> None:
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
