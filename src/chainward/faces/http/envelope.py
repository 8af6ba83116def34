"""Around every request: its id, its log line, its metrics, security headers, and a problem document for any failure.

This is the outermost ASGI layer. No exception leaves it but a cancellation. What is logged is listed in
:meth:`Envelope._log`: never headers, queries or bodies, so a token cannot get there.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from chainward.faces.http.answers import send_answer
from chainward.faces.http.errors import HttpProblem, InternalError, MethodNotAllowed, RouteUnknown, ShuttingDown
from chainward.faces.http.problems import accepts_problems, answer_of, sigstore_answer_of
from chainward.faces.http.trace import RequestIds, Trace
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from chainward.faces.http.answers import Answer
    from chainward.faces.http.metrics import Metrics
    from chainward.kernel.entropy import Entropy

__all__ = ["Envelope", "Traffic"]

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DEFAULTS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
_PROBES: Final = frozenset({"/healthz", "/readyz"})
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


class Traffic:
    """The requests under way, so that a shutdown can wait for them. Belongs to one event loop."""

    def __init__(self) -> None:
        self.closing = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._tasks)

    def enter(self) -> asyncio.Task[object] | None:
        """Count the request of the present task."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            self._idle.clear()
        return task

    def leave(self, task: asyncio.Task[object] | None) -> None:
        """Count it no longer."""
        if task is not None:
            self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()

    async def drain(self, seconds: float) -> int:
        """Wait until nothing is under way; after ``seconds`` cancel what is left, and return how much that was."""
        self.closing = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            left = list(self._tasks)
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)
            return len(left)
        return 0


def _told(problem: Problem, trace: Trace, scope: Scope) -> Answer:
    in_their_words = trace.sigstore and not accepts_problems(scope)
    return (sigstore_answer_of if in_their_words else answer_of)(problem, trace.request_id)


class Envelope:
    """The outermost layer of the HTTP application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        traffic: Traffic,
        metrics: Metrics,
        logger: FilteringBoundLogger,
        entropy: Entropy,
        error_page: Callable[[Problem, Trace], Answer],
        tls: bool,
    ) -> None:
        self._app = app
        self._traffic = traffic
        self._metrics = metrics
        self._logger = logger
        self._ids = RequestIds(entropy)
        self._error_page = error_page
        self._headers = (*_HEADERS, _STRICT_TRANSPORT) if tls else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens; lifespan events pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = Trace(self._ids.of(scope))
        trace.attach(scope)
        started = time.perf_counter()
        task = self._traffic.enter()
        try:
            await self._answer(scope, receive, self._sender(send, trace), trace)
        finally:
            self._traffic.leave(task)
            seconds = time.perf_counter() - started
            self._metrics.observe(scope["method"], trace, seconds)
            self._log(scope, trace, seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, trace: Trace) -> None:
        try:
            self._check_open(scope)
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            problem = self._problem_of(error, trace)
            trace.code = problem.code
            if trace.status:  # the answer has begun: ending it early is all that is left
                raise
            page = trace.page and problem.kind is not Kind.INTERNAL
            answer = self._error_page(problem, trace) if page else _told(problem, trace, scope)
            await send_answer(answer, send, head=scope["method"] == "HEAD")

    def _check_open(self, scope: Scope) -> None:
        if self._traffic.closing and scope["path"] not in _PROBES:
            raise ShuttingDown("the platform is shutting down", headers={"Retry-After": "5", "Connection": "close"})

    def _problem_of(self, error: Exception, trace: Trace) -> Problem:
        match error:
            case Problem() if error.kind is not Kind.INTERNAL:
                return error
            case HTTPException(status_code=404):
                return RouteUnknown("there is nothing at this path")
            case HTTPException(status_code=405):
                return MethodNotAllowed("that method is not possible here", headers=error.headers)
            case _:
                self._logger.error(
                    "request failed", request_id=trace.request_id, route=trace.route, actor=trace.actor, exc_info=error
                )
                code = error.code if isinstance(error, Problem) and not isinstance(error, HttpProblem) else None
                details = {"failure": code} if code else None
                return InternalError("the platform failed to answer this request", details=details)

    def _sender(self, send: Send, trace: Trace) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                headers = self._complete(message.get("headers", ()), trace)
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body":
                trace.sent += len(message.get("body", b""))
            await send(message)

        return wrapped

    def _complete(self, headers: Iterable[tuple[bytes, bytes]], trace: Trace) -> list[tuple[bytes, bytes]]:
        complete: list[tuple[bytes, bytes]] = [*headers]
        present = {name for name, _ in complete}
        complete += self._headers
        complete += [default for default in _DEFAULTS if default[0] not in present]
        complete.append((b"x-request-id", trace.request_id.encode()))
        return complete

    def _log(self, scope: Scope, trace: Trace, seconds: float) -> None:
        self._logger.info(
            "request",
            request_id=trace.request_id,
            method=scope["method"][:16],
            route=trace.route,
            status=trace.status,
            ms=round(seconds * 1000, 2),
            actor=trace.actor,
            bytes=trace.sent,
            **({"code": trace.code} if trace.code else {}),
        )
