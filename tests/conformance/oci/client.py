"""A small client of the distribution-spec: one method per endpoint, and answers as they came.

It follows Locations, relative or absolute, and judges nothing: whether an answer conforms is for the tests to say. Only
the two verbs that stock a repository for other checks (:meth:`Repository.stock_blob` and
:meth:`Repository.stock_manifest`) insist on success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
from tests.conformance.oci.auth import Challenged, Credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from tests.conformance.oci.data import Content

__all__ = ["Registry", "Repository", "location"]

_BYTES: Final = "application/octet-stream"
_SECONDS: Final = 30.0
_ACCEPTED: Final = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)


class Registry:
    """A registry at a base URL, and who asks it."""

    def __init__(self, url: str, credentials: Credentials | None = None) -> None:
        auth = Challenged(credentials)
        self._http = httpx.Client(base_url=url, auth=auth, follow_redirects=True, timeout=_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request; the arguments are those of httpx."""
        return self._http.request(method, path, **more)

    def ping(self) -> httpx.Response:
        """Ask whether this is a registry (end-1)."""
        return self.send("GET", "/v2/")

    def repository(self, name: str) -> Repository:
        """Return one of its repositories."""
        return Repository(self, name)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of a registry."""

    registry: Registry
    name: str

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.registry.send(method, f"/v2/{self.name}/{path}", **more)

    def blob(self, digest: str, method: str = "GET", span: str | None = None) -> httpx.Response:
        """Pull, look for or delete a blob (end-2, end-10)."""
        headers = {} if span is None else {"Range": f"bytes={span}"}
        return self._send(method, f"blobs/{digest}", headers=headers)

    def manifest(self, reference: str, method: str = "GET") -> httpx.Response:
        """Pull, look for or delete a manifest or a tag (end-3, end-9)."""
        return self._send(method, f"manifests/{reference}", headers={"Accept": _ACCEPTED})

    def pushed_manifest(self, answer: httpx.Response) -> httpx.Response:
        """Pull a manifest from where the answer to its push says it is."""
        return self.registry.send("GET", location(answer), headers={"Accept": _ACCEPTED})

    def put_manifest(self, content: Content, reference: str, tags: Sequence[str] = ()) -> httpx.Response:
        """Push a manifest by a tag or a digest, with tags as parameters (end-7)."""
        headers = {"Content-Type": content.media_type}
        params = [("tag", tag) for tag in tags]
        return self._send("PUT", f"manifests/{reference}", content=content.body, headers=headers, params=params)

    def start(self, algorithm: str = "sha256") -> httpx.Response:
        """Begin an upload (end-4a, end-4c)."""
        params = {} if algorithm == "sha256" else {"digest-algorithm": algorithm}
        return self._send("POST", "blobs/uploads/", params=params, headers={"Content-Length": "0"})

    def post_blob(self, body: bytes, digest: str) -> httpx.Response:
        """Push a blob with one request (end-4b)."""
        headers = {"Content-Type": _BYTES}
        return self._send("POST", "blobs/uploads/", params={"digest": digest}, content=body, headers=headers)

    def append(self, before: httpx.Response, body: bytes, first: int) -> httpx.Response:
        """Send a chunk to where an answer before says (end-5)."""
        headers = {"Content-Type": _BYTES} | _chunk_range(body, first)
        return self.registry.send("PATCH", location(before), content=body, headers=headers)

    def stream(self, before: httpx.Response, pieces: Iterable[bytes]) -> httpx.Response:
        """Send a body whose length is not told beforehand."""
        return self.registry.send("PATCH", location(before), content=_iterate(pieces), headers={"Content-Type": _BYTES})

    def finish(
        self, before: httpx.Response, digest: str, body: bytes = b"", first: int | None = None
    ) -> httpx.Response:
        """Make an upload a blob, with its last bytes if there are any (end-6)."""
        url = httpx.URL(location(before)).copy_merge_params({"digest": digest})
        headers = {"Content-Type": _BYTES} | ({} if first is None else _chunk_range(body, first))
        return self.registry.send("PUT", str(url), content=body, headers=headers)

    def progress(self, before: httpx.Response) -> httpx.Response:
        """Ask how much of an upload has arrived (end-13)."""
        return self.registry.send("GET", location(before))

    def cancel(self, before: httpx.Response) -> httpx.Response:
        """Drop an upload (end-14)."""
        return self.registry.send("DELETE", location(before))

    def mount(self, digest: str, source: Repository, *says: str) -> httpx.Response:
        """Take a blob over from another repository, which the parameter ``from`` names if it is said (end-11)."""
        params = {"mount": digest} | dict.fromkeys(says, source.name)
        scopes = (f"repository:{source.name}:pull",)
        return self._send(
            "POST", "blobs/uploads/", params=params, headers={"Content-Length": "0"}, extensions={"scopes": scopes}
        )

    def tags(self, **params: str | int) -> httpx.Response:
        """List tags (end-8)."""
        return self._send("GET", "tags/list", params=params)

    def referrers(self, digest: str, artifact_type: str | None = None) -> httpx.Response:
        """List the first page of the referrers of a digest (end-12)."""
        params = {} if artifact_type is None else {"artifactType": artifact_type}
        return self._send("GET", f"referrers/{digest}", params=params)

    def pages(self, first: httpx.Response) -> Iterator[httpx.Response]:
        """Give an answer, and those that its Links lead to."""
        page = first
        yield page
        while "next" in page.links:
            page = self.registry.send("GET", str(page.url.join(page.links["next"]["url"])))
            yield page

    def stock_blob(self, content: Content) -> None:
        """Push a blob for other checks."""
        answer = self.finish(self.start(content.algorithm), content.digest, content.body)
        assert answer.status_code == 201, answer.text

    def stock_manifest(self, content: Content, reference: str | None = None, tags: Sequence[str] = ()) -> None:
        """Push a manifest for other checks."""
        answer = self.put_manifest(content, reference or content.digest, tags)
        assert answer.status_code == 201, answer.text


def location(answer: httpx.Response) -> str:
    """Return the whole URL that an answer's Location names."""
    assert "Location" in answer.headers, f"no Location: {answer.status_code} {answer.text}"
    return str(answer.url.join(answer.headers["Location"]))


def _chunk_range(body: bytes, first: int) -> dict[str, str]:
    return {"Content-Range": f"{first}-{first + len(body) - 1}"} if body else {}


def _iterate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield from pieces
