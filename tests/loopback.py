"""A scripted HTTP server on loopback: answers what it was told, and remembers what it was asked.

``served(*answers)`` gives its URL and the :class:`Script`. An answer is ``(status, headers, body)``, or a function of
the request that returns one; the last answer is repeated.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Asked", "Reply", "Script", "served"]

Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Script:
    """What is answered next, and what was asked."""

    answers: list[Reply | Callable[[Asked], Reply]]
    asked: list[Asked] = field(default_factory=list)

    def next(self, asked: Asked) -> Reply:
        """Return the answer to a request; the last one is repeated."""
        self.asked.append(asked)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(asked) if callable(answer) else answer


@contextmanager
def served(*answers: Reply | Callable[[Asked], Reply]) -> Iterator[tuple[str, Script]]:
    """Serve until the end."""
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            names = {name.lower(): value for name, value in self.headers.items()}
            status, headers, content = script.next(Asked(self.command, self.path, names, body))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked had enough

        do_GET = do_POST = _answer  # noqa: N815 - the names of http.server

        def log_message(self, *_: object) -> None:
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
