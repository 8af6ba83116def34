"""What is known of a request while it is under way, for its log line, its metrics and its problem document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["UNMATCHED", "Trace", "request_id_of", "trace_of"]

UNMATCHED: Final = "(unmatched)"
_KEY: Final = "chainward.trace"
_SANE: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}\Z")


@dataclass(slots=True)
class Trace:
    """One request under way. ``route`` is the path template, never the path, so that no name ends in a metric."""

    request_id: str
    route: str = UNMATCHED
    actor: str = "anonymous"
    code: str = ""
    status: int = 0
    sent: int = 0
    page: bool = False
    sigstore: bool = False

    def attach(self, scope: Scope) -> None:
        """Make this the trace of a request."""
        scope[_KEY] = self


def trace_of(scope: Scope) -> Trace:
    """Return the trace of a request; one that nobody attached is made up, for applications used on their own."""
    found = scope.get(_KEY)
    if isinstance(found, Trace):
        return found
    trace = Trace("unknown-request")
    trace.attach(scope)
    return trace


def request_id_of(scope: Scope, fresh: str) -> str:
    """Return the request id that the client sent, if it is harmless, or ``fresh``."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.match(value):
            return str(value.decode("ascii"))
    return fresh
