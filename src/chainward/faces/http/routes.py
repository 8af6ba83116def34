"""What a route declares: method, path, who may call it, what it takes and what it gives, and how it tells problems.

Nothing is reachable by default: a route either names the permission that it needs, and how far that reaches, or says
that it is public and why. Where a permission is per repository, the translator must name the repository; an answer that
was made without doing so is replaced by an internal error instead of being sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chainward.access.model import Permission
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["BODY_LIMIT", "Needs", "Public", "Reach", "Route"]

BODY_LIMIT: Final = 1 << 20


class Reach(StrEnum):
    """How far a permission must reach."""

    PLATFORM = "the whole platform"
    REPOSITORY = "the repository of the request"
    ANYWHERE = "any repository"
    LISTED = "any repository; the answer holds only what the caller may see"


@dataclass(frozen=True, slots=True)
class Needs:
    """The caller needs this permission."""

    permission: Permission
    reach: Reach


@dataclass(frozen=True, slots=True)
class Public:
    """Anybody may call this, because of that."""

    because: str


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``handler`` runs in a thread, so it may block.

    ``takes`` is the wire struct of the JSON body, ``media_types`` what Content-Type it must have; ``gives`` is the wire
    struct of the answer, or a media type. With ``in_loop`` the handler is a coroutine function that never blocks, for
    a public route that is so hot that a thread would cost more than the work. With ``sigstore`` the route tells
    problems as Sigstore's own services do.
    """

    method: str
    path: str
    access: Needs | Public
    handler: Callable[[Call], Answer | Awaitable[Answer]]
    summary: str
    takes: type | None = None
    gives: type | str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    media_types: tuple[str, ...] = ()
    limit: int = BODY_LIMIT
    page: bool = False
    in_loop: bool = False
    sigstore: bool = False

    def __post_init__(self) -> None:
        if self.in_loop and isinstance(self.access, Needs):
            raise TypeError(f"{self.method} {self.path} would look up tokens in the event loop, and that blocks")

    @property
    def accepts(self) -> tuple[str, ...]:
        """The media types of the body; empty when the route takes none."""
        return self.media_types or (("application/json",) if self.takes is not None else ())
