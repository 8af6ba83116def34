"""The platform as seen from a client: its REST interface and its registry over HTTP.

A Problem of the platform comes back as a Problem here, with the same code, kind, hint and details. Nothing is retried
silently; redirects are not followed, so a token never travels to another host. An answer is believed to be nothing but
bytes of some length: it is read up to a limit and up to a time, never decompressed, and JSON is held against the shape
that the caller expects before anybody looks into it.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypedDict, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx

from chainward.adapters.remote_problem import problem_of
from chainward.formats.codec import convert, decode_object
from chainward.formats.oci import MAX_MANIFEST
from chainward.kernel.digest import Digest, DigestMismatch, InvalidDigest
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chainward.kernel.name import RepositoryName

__all__ = [
    "AddressInvalid",
    "AnswerUnexpected",
    "PlatformUnreachable",
    "Remote",
    "RemoteRegistry",
    "Reply",
]

T = TypeVar("T")

_ANSWER_LIMIT: Final = 64 * 1024 * 1024
_JSON_LIMIT: Final = 16 * 1024 * 1024
_PROBLEM_LIMIT: Final = 256 * 1024
_ANSWER_SECONDS: Final = 300.0
_TIMEOUT: Final = httpx.Timeout(60, connect=5)
_MAX_PAGES: Final = 64
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?\s*(?:[;,]|\Z)')
_NOT_SHOWN: Final = frozenset({401, 403, 404})
_REASON: Final = 200


class PlatformUnreachable(Problem):
    """The platform does not answer, or stops in the middle of an answer."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "platform-unreachable"
    hint = "Start it with: chainward up; or name it with --url or CHAINWARD_URL."


class AnswerUnexpected(Problem):
    """Something answered that is not a Chainward platform, or not of this version."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "platform-answer-unexpected"
    hint = "Check --url; it names the platform itself, such as http://127.0.0.1:8420."


class AddressInvalid(Problem):
    """The address of the platform is not one, or its CA bundle cannot be used."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "platform-address-invalid"
    hint = "Write scheme, host and port, such as https://registry.example.org:8443; a token is never part of it."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class _Referrers(TypedDict):
    """An image index, as far as a client of referrers reads it."""

    manifests: list[dict[str, Any]]


