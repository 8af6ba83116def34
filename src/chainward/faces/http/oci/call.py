"""One request to the registry: where it goes, who sends it, and what that sender may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from chainward.access.authorize import authorize
from chainward.access.errors import ScopeTooSmall
from chainward.faces.http.errors import CredentialsMissing, ParameterInvalid
from chainward.faces.http.trace import trace_of
from chainward.kernel.digest import Digest
from chainward.kernel.identity import Context
from chainward.kernel.name import RepositoryName, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import Scope

    from chainward.access.authenticate import Authenticator
    from chainward.access.model import Permission, Principal
    from chainward.access.sessions import RegistrySessions
    from chainward.kernel.instant import Clock
    from chainward.registry.registry import Registry

__all__ = ["Door", "OciCall", "OciDesk", "Place", "Target", "target_of"]

_QUERY_LIMIT: Final = 8192
_MAX_PARAMETERS: Final = 32
_MAX_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Door:
    """How sessions are had here. ``public_url`` is None where clients are sent to the host that they asked."""

    sessions: RegistrySessions
    authenticator: Authenticator
    clock: Clock
    service: str
    authority: str
    public_url: str | None


@dataclass(frozen=True, slots=True)
class OciDesk:
    """What the registry face needs: the verbs, and who sent a request with these headers (may block, may raise).

    Without a ``door`` there are no sessions, only tokens.
    """

    registry: Registry
    authenticate: Callable[[Iterable[tuple[bytes, bytes]]], Principal]
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    door: Door | None = None


class Place(StrEnum):
    """The kinds of paths below ``/v2/``; the value is the template that logs and metrics show."""

    BASE = "/v2/"
    SESSION = "/v2/token"
    CATALOG = "/v2/_catalog"
    TAGS = "/v2/{name}/tags/list"
    REFERRERS = "/v2/{name}/referrers/{digest}"
    MANIFEST = "/v2/{name}/manifests/{reference}"
    UPLOADS = "/v2/{name}/blobs/uploads/"
    UPLOAD = "/v2/{name}/blobs/uploads/{upload}"
    BLOB = "/v2/{name}/blobs/{digest}"


_PATHS: Final = tuple(
    (place, re.compile(pattern + r"\Z"))
    for place, pattern in (
        (Place.BASE, r"/v2/?"),
        (Place.SESSION, r"/v2/token"),
        (Place.CATALOG, r"/v2/_catalog"),
        (Place.TAGS, r"/v2/(.+)/tags/list"),
        (Place.REFERRERS, r"/v2/(.+)/referrers/([^/]+)"),
        (Place.MANIFEST, r"/v2/(.+)/manifests/([^/]+)"),
        (Place.UPLOADS, r"/v2/(.+)/blobs/uploads/?"),
        (Place.UPLOAD, r"/v2/(.+)/blobs/uploads/([^/]+)"),
        (Place.BLOB, r"/v2/(.+)/blobs/([^/]+)"),
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """A path, taken apart but not yet checked."""

    place: Place
    name: str = ""
    last: str = ""


def target_of(path: str) -> Target | None:
    """Return what a path names, or None.

    >>> target_of("/v2/shop/web/manifests/1.0")
    Target(place=<Place.MANIFEST: '/v2/{name}/manifests/{reference}'>, name='shop/web', last='1.0')
    """
    for place, pattern in _PATHS:
        match = pattern.match(path)
        if match is not None:
            return Target(place, *match.groups())
    return None


class OciCall:
    """A request on its way to a verb. :meth:`enter` comes first: before it there is no principal to act for."""

    def __init__(self, desk: OciDesk, scope: Scope, target: Target) -> None:
        self.desk = desk
        self.registry = desk.registry
        self.scope = scope
        self.target = target
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._principal: Principal | None = None

    @property
    def method(self) -> str:
        """The method of the request."""
        return str(self.scope["method"])

    @property
    def principal(self) -> Principal:
        """Who sent the request."""
        if self._principal is None:
            raise CredentialsMissing("this request was not authenticated")
        return self._principal

    @property
    def context(self) -> Context:
        """On whose behalf verbs are called."""
        return Context(self.principal.actor, trace_of(self.scope).request_id)

    @cached_property
    def repository(self) -> RepositoryName:
        """The repository that the path names; raises InvalidName."""
        return RepositoryName(self.target.name)

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the query; of one given twice the last counts. Raises ParameterInvalid."""
        return dict(self._parameters)

    def given(self, name: str) -> list[str]:
        """Return every value of a parameter that may be given several times; raises ParameterInvalid."""
        return [value for key, value in self._parameters if key == name]

    @cached_property
    def _parameters(self) -> list[tuple[str, str]]:
        raw: bytes = self.scope.get("query_string", b"")
        if len(raw) > _QUERY_LIMIT:
            raise ParameterInvalid(f"the query is longer than {_QUERY_LIMIT} bytes")
        try:
            text = raw.decode("ascii")
            return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            raise ParameterInvalid("the query cannot be read") from None

    def enter(self, permission: Permission | None) -> None:
        """Find out who sent the request, and go on only if they may; None asks for no more than being somebody.

        Raises:
            Problem: the credentials are missing or not good.
            Forbidden: the caller has no such right in the repository.
            InvalidName: the path names no repository.
        """
        principal = self.desk.authenticate(self.scope["headers"])
        self.note(principal)
        if permission is None:
            return
        if principal.is_bounded and not principal.may(permission, self.repository):
            raise ScopeTooSmall(f"{permission.value} in {self.repository} needs a token that allows it")
        authorize(principal, permission, self.repository)

    def note(self, principal: Principal) -> None:
        """Act for ``principal`` from now on."""
        self._principal = principal
        trace_of(self.scope).actor = str(principal.actor)

    def may(self, permission: Permission, repository: RepositoryName) -> bool:
        """Whether the caller may do something in a repository."""
        return self.principal.may(permission, repository)

    def digest(self) -> Digest:
        """The digest at the end of the path; raises InvalidDigest."""
        return Digest.parse(self.target.last)

    def reference(self) -> Tag | Digest:
        """The tag or digest at the end of the path; raises InvalidName or InvalidDigest."""
        return Digest.parse(self.target.last) if ":" in self.target.last else Tag(self.target.last)

    def count(self, name: str) -> int | None:
        """Return a parameter that is a count, or None if it is absent; raises ParameterInvalid."""
        text = self.query.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
            raise ParameterInvalid(f"{name} must be a number, not {text[:40]!r}", details={"parameter": name})
        return int(text)

    def next_page(self, path: str, last: str, kept: str = "n") -> dict[str, str]:
        """Return the header that leads to the page after ``last``, with the parameter ``kept`` as it was given."""
        parameters = {kept: self.query[kept]} if kept in self.query else {}
        return {"Link": f'<{path}?{urlencode({**parameters, "last": last})}>; rel="next"'}
