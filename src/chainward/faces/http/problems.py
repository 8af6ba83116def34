"""Problems on the wire: ``application/problem+json`` (RFC 9457).

Beside the members of the standard stand ``code`` (stable, documented), ``kind``, ``hint`` (the next step) and
``request_id``; the details of the problem follow as further members and never hide one of these.

Clients of Sigstore read the errors of grpc-gateway: ``{"code": 3, "message": "…", "details": []}``, where the number is
a google.rpc.Code. The routes that they call answer so, unless the caller accepts ``application/problem+json``; our own
code stands in the details as a google.rpc.ErrorInfo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from chainward.faces.http.answers import JSON, Answer
from chainward.faces.http.errors import HttpProblem
from chainward.kernel.problem import Kind

if TYPE_CHECKING:
    from starlette.types import Scope

    from chainward.kernel.problem import Problem

__all__ = [
    "PROBLEM_JSON",
    "STATUS",
    "accepts_problems",
    "answer_of",
    "document_of",
    "documented_status",
    "sigstore_answer_of",
    "status_of",
]

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


_STATUS_OF_CODE: Final = {"log-frozen": 405}
"""The few problems of verbs for which a protocol demands another status than that of their kind."""

_RPC_CODES: Final = {
    Kind.INVALID: 3,  # INVALID_ARGUMENT
    Kind.UNTRUSTED: 3,
    Kind.NOT_FOUND: 5,
    Kind.CONFLICT: 6,  # ALREADY_EXISTS
    Kind.FORBIDDEN: 7,  # PERMISSION_DENIED
    Kind.TOO_LARGE: 8,  # RESOURCE_EXHAUSTED
    Kind.TOO_MANY: 8,
    Kind.REFUSED: 9,  # FAILED_PRECONDITION
    Kind.INTERNAL: 13,
    Kind.UNAVAILABLE: 14,
    Kind.UNAUTHENTICATED: 16,
}


def status_of(problem: Problem) -> int:
    """Return the HTTP status of a problem."""
    return documented_status(type(problem))


def documented_status(kind: type[Problem]) -> int:
    """Return the HTTP status of a class of problems."""
    if issubclass(kind, HttpProblem):
        return kind.status
    return _STATUS_OF_CODE.get(kind.code, STATUS[kind.kind])


def accepts_problems(scope: Scope) -> bool:
    """Whether the caller says that it reads problem documents."""
    return any(name == b"accept" and PROBLEM_JSON.encode() in value for name, value in scope["headers"])


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


def sigstore_answer_of(problem: Problem, request_id: str) -> Answer:
    """Return the answer that tells a problem to a client of Sigstore; what is not trusted counts as invalid there."""
    status = STATUS[Kind.INVALID] if problem.kind is Kind.UNTRUSTED else status_of(problem)
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": problem.code,
        "domain": "chainward",
        "metadata": {"hint": problem.hint, "request_id": request_id},
    }
    body = orjson.dumps({"code": _RPC_CODES[problem.kind], "message": problem.message, "details": [info]})
    return Answer(body, status, JSON, _headers(problem, status))


def answer_of(problem: Problem, request_id: str) -> Answer:
    """Return the answer that tells a problem."""
    status = status_of(problem)
    body = orjson.dumps(document_of(problem, request_id), default=str, option=orjson.OPT_NON_STR_KEYS)
    return Answer(body, status, PROBLEM_JSON, _headers(problem, status))


def _headers(problem: Problem, status: int) -> dict[str, str]:
    headers = dict(problem.headers) if isinstance(problem, HttpProblem) else {}
    if status == STATUS[Kind.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = 'Bearer realm="chainward", Basic realm="chainward"'
    elif status in {STATUS[Kind.TOO_MANY], STATUS[Kind.UNAVAILABLE]}:
        headers.setdefault("Retry-After", "1")
    return headers