class Remote:
    """One connection pool to one platform. Use as a context manager.

    Raises:
        AddressInvalid: the URL, or the CA bundle, cannot be used.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        certificate_authority: str | None = None,
        answer_limit: int = _ANSWER_LIMIT,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self.url = _checked(url)
        self._limit = answer_limit
        self._seconds = answer_seconds
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            verify=_trust(self.url, certificate_authority),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    @property
    def host(self) -> str:
        """Host and port of the platform, as they stand in image names."""
        return urlsplit(self.url).netloc

    def get(self, path: str, shape: type[T], **query: object) -> T:
        """GET a JSON object and hold it against ``shape``; members that it does not name stay in it."""
        return _shaped(self.request("GET", path, query=query, limit=_JSON_LIMIT), shape, path)

    def post(self, path: str, body: object, shape: type[T]) -> T:
        """POST a JSON body and return the JSON answer; see :meth:`get`."""
        return self.send("POST", path, json.dumps(body).encode(), "application/json", shape)

    def send(self, method: str, path: str, body: bytes, media_type: str, shape: type[T]) -> T:
        """Send bytes and return the JSON answer; see :meth:`get`."""
        headers = {"Content-Type": media_type}
        return _shaped(self.request(method, path, body=body, headers=headers, limit=_JSON_LIMIT), shape, path)

    def delete(self, path: str) -> None:
        """DELETE a thing."""
        self.request("DELETE", path)

    def raw(self, path: str, *, limit: int | None = None) -> bytes:
        """GET bytes as they are, at most ``limit`` of them."""
        return self.request("GET", path, limit=limit).content

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        allow: frozenset[int] = frozenset(),
        limit: int | None = None,
    ) -> Reply:
        """Send one request; a status from 300 up becomes a Problem unless it is in ``allow``.

        Raises:
            PlatformUnreachable: nobody answers, or not to the end.
            AnswerUnexpected: the answer is longer than ``limit``, takes too long, or is a redirect.
            Problem: whatever the platform tells.
        """
        asked = {key: str(value) for key, value in (query or {}).items() if value is not None}
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(asked)}" if asked else path
        try:
            with self._client.stream(method, target, content=body, headers=dict(headers or {})) as response:
                if response.is_success or response.status_code in allow:
                    content = b"".join(self._chunks(response, min(limit or self._limit, self._limit)))
                    return Reply(response.status_code, response.headers, content)
                raise self._refusal(response)
        except (httpx.HTTPError, httpx.StreamError) as error:
            why = str(error) or type(error).__name__
            raise PlatformUnreachable(f"{self.url} does not answer: {why[:_REASON]}") from error

    def _chunks(self, response: httpx.Response, limit: int) -> Iterator[bytes]:
        """Yield the body as it comes, and stop at the limit: what is too long is never held in memory."""
        what = f"{response.request.method} {response.request.url.path}"
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise AnswerUnexpected(f"{what} was answered compressed, which was not asked for")
        deadline, size = time.monotonic() + self._seconds, 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > limit:
                raise AnswerUnexpected(f"{what} was answered with more than {limit} bytes")
            if time.monotonic() > deadline:
                raise AnswerUnexpected(f"{what} was not answered to the end within {self._seconds:g} seconds")
            yield chunk

    def _refusal(self, response: httpx.Response) -> Problem:
        if response.is_redirect:
            return AnswerUnexpected(f"{self.url} redirects elsewhere; a token goes nowhere else")
        try:
            content = b"".join(self._chunks(response, min(_PROBLEM_LIMIT, self._limit)))
        except (AnswerUnexpected, httpx.HTTPError):
            content = b""  # the status says enough
        return problem_of(response.status_code, content)


class RemoteRegistry:
    """The registry of the platform through the OCI distribution protocol; implements delivery's RegistryClient."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def has_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Whether the repository has the blob already; a no, too, where the caller may not look.

        The answer to HEAD has no text, so a refusal is left to the upload that follows, which says why.
        """
        path = f"/v2/{repository}/blobs/{digest}"
        return self._remote.request("HEAD", path, allow=_NOT_SHOWN).status not in _NOT_SHOWN

    def put_blob(self, repository: RepositoryName, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        """Upload a blob as a stream; the registry checks its digest."""
        started = self._remote.request("POST", f"/v2/{repository}/blobs/uploads/")
        location = _same_host(started.headers.get("Location", ""), self._remote.host)
        patched = self._remote.request(
            "PATCH",
            location,
            body=_exactly(chunks, size, digest),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )
        location = _same_host(patched.headers.get("Location", ""), self._remote.host)
        joiner = "&" if "?" in location else "?"
        self._remote.request("PUT", f"{location}{joiner}digest={quote(str(digest), safe='')}")

    def put_manifest(self, repository: RepositoryName, reference: str, media_type: str, body: bytes) -> Digest:
        """Store a manifest under a tag or its digest and return the digest that the registry says it has."""
        path = f"/v2/{repository}/manifests/{reference}"
        reply = self._remote.request("PUT", path, body=body, headers={"Content-Type": media_type})
        stored = _told_digest(reply)
        stored.verify(body)
        return stored

    def get_manifest(self, repository: RepositoryName, reference: str) -> tuple[str, bytes]:
        """Return media type and bytes of a manifest; whoever asked by digest has to verify them."""
        path = f"/v2/{repository}/manifests/{reference}"
        reply = self._remote.request("GET", path, headers={"Accept": "*/*"}, limit=MAX_MANIFEST)
        return reply.headers.get("Content-Type", ""), reply.content

    def resolve(self, repository: RepositoryName, tag: str) -> Digest:
        """Return the digest of the manifest that a tag names, computed from its bytes.

        Raises:
            AnswerUnexpected: the registry calls these bytes by another digest.
        """
        path = f"/v2/{repository}/manifests/{tag}"
        reply = self._remote.request("GET", path, headers={"Accept": "*/*"}, limit=MAX_MANIFEST)
        told = _told_digest(reply)
        try:
            told.verify(reply.content)
        except DigestMismatch as mismatch:
            raise AnswerUnexpected(
                f"the registry names {repository}:{tag} by a digest that it does not have"
            ) from mismatch
        return told

    def referrers(self, repository: RepositoryName, digest: Digest) -> list[dict[str, Any]]:
        """Return the descriptors of everything that names ``digest`` as its subject, from all pages of the list.

        Raises:
            AnswerUnexpected: the list has more than 64 pages or 64 MiB, or its next page lies elsewhere.
        """
        path = f"/v2/{repository}/referrers/{digest}"
        found: list[dict[str, Any]] = []
        left, target = _ANSWER_LIMIT, path
        for _ in range(_MAX_PAGES):
            reply = self._remote.request("GET", target, limit=min(left, _JSON_LIMIT))
            found += _shaped(reply, _Referrers, path)["manifests"]
            left -= len(reply.content)
            link = _NEXT.search(reply.headers.get("Link", ""))
            if link is None:
                return found
            target = _same_host(link[1], self._remote.host)
            if target.partition("?")[0] != path or left <= 0:
                break
        raise AnswerUnexpected(f"the list of what refers to {digest} is too long, or goes on elsewhere")

    def get_blob(self, repository: RepositoryName, digest: Digest, limit: int | None = None) -> bytes:
        """Return a blob of at most ``limit`` bytes, which hash to its digest."""
        content = self._remote.raw(f"/v2/{repository}/blobs/{digest}", limit=limit)
        digest.verify(content)
        return content


def _checked(url: str) -> str:
    """Return the URL without a slash at its end; what is not the address of a platform is refused, and not repeated."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise AddressInvalid("the address of the platform is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise AddressInvalid("the address of the platform is not an http or https URL with a host")
    if parts.username is not None or parts.query or parts.fragment or parts.path not in {"", "/"}:
        raise AddressInvalid("the address of the platform is more than scheme, host and port")
    if not parts.netloc.isascii() or not parts.netloc.isprintable() or " " in parts.netloc:
        raise AddressInvalid("the host in the address of the platform has characters that no host has")
    return f"{parts.scheme}://{parts.netloc}"


