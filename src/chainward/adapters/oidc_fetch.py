"""Asking an issuer for its keys: OpenID Connect Discovery 1.0 §4 over HTTPS, distrustfully.

Only URLs of configured issuers get here. The document at the well-known place must name the issuer itself, and its keys
must lie on the issuer's own host or on one that is configured. No redirect is followed, nothing is decompressed, and
an answer has a limit in bytes and one in time, however slowly it trickles.
"""

from __future__ import annotations

import ssl
import threading
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from chainward.adapters.oidc_keys import MAX_KEY_SET, parse_keys
from chainward.formats.codec import decode_object
from chainward.kernel.problem import Problem
from chainward.trust.errors import IssuerInvalid, IssuerUnreachable
from chainward.trust.issuers import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainward.adapters.oidc_keys import KeySet
    from chainward.trust.issuers import Issuer

__all__ = ["IssuerDocuments"]

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_MAX_DISCOVERY: Final = 64 * 1024
_SECONDS: Final = 5.0
_TIMEOUT: Final = httpx.Timeout(3.0)
_PORTS: Final = {"https": 443, "http": 80}
_OK: Final = 200
_REASON: Final = 200


class IssuerDocuments:
    """The documents of issuers, read over the network at each call. Thread-safe; :meth:`close` it at the end."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._clients: dict[str, httpx.Client] = {}
        self._lock = threading.Lock()

    def keys(self, issuer: Issuer, url: str) -> KeySet:
        """Return the keys of the issuer at ``url``.

        Raises:
            IssuerUnreachable: it does not answer, answers too much or too slowly, or says what is not believed.
        """
        discovered = self._get(issuer, url.rstrip("/") + _WELL_KNOWN, _MAX_DISCOVERY)
        try:
            document = decode_object(discovered, limit=_MAX_DISCOVERY, what="discovery document")
            key_url = _key_url(document, issuer, url)
            return parse_keys(self._get(issuer, key_url, MAX_KEY_SET))
        except IssuerUnreachable:
            raise
        except Problem as problem:
            raise IssuerUnreachable(f"issuer {url}: {problem.message}") from problem

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _get(self, issuer: Issuer, url: str, limit: int) -> bytes:
        deadline = time.monotonic() + self._seconds
        try:
            with self._client(issuer.ca_certificate).stream("GET", url) as response:
                if response.status_code != _OK:
                    raise IssuerUnreachable(
                        f"{url} answers {response.status_code}",
                        hint="Redirects are not followed: configure the URL that the issuer really has."
                        if response.has_redirect_location
                        else None,
                    )
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise IssuerUnreachable(f"{url} answers compressed, which was not asked for")
                return _read(response, url, limit, deadline)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            why = str(error) or type(error).__name__
            raise IssuerUnreachable(f"{url} does not answer: {why[:_REASON]}") from error

    def _client(self, pem: str) -> httpx.Client:
        with self._lock:
            if pem not in self._clients:
                self._clients[pem] = httpx.Client(
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    timeout=_TIMEOUT,
                    follow_redirects=False,
                    trust_env=False,
                    verify=_trust(pem),
                )
            return self._clients[pem]


def _read(response: httpx.Response, url: str, limit: int, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > limit:
            raise IssuerUnreachable(f"{url} answers with more than {limit} bytes")
        if time.monotonic() > deadline:
            raise IssuerUnreachable(f"{url} does not finish its answer in time")
        chunks.append(chunk)
    return b"".join(chunks)


def _key_url(document: Mapping[str, object], issuer: Issuer, url: str) -> str:
    named, keys = document.get("issuer"), document.get("jwks_uri")
    if named != url:
        raise IssuerUnreachable(f"what answers at {url} says that it is {str(named)[:_REASON]!r}")
    if not isinstance(keys, str):
        raise IssuerUnreachable(f"issuer {url} does not say where its keys are")
    try:
        place, own = _place(keys), _place(url)
    except ValueError:
        raise IssuerUnreachable(f"issuer {url} has its keys at {keys[:_REASON]!r}, which is no URL") from None
    is_safe = place[0] == "https" or (place == own and is_loopback(own[1]))
    if not is_safe or (place != own and _authority(place) not in issuer.key_hosts):
        raise IssuerUnreachable(
            f"issuer {url} has its keys at {keys[:_REASON]!r}, and that host is not its own",
            hint="If that is right, name the host in key_hosts of the issuer; keys come over https only.",
        )
    return keys


def _place(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port; raises ValueError for anything that is not an http(s) URL of a host."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _authority(place: tuple[str, str, int]) -> str:
    scheme, host, port = place
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _trust(pem: str) -> ssl.SSLContext:
    if not pem:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise IssuerInvalid(f"ca_certificate cannot be used: {error}") from error
