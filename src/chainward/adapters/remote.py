"""The platform as seen from a client: its REST interface, its registry and its signature log over HTTP.

A Problem of the platform comes back as a Problem here, with the same code, kind, hint and details. Nothing is retried
silently; redirects are not followed, so a token never travels to another host.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx

from chainward.formats.bundle import decode_log_entry
from chainward.formats.rekor import encode_entry_request
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import TrustedLog

__all__ = ["Remote", "RemoteRegistry", "RemoteSignatureLog"]

_ANSWER_LIMIT: Final = 64 * 1024 * 1024
_KIND_OF_STATUS: Final = {
    400: Kind.INVALID,
    401: Kind.UNAUTHENTICATED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    405: Kind.INVALID,
    409: Kind.CONFLICT,
    413: Kind.TOO_LARGE,
    415: Kind.INVALID,
    416: Kind.INVALID,
    422: Kind.UNTRUSTED,
    429: Kind.TOO_MANY,
    503: Kind.UNAVAILABLE,
}


class PlatformUnreachable(Problem):
    """The platform does not answer."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "platform-unreachable"
    hint = "Start it with: chainward up; or name it with --url or CHAINWARD_URL."


class AnswerUnexpected(Problem):
    """Something answered that is not a Chainward platform, or not of this version."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "platform-answer-unexpected"
    hint = "Check --url; it names the platform itself, such as http://127.0.0.1:8420."


class Remote:
    """One connection pool to one platform. Use as a context manager."""

    def __init__(self, url: str, token: str | None, *, certificate_authority: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(60, connect=5),
            follow_redirects=False,
            trust_env=False,
            verify=certificate_authority or True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    @property
    def host(self) -> str:
        """Host and port of the platform, as they stand in image names."""
        return urlsplit(self.url).netloc

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - the shape of an answer is its route's
        """GET a JSON answer."""
        return self._json("GET", path, query=query)

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401
        """POST a JSON body and return the JSON answer."""
        return self._json("POST", path, body=json.dumps(body).encode(), media_type="application/json")

    def put(self, path: str, body: bytes, media_type: str) -> Any:  # noqa: ANN401
        """PUT bytes and return the JSON answer."""
        return self._json("PUT", path, body=body, media_type=media_type)

    def delete(self, path: str) -> None:
        """DELETE a thing."""
        self.request("DELETE", path)

    def raw(self, path: str, **query: object) -> bytes:
        """GET bytes as they are."""
        return self.request("GET", path, query=query).content

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        allow: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        """Send one request; a status from 400 up becomes a Problem unless it is in ``allow``."""
        target = path
        asked = {key: str(value) for key, value in (query or {}).items() if value is not None}
        if asked:
            target += ("&" if "?" in path else "?") + urlencode(asked)
        try:
            response = self._client.request(method, target, content=body, headers=dict(headers or {}))
        except httpx.HTTPError as error:
            raise PlatformUnreachable(f"{self.url} does not answer: {type(error).__name__}") from error
        if response.status_code >= 300 and response.status_code not in allow:  # noqa: PLR2004 - redirects are refused too
            raise _problem_of(response)
        if len(response.content) > _ANSWER_LIMIT:
            raise AnswerUnexpected(f"{method} {path} answered more than {_ANSWER_LIMIT} bytes")
        return response

    def _json(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, object] | None = None,
        media_type: str | None = None,
    ) -> Any:  # noqa: ANN401
        headers = {"Content-Type": media_type} if media_type else None
        response = self.request(method, path, body=body, query=query, headers=headers)
        try:
            return response.json()
        except ValueError:
            raise AnswerUnexpected(f"{method} {path} did not answer JSON") from None


class RemoteSignatureLog:
    """The signature log of the platform through its Rekor v2 interface; implements trust's SignatureLog.

    ``log`` is how the caller knows the log: from a trusted root of its own, not from the log's answers.
    """

    def __init__(self, remote: Remote, log: TrustedLog) -> None:
        self._remote = remote
        self.log = log

    def submit(self, entry: HashedRekord) -> LogEntry:
        """Log a signature; returns once a signed checkpoint covers it."""
        response = self._remote.request(
            "POST",
            "/api/v2/log/entries",
            body=encode_entry_request(entry),
            headers={"Content-Type": "application/json"},
        )
        return decode_log_entry(response.content)


class RemoteRegistry:
    """The registry of the platform through the OCI distribution protocol; implements delivery's RegistryClient."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def has_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether the repository has the blob already."""
        path = f"/v2/{repository}/blobs/{digest}"
        return self._remote.request("HEAD", path, allow=frozenset({404})).is_success

    def put_blob(self, repository: RepositoryName, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        """Upload a blob as a stream; the registry checks its digest."""
        started = self._remote.request("POST", f"/v2/{repository}/blobs/uploads/")
        location = _same_host(started.headers.get("Location", ""), self._remote.host)
        patched = self._remote.request(
            "PATCH",
            location,
            body=chunks,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )
        location = _same_host(patched.headers.get("Location", ""), self._remote.host)
        joiner = "&" if "?" in location else "?"
        self._remote.request("PUT", f"{location}{joiner}digest={quote(str(digest), safe='')}")

    def put_manifest(self, repository: RepositoryName, reference: str, media_type: str, body: bytes) -> Digest:
        """Store a manifest under a tag or its digest and return the digest that the registry says it has."""
        from chainward.kernel.digest import Digest

        path = f"/v2/{repository}/manifests/{reference}"
        answer = self._remote.request("PUT", path, body=body, headers={"Content-Type": media_type})
        stored = Digest.parse(answer.headers.get("Docker-Content-Digest", ""))
        stored.verify(body)
        return stored

    def get_manifest(self, repository: RepositoryName, reference: str) -> tuple[str, bytes]:
        """Return media type and bytes of a manifest."""
        answer = self._remote.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": "*/*"})
        return answer.headers.get("Content-Type", ""), answer.content

    def referrers(self, repository: RepositoryName, digest: Digest) -> list[dict[str, Any]]:
        """Return the descriptors of everything that names ``digest`` as its subject."""
        document = self._remote.get(f"/v2/{repository}/referrers/{digest}")
        manifests = document.get("manifests") if isinstance(document, dict) else None
        if not isinstance(manifests, list):
            raise AnswerUnexpected(f"the registry did not answer a list of referrers of {digest}")
        return manifests

    def get_blob(self, repository: RepositoryName, digest: Digest) -> bytes:
        """Return a blob whose bytes hash to its digest."""
        content = self._remote.raw(f"/v2/{repository}/blobs/{digest}")
        digest.verify(content)
        return content


def _same_host(location: str, host: str) -> str:
    """Return the path and query of an upload location; another host would get our token, so it is refused."""
    parts = urlsplit(location)
    if (parts.netloc and parts.netloc != host) or not parts.path.startswith("/v2/"):
        raise AnswerUnexpected(f"the registry sent the upload elsewhere: {location[:120]!r}")
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _problem_of(response: httpx.Response) -> Problem:
    """Turn problem+json, or the error document of the registry, back into a Problem."""
    kind = _KIND_OF_STATUS.get(response.status_code, Kind.INTERNAL)
    try:
        document = response.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    code, message, hint, details = _members(document, response)
    named = document.get("kind")
    if isinstance(named, str) and named in set(Kind):
        kind = Kind(named)
    made = type("RemoteProblem", (Problem,), {"kind": kind, "code": code, "__doc__": "A problem told by the platform."})
    problem = made(message, hint=hint, details=details)
    assert isinstance(problem, Problem)  # noqa: S101 - it was made from Problem in the line above
    return problem


def _members(document: dict[str, Any], response: httpx.Response) -> tuple[str, str, str | None, dict[str, object]]:
    errors = document.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = errors[0]
        told = first.get("detail")
        detail: dict[str, Any] = told if isinstance(told, dict) else {}
        code = str(detail.get("code") or first.get("code") or "registry-error").lower().replace("_", "-")
        return code, str(first.get("message", "the registry refused")), detail.get("hint"), detail
    code = str(document.get("code") or f"http-{response.status_code}")
    message = str(document.get("detail") or document.get("title") or f"the platform answered {response.status_code}")
    known = {"type", "title", "status", "detail", "code", "hint", "kind"}
    return code, message, document.get("hint"), {key: value for key, value in document.items() if key not in known}
