"""The ASGI application of one platform: the route table, the registry protocol and the pages behind one envelope.

Nothing here opens or closes the platform; whoever serves the application does (:mod:`chainward.faces.http.server`,
or a test).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from starlette.routing import Route as PathRoute
from starlette.routing import Router

from chainward.faces.http.auth import token_in
from chainward.faces.http.endpoint import PathEndpoint
from chainward.faces.http.envelope import Envelope, Traffic
from chainward.faces.http.errors import CredentialsMissing, RouteUnknown
from chainward.faces.http.health import Health
from chainward.faces.http.logs import logger_to
from chainward.faces.http.metrics import Metrics
from chainward.faces.http.oci.app import is_of_registry, oci_app
from chainward.faces.http.oci.call import Door, OciDesk
from chainward.faces.http.sessions import Sessions
from chainward.faces.http.table import table_of
from chainward.faces.web.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from chainward.access.model import Principal
    from chainward.faces.http.routes import Route
    from chainward.wiring import Platform

__all__ = ["Application", "create_app"]


@dataclass(frozen=True, slots=True)
class Application:
    """An ASGI application, with what its server needs to see of it. Call it as the ASGI application that it is."""

    asgi: ASGIApp
    traffic: Traffic
    metrics: Metrics
    routes: tuple[Route, ...]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.asgi(scope, receive, send)


def create_app(platform: Platform, logger: FilteringBoundLogger | None = None) -> Application:
    """Return the application of ``platform``."""
    traffic, metrics = Traffic(), Metrics()
    metrics.gauge("log_leaves", "Leaves of the facts log.", lambda: _facts(platform))
    metrics.gauge("follower_lag", "Facts that the slowest projection has not seen.", lambda: _lag(platform))
    lifetime = timedelta(minutes=platform.config.server.session_minutes)
    sessions = Sessions(platform.clock, platform.entropy, lifetime, secure=platform.config.server.tls)
    pages = Pages(sessions, platform.config.instance.name)
    routes = table_of(platform.config, Health(traffic, metrics), pages)
    asgi = Envelope(
        _router(routes, platform, sessions),
        traffic=traffic,
        metrics=metrics,
        logger=logger or logger_to(level=platform.config.logging.level, form=platform.config.logging.format),
        entropy=platform.entropy,
        error_page=pages.error,
        tls=platform.config.server.tls,
    )
    return Application(asgi, traffic, metrics, routes)


def _router(routes: Sequence[Route], platform: Platform, sessions: Sessions) -> ASGIApp:
    """Return what finds the path of a request: by a look-up for a fixed path, else by the order of the table."""
    fixed: dict[str, PathEndpoint] = {}
    templates: list[PathRoute] = []
    for path, group in groupby(routes, key=lambda route: route.path):
        endpoint = PathEndpoint(tuple(group), platform, sessions)
        if "{" in path:
            templates.append(PathRoute(path, endpoint, methods=None))
        else:
            fixed[path] = endpoint
    registry = oci_app(_desk(platform))
    rest = Router(templates, redirect_slashes=False, default=_nothing_here)

    async def find(scope: Scope, receive: Receive, send: Send) -> None:
        other = registry if is_of_registry(scope["path"]) else rest
        await fixed.get(scope["path"], other)(scope, receive, send)

    return find


def _desk(platform: Platform) -> OciDesk:
    server, sessions = platform.config.server, platform.registry_sessions
    door = Door(
        sessions=sessions,
        authenticator=platform.authenticator,
        clock=platform.clock,
        service=platform.config.instance.name,
        authority=server.authority,
        public_url=None if server.public_url is None else server.url,
    )

    def enter(headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        shown = token_in(headers)
        if shown is not None:
            return sessions.authenticate(shown)
        if not sessions.anonymous.bindings:
            raise CredentialsMissing("this needs a token")
        return sessions.anonymous

    return OciDesk(platform.registry, enter, body_seconds=server.body_seconds, door=door)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive, send
    raise RouteUnknown("there is nothing at this path")


def _facts(platform: Platform) -> float:
    return float(platform.log_sizes()[platform.facts_origin])


def _lag(platform: Platform) -> float:
    return float(max((status.lag for status in platform.followers.status()), default=0))
