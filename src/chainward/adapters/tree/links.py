"""Symbolic links resolved within a root, as after chroot: absolute targets begin at the root, nothing leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["resolve"]

_MAX_HOPS: Final = 40  # as Linux has it, path_resolution(7)


def resolve(path: str, target_of: Callable[[str], str | None]) -> str:
    """Return the path without links that ``path`` stands for; ``target_of`` gives a link's target, ``None`` otherwise.

    Raises:
        UnreadableFile: the path leaves the root, or the links go in a circle.
    """
    pending = path.split("/")[::-1]
    resolved: list[str] = []
    hops = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if not resolved:
                raise UnreadableFile("the symbolic link leaves the tree")
            resolved.pop()
        if part in {"", ".", ".."}:
            continue
        resolved.append(part)
        target = target_of("/".join(resolved))
        if target is None:
            continue
        hops += 1
        if hops > _MAX_HOPS:
            raise UnreadableFile("the symbolic links go in a circle")
        resolved = [] if target.startswith("/") else resolved[:-1]
        pending.extend(target.split("/")[::-1])
    return "/".join(resolved)
