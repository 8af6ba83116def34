"""``/v2/{name}/blobs/uploads/``: blobs on their way in, whole, in chunks, or by mounting."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from chainward.access.model import Permission
from chainward.faces.http.answers import Answer, send_answer
from chainward.faces.http.oci.body import pump
from chainward.faces.http.oci.errors import progress_headers
from chainward.faces.http.oci.ranges import upload_span
from chainward.faces.http.requests import declared_length
from chainward.kernel.digest import Algorithm, Digest, InvalidDigest
from chainward.kernel.name import RepositoryName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Send

    from chainward.faces.http.oci.call import OciCall
    from chainward.registry.upload import Reception

__all__ = ["append_to_upload", "cancel_upload", "finish_upload", "show_upload", "start_upload"]

_ACCEPTED: Final = 202


async def start_upload(call: OciCall, receive: Receive, send: Send) -> None:
    """Start an upload; take a whole blob in; or mount one that another repository has."""
    mounted = await to_thread.run_sync(_mount, call)
    if mounted is not None:
        await send_answer(mounted, send)
    elif "digest" in call.query:
        await _take_whole(call, Digest.parse(call.query["digest"]), receive, send)
    else:
        await send_answer(await to_thread.run_sync(_start, call), send)


async def append_to_upload(call: OciCall, receive: Receive, send: Send) -> None:
    """Take in one chunk."""
    await to_thread.run_sync(call.enter, Permission.PUSH)
    size = await _take_chunk(call, receive)
    await send_answer(Answer(b"", _ACCEPTED, "", _progress(call, call.target.last, size)), send)


async def finish_upload(call: OciCall, receive: Receive, send: Send) -> None:
    """Take in the last chunk, if there is one, and make the upload a blob."""
    await to_thread.run_sync(call.enter, Permission.PUSH)
    digest = _digest(call)
    await _take_chunk(call, receive)
    await to_thread.run_sync(call.registry.uploads.finish, call.repository, call.target.last, digest, call.context)
    await send_answer(_created(call, digest), send)


def show_upload(call: OciCall) -> Answer:
    """Say how much was received."""
    call.enter(Permission.PUSH)
    size = call.registry.uploads.received(call.repository, call.target.last, call.context)
    return Answer(b"", 204, "", _progress(call, call.target.last, size))


def cancel_upload(call: OciCall) -> Answer:
    """Drop an upload."""
    call.enter(Permission.PUSH)
    call.registry.uploads.cancel(call.repository, call.target.last, call.context)
    return Answer(b"", 204, "")


def _mount(call: OciCall) -> Answer | None:
    call.enter(Permission.PUSH)
    if "mount" not in call.query:
        return None
    digest, mounts = Digest.parse(call.query["mount"]), call.registry.mounts
    if "from" in call.query:
        # A source that the caller may not read is answered like one that does not have the blob.
        source = RepositoryName(call.query["from"])
        mounted = call.may(Permission.PULL, source) and mounts.mount(call.repository, digest, source, call.context)
    else:
        mounted = mounts.mount_from_any(call.repository, digest, partial(call.may, Permission.PULL), call.context)
    return _created(call, digest) if mounted else None


def _start(call: OciCall) -> Answer:
    # The choice is not kept: what is not to be sha256 is read again at the end. What cannot end well is refused now.
    wanted = call.query.get("digest-algorithm", Algorithm.SHA256)
    if wanted not in tuple(Algorithm):
        raise InvalidDigest(f"{wanted[:40]!r} is not one of the digest algorithms {', '.join(Algorithm)}")
    session = call.registry.uploads.start(call.repository, call.context)
    return Answer(b"", _ACCEPTED, "", _progress(call, session.id, 0))


async def _take_whole(call: OciCall, digest: Digest, receive: Receive, send: Send) -> None:
    uploads = call.registry.uploads
    length = declared_length(call.scope)
    async with _closing(partial(uploads.receive_whole, length)) as reception:
        await pump(receive, reception.write, idle_seconds=call.desk.idle_seconds)
        await to_thread.run_sync(reception.complete)
        await to_thread.run_sync(uploads.keep, call.repository, reception, digest, call.context)
    await send_answer(_created(call, digest), send)


async def _take_chunk(call: OciCall, receive: Receive) -> int:
    span = upload_span(call.headers.get("content-range"), declared_length(call.scope))
    uploads = call.registry.uploads
    begin = partial(uploads.receive, call.repository, call.target.last, span, call.context)
    async with _closing(begin) as reception:
        await pump(receive, reception.write, idle_seconds=call.desk.idle_seconds)
        await to_thread.run_sync(reception.complete)
        return reception.size


@asynccontextmanager
async def _closing(begin: Callable[[], Reception]) -> AsyncIterator[Reception]:
    """Give a reception, and close it even when the request is cancelled."""
    reception = await to_thread.run_sync(begin)
    try:
        yield reception
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(reception.close)


def _digest(call: OciCall) -> Digest:
    if "digest" not in call.query:
        raise InvalidDigest("the parameter digest is missing")
    return Digest.parse(call.query["digest"])


def _progress(call: OciCall, upload: str, size: int) -> dict[str, str]:
    return {
        **progress_headers(str(call.repository), upload, size),
        "Docker-Upload-UUID": upload,
    }


def _created(call: OciCall, digest: Digest) -> Answer:
    headers = {"Location": f"/v2/{call.repository}/blobs/{digest}", "Docker-Content-Digest": str(digest)}
    return Answer(b"", 201, "", headers)
