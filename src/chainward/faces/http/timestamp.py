"""The timestamp authority over HTTP: RFC 3161 §3.4, and the JSON that Sigstore's JavaScript client sends.

A request in DER is answered in DER whatever the authority says: a request that is refused with status 400 and a reply
that says no and why, so that both the reader of the status and the reader of the reply learn it (503 if the clock is
not to be trusted). A request in JSON is answered in DER too if it is granted, and with a problem document if not.

A token costs less than a tenth of a millisecond and asks nobody but once a second, so it is made within the event loop;
in a thread when somebody must be asked, or when the key is elsewhere and signing means waiting for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyio import to_thread

from chainward.faces.http.answers import NO_STORE, Answer
from chainward.faces.http.routes import Public, Route
from chainward.formats.errors import TimestampRequestInvalid
from chainward.formats.rfc3161 import MAX_REQUEST, Failure, decode_request, decode_request_json, encode_rejection
from chainward.trust.errors import TimestampUnavailable

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call
    from chainward.formats.rfc3161 import TimestampRequest

__all__ = ["ROUTES"]

_JSON: Final = "application/json"
_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"
_PEM: Final = "application/pem-certificate-chain"
_UNCACHED: Final = {"Cache-Control": NO_STORE}
_WHY: Final = "clients of timestamp authorities send no token, and the time is no secret"


async def _stamp(call: Call) -> Answer:
    if _is_json(call):
        return await _issued(call, decode_request_json(call.body))
    try:
        return await _issued(call, decode_request(call.body))
    except TimestampRequestInvalid as refused:
        return Answer(encode_rejection(refused.failure, refused.message), 400, _REPLY, _UNCACHED)
    except TimestampUnavailable as behind:
        reply = encode_rejection(Failure.TIME_NOT_AVAILABLE, behind.message)
        return Answer(reply, 503, _REPLY, {**_UNCACHED, "Retry-After": "1"})


async def _issued(call: Call, request: TimestampRequest) -> Answer:
    timestamps = call.platform.services.timestamps
    if timestamps.is_ready:
        reply = timestamps.issue(request)
    else:
        reply = await to_thread.run_sync(timestamps.issue, request)
    return Answer(reply, 200, _REPLY, _UNCACHED)


def _is_json(call: Call) -> bool:
    """Whether the body is JSON; the route takes only this and DER, with one Content-Type, and has seen to both."""
    for name, value in call.headers:
        if name == b"content-type":
            return value.decode("latin-1").partition(";")[0].strip().lower() == _JSON
    return False


def _chain(call: Call) -> Answer:
    return Answer(call.platform.services.timestamps.certificates(), 200, _PEM)


ROUTES = (
    Route(
        "POST",
        "/api/v1/timestamp",
        Public(_WHY),
        _stamp,
        "Say that a digest exists now (RFC 3161); takes DER or JSON, gives a TimeStampResp.",
        gives=_REPLY,
        media_types=(_JSON, _QUERY),
        limit=MAX_REQUEST,
        in_loop=True,
    ),
    Route(
        "GET",
        "/api/v1/timestamp/certchain",
        Public("it holds public keys only, and tokens are checked with them"),
        _chain,
        "The certificates of the timestamp authority in PEM, its own first.",
        gives=_PEM,
    ),
)
