"""Logs and witnesses of others over HTTP: bytes of a bounded length, in bounded time, from the host that was named.

Nothing is believed here but sizes. Redirects are refused, proxies of the environment are not used, no credential is
ever sent. C2SP tlog-tiles lets a log compress its tiles unasked; what is unpacked has the same limit as what is read.
"""

from __future__ import annotations

import ssl
import threading
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self
from urllib.parse import urlsplit

import httpx

from chainward.formats.note import MAX_NOTE
from chainward.formats.tile import (
    HASH_SIZE,
    MAX_ENTRY,
    TILE_WIDTH,
    EntriesPath,
    TilePath,
    decode_entries,
    encode_entries,
)
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HttpTileLog", "Outside", "OutsideAnswer", "PublishedUnavailable"]

_SECONDS: Final = 60.0
_TIMEOUT: Final = httpx.Timeout(20, connect=5)
_TILE_LIMIT: Final = TILE_WIDTH * HASH_SIZE
_BUNDLE_LIMIT: Final = TILE_WIDTH * (2 + MAX_ENTRY)
_GONE: Final = frozenset({404, 410})
_GZIP: Final = 31
_REASON: Final = 200


class PublishedUnavailable(Problem):
    """A log, or a witness, of somebody else does not answer with what it is asked for."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "published-log-unavailable"
    hint = "Check the URL: it is the prefix below which checkpoint and tile/… lie. Try again later."


@dataclass(frozen=True, slots=True)
class OutsideAnswer:
    """An answer that was read to its end."""

    status: int
    media_type: str
    content: bytes


class Outside:
    """One connection pool to services of others; use as a context manager. Any thread may call it."""

    def __init__(self, certificate_authority: Path | None = None, *, seconds: float = _SECONDS) -> None:
        self._authority = certificate_authority
        self._seconds = seconds
        self._lock = threading.Lock()
        self._opened: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def ask(self, method: str, url: str, *, limit: int, body: bytes | None = None) -> OutsideAnswer:
        """Send one request; an answer of any status but a redirect is returned, at most ``limit`` bytes of it.

        Raises:
            PublishedUnavailable: no answer, one that is too long or too slow, a redirect, or an unusable CA bundle.
        """
        headers = {} if body is None else {"Content-Type": "text/plain; charset=utf-8"}
        try:
            with self._client().stream(method, url, content=body, headers=headers) as response:
                if response.is_redirect:
                    raise PublishedUnavailable(f"{url} redirects elsewhere, which is not followed")
                content = _unpacked(response, self._read(response, url, limit), limit, url)
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return OutsideAnswer(response.status_code, media_type, content)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise PublishedUnavailable(f"{url} does not answer: {why[:_REASON]}") from error

    def _client(self) -> httpx.Client:
        """Return the pool, opened when it is first needed: loading the usual authorities takes its time."""
        with self._lock:
            if self._opened is None:
                self._opened = httpx.Client(
                    headers={"Accept-Encoding": "gzip, identity", "User-Agent": "chainward"},
                    timeout=_TIMEOUT,
                    follow_redirects=False,
                    trust_env=False,
                    verify=_authorities(self._authority),
                )
            return self._opened

    def _read(self, response: httpx.Response, url: str, limit: int) -> bytes:
        deadline, chunks, size = time.monotonic() + self._seconds, list[bytes](), 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > limit:
                raise PublishedUnavailable(f"{url} was answered with more than {limit} bytes")
            if time.monotonic() > deadline:
                raise PublishedUnavailable(f"{url} was not answered to the end within {self._seconds:g} seconds")
            chunks.append(chunk)
        return b"".join(chunks)


class HttpTileLog:
    """A log below a URL prefix (C2SP tlog-tiles); implements TileLog.

    Raises:
        PublishedUnavailable: the prefix is not an http(s) URL.
    """

    def __init__(self, outside: Outside, prefix: str) -> None:
        self.prefix = _checked(prefix)
        self._outside = outside

    def checkpoint(self) -> bytes:
        """Return the newest checkpoint."""
        return self._get("checkpoint", MAX_NOTE)

    def tile(self, path: TilePath) -> bytes:
        """Return a tile; where only the complete one is left, its beginning."""
        found = self._try(f"tile/{path}", _TILE_LIMIT)
        if found is not None:
            return found
        if path.width == TILE_WIDTH:
            raise self._missing(f"tile/{path}")
        return self._get(f"tile/{TilePath(path.level, path.index)}", _TILE_LIMIT)[: path.width * HASH_SIZE]

    def entries(self, path: EntriesPath) -> bytes:
        """Return an entry bundle; where only the complete one is left, its beginning."""
        found = self._try(f"tile/entries/{path}", _BUNDLE_LIMIT)
        if found is not None:
            return found
        if path.width == TILE_WIDTH:
            raise self._missing(f"tile/entries/{path}")
        complete = self._get(f"tile/entries/{EntriesPath(path.index)}", _BUNDLE_LIMIT)
        return encode_entries(decode_entries(complete, TILE_WIDTH)[: path.width])

    def _get(self, path: str, limit: int) -> bytes:
        found = self._try(path, limit)
        if found is None:
            raise self._missing(path)
        return found

    def _try(self, path: str, limit: int) -> bytes | None:
        url = f"{self.prefix}/{path}"
        answer = self._outside.ask("GET", url, limit=limit)
        if answer.status in _GONE:
            return None
        if answer.status != httpx.codes.OK:
            raise PublishedUnavailable(f"{url} was answered with status {answer.status}")
        return answer.content

    def _missing(self, path: str) -> PublishedUnavailable:
        return PublishedUnavailable(f"{self.prefix}/{path} does not exist")


def _checked(prefix: str) -> str:
    """Return a URL prefix without slashes at its end."""
    try:
        parts = urlsplit(prefix.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and parts.username is None and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise PublishedUnavailable("the prefix of a log is an http or https URL without credentials, ? and #")
    return prefix.strip().rstrip("/")


def _authorities(certificate_authority: Path | None) -> ssl.SSLContext | bool:
    if certificate_authority is None:
        return True
    try:
        return ssl.create_default_context(cafile=certificate_authority)
    except (OSError, ValueError) as error:
        raise PublishedUnavailable(
            f"the CA bundle {certificate_authority} cannot be used: {error}", hint="Give a file with PEM certificates."
        ) from error


def _unpacked(response: httpx.Response, content: bytes, limit: int, url: str) -> bytes:
    """Return the body as it was before it was compressed; never more than ``limit`` bytes are unpacked."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity" or not content:
        return content
    if encoding != "gzip":
        raise PublishedUnavailable(f"{url} was answered in the encoding {encoding[:40]!r}, which was not asked for")
    unpacking = zlib.decompressobj(_GZIP)
    try:
        plain = unpacking.decompress(content, limit + 1)
    except zlib.error as error:
        raise PublishedUnavailable(f"{url} was answered with what is not gzip") from error
    if len(plain) > limit or not unpacking.eof or unpacking.unused_data:
        raise PublishedUnavailable(f"{url} was answered with more than {limit} bytes, or with half of something")
    return plain
