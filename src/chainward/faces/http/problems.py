"""Problems on the wire: ``application/problem+json`` (RFC 9457).

Beside the members of the standard stand ``code`` (stable, documented), ``kind``, ``hint`` (the next step) and
``request_id``; the details of the problem follow as further members and never hide one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from chainward.faces.http.answers import Answer
from chainward.faces.http.errors import HttpProblem
from chainward.kernel.problem import Kind

if TYPE_CHECKING:
    from chainward.kernel.problem import Problem

__all__ = ["PROBLEM_JSON", "STATUS", "answer_of", "document_of", "status_of"]

PROBLEM_JSON: Final = "application/problem+json"

STATUS: Final = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.REFUSED: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.UNTRUSTED: 422,
    Kind.TOO_MANY: 429,
    Kind.INTERNAL: 500,
    Kind.UNAVAILABLE: 503,
}
_TITLES: Final = {
    Kind.INVALID: "The request is not valid",
    Kind.UNAUTHENTICATED: "Who are you?",
    Kind.FORBIDDEN: "You may not do that",
    Kind.REFUSED: "The platform refuses",
    Kind.NOT_FOUND: "There is no such thing",
    Kind.CONFLICT: "It is in another state",
    Kind.TOO_LARGE: "That is too large",
    Kind.UNTRUSTED: "That cannot be trusted",
    Kind.TOO_MANY: "Too many requests",
    Kind.INTERNAL: "The platform failed",
    Kind.UNAVAILABLE: "The platform cannot do that now",
}


def status_of(problem: Problem) -> int:
    """Return the HTTP status of a problem."""
    return problem.status if isinstance(problem, HttpProblem) else STATUS[problem.kind]


def document_of(problem: Problem, request_id: str) -> dict[str, object]:
    """Return the members of the problem document."""
    return {
        **problem.details,
        "type": f"urn:chainward:problem:{problem.code}",
        "title": _TITLES[problem.kind],
        "status": status_of(problem),
        "detail": problem.message,
        "code": problem.code,
        "kind": problem.kind.value,
        "hint": problem.hint,
        "request_id": request_id,
    }


def answer_of(problem: Problem, request_id: str) -> Answer:
    """Return the answer that tells a problem."""
    status = status_of(problem)
    headers = dict(problem.headers) if isinstance(problem, HttpProblem) else {}
    if status == STATUS[Kind.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = 'Bearer realm="chainward", Basic realm="chainward"'
    elif status in {STATUS[Kind.TOO_MANY], STATUS[Kind.UNAVAILABLE]}:
        headers.setdefault("Retry-After", "1")
    body = orjson.dumps(document_of(problem, request_id), default=str, option=orjson.OPT_NON_STR_KEYS)
    return Answer(body, status, PROBLEM_JSON, headers)
