"""What is known of a request while it is under way, for its log line, its metrics and its problem document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Scope

    from chainward.kernel.entropy import Entropy

__all__ = ["UNMATCHED", "RequestIds", "Trace", "trace_of"]

UNMATCHED: Final = "(unmatched)"
_ID_BYTES: Final = 12
_AT_ONCE: Final = 128
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


class RequestIds:
    """Gives each request its id. Belongs to one event loop.

    Ids need to be different, and nothing rests on their being secret: so the random source is asked for many at once.
    """

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._fresh: list[str] = []

    def of(self, scope: Scope) -> str:
        """Return the request id that the client sent, if it is harmless, or a fresh one."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _SANE.match(value):
                return str(value.decode("ascii"))
        if not self._fresh:
            text = self._entropy.bytes(_ID_BYTES * _AT_ONCE).hex()
            self._fresh = [text[at : at + 2 * _ID_BYTES] for at in range(0, len(text), 2 * _ID_BYTES)]
        return self._fresh.pop()
