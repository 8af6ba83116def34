"""``/v2/{name}/blobs/{digest}``: whole blobs and ranges of them, proven before the first byte leaves.

They are streamed in chunks that threads read from the file that was proven. The server is never asked to send a file by
its name (ASGI extension ``http.response.pathsend``): it would open that name later, when it may lead to another file.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from chainward.access.model import Permission
from chainward.faces.http.answers import Answer, send_answer
from chainward.faces.http.oci.caching import cache_headers, is_fresh
from chainward.faces.http.oci.errors import warning_of
from chainward.faces.http.oci.ranges import ByteRange, download_range
from chainward.faces.http.trace import trace_of
from chainward.registry.errors import ArtifactRevoked, IntegrityViolated
from chainward.registry.model import RefusalPath

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from chainward.faces.http.oci.call import OciCall
    from chainward.kernel.digest import Digest
    from chainward.registry.ports import BlobReader

__all__ = ["delete_blob", "get_blob", "head_blob"]

_CHUNK: Final = 1 << 20
_ACCEPTED: Final = 202
_MEDIA_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class _Download:
    """A proven blob, opened, and which bytes of it are to be sent."""

    digest: Digest
    reader: BlobReader
    part: ByteRange | None

    @property
    def size(self) -> int:
        return self.reader.seal.size

    def headers(self) -> list[tuple[bytes, bytes]]:
        part = self.part or ByteRange(0, self.size)
        headers = cache_headers(self.digest) | {
            "Content-Type": _MEDIA_TYPE,
            "Content-Length": str(len(part)),
            "Accept-Ranges": "bytes",
        }
        if self.part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{self.size}"
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def get_blob(call: OciCall, receive: Receive, send: Send) -> None:
    """Pull a blob, or one range of it."""
    with ExitStack() as stack:
        found = await to_thread.run_sync(_open, call, stack)
        if isinstance(found, Answer):
            await send_answer(found, send)
        else:
            await _send(found, receive, send)


async def head_blob(call: OciCall, receive: Receive, send: Send) -> None:
    """Say whether a blob is there.

    To a caller who may push, content that is withheld (revoked or in quarantine) is not there: whoever asks before a
    push then sends it, which heals a changed blob and gives a new manifest its base layers.
    """
    del receive
    found = await to_thread.run_sync(_look, call)
    if isinstance(found, Answer):
        await send_answer(found, send, head=True)
        return
    await send({"type": "http.response.start", "status": 200, "headers": found})
    await send({"type": "http.response.body", "body": b""})


def delete_blob(call: OciCall) -> Answer:
    """Delete a blob that no manifest of the repository refers to."""
    call.enter(Permission.ADMINISTER)
    call.registry.deletions.blob(call.repository, call.digest(), call.context)
    return Answer(b"", _ACCEPTED, "")


def _open(call: OciCall, stack: ExitStack) -> _Download | Answer:
    call.enter(Permission.PULL)
    wanted = call.headers.get("range")
    found = _found(call, stack, wanted)
    if is_fresh(call.headers, found.digest):
        return Answer(b"", 304, "", cache_headers(found.digest))
    return found


def _look(call: OciCall) -> Answer | list[tuple[bytes, bytes]]:
    call.enter(Permission.PULL)
    try:
        with ExitStack() as stack:
            found = _found(call, stack, None)
    except (ArtifactRevoked, IntegrityViolated) as problem:
        if not call.may(Permission.PUSH, call.repository):
            raise
        trace = trace_of(call.scope)
        trace.code = problem.code
        return Answer(b"", 404, headers={"Warning": warning_of(problem) or ""})
    if is_fresh(call.headers, found.digest):
        return Answer(b"", 304, "", cache_headers(found.digest))
    return found.headers()


def _found(call: OciCall, stack: ExitStack, wanted: str | None) -> _Download:
    digest = call.digest()
    path = RefusalPath.BLOB if wanted is None else RefusalPath.BLOB_RANGE
    reader = call.registry.pull.blob(call.repository, digest, call.context, path)
    stack.callback(reader.close)
    condition = call.headers.get("if-range")
    if condition is not None and condition.strip() != f'"{digest}"':
        wanted = None
    return _Download(digest, reader, download_range(wanted, reader.seal.size))


async def _send(found: _Download, receive: Receive, send: Send) -> None:
    status = 200 if found.part is None else 206
    await send({"type": "http.response.start", "status": status, "headers": found.headers()})
    part = found.part or ByteRange(0, found.size)
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_on_disconnect, group.cancel_scope, receive)
        await _stream(found.reader, part, send)
        group.cancel_scope.cancel()


async def _stream(reader: BlobReader, part: ByteRange, send: Send) -> None:
    offset = part.start
    while offset < part.stop:
        data = await to_thread.run_sync(reader.read, offset, min(_CHUNK, part.stop - offset))
        if not data:
            raise IntegrityViolated("a blob became shorter while it was sent")
        offset += len(data)
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_on_disconnect(scope: anyio.CancelScope, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