def _trust(url: str, certificate_authority: str | None) -> ssl.SSLContext | bool:
    """Return whom to believe in TLS; over plain http nobody, which also saves loading the usual authorities."""
    if url.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if certificate_authority is None:
        return True
    try:
        return ssl.create_default_context(cafile=certificate_authority)
    except (OSError, ValueError) as error:
        raise AddressInvalid(
            f"the CA bundle {certificate_authority} cannot be used: {error}", hint="Give a file with PEM certificates."
        ) from error


def _shaped(reply: Reply, shape: type[T], path: str) -> T:
    what = f"the answer to {path.partition('?')[0]}"
    try:
        document = decode_object(reply.content, limit=_JSON_LIMIT, what=what)
        convert(document, shape, what=what)
    except Problem as problem:
        raise AnswerUnexpected(problem.message) from problem
    return cast("T", document)


def _exactly(chunks: Iterable[bytes], size: int, digest: Digest) -> Iterator[bytes]:
    """Yield chunks that are ``size`` bytes together; raises DigestMismatch rather than send more, or end early."""
    sent = 0
    for chunk in chunks:
        sent += len(chunk)
        if sent > size:
            raise DigestMismatch(f"the blob {digest} is longer than the {size} bytes that its manifest tells")
        yield chunk
    if sent < size:
        raise DigestMismatch(f"the blob {digest} has {sent} bytes, its manifest tells {size}")


def _told_digest(reply: Reply) -> Digest:
    try:
        return Digest.parse(reply.headers.get("Docker-Content-Digest", ""))
    except InvalidDigest as error:
        raise AnswerUnexpected("the registry did not say which digest the manifest has") from error


def _same_host(location: str, host: str) -> str:
    """Return path and query of where the registry sends us next; another host would get our token, so it is refused."""
    parts = urlsplit(location)
    if (parts.netloc and parts.netloc != host) or not parts.path.startswith("/v2/"):
        raise AnswerUnexpected(f"the registry sent the request elsewhere: {location[:120]!r}")
    return parts.path + (f"?{parts.query}" if parts.query else "")
