"""Problems as the distribution-spec tells them: ``{"errors": [{"code", "message", "detail"}]}``.

``code`` is one of the codes of the specification; ``detail`` carries our own code, the hint and the details. The status
follows the kind of the problem as everywhere; the exceptions are 416 for a chunk or a range that does not fit. A tag
that may not move is answered with 409 and DENIED: clients show the message of either and do not repeat the push.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from chainward.faces.http.answers import Answer
from chainward.faces.http.errors import HttpProblem
from chainward.faces.http.problems import status_of
from chainward.kernel.problem import Kind
from chainward.registry.errors import ArtifactRevoked, IntegrityViolated, UploadRangeWrong

if TYPE_CHECKING:
    from chainward.kernel.problem import Problem

__all__ = ["RangeNotSatisfiable", "oci_answer", "progress_headers", "warning_of"]

_CODES: Final = {
    "blob-too-large": "SIZE_INVALID",
    "blob-unknown": "BLOB_UNKNOWN",
    "body-too-large": "SIZE_INVALID",
    "digest-invalid": "DIGEST_INVALID",
    "digest-mismatch": "DIGEST_INVALID",
    "input-malformed": "MANIFEST_INVALID",
    "input-too-large": "MANIFEST_INVALID",
    "input-unsupported": "MANIFEST_INVALID",
    "manifest-blob-unknown": "MANIFEST_BLOB_UNKNOWN",
    "manifest-too-wide": "MANIFEST_INVALID",
    "manifest-unknown": "MANIFEST_UNKNOWN",
    "name-invalid": "NAME_INVALID",
    "repository-unknown": "NAME_UNKNOWN",
    "request-truncated": "BLOB_UPLOAD_INVALID",
    "upload-busy": "BLOB_UPLOAD_INVALID",
    "upload-length-wrong": "SIZE_INVALID",
    "upload-range-wrong": "BLOB_UPLOAD_INVALID",
    "upload-unknown": "BLOB_UPLOAD_UNKNOWN",
}
_CODE_OF_KIND: Final = {
    Kind.UNAUTHENTICATED: "UNAUTHORIZED",
    Kind.FORBIDDEN: "DENIED",
    Kind.REFUSED: "DENIED",
    Kind.CONFLICT: "DENIED",
    Kind.TOO_MANY: "TOOMANYREQUESTS",
}
_OTHER: Final = "UNSUPPORTED"
_RANGE_STATUS: Final = 416
_UNPRINTABLE: Final = re.compile(r"[^ !#-\[\]-~]")
_WARNING_LIMIT: Final = 1024


class RangeNotSatisfiable(HttpProblem):
    """The bytes asked for lie outside of the blob."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "range-not-satisfiable"
    status: ClassVar[int] = _RANGE_STATUS
    hint = "Ask for bytes below the size in the Content-Range header."

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message, details={"size": size}, headers={"Content-Range": f"bytes */{size}"})


def oci_answer(problem: Problem, request_id: str, challenge: str = "") -> Answer:
    """Return the answer that tells a problem to a registry client; ``challenge`` is the WWW-Authenticate of a 401."""
    code = _CODES.get(problem.code) or _CODE_OF_KIND.get(problem.kind, _OTHER)
    detail = {**problem.details, "code": problem.code, "hint": problem.hint, "request_id": request_id}
    body = orjson.dumps({"errors": [{"code": code, "message": problem.message, "detail": detail}]}, default=str)
    headers = dict(problem.headers) if isinstance(problem, HttpProblem) else {}
    if problem.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = challenge or 'Basic realm="chainward"'
    elif problem.kind in {Kind.TOO_MANY, Kind.UNAVAILABLE}:
        headers.setdefault("Retry-After", "1")
    warning = warning_of(problem)
    if warning is not None:
        headers["Warning"] = warning
    if isinstance(problem, UploadRangeWrong):
        headers |= progress_headers(problem.repository, problem.upload, problem.size)
        return Answer(body, _RANGE_STATUS, headers=headers)
    return Answer(body, status_of(problem), headers=headers)


def progress_headers(repository: str, upload: str, size: int) -> dict[str, str]:
    """Return the headers that say where an upload goes on."""
    return {"Location": f"/v2/{repository}/blobs/uploads/{upload}", "Range": f"0-{max(size - 1, 0)}"}


def warning_of(problem: Problem) -> str | None:
    """Return the Warning header (RFC 7234, section 5.5) that says why content is withheld, if that is the problem."""
    if not isinstance(problem, (ArtifactRevoked, IntegrityViolated)):
        return None
    return f'299 - "{_UNPRINTABLE.sub("?", problem.message)[:_WARNING_LIMIT]}"'
