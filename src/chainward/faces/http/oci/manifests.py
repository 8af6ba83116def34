"""``/v2/{name}/manifests/{reference}``: pull, push and delete manifests and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio import to_thread

from chainward.access.model import Permission
from chainward.faces.http.answers import Answer, send_answer
from chainward.faces.http.oci.caching import cache_headers, is_fresh
from chainward.faces.http.requests import read_body
from chainward.formats.oci import MAX_MANIFEST
from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from chainward.faces.http.oci.call import OciCall

__all__ = ["delete_manifest", "get_manifest", "put_manifest"]

_ACCEPTED: Final = 202


def get_manifest(call: OciCall) -> Answer:
    """Pull a manifest; also answers HEAD."""
    call.enter(Permission.PULL)
    found = call.registry.pull.manifest(call.repository, call.reference(), call.context)
    headers = cache_headers(found.digest)
    if is_fresh(call.headers, found.digest):
        return Answer(b"", 304, "", headers)
    return Answer(found.body, 200, found.media_type, headers)


async def put_manifest(call: OciCall, receive: Receive, send: Send) -> None:
    """Push a manifest, and let a tag name it."""
    await to_thread.run_sync(call.enter, Permission.PUSH)
    body = await read_body(call.scope, receive, limit=MAX_MANIFEST, seconds=call.desk.body_seconds)
    await send_answer(await to_thread.run_sync(_put, call, body), send)


def delete_manifest(call: OciCall) -> Answer:
    """Delete a tag, or a manifest with its tags."""
    call.enter(Permission.ADMINISTER)
    reference = call.reference()
    if isinstance(reference, Tag):
        call.registry.deletions.tag(call.repository, reference, call.context)
    else:
        call.registry.deletions.manifest(call.repository, reference, call.context)
    return Answer(b"", _ACCEPTED, "")


def _put(call: OciCall, body: bytes) -> Answer:
    media_type = call.headers.get("content-type", "").partition(";")[0].strip()
    reference = call.reference()
    tags = [Tag(tag) for tag in dict.fromkeys(call.given("tag"))] if isinstance(reference, Digest) else []
    put = call.registry.manifests.put(call.repository, reference, media_type, body, call.context, tags=tags)
    headers = {
        "Location": f"/v2/{call.repository}/manifests/{put.digest}",
        "Docker-Content-Digest": str(put.digest),
    }
    if put.subject is not None:
        headers["OCI-Subject"] = str(put.subject)
    if tags:
        headers["OCI-Tag"] = ", ".join(map(str, tags))
    return Answer(b"", 201, "", headers)
