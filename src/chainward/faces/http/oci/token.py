"""``/v2/token``: the token service that registry clients are sent to.

``GET`` with Basic credentials (docker, skopeo, oras) and ``POST`` of an OAuth 2 form (containerd; RFC 6749 section 4.3)
both give a session for the scopes that were asked for and allowed. Without credentials the session allows what
everybody may do, if anything is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from anyio import to_thread

from chainward.access.errors import ScopeInvalid
from chainward.access.session import parse_scopes
from chainward.faces.http.answers import NO_STORE, json_answer, send_answer
from chainward.faces.http.auth import token_in
from chainward.faces.http.errors import CredentialsMissing, ParameterInvalid, RouteUnknown
from chainward.faces.http.requests import check_media_type, read_body
from chainward.kernel.instant import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive, Send

    from chainward.access.model import Principal
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.oci.call import Door, OciCall

__all__ = ["give_session", "give_session_for_form"]

_FORM: Final = "application/x-www-form-urlencoded"
_FORM_LIMIT: Final = 64 * 1024
_MAX_FIELDS: Final = 64


def give_session(call: OciCall) -> Answer:
    """Give a session to the holder of the credentials in the request, or to nobody."""
    _check_service(call, call.query.get("service"))
    token = token_in(call.scope["headers"])
    principal = _nobody(call) if token is None else _door(call).authenticator.authenticate(token)
    return _session(call, principal, call.given("scope"))


async def give_session_for_form(call: OciCall, receive: Receive, send: Send) -> None:
    """Give a session to whoever's token is the password in an OAuth 2 form."""
    check_media_type(call.scope, (_FORM,))
    body = await read_body(call.scope, receive, limit=_FORM_LIMIT, seconds=call.desk.body_seconds)
    await send_answer(await to_thread.run_sync(_of_form, call, body), send)


def _of_form(call: OciCall, body: bytes) -> Answer:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise ParameterInvalid("the form cannot be read") from None
    fields = dict(pairs)
    _check_service(call, fields.get("service"))
    if fields.get("grant_type") != "password":
        raise ParameterInvalid(
            "only the grant type password is known here",
            hint="Send grant_type=password with an API token as password.",
            details={"parameter": "grant_type"},
        )
    principal = _door(call).authenticator.authenticate(fields.get("password", ""))
    return _session(call, principal, [value for name, value in pairs if name == "scope"])


def _session(call: OciCall, principal: Principal, scopes: Sequence[str]) -> Answer:
    call.note(principal)
    text, session = _door(call).sessions.open(principal, parse_scopes(scopes))
    now = _door(call).clock.now()
    answer = {
        "token": text,
        "access_token": text,
        "expires_in": max(int((session.expires_at - now).total_seconds()), 0),
        "issued_at": rfc3339(now),
        "scope": " ".join(map(str, session.scopes)),
    }
    return json_answer(answer, headers={"Cache-Control": NO_STORE})


def _nobody(call: OciCall) -> Principal:
    anonymous = _door(call).sessions.anonymous
    if not anonymous.bindings:
        raise CredentialsMissing("a session needs a token: any user name, and the token as password")
    return anonymous


def _door(call: OciCall) -> Door:
    if call.desk.door is None:
        raise RouteUnknown("this registry gives no sessions")
    return call.desk.door


def _check_service(call: OciCall, service: str | None) -> None:
    if service and service != _door(call).service:
        raise ScopeInvalid(f"this is the token service of {_door(call).service}, not of {service[:100]!r}")
