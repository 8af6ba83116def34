"""From ASGI to a translator and back: one object for each path of the route table.

The order is fixed: method, media type, size, token, permission, and only then the translator. A request with a small
body costs one hop to a thread (the token is checked there, before the body is looked at); a large body is only read
after its sender is known to have the permission somewhere. Where no token is needed, only some large bodies are held at
a time: else everybody could fill the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from anyio import to_thread

from chainward.access.authorize import authorize, authorize_anywhere
from chainward.access.model import Principal
from chainward.faces.http.answers import Answer, send_answer
from chainward.faces.http.auth import authenticate
from chainward.faces.http.errors import InternalError, MethodNotAllowed, ParameterInvalid, TooManyBodies
from chainward.faces.http.requests import Call, check_media_type, declared_length, has_nul, read_body
from chainward.faces.http.routes import Needs, Public, Reach
from chainward.faces.http.trace import trace_of
from chainward.kernel.identity import Actor, Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive, Scope, Send

    from chainward.faces.http.routes import Route
    from chainward.faces.http.sessions import Sessions
    from chainward.wiring import Platform

__all__ = ["ANONYMOUS", "PathEndpoint"]

ANONYMOUS: Final = Principal(Actor("anonymous"), (), None, None)
_SMALL: Final = 256 * 1024
_LARGE_AT_A_TIME: Final = 16
_QUERY_LIMIT: Final = 8192
_MAX_PARAMETERS: Final = 32


class PathEndpoint:
    """All routes of one path, as an ASGI application."""

    def __init__(self, routes: Sequence[Route], platform: Platform, sessions: Sessions) -> None:
        self._routes = {route.method: route for route in routes}
        self._platform = platform
        self._sessions = sessions
        self._large = 0
        if "GET" in self._routes:
            self._routes.setdefault("HEAD", self._routes["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a Problem goes to whoever called this."""
        route = self._routes.get(scope["method"])
        if route is None:
            allowed = ", ".join(sorted(self._routes))
            raise MethodNotAllowed(f"only {allowed} is possible here", headers={"Allow": allowed})
        trace = trace_of(scope)
        trace.route, trace.page = route.path, route.page
        trace.sigstore = route.sigstore
        answer = await self._answer(route, scope, receive)
        await send_answer(answer, send, head=scope["method"] == "HEAD")

    async def _answer(self, route: Route, scope: Scope, receive: Receive) -> Answer:
        if route.accepts:
            check_media_type(scope, route.accepts)
            length = declared_length(scope)
            if length is None or length > _SMALL:
                return await self._answer_large(route, scope, receive)
        return await self._answer_read(route, scope, receive)

    async def _answer_large(self, route: Route, scope: Scope, receive: Receive) -> Answer:
        if not isinstance(route.access, Public) or route.limit <= _SMALL:
            await to_thread.run_sync(self._principal, route, scope)
            return await self._answer_read(route, scope, receive)
        if self._large >= _LARGE_AT_A_TIME:
            raise TooManyBodies(f"{self._large} large bodies are under way here", headers={"Retry-After": "1"})
        self._large += 1
        try:
            return await self._answer_read(route, scope, receive)
        finally:
            self._large -= 1

    async def _answer_read(self, route: Route, scope: Scope, receive: Receive) -> Answer:
        body = b""
        if route.accepts:
            seconds = self._platform.config.server.body_seconds
            body = await read_body(scope, receive, limit=route.limit, seconds=seconds)
        if not route.in_loop:
            return await to_thread.run_sync(self._run, route, scope, body)
        answer = route.handler(self._call(route, scope, body, ANONYMOUS))
        return answer if isinstance(answer, Answer) else await answer

    def _principal(self, route: Route, scope: Scope) -> Principal:
        if not isinstance(route.access, Needs):
            return ANONYMOUS
        authenticator = self._platform.authenticator
        if route.page:
            principal = self._sessions.principal(scope["headers"], authenticator)
        else:
            principal = authenticate(authenticator, scope["headers"])
        trace_of(scope).actor = str(principal.actor)
        if route.access.reach is Reach.PLATFORM:
            authorize(principal, route.access.permission)
        else:
            authorize_anywhere(principal, route.access.permission)
        return principal

    def _run(self, route: Route, scope: Scope, body: bytes) -> Answer:
        call = self._call(route, scope, body, self._principal(route, scope))
        answer = route.handler(call)
        if not isinstance(answer, Answer):
            raise InternalError(f"{route.method} {route.path} wants to be awaited, and stands among those that block")
        if isinstance(route.access, Needs) and route.access.reach is Reach.REPOSITORY and not call.authorized:
            raise InternalError(f"{route.method} {route.path} answered without naming a repository to authorize")
        return answer

    def _call(self, route: Route, scope: Scope, body: bytes, principal: Principal) -> Call:
        return Call(
            platform=self._platform,
            principal=principal,
            context=Context(principal.actor, trace_of(scope).request_id),
            path=scope.get("path_params", {}),
            query=_query(scope),
            body=body,
            needs=route.access.permission if isinstance(route.access, Needs) else None,
            headers=scope["headers"],
        )


def _query(scope: Scope) -> dict[str, str]:
    raw: bytes = scope.get("query_string", b"")
    if not raw and "\x00" not in scope["path"]:
        return {}
    if len(raw) > _QUERY_LIMIT:
        raise ParameterInvalid(f"the query is longer than {_QUERY_LIMIT} bytes")
    if has_nul(scope):
        raise ParameterInvalid("the path or the query holds a NUL character")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        raise ParameterInvalid("the query cannot be read") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParameterInvalid("a parameter of the query is given twice")
    return found
