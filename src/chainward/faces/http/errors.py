"""What can be wrong with a request before any verb has seen it.

A kind decides the HTTP status (see :mod:`chainward.faces.http.problems`); the few statuses that HTTP has for its own
concerns, such as 405, are set here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BodyTooLarge",
    "BodyTooSlow",
    "CredentialsMalformed",
    "CredentialsMissing",
    "CrossSite",
    "HttpProblem",
    "InternalError",
    "MediaTypeUnsupported",
    "MethodNotAllowed",
    "ParameterInvalid",
    "RequestTruncated",
    "RouteUnknown",
    "ShuttingDown",
    "TooManyBodies",
    "TooManyLogins",
]


class HttpProblem(Problem):
    """A problem of the HTTP face itself, with the status that HTTP has for it."""

    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.headers = dict(headers or {})


class RouteUnknown(HttpProblem):
    """There is nothing at that path."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "route-unknown"
    status: ClassVar[int] = 404
    hint = "All routes stand in docs/reference/api.md."


class MethodNotAllowed(HttpProblem):
    """The path exists, but not for that method."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "method-not-allowed"
    status: ClassVar[int] = 405
    hint = "Use one of the methods in the Allow header."


class MediaTypeUnsupported(HttpProblem):
    """The body is of a media type that the route does not take."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "media-type-unsupported"
    status: ClassVar[int] = 415
    hint = "Send the Content-Type that the message names."


class BodyTooLarge(HttpProblem):
    """The body is larger than the route takes; it was not read to its end."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "body-too-large"
    status: ClassVar[int] = 413
    hint = "Send less; the limit of each route stands in docs/reference/api.md."


class BodyTooSlow(HttpProblem):
    """The body did not arrive in time."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "body-too-slow"
    status: ClassVar[int] = 408
    hint = "Send the request again; if that is the network, raise server.body_seconds."


class TooManyBodies(HttpProblem):
    """Others who need no token are sending large bodies to this path, as many as may at a time."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "body-too-many"
    status: ClassVar[int] = 503
    hint = "Send the request again in a moment; a body of less than 256 KiB does not have to wait."


class RequestTruncated(HttpProblem):
    """The client went away in the middle of its body, so nothing was done."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "request-truncated"
    status: ClassVar[int] = 400
    hint = "Send the whole request again."


class ParameterInvalid(HttpProblem):
    """A parameter of the query or the path is missing or not what it should be."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "parameter-invalid"
    status: ClassVar[int] = 400
    hint = "Compare the request with docs/reference/api.md."


class CredentialsMissing(HttpProblem):
    """The route needs a token and there was none."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "credentials-missing"
    status: ClassVar[int] = 401
    hint = "Send the header Authorization: Bearer <token>; tokens are made with: chainward token issue"


class CredentialsMalformed(HttpProblem):
    """The Authorization header is neither Bearer nor Basic, or cannot be read."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "credentials-malformed"
    status: ClassVar[int] = 401
    hint = "Send Authorization: Bearer <token>, or Basic with any user name and the token as password."


class CrossSite(HttpProblem):
    """A form was sent from a page of another site."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "cross-site-request"
    status: ClassVar[int] = 403
    hint = "Open the login page of the platform itself and send the form from there."


class TooManyLogins(HttpProblem):
    """Too many people are logged in at the same time."""

    kind: ClassVar[Kind] = Kind.TOO_MANY
    code: ClassVar[str] = "login-too-many"
    status: ClassVar[int] = 429
    hint = "Log out somewhere, or wait until older logins have expired."


class ShuttingDown(HttpProblem):
    """The platform is going down and takes no new work."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "shutting-down"
    status: ClassVar[int] = 503
    hint = "Send the request again when the platform is back."


class InternalError(HttpProblem):
    """Something failed that should not fail; the log line with this request id says what."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
