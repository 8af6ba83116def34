"""One question to one service over HTTP, and its answer: bounded, patient for a while, and never led elsewhere.

In: method, URL, body. Out: an :class:`Answer` that was read to its end. An answer is bytes of some length: read up to a
limit and up to a time, never decompressed. Redirects are not followed, so what was sent (a token, perhaps) goes to no
other host. A service that says *not now* (429, 503) is asked again a few times, ever later, as long as it takes in all
no longer than the time allowed; everything asked here may be asked twice.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar, Final, Self
from urllib.parse import urlsplit

import httpx

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "Answer",
    "Exchange",
    "ServiceAddressInvalid",
    "ServiceAnswerUnexpected",
    "ServiceUnreachable",
    "is_on_this_machine",
]

_NOT_NOW: Final = frozenset({429, 503})
_ATTEMPTS: Final = 5
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 10.0
_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 10.0
_REASON: Final = 200


class ServiceUnreachable(Problem):
    """A service that signing needs does not answer, or not to the end, or says that it has no time."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "service-unreachable"
    hint = "Check the address of the service, then try again; nothing was handed out."


class ServiceAnswerUnexpected(Problem):
    """A service answered with something that is not an answer to the question: too long, too slow, of another form."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "service-answer-unexpected"
    hint = "Check that the signing config names services of the right kind; nothing was handed out."


class ServiceAddressInvalid(Problem):
    """The address of a service is not one, or what is sent there would travel unencrypted."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "service-address-invalid"
    hint = "Name an https address; plain http is for services on this machine only."


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end."""

    url: str
    status: int
    media_type: str
    content: bytes


class Exchange:
    """Asks services, over connections that it keeps. Use as a context manager.

    ``certificate_authority`` is a file with the authorities that TLS believes instead of the usual ones. With
    ``unencrypted``, plain http is spoken to other machines too: for a platform whose user was told what that means.
    """

    def __init__(
        self,
        *,
        certificate_authority: str | None = None,
        unencrypted: bool = False,
        seconds: float = _SECONDS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._authority = certificate_authority
        self._unencrypted = unencrypted
        self._seconds = seconds
        self._pause = pause
        self._clients: dict[str, httpx.Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for client in self._clients.values():
            client.close()

    def ask(
        self, method: str, url: str, *, limit: int, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and return the answer, whatever its status.

        Raises:
            ServiceAddressInvalid: the URL is none; or it is http and not of this machine.
            ServiceUnreachable: nobody answers, not to the end, or only to say that there is no time.
            ServiceAnswerUnexpected: a redirect, or an answer that is longer than ``limit`` or takes too long.
        """
        shown = _checked(url, unencrypted=self._unencrypted)
        deadline = time.monotonic() + self._seconds
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            answer, wanted = self._once(method, url, shown, limit=limit, body=body, headers=headers, deadline=deadline)
            if answer.status not in _NOT_NOW:
                return answer
            wait = min(max(pause, wanted), _LONGEST_PAUSE)
            if attempt == _ATTEMPTS or time.monotonic() + wait > deadline:
                break
            self._pause(wait)
            pause *= 2
        raise ServiceUnreachable(f"{shown} has no time now, also when asked again")

    def _client(self, url: str) -> httpx.Client:
        """Return the client for this kind of address; whom TLS believes is only read when TLS is spoken."""
        scheme = urlsplit(url).scheme
        if scheme not in self._clients:
            self._clients[scheme] = httpx.Client(
                headers={"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(self._seconds, connect=min(self._seconds, _CONNECT_SECONDS)),
                follow_redirects=False,
                trust_env=False,
                verify=_trust(self._authority) if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        return self._clients[scheme]

    def _once(
        self,
        method: str,
        url: str,
        shown: str,
        *,
        limit: int,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        deadline: float,
    ) -> tuple[Answer, float]:
        """Return an answer, and how many seconds the service wants to be left alone."""
        try:
            with self._client(url).stream(method, url, content=body, headers=dict(headers or {})) as response:
                if response.is_redirect:
                    raise ServiceAnswerUnexpected(f"{shown} sends the request elsewhere; nothing is sent there")
                content = b"".join(_chunks(response, shown, limit, deadline))
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                wanted = response.headers.get("Retry-After", "")
                return Answer(shown, response.status_code, media_type, content), _seconds_of(wanted)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            why = (str(error) or type(error).__name__)[:_REASON]
            raise ServiceUnreachable(f"{shown} does not answer: {why}") from error


def is_on_this_machine(host: str) -> bool:
    """Whether a host is this machine itself, so that nothing sent there leaves it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _chunks(response: httpx.Response, shown: str, limit: int, deadline: float) -> Iterator[bytes]:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ServiceAnswerUnexpected(f"{shown} answered compressed, which was not asked for")
    size = 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > limit:
            raise ServiceAnswerUnexpected(f"{shown} answered with more than {limit} bytes")
        if time.monotonic() > deadline:
            raise ServiceAnswerUnexpected(f"{shown} did not answer to the end in time")
        yield chunk


def _checked(url: str, *, unencrypted: bool) -> str:
    """Return the URL as it may be shown: without query, which may hold secrets."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ServiceAddressInvalid("the address of a service is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not url.isascii():
        raise ServiceAddressInvalid("the address of a service is not an http or https URL with a host")
    if parts.username is not None or parts.fragment or not url.isprintable():
        raise ServiceAddressInvalid(f"the address of the service at {parts.hostname} has parts that it may not have")
    if parts.scheme == "http" and not unencrypted and not is_on_this_machine(parts.hostname):
        raise ServiceAddressInvalid(
            f"{parts.hostname} is named by http, so everybody on the way could read what is sent"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _seconds_of(text: str) -> float:
    return float(text) if text.isascii() and text.isdecimal() and len(text) < len("10000") else 0.0


def _trust(certificate_authority: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=certificate_authority)
    except (OSError, ValueError) as error:
        raise ServiceAddressInvalid(
            f"the CA bundle {certificate_authority} cannot be used: {error}", hint="Give a file with PEM certificates."
        ) from error
