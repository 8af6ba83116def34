"""Layers laid over each other: what is left of an image's files when every layer has had its say.

Follows image-spec 1.1.1, layer.md: ``.wh.name`` removes a name of the layers below, ``.wh..wh..opq`` empties a folder
of what the layers below put there, and anything that is not a folder replaces whatever had its name.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chainward.adapters.tree.archive import Kind
from chainward.adapters.tree.links import resolve
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from chainward.adapters.tree.archive import Entry

__all__ = ["Change", "Node", "Overlay"]

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_RESERVED: Final = ".wh..wh."
_NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Node:
    """One name in the image: ``member`` is the entry of its layer that has the content, ``target`` a link's target.

    The entry is known by its number, not by its name: a name may come twice in a layer, and a hard link keeps the
    content that its target had when the link was made. A link to nothing has a negative one.
    """

    kind: Kind
    layer: int
    member: int
    target: str = ""

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link."""
        return self.kind is Kind.LINK

    @property
    def is_content(self) -> bool:
        """Whether this is a file; a sparse one counts, although its content is not read."""
        return self.kind in {Kind.FILE, Kind.SPARSE, Kind.HARD_LINK}


class Change:
    """What one layer says."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.nodes: dict[str, Node] = {}
        self.removed: set[str] = set()
        self.emptied: set[str] = set()

    def add(self, path: str, entry: Entry, member: int) -> None:
        """Take note of one entry, the layer's ``member``-th."""
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            self.emptied.add(folder)
        elif name.startswith(_RESERVED):
            pass  # other marks that a union file system leaves for itself
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            self.removed.add(f"{folder}/{hidden}" if folder else hidden)
        else:
            if entry.kind is Kind.HARD_LINK:
                earlier = self.nodes.get(posixpath.normpath(f"/{entry.target}").lstrip("/"))
                member = earlier.member if earlier else _NOWHERE
            self.nodes[path] = Node(entry.kind, self.number, member, entry.target)


class Overlay:
    """The names of an image after some of its layers."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def apply(self, change: Change) -> None:
        """Lay one more layer on top."""
        if self.nodes:
            self._move_through_links(change)
            replaced = {path for path, node in change.nodes.items() if node.kind is not Kind.FOLDER}
            hidden = change.removed | replaced
            # A folder that replaces something else takes its name; what was below that name had no children.
            self.nodes = {
                path: node for path, node in self.nodes.items() if not _is_hidden(path, hidden, change.emptied)
            }
        self.nodes |= change.nodes

    def target_of(self, path: str) -> str | None:
        """The target of a symbolic link, ``None`` for anything else."""
        node = self.nodes.get(path)
        return node.target if node is not None and node.is_link else None

    def _move_through_links(self, change: Change) -> None:
        """Put entries below a name that is a link in the layers below where they land when unpacked.

        A layer that adds ``lib/x`` to an image in which ``lib`` is a link to ``usr/lib`` adds ``usr/lib/x``.
        """
        if not any(node.is_link for node in self.nodes.values()):
            return
        known: dict[str, str] = {}
        own = change.nodes.keys()

        def target_of(path: str) -> str | None:
            return None if path in own else self.target_of(path)

        def moved(path: str) -> str:
            folder, slash, name = path.rpartition("/")
            if folder not in known:
                try:
                    known[folder] = resolve(folder, target_of)
                except UnreadableFile:
                    known[folder] = folder
            return f"{known[folder]}/{name}" if slash and known[folder] else name

        change.nodes = {moved(path): replace(node) for path, node in change.nodes.items()}
        change.removed = {moved(path) for path in change.removed}
        change.emptied = {moved(f"{path}/x")[:-2] for path in change.emptied}


def _is_hidden(path: str, hidden: set[str], emptied: set[str]) -> bool:
    if path in hidden:
        return True
    if "" in emptied:
        return True
    end = path.rfind("/")
    while end > 0:
        folder = path[:end]
        if folder in hidden or folder in emptied:
            return True
        end = path.rfind("/", 0, end)
    return False
