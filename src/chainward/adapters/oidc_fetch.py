"""Asking an issuer for its keys: OpenID Connect Discovery 1.0 §4 over HTTPS, distrustfully.

Only URLs of configured issuers get here. The document at the well-known place must name the issuer itself, and its keys
must lie on the issuer's own host or on one that is configured. No redirect is followed, nothing is decompressed, and
an answer has a limit in bytes and one in time, however slowly it trickles.
"""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from chainward.adapters.oidc_keys import MAX_KEY_SET, parse_keys
from chainward.formats.codec import decode_object
from chainward.formats.errors import Malformed, TooLarge
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
    """The documents of issuers, read over the network at each call; nothing is kept open between two. Thread-safe."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds

    def keys(self, issuer: Issuer, url: str) -> KeySet:
        """Return the keys of the issuer at ``url``.

        Raises:
            IssuerUnreachable: it does not answer, answers too much or too slowly, or says what is not believed.
            IssuerInvalid: its configured certificates cannot be used.
        """
        deadline = time.monotonic() + self._seconds
        try:
            with _client(issuer.ca_certificate) as client:
                discovered = _get(client, url.rstrip("/") + _WELL_KNOWN, _MAX_DISCOVERY, deadline)
                document = decode_object(discovered, limit=_MAX_DISCOVERY, what="discovery document")
                return parse_keys(_get(client, _key_url(document, issuer, url), MAX_KEY_SET, deadline))
        except (Malformed, TooLarge) as problem:
            raise IssuerUnreachable(f"issuer {url}: {problem.message}") from problem


def _client(pem: str) -> httpx.Client:
    return httpx.Client(
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        timeout=_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        verify=_trust(pem),
    )


def _get(client: httpx.Client, url: str, limit: int, deadline: float) -> bytes:
    try:
        with client.stream("GET", url) as response:
            if response.status_code != _OK:
                hint = "Redirects are not followed: configure the URL that the issuer really has."
                raise IssuerUnreachable(
                    f"{url} answers {response.status_code}", hint=hint if response.has_redirect_location else None
                )
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise IssuerUnreachable(f"{url} answers compressed, which was not asked for")
            return _read(response, url, limit, deadline)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        why = str(error) or type(error).__name__
        raise IssuerUnreachable(f"{url} does not answer: {why[:_REASON]}") from error


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
