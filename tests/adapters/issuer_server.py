"""An issuer on a loopback port that answers whatever a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from tests.trust.identities import FakeIssuer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

__all__ = ["WELL_KNOWN", "IssuerServer", "Reply", "serve_issuer"]

WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass
class Reply:
    """What stands at a path; ``pause`` is waited for between two bytes."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0


@dataclass
class IssuerServer:
    """What is served, and what was asked."""

    port: int
    issuer: FakeIssuer
    paths: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)

    def publish(self, issuer: FakeIssuer) -> None:
        """Serve the documents of ``issuer``."""
        self.paths[WELL_KNOWN] = Reply(issuer.discovery())
        self.paths["/keys"] = Reply(issuer.key_set())


@contextmanager
def serve_issuer(algorithm: str = "RS256", tls: ssl.SSLContext | None = None) -> Iterator[IssuerServer]:
    """Give an issuer with its discovery document and its key; it speaks https if it gets a context for that."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            state.held.set()
            state.gate.wait(10)
            reply = state.paths.get(self.path, Reply(b"nothing here", 404))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for start in range(0, len(reply.body), 1 if reply.pause else 65536):
                    self.wfile.write(reply.body[start : start + (1 if reply.pause else 65536)])
                    if reply.pause and stopping.wait(reply.pause):
                        return
            except OSError:
                return  # the client had enough, which is what the test is about

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "http" if tls is None else "https"
    issuer = FakeIssuer(url=f"{scheme}://127.0.0.1:{server.server_port}", algorithm=algorithm)
    state = IssuerServer(server.server_port, issuer)
    state.gate.set()
    state.publish(issuer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        stopping.set()
        state.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
