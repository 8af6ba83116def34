"""One tree of errors: a stable code, a message for a person, and the next step.

Every error that may leave a room is a :class:`Problem`. Faces turn ``kind`` into an HTTP status or an exit status and
print ``code`` unchanged; a gate turns any Problem into *no*. Codes are documented in ``docs/reference/problems.md``,
which is generated from the subclasses.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Kind", "Problem"]


class Kind(StrEnum):
    """What sort of *no* a problem is; faces derive HTTP status and exit status from it alone."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    REFUSED = "refused"
    UNTRUSTED = "untrusted"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class Problem(Exception):  # noqa: N818 - the trade calls it a problem (RFC 9457)
    """An error with a stable code, a message, a hint for the next step and structured details.

    ``details`` holds only strings, numbers and lists of those, never secrets: it is shown to callers and logged.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: ClassVar[str] = "internal"
    hint: str = "Report this with the request id; it is a defect."

    def __init__(self, message: str, *, hint: str | None = None, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint
        self.details: dict[str, object] = dict(details or {})

    def __str__(self) -> str:
        return self.message
