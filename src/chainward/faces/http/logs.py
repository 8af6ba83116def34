"""Log lines: one JSON object (or one readable text) a line on standard error.

Nothing is configured globally at import. :func:`logger_to` makes a logger; only the server process calls
:func:`adopt_standard_logging`, which sends what libraries log the same way.
"""

from __future__ import annotations

import logging
import sys
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


def logger_to(stream: TextIO | None = None, *, level: str = "info", form: str = "json") -> FilteringBoundLogger:
    """Return a logger that writes to ``stream`` (standard error when None)."""
    least = logging.getLevelNamesMapping()[level.upper()]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[structlog.processors.add_log_level, _time, _failure, _json if form == "json" else _text],
        wrapper_class=structlog.make_filtering_bound_logger(least),
    ).bind()  # else each line would make a logger of its own first
    return logger


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
