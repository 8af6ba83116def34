"""Logins on the web pages: a cookie with a random session id, the token behind it in the memory of this process.

The pages only read, so a session is worth exactly one token's reading rights and a forged request can change nothing;
the cookie is HttpOnly and SameSite=Strict all the same, and the login form is refused when another site sent it. The
token is checked anew on every page, so a revoked or expired token ends its sessions too. Sessions do not survive a
restart and are not shared between replicas.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chainward.faces.http.auth import authenticate
from chainward.faces.http.errors import CredentialsMissing, CrossSite, TooManyLogins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.access.authenticate import Authenticator
    from chainward.access.model import Principal
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock

__all__ = ["COOKIE", "Sessions", "check_same_site", "cookie_in"]

COOKIE: Final = "chainward-session"
_CAPACITY: Final = 10_000
_ID_BYTES: Final = 32
_COOKIE_LIMIT: Final = 8192


@dataclass(frozen=True, slots=True, repr=False)
class _Session:
    token: str
    expires_at: datetime


class Sessions:
    """The logins of this process. Thread-safe."""

    def __init__(self, clock: Clock, entropy: Entropy, lifetime: timedelta, *, secure: bool) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lifetime = lifetime
        self._secure = secure
        self._lock = threading.Lock()
        self._sessions: dict[bytes, _Session] = {}

    def open(self, token: str, authenticator: Authenticator) -> str:
        """Return the Set-Cookie header of a new session; raises what the token's check raises."""
        principal = authenticator.authenticate(token)
        now = self._clock.now()
        ends = min(now + self._lifetime, principal.expires_at or now + self._lifetime)
        session = base64.urlsafe_b64encode(self._entropy.bytes(_ID_BYTES)).rstrip(b"=").decode()
        with self._lock:
            self._sessions = {key: kept for key, kept in self._sessions.items() if kept.expires_at > now}
            if len(self._sessions) >= _CAPACITY:
                raise TooManyLogins(f"{_CAPACITY} people are logged in")
            self._sessions[_key(session)] = _Session(token, ends)
        return self._cookie(session, int((ends - now) / timedelta(seconds=1)))

    def principal(self, headers: Sequence[tuple[bytes, bytes]], authenticator: Authenticator) -> Principal:
        """Return who sent a request for a page: by session, or by token as everywhere else."""
        session = cookie_in(headers)
        found = self._sessions.get(_key(session)) if session else None
        if found is None:
            return authenticate(authenticator, headers)
        if found.expires_at <= self._clock.now():
            self.close(headers)
            raise CredentialsMissing("the login has expired")
        return authenticator.authenticate(found.token)

    def close(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """End the session of a request, if it has one, and return the Set-Cookie header that forgets it."""
        session = cookie_in(headers)
        if session:
            with self._lock:
                self._sessions.pop(_key(session), None)
        return self._cookie("", 0)

    def _cookie(self, value: str, seconds: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def cookie_in(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the session id in the cookies of a request."""
    for name, value in headers:
        if name != b"cookie" or len(value) > _COOKIE_LIMIT:
            continue
        for part in value.decode("latin-1").split(";"):
            key, _, session = part.strip().partition("=")
            if key == COOKIE and session:
                return session
    return None


def check_same_site(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise CrossSite when a browser says that a form was sent from a page of another site.

    Browsers send Sec-Fetch-Site, older ones Origin; a client that sends neither is no browser, and has no cookies of
    somebody else.
    """
    given = dict(headers)
    site = given.get(b"sec-fetch-site")
    if site is not None:
        if site not in {b"same-origin", b"none"}:
            raise CrossSite("the form was sent from a page of another site")
        return
    origin = given.get(b"origin")
    if origin is not None and urlsplit(origin.decode("latin-1")).netloc != given.get(b"host", b"").decode("latin-1"):
        raise CrossSite("the form was sent from a page of another site")


def _key(session: str) -> bytes:
    return hashlib.sha256(session.encode(errors="surrogatepass")).digest()
