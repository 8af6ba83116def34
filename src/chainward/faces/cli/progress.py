"""Progress of something long, on standard error: a line that moves on a terminal, one line for each thing elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from chainward.faces.cli.output import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.delivery.ports import ImageLayout
    from chainward.formats.oci import Descriptor
    from chainward.kernel.digest import Digest

__all__ = ["WatchedLayout"]

_SHORT: Final = len("sha256:") + 12
_STEP: Final = 1 << 20


class WatchedLayout:
    """An image layout that tells how much of each blob has been read; implements ImageLayout."""

    def __init__(self, inner: ImageLayout, *, quiet: bool) -> None:
        self._inner = inner
        self._quiet = quiet
        self._moves = sys.stderr.isatty()
        self._size = 0

    def manifest(self) -> tuple[Descriptor, bytes]:
        """Return descriptor and bytes of the manifest."""
        return self._inner.manifest()

    def starts(self, digest: str, size: int) -> None:
        """Say that a blob begins; what publishing calls its progress."""
        self._size = size
        if not self._quiet and not self._moves:
            click.echo(f"pushing {digest[:_SHORT]}… ({amount(size)})", err=True)

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob, and move the line."""
        done = told = 0
        for chunk in self._inner.chunks(digest):
            yield chunk
            done += len(chunk)
            if done - told >= _STEP or done >= self._size:
                told = done
                self._move(str(digest), done)

    def _move(self, digest: str, done: int) -> None:
        if self._quiet or not self._moves:
            return
        text = f"\rpushing {digest[:_SHORT]}… {amount(done)} of {amount(self._size)}"
        click.echo(text.ljust(72), nl=done >= self._size, err=True)
