"""The shop on the web: two JSON calls, the front end's files, and a health check."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from shop.basket import BasketError, bill_for
from shop.catalogue import Catalogue

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["application"]

_FRONTEND: Final = Path(__file__).parents[1] / "frontend"
_MAX_BODY: Final = 64 * 1024
_HEADERS: Final = (
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class SecurityHeaders:
    """Adds the headers that keep other people's scripts and frames out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and add to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Shop:
    """The calls, over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def products(self, _request: Request) -> JSONResponse:
        """List what is sold."""
        return JSONResponse({"products": self._catalogue.listed()})

    async def basket(self, request: Request) -> JSONResponse:
        """Price a basket."""
        try:
            bill = bill_for(await _items(request), self._catalogue)
        except BasketError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        lines = [asdict(line) for line in bill.lines]
        return JSONResponse(
            {"lines": lines, "discount_cents": bill.discount_cents, "total_cents": bill.total_cents, "currency": "EUR"}
        )


async def _items(request: Request) -> object:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise BasketError("the basket is too large")
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        raise BasketError("the basket is not JSON") from None
    return sent.get("items") if isinstance(sent, dict) else None


async def _page(_request: Request) -> FileResponse:
    return FileResponse(_FRONTEND / "index.html")


async def _health(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


def application(catalogue: Catalogue | None = None) -> Starlette:
    """Make the web application."""
    shop = Shop(catalogue or Catalogue.load())
    routes = [
        Route("/", _page),
        Route("/healthz", _health),
        Route("/api/products", shop.products),
        Route("/api/basket", shop.basket, methods=["POST"]),
        Mount("/src", StaticFiles(directory=_FRONTEND / "src")),
        Mount("/vendor", StaticFiles(directory=_FRONTEND / "vendor")),
    ]
    return Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)])
