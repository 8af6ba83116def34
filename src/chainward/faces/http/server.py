"""The platform as a process: granian around the application, signals, TLS, an orderly end.

The server runs inside this process (granian's embedded server on uvloop), not in a worker beside it: so a kill -9 ends
everything at once, the lock on the data falls with it, and the next start finds nothing left over.

The end, on SIGTERM or SIGINT: readiness says no and new requests are refused with 503; no connection is accepted any
more; requests under way are finished, for at most ``server.shutdown_seconds``; then the ledger's writer finishes what
it was given, and the lock is released. What was acknowledged is durable long before that.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import signal
import socket
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

import uvloop
from anyio import to_thread

from chainward.access.model import Role
from chainward.faces.http.app import create_app
from chainward.faces.http.logs import adopt_standard_logging, logger_to
from chainward.kernel.problem import Kind, Problem
from chainward.trust.development import WARNING
from chainward.wiring import open_platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from chainward.config import Config, Server
    from chainward.faces.http.app import Application
    from chainward.wiring import Platform

__all__ = ["AddressInUse", "CertificateUnusable", "serve"]

_BACKLOG: Final = 1024
_COLLECT_AFTER: Final = 50_000
_STARTING: Final = 0.02
_HEADER_MILLISECONDS: Final = 10_000
_GRANIAN_LOGS: Final = {"handlers": {}, "loggers": {"_granian": {"handlers": [], "level": "ERROR", "propagate": True}}}


class _Embedded(Protocol):
    """What is used of granian's embedded server, which is only partly annotated."""

    async def serve(self) -> None: ...

    def stop(self) -> None: ...


class AddressInUse(Problem):
    """Another program listens on the address, or this machine does not have it."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "address-in-use"
    hint = "Stop the other program, or choose another port with --port or server.port."


class CertificateUnusable(Problem):
    """The TLS certificate or its key cannot be read, or they do not belong together."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "certificate-unusable"
    hint = (
        "Give PEM files: tls_certificate with the chain, leaf first, and tls_key with the unencrypted key of the leaf."
    )


def serve(config: Config, ready: Callable[[str], None] | None = None) -> None:
    """Run the platform of ``config`` until SIGTERM or SIGINT; ``ready`` is called with its URL once it answers.

    Raises:
        NotInitialised, InstanceRunning, AddressInUse, CertificateUnusable: it cannot start, and nothing was changed.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold every key that is open
    logger = logger_to(level=config.logging.level, form=config.logging.format)
    adopt_standard_logging(logger)
    check_address(config.server.host, config.server.port)
    platform = open_platform(config, report=lambda work, error: _report(logger, work, error))
    try:
        app = create_app(platform, logger)
        platform.start()
        _spare_the_collector()
        uvloop.run(_run(platform, app, logger, ready))
    finally:
        platform.close()
        logger.info("stopped")


def _spare_the_collector() -> None:
    """Leave what was made while starting out of garbage collection, and look at the rest less often.

    A request makes hundreds of objects, and hardly any in a cycle; with the usual thresholds the collector looked
    through everything that is alive after every few requests (measured: 6 % of the CPU of a busy server).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


def check_address(host: str, port: int) -> None:
    """Raise AddressInUse unless this process may listen there.

    Granian sets SO_REUSEPORT, with which two servers share one port without any error; a socket without that option
    finds the other one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
            raise AddressInUse(f"{host}:{port} {reason}", details={"host": host, "port": port}) from error


async def _run(
    platform: Platform, app: Application, logger: FilteringBoundLogger, ready: Callable[[str], None] | None
) -> None:
    config = platform.config.server
    to_thread.current_default_thread_limiter().total_tokens = config.threads
    server = _granian(app, config)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(server.serve())
    url = f"{'https' if config.tls else 'http'}://{config.authority}"
    await _answers(config, serving)
    logger.info("started", url=url, data=str(platform.config.folder), instance=platform.config.instance.name)
    if platform.services.development_issuer is not None:
        logger.warning(WARNING, issuer=platform.services.development_issuer.url)
    open_rights = [str(right) for right in platform.config.registry.for_anybody if right.role is not Role.READER]
    if open_rights:
        logger.warning("anybody may change repositories without a token", anonymous=open_rights)
    if ready is not None:
        ready(url)
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await _end(app, server, serving, config.shutdown_seconds, logger)
    waiting.cancel()


async def _end(
    app: Application, server: _Embedded, serving: asyncio.Task[None], seconds: float, logger: FilteringBoundLogger
) -> None:
    logger.info("stopping", under_way=len(app.traffic))
    app.traffic.closing = True
    server.stop()
    cut = await app.traffic.drain(seconds)
    if cut:
        logger.warning("requests were cut off", count=cut)
    await asyncio.wait({serving}, timeout=5)
    if serving.done():
        serving.result()


async def _answers(config: Server, serving: asyncio.Task[None]) -> None:
    """Return when the port accepts connections; passes on why the server could not start."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)  # noqa: S104 - compared, not bound
    while True:
        if serving.done():
            serving.result()
        try:
            _, writer = await asyncio.open_connection(host, config.port)
        except OSError:
            await asyncio.sleep(_STARTING)
        else:
            writer.close()
            return


def _granian(app: Application, config: Server) -> _Embedded:
    import ssl

    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server.embed import Server as Granian

    try:
        return Granian(
            app,
            address=config.host,
            port=config.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=_BACKLOG,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MILLISECONDS),
            log_dictconfig=_GRANIAN_LOGS,
            log_level=LogLevels.error,
            ssl_cert=config.tls_certificate,
            ssl_key=config.tls_key,
            ssl_protocol_min=SSLProtocols.tls12,
            ssl_ca=config.tls_client_authorities,
            ssl_client_verify=config.tls_client_authorities is not None,
        )
    except (OSError, ssl.SSLError) as error:
        raise CertificateUnusable(f"the TLS certificate cannot be used: {error}") from error


def _report(logger: FilteringBoundLogger, work: str, error: Exception) -> None:
    logger.error("background work failed", work=work, exc_info=error)
