"""How a registry client proves who it is: Basic, or a Bearer token from the service that a 401 names.

Follows RFC 7617, RFC 6750 and the token authentication of the distribution registry. In: credentials, or none. Out: an
httpx.Auth that answers challenges and keeps what it was given for a repository, and asks for more when that is
not enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.request import parse_http_list, parse_keqv_list

import httpx

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

__all__ = ["Challenged", "Credentials"]

_REPOSITORY: Final = re.compile(r"/v2/(.+)/(?:blobs|manifests|tags|referrers)/")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password."""

    user: str
    password: str = field(repr=False)


@dataclass(slots=True)
class Challenged(httpx.Auth):
    """Sends a request as it is; if it is refused, asks for what the challenge names and sends it again.

    A request may carry further scopes in its extension ``scopes``, such as that of the source of a mount.
    """

    requires_request_body: bool = field(default=True, init=False)  # so that a refused request can be sent again
    requires_response_body: bool = field(default=True, init=False)

    credentials: Credentials | None
    _known: dict[tuple[str, ...], str] = field(default_factory=dict)
    _wanted: dict[tuple[str, ...], dict[str, None]] = field(default_factory=dict)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Give the requests that one request becomes."""
        scopes: tuple[str, ...] = request.extensions.get("scopes", ())
        key = _kind_of(request, scopes)
        if key in self._known:
            request.headers["Authorization"] = self._known[key]
        response = yield request
        scheme, _, rest = response.headers.get("WWW-Authenticate", "").partition(" ")
        if response.status_code != httpx.codes.UNAUTHORIZED or not scheme:
            return
        if scheme.lower() == "bearer":
            challenge = parse_keqv_list(parse_http_list(rest))
            wanted = self._wanted.setdefault(key, {})
            wanted.update(dict.fromkeys([*challenge.get("scope", "").split(), *scopes]))
            answer = yield self._question(challenge, wanted)
            if answer.is_error:
                return
            granted = answer.json()
            self._known[key] = f"Bearer {granted.get('token') or granted['access_token']}"
        elif self.credentials is not None:
            self._known[key] = _basic(self.credentials)
        if key in self._known:
            request.headers["Authorization"] = self._known[key]
            yield request

    def _question(self, challenge: Mapping[str, str], wanted: Iterable[str]) -> httpx.Request:
        params = httpx.QueryParams([("scope", scope) for scope in wanted])
        if "service" in challenge:
            params = params.add("service", challenge["service"])
        headers = {} if self.credentials is None else {"Authorization": _basic(self.credentials)}
        return httpx.Request("GET", challenge["realm"], params=params, headers=headers)


def _basic(credentials: Credentials) -> str:
    request = httpx.Request("GET", "http://registry.test/")
    flow = httpx.BasicAuth(credentials.user, credentials.password).auth_flow(request)
    return next(flow).headers["Authorization"]


def _kind_of(request: httpx.Request, scopes: tuple[str, ...]) -> tuple[str, ...]:
    found = _REPOSITORY.match(request.url.path)
    return (found[1] if found else "", request.url.params.get("from", ""), *scopes)
