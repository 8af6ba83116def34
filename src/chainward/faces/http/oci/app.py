"""The ASGI application below ``/v2/``: path and method to translator, Problem to answer.

Every request but one for a session is authenticated before anything else is said about its path. Problems become the
errors of the distribution-spec; anything else leaves this application as an exception, for the layer around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio import to_thread

from chainward.faces.http.answers import send_answer
from chainward.faces.http.errors import MethodNotAllowed, ParameterInvalid, RouteUnknown
from chainward.faces.http.oci.blobs import delete_blob, get_blob, head_blob
from chainward.faces.http.oci.call import OciCall, Place, Target, target_of
from chainward.faces.http.oci.challenge import challenge_of
from chainward.faces.http.oci.errors import oci_answer
from chainward.faces.http.oci.listings import answer_base, list_referrers, list_repositories, list_tags
from chainward.faces.http.oci.manifests import delete_manifest, get_manifest, put_manifest
from chainward.faces.http.oci.token import give_session, give_session_for_form
from chainward.faces.http.oci.uploads import (
    append_to_upload,
    cancel_upload,
    finish_upload,
    show_upload,
    start_upload,
)
from chainward.faces.http.requests import has_nul
from chainward.faces.http.trace import trace_of
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chainward.faces.http.answers import Answer
    from chainward.faces.http.oci.call import OciDesk

    Translator = Callable[[OciCall, Receive, Send], Awaitable[None]]

__all__ = ["is_of_registry", "oci_app"]

_API_VERSION: Final = (b"docker-distribution-api-version", b"registry/2.0")


def _in_thread(handle: Callable[[OciCall], Answer]) -> Translator:
    """Make a translator of a function that takes no body and may block."""

    async def translate(call: OciCall, receive: Receive, send: Send) -> None:
        del receive
        await send_answer(await to_thread.run_sync(handle, call), send, head=call.method == "HEAD")

    return translate


_TRANSLATORS: Final[Mapping[Place, Mapping[str, Translator]]] = {
    Place.BASE: {"GET": _in_thread(answer_base), "HEAD": _in_thread(answer_base)},
    Place.SESSION: {"GET": _in_thread(give_session), "POST": give_session_for_form},
    Place.CATALOG: {"GET": _in_thread(list_repositories)},
    Place.TAGS: {"GET": _in_thread(list_tags)},
    Place.REFERRERS: {"GET": _in_thread(list_referrers)},
    Place.MANIFEST: {
        "GET": _in_thread(get_manifest),
        "HEAD": _in_thread(get_manifest),
        "PUT": put_manifest,
        "DELETE": _in_thread(delete_manifest),
    },
    Place.UPLOADS: {"POST": start_upload},
    Place.UPLOAD: {
        "GET": _in_thread(show_upload),
        "PATCH": append_to_upload,
        "PUT": finish_upload,
        "DELETE": _in_thread(cancel_upload),
    },
    Place.BLOB: {"GET": get_blob, "HEAD": head_blob, "DELETE": _in_thread(delete_blob)},
}


def oci_app(desk: OciDesk) -> ASGIApp:
    """Return the ASGI application that answers every path that begins with ``/v2``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        trace = trace_of(scope)
        begun = False

        async def send_named(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": [*message.get("headers", ()), _API_VERSION]}
            await send(message)

        try:
            await _answer(desk, scope, receive, send_named)
        except Problem as problem:
            if begun or problem.kind is Kind.INTERNAL:
                raise
            trace.code = problem.code
            challenge = challenge_of(desk, scope, target_of(scope["path"]), problem)
            answer = oci_answer(problem, trace.request_id, challenge)
            await send_answer(answer, send_named, head=scope["method"] == "HEAD")

    return app


def is_of_registry(path: str) -> bool:
    """Whether a path belongs to the registry, whatever characters it holds: no other door is tried for it then."""
    return path == "/v2" or path.startswith("/v2/")


async def _answer(desk: OciDesk, scope: Scope, receive: Receive, send: Send) -> None:
    target = target_of(scope["path"])
    translators = _TRANSLATORS[target.place] if target else {}
    translator = translators.get(scope["method"])
    if target is None or translator is None or has_nul(scope):
        await to_thread.run_sync(OciCall(desk, scope, target or Target(Place.BASE)).enter, None)
        raise _nothing(scope, target, translators)
    trace_of(scope).route = target.place.value
    await translator(OciCall(desk, scope, target), receive, send)


def _nothing(scope: Scope, target: Target | None, translators: Mapping[str, Translator]) -> Problem:
    if has_nul(scope):
        return ParameterInvalid("the path or the query holds a NUL character")
    if target is None:
        return RouteUnknown("the registry protocol has no such path")
    trace_of(scope).route = target.place.value
    allowed = ", ".join(translators)
    return MethodNotAllowed(f"only {allowed} is possible here", headers={"Allow": allowed})
