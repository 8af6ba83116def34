"""Whole platforms for tests of the faces: in this process over a temporary folder, with fresh keys and no passphrase.

``open_test_platform(folder)`` gives a furnished :class:`~chainward.wiring.Platform` with its first admin token;
``Client`` talks to its application without a socket; :mod:`tests.flows.server` puts the same behind a real one.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
from anyio.from_thread import start_blocking_portal

from chainward.access.model import PLATFORM_PRINCIPAL
from chainward.adapters.keyring import OfflineKeys, PlatformKeys
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.config import load
from chainward.faces.http.app import create_app
from chainward.faces.http.logs import logger_to
from chainward.faces.http.tokens import parse_binding
from chainward.kernel.identity import PLATFORM, Context
from chainward.wiring import Platform, furnish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from chainward.faces.http.app import Application
    from chainward.kernel.instant import Clock

__all__ = ["CONTEXT", "Client", "TestPlatform", "in_process", "open_test_platform"]

CONTEXT: Final = Context(PLATFORM, "test")


@dataclass(slots=True)
class TestPlatform:
    """A platform, its application, everything it logged, and its first token."""

    __test__ = False

    platform: Platform
    admin: str
    log: io.StringIO
    app: Application
    failures: list[tuple[str, Exception]] = field(default_factory=list)

    def token(self, *bindings: str, name: str = "somebody") -> str:
        """Issue a token with these rights, such as ``reader:shop/**``."""
        granted = [parse_binding(text) for text in bindings]
        return self.platform.tokens.issue(PLATFORM_PRINCIPAL, name, granted, context=CONTEXT).text.reveal()


@contextmanager
def open_test_platform(
    folder: Path,
    *,
    clock: Clock | None = None,
    settings: Mapping[tuple[str, str], object] | None = None,
    offline: OfflineKeys | None = None,
) -> Iterator[TestPlatform]:
    """Give a furnished platform over ``folder``; its background work runs. ``offline`` are the keys of its roots."""
    folder.mkdir(parents=True, exist_ok=True)
    config = load(None, {}, {("storage", "folder"): folder, **(settings or {})})
    failures: list[tuple[str, Exception]] = []
    platform = Platform(
        config,
        PlatformKeys.fresh(),
        clock or SystemClock(),
        SystemEntropy(),
        report=lambda name, error: failures.append((name, error)),
        release=lambda: None,
    )
    try:
        admin = furnish(platform, offline).text.reveal()
        platform.start()
        log = io.StringIO()
        yield TestPlatform(platform, admin, log, create_app(platform, logger_to(log)), failures)
    finally:
        platform.close()
    assert failures == []


class Client:
    """Sends requests to an application in this process; ``token`` goes along unless a request says otherwise."""

    def __init__(self, app: Callable[..., Any], portal: BlockingPortal, token: str | None) -> None:
        self._app = app
        self._portal = portal
        self._token = token
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420")

    def with_token(self, token: str | None) -> Client:
        """Return a client with another token, or none."""
        return Client(self._app, self._portal, token)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request; the arguments are those of httpx."""
        headers = dict(more.pop("headers", {}))
        if self._token is not None:
            headers.setdefault("Authorization", f"Bearer {self._token}")
        response: httpx.Response = self._portal.call(
            lambda: self._client.request(method, path, headers=headers, **more)
        )
        return response

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, body: object = None, **more: Any) -> httpx.Response:
        """POST a JSON body."""
        if body is not None:
            more["json"] = body
        return self.request("POST", path, **more)

    def raw(self, scope: Mapping[str, Any], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run the application on an ASGI scope and these messages; returns what it sent."""
        sent: list[dict[str, Any]] = self._portal.call(_raw, self._app, dict(scope), messages)
        return sent


async def _raw(app: Callable[..., Any], scope: dict[str, Any], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    import anyio

    waiting = list(messages)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@contextmanager
def in_process(platform: TestPlatform) -> Iterator[Client]:
    """Give a client with the admin token."""
    with start_blocking_portal() as portal:
        yield Client(platform.app, portal, platform.admin)
