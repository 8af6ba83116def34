"""An ASGI application on a loopback port, in a thread of the test process.

``serve(app)`` is a context manager that gives the base URL. ``registry_app(stand)`` is the registry alone, with tokens
that a test makes up; ``serve_platform(folder)`` is the whole platform.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import uvicorn
from tests.platforms import open_test_platform

from chainward.access.errors import TokenInvalid
from chainward.access.model import Binding, Principal, Role
from chainward.faces.http.auth import token_in
from chainward.faces.http.errors import CredentialsMissing
from chainward.faces.http.oci.app import oci_app
from chainward.faces.http.oci.call import OciDesk
from chainward.kernel.identity import Actor
from chainward.kernel.name import RepositoryPattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send
    from tests.platforms import TestPlatform
    from tests.registry_stand import Stand

__all__ = ["TOKENS", "Switch", "Tokens", "registry_app", "serve", "serve_platform"]

_START_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens in memory: text to who holds it."""

    principals: Mapping[str, Principal]

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """Return who sent a request with these headers."""
        token = token_in(headers)
        if token is None:
            raise CredentialsMissing("this needs a token")
        if token not in self.principals:
            raise TokenInvalid("this is not a token of this platform")
        return self.principals[token]


def _holder(name: str, *bindings: tuple[Role, str]) -> Principal:
    return Principal(
        Actor(f"token:{name}"),
        tuple(Binding(role, RepositoryPattern(pattern)) for role, pattern in bindings),
        name,
        None,
    )


TOKENS: Final = Tokens(
    {
        "admin": _holder("admin", (Role.ADMIN, "**")),
        "publisher": _holder("publisher", (Role.PUBLISHER, "shop/**"), (Role.PUBLISHER, "sandbox/**")),
        "colleague": _holder("colleague", (Role.PUBLISHER, "shop/**"), (Role.PUBLISHER, "sandbox/**")),
        "reader": _holder("reader", (Role.READER, "shop/**")),
        "stranger": _holder("stranger", (Role.PUBLISHER, "other/**")),
    }
)


def registry_app(stand: Stand, *, body_seconds: float = 30.0, idle_seconds: float = 60.0) -> ASGIApp:
    """Return the registry of a stand as an application, for the holders of :data:`TOKENS`."""
    return oci_app(OciDesk(stand.registry, TOKENS.authenticate, body_seconds, idle_seconds))


@dataclass(slots=True)
class Switch:
    """An application that another one can take the place of, so that many tests share one server."""

    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is None:
            message = "no application is switched on"
            raise RuntimeError(message)
        await self.app(scope, receive, send)


@contextmanager
def serve_platform(
    folder: Path, settings: Mapping[tuple[str, str], object] | None = None
) -> Iterator[tuple[TestPlatform, str]]:
    """Serve a whole furnished platform over ``folder``; gives it and its base URL, whose host names its images."""
    with _tcp_socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = ("server", "port"), listener.getsockname()[1]
        with (
            open_test_platform(folder, settings=dict([*(settings or {}).items(), port])) as platform,
            serve(platform.app, listener) as url,
        ):
            yield platform, url


@contextmanager
def serve(app: ASGIApp, bound: socket.socket | None = None) -> Iterator[str]:
    """Serve ``app`` on a free port of 127.0.0.1 (or on a socket that is bound already) and give its base URL."""
    with bound or _tcp_socket() as listener:
        if bound is None:
            listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", lifespan="off", http="httptools", loop="uvloop")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),), daemon=True)
        thread.start()
        _wait_until_started(server, thread)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)
            if thread.is_alive():
                server.force_exit = True
                thread.join(_START_SECONDS)


def _tcp_socket() -> socket.socket:
    """Return a socket that says it speaks TCP: of others asyncio does not switch off Nagle's 40 ms for each answer."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    ready = threading.Event()
    for _ in range(int(_START_SECONDS * 100)):
        if server.started or not thread.is_alive():
            break
        ready.wait(0.01)
    if not server.started:
        message = "the server did not start"
        raise RuntimeError(message)
