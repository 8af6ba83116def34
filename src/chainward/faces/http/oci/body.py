"""Large bodies on their way in: the event loop receives, a thread hashes and writes.

Chunks are gathered to batches of 1 MiB; one batch is written while the next one is gathered, so a request holds about
2 MiB however large its body is, and a slow disk slows the client down.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from chainward.faces.http.errors import BodyTooSlow, RequestTruncated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Message, Receive

__all__ = ["pump"]

_BATCH: Final = 1 << 20


async def pump(receive: Receive, write: Callable[[Sequence[bytes]], None], *, idle_seconds: float) -> None:
    """Hand the body of a request to ``write``, batch by batch, in order, in threads.

    Raises:
        RequestTruncated: the client went away before the end; what had arrived was written.
        BodyTooSlow: nothing arrived for ``idle_seconds``; what had arrived was written.
        Problem: what ``write`` refused with; the rest of the body is not read.
    """
    writer = _Writer(write)
    try:
        while True:
            message = await _next(receive, idle_seconds)
            writer.add(message.get("body", b""))
            is_last = not message.get("more_body", False)
            if writer.gathered >= _BATCH or is_last:
                await writer.flush()
            if is_last:
                await writer.wait()
                return
    except (RequestTruncated, BodyTooSlow):
        await writer.flush()
        await writer.wait()
        raise
    finally:
        await writer.settle()


class _Writer:
    """Writes batches one after the other; the next one is gathered while one is written."""

    def __init__(self, write: Callable[[Sequence[bytes]], None]) -> None:
        self._write = write
        self._batch: list[bytes] = []
        self._writing: asyncio.Future[None] | None = None
        self.gathered = 0

    def add(self, chunk: bytes) -> None:
        if chunk:
            self._batch.append(chunk)
            self.gathered += len(chunk)

    async def flush(self) -> None:
        """Begin to write what was gathered, once the batch before is written; raises what that one failed with."""
        await self.wait()
        if self._batch:
            self._writing = asyncio.ensure_future(to_thread.run_sync(self._write, self._batch))
            self._batch, self.gathered = [], 0

    async def wait(self) -> None:
        """Wait until the batch under way is written, and raise what it failed with."""
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def settle(self) -> None:
        """Wait until no thread writes any more, whatever became of the request."""
        if self._writing is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._writing])
            if not self._writing.cancelled():
                self._writing.exception()  # it was raised before, or something else was; asyncio wants it to be seen


async def _next(receive: Receive, idle_seconds: float) -> Message:
    with anyio.move_on_after(idle_seconds):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestTruncated("the client went away before the body was complete")
        return message
    raise BodyTooSlow(f"nothing arrived for {idle_seconds:g} seconds")
