"""Log lines: one JSON object (or one readable text) a line on standard error.

Nothing is configured globally at import. :func:`logger_to` makes a logger; only the server process calls
:func:`adopt_standard_logging`, which sends what libraries log the same way.

What an event loop logs for information is written at the end of its turn, all lines together: a write for each answered
request took a tenth of what a cheap request costs. Warnings and errors, and what threads log, are written at once.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

__all__ = ["adopt_standard_logging", "logger_to"]

_FRAMES: Final = 12
_MESSAGE: Final = 300
_KEPT: Final = 256


def logger_to(stream: TextIO | None = None, *, level: str = "info", form: str = "json") -> FilteringBoundLogger:
    """Return a logger that writes to ``stream`` (standard error when None)."""
    least = logging.getLevelNamesMapping()[level.upper()]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream or sys.stderr),
        processors=[structlog.processors.add_log_level, _time, _failure, _json if form == "json" else _text],
        wrapper_class=structlog.make_filtering_bound_logger(least),
    ).bind()  # else each line would make a logger of its own first
    return logger


class _Lines:
    """Writes lines to a stream in the order in which they come; has a method for each level. Thread-safe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._kept: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def msg(self, line: str) -> None:
        """Write a line now, behind those that were kept."""
        with self._lock:
            self._kept.append(line)
            self._write()

    log = warn = warning = err = error = critical = exception = fatal = failure = msg

    def info(self, line: str) -> None:
        """Write a line at the end of the turn of the event loop; at once if there is none."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.msg(line)
            return
        with self._lock:
            self._kept.append(line)
            if len(self._kept) >= _KEPT:
                self._write()
            elif len(self._kept) == 1 or loop is not self._loop:
                self._loop = loop
                loop.call_soon(self._flush)

    debug = info

    def _flush(self) -> None:
        with self._lock:
            self._write()

    def _write(self) -> None:
        if self._kept:
            text = "\n".join([*self._kept, ""])
            self._kept.clear()
            self._stream.write(text)
            self._stream.flush()


class _Forward(logging.Handler):
    """Hands records of the standard library's logging to a structured logger."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted says so instead of being lost."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"a log record of {record.name} cannot be formatted"
        error = record.exc_info[1] if record.exc_info else None
        more = {"exc_info": error} if error else {}
        self._logger.log(record.levelno, message[:_MESSAGE], logger=record.name, **more)


def adopt_standard_logging(logger: FilteringBoundLogger) -> None:
    """Send what libraries log through ``logger``; warnings and above only, they are talkative."""
    root = logging.getLogger()
    root.handlers[:] = [_Forward(logger)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _time(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _failure(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by its type, the first line of its message and its frames; no values of variables."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["error"] = type(error).__name__
        event["message"] = str(error).partition("\n")[0][:_MESSAGE]
        event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        if error.__cause__ is not None:
            event["cause"] = (
                f"{type(error.__cause__).__name__}: {str(error.__cause__).partition(chr(10))[0][:_MESSAGE]}"
            )
    return event


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    first: dict[str, Any] = {"time": event.pop("time"), "level": event.pop("level"), "event": event.pop("event")}
    return orjson.dumps({**first, **event}, default=str).decode()


def _text(_: WrappedLogger, __: str, event: EventDict) -> str:
    head = f"{event.pop('time')} {event.pop('level'):<7} {_plain(event.pop('event'))}"
    return " ".join([head, *(f"{key}={_plain(value)}" for key, value in event.items())])


def _plain(value: object) -> str:
    """Return a value on one line, so that text from outside cannot forge a second log line."""
    return str(value).encode("unicode_escape").decode("ascii")
