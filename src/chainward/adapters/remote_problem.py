"""Problems that a platform tells: from problem+json (RFC 9457), or the error document of a registry, to a Problem.

In: status and body of an answer, from whoever answered. Out: a Problem with the code, kind, hint and details that were
told, as far as they are readable; what is not keeps the meaning of its status. The text is not trusted: whoever prints
it has to take care of control characters.
"""

from __future__ import annotations

import re
from typing import Any, Final

from chainward.formats.codec import decode_object
from chainward.kernel.problem import Kind, Problem

__all__ = ["problem_of", "told_problem"]

_LIMIT: Final = 256 * 1024
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,79}\Z")
_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "code", "hint", "kind"})
_SERVER: Final = 500
_REFUSALS: Final = frozenset({"artifact-revoked", "blob-integrity-violated"})  # a registry tells no kinds
_KIND_OF_STATUS: Final = {
    401: Kind.UNAUTHENTICATED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    413: Kind.TOO_LARGE,
    422: Kind.UNTRUSTED,
    429: Kind.TOO_MANY,
    500: Kind.INTERNAL,
}
_HINTS: Final = {
    Kind.INVALID: "Check the command line; this platform may also be of another version than this command.",
    Kind.UNAUTHENTICATED: "Give a token of this platform with --token-file.",
    Kind.FORBIDDEN: "Use a token with another role; see: chainward token issue --help",
    Kind.NOT_FOUND: "Check the name, and that --url names the platform itself.",
    Kind.REFUSED: "The message says what is missing.",
    Kind.CONFLICT: "Look at what is there already.",
    Kind.TOO_LARGE: "Send less at once.",
    Kind.UNTRUSTED: "Check what was signed, by whom, and about what.",
    Kind.TOO_MANY: "Wait a moment and try again.",
    Kind.UNAVAILABLE: "Wait a moment and try again; then look at the log of the platform.",
    Kind.INTERNAL: "Look at the log of the platform; the request id is in it.",
}


def problem_of(status: int, content: bytes) -> Problem:
    """Return the Problem that an answer tells."""
    document = _object(content)
    code, message, hint, details = _registry(document) if "errors" in document else _problem_json(document)
    found = code if isinstance(code, str) and _CODE.match(code) else f"http-{status}"
    kind = Kind.REFUSED if found in _REFUSALS else _kind(status, document)
    text = message if isinstance(message, str) and message else f"the platform answered {status}"
    made = type(
        "RemoteProblem", (Problem,), {"kind": kind, "code": found, "__doc__": "A problem told by the platform."}
    )
    problem = made(text, hint=hint if isinstance(hint, str) and hint else _HINTS.get(kind), details=details)
    assert isinstance(problem, Problem)  # noqa: S101 - it was made from Problem in the line above
    return problem


def told_problem(status: int, content: bytes) -> Problem | None:
    """Return the Problem that an answer tells, None if it tells none with a code of ours."""
    code = _object(content).get("code")
    return problem_of(status, content) if isinstance(code, str) and _CODE.match(code) else None


def _object(content: bytes) -> dict[str, Any]:
    try:
        return decode_object(content, limit=_LIMIT, what="the error")
    except Problem:
        return {}


def _kind(status: int, document: dict[str, Any]) -> Kind:
    told = document.get("kind")
    if isinstance(told, str) and told in set(Kind):
        return Kind(told)
    return _KIND_OF_STATUS.get(status, Kind.INVALID if status < _SERVER else Kind.UNAVAILABLE)


def _problem_json(document: dict[str, Any]) -> tuple[object, object, object, dict[str, object]]:
    message = document.get("detail") or document.get("title")
    details = {key: value for key, value in document.items() if key not in _MEMBERS}
    return document.get("code"), message, document.get("hint"), details


def _registry(document: dict[str, Any]) -> tuple[object, object, object, dict[str, object]]:
    errors = document["errors"]
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    told = first.get("detail")
    detail: dict[str, Any] = told if isinstance(told, dict) else {}
    code = str(detail.get("code") or first.get("code") or "registry-error").lower().replace("_", "-")
    return code, first.get("message") or "the registry refused", detail.get("hint"), detail
