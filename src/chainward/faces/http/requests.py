"""One request as a verb's translator sees it: who asks, for what, with which body.

Bodies have a size limit and a time limit before they are read and are decoded strictly: an unknown member is an error,
since a misspelt ``enviroment`` must not silently mean the default.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from chainward.faces.http.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InternalError,
    MediaTypeUnsupported,
    ParameterInvalid,
    RequestTruncated,
)
from chainward.formats.codec import decode_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import Receive, Scope

    from chainward.access.model import Permission, Principal
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName
    from chainward.wiring import Platform

__all__ = ["Call", "check_media_type", "declared_length", "has_nul", "read_body"]

T = TypeVar("T")

_DEPTH: Final = 32
_MAX_INTEGER: Final = 1 << 53
_MAX_DIGITS: Final = 16
_ANY_TYPE: Final = "*/*"


@dataclass(slots=True)
class Call:
    """A request whose sender is known and whose body has been read."""

    platform: Platform
    principal: Principal
    context: Context
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    needs: Permission | None
    headers: Sequence[tuple[bytes, bytes]] = ()
    authorized: bool = field(default=False, init=False)

    def authorize(self, repository: RepositoryName | None) -> None:
        """Return when the sender may do what the route is for in ``repository``; raises Forbidden otherwise."""
        from chainward.access.authorize import authorize

        if self.needs is None:
            raise InternalError("a public route asked for an authorization that it does not declare")
        authorize(self.principal, self.needs, repository)
        self.authorized = True

    def may(self, repository: RepositoryName) -> bool:
        """Whether the sender may do what the route is for in ``repository``; for filtering lists."""
        return self.needs is None or self.principal.may(self.needs, repository)

    def decode(self, shape: type[T], what: str, limit: int = 1 << 20) -> T:
        """Return the JSON body as ``shape``; raises Malformed with the position."""
        return decode_json(self.body, shape, limit=limit, what=what, depth=_DEPTH)

    def text(self, name: str, limit: int = 512) -> str | None:
        """Return a parameter of the query, or None if it is absent or empty."""
        value = self.query.get(name)
        if not value:
            return None
        if len(value) > limit:
            raise ParameterInvalid(f"{name} is longer than {limit} characters", details={"parameter": name})
        return value

    def required(self, name: str) -> str:
        """Return a parameter of the query that must be there."""
        value = self.text(name)
        if value is None:
            raise ParameterInvalid(f"the parameter {name} is missing", details={"parameter": name})
        return value

    def number(self, name: str, default: int | None = None, low: int = 0, high: int = _MAX_INTEGER) -> int:
        """Return a parameter of the query that is an integer between ``low`` and ``high``."""
        text = self.text(name)
        if text is None:
            if default is None:
                raise ParameterInvalid(f"the parameter {name} is missing", details={"parameter": name})
            return default
        unsigned = text.removeprefix("-")
        if not (unsigned.isascii() and unsigned.isdigit() and len(unsigned) <= _MAX_DIGITS) or not (
            low <= int(text) <= high
        ):
            raise ParameterInvalid(
                f"{name} must be an integer from {low} to {high}, not {text[:40]!r}", details={"parameter": name}
            )
        return int(text)


def has_nul(scope: Scope) -> bool:
    """Whether the path or the query of a request holds a NUL: no name has one, and PostgreSQL cannot even be asked."""
    query: bytes = scope.get("query_string", b"")
    return "\x00" in scope["path"] or b"%00" in query or b"\x00" in query


def declared_length(scope: Scope) -> int | None:
    """Return the Content-Length of a request, or None for a chunked one."""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"content-length":
            if found not in {None, value} or not value.isdigit() or len(value) > _MAX_DIGITS:
                raise RequestTruncated("the Content-Length header is not a number")
            found = value
    return None if found is None else int(found)


def check_media_type(scope: Scope, expected: Sequence[str]) -> None:
    """Raise MediaTypeUnsupported unless the Content-Type of the request is one of ``expected``, or any will do."""
    if _ANY_TYPE in expected:
        return
    values = [value for name, value in scope["headers"] if name == b"content-type"]
    given = values[0].decode("latin-1").partition(";")[0].strip().lower() if len(values) == 1 else ""
    if given not in expected:
        raise MediaTypeUnsupported(
            f"the body must be {' or '.join(expected)}, not {given[:80] or 'of an unnamed type'}",
            details={"expected": list(expected)},
        )


async def read_body(scope: Scope, receive: Receive, *, limit: int, seconds: float) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLarge: as soon as it is known to exceed ``limit``.
        BodyTooSlow: after ``seconds``.
        RequestTruncated: when the client went away before its end.
    """
    length = declared_length(scope)
    if length is not None and length > limit:
        raise BodyTooLarge(f"a body of {length} bytes is more than the {limit} allowed", details={"limit": limit})
    try:
        async with asyncio.timeout(seconds):
            return await _collect(receive, limit, length)
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {seconds:g} seconds") from None


async def _collect(receive: Receive, limit: int, length: int | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestTruncated("the client went away before the body was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"the body is larger than the {limit} bytes allowed", details={"limit": limit})
        chunks.append(chunk)
        if size == length or not message.get("more_body", False):
            return b"".join(chunks)
