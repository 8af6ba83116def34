"""What a 401 of the registry tells a client: where the token service is, and which scope to ask it for.

Follows RFC 6750 section 3 and the distribution registry's token authentication specification. Credentials may as well
be sent at once, as Basic with an API token as password, or as Bearer; clients that know only Basic send them unasked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from chainward.access.errors import ScopeTooSmall
from chainward.access.session import CATALOG
from chainward.faces.http.errors import CredentialsMissing
from chainward.faces.http.oci.call import Place

if TYPE_CHECKING:
    from starlette.types import Scope

    from chainward.faces.http.oci.call import Door, OciDesk, Target
    from chainward.kernel.problem import Problem

__all__ = ["challenge_of"]

_HOST: Final = re.compile(r"(?:[a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,45}\])(?::[0-9]{1,5})?\Z")
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*\Z")
_READS: Final = frozenset({"GET", "HEAD"})
_SOURCE_OF_MOUNT: Final = re.compile(rb"(?:^|&)from=([A-Za-z0-9._/%-]{1,300})(?:&|$)")


def challenge_of(desk: OciDesk, scope: Scope, target: Target | None, problem: Problem) -> str:
    """Return the WWW-Authenticate header for a request that was refused with ``problem``."""
    if desk.door is None:
        return 'Basic realm="chainward"'
    parts = [f'realm="{_realm(desk.door, scope)}"', f'service="{desk.door.service}"']
    wanted = _scopes(scope, target)
    if wanted:
        parts.append(f'scope="{wanted}"')
    if isinstance(problem, ScopeTooSmall):
        parts.append('error="insufficient_scope"')
    elif not isinstance(problem, CredentialsMissing):
        parts.append('error="invalid_token"')
    return "Bearer " + ",".join(parts)


def _realm(door: Door, scope: Scope) -> str:
    """Return the address of the token service: as it is configured, or else beside what the client asked."""
    base = door.public_url
    if base is None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = hosts[0] if hosts and _HOST.match(hosts[0]) else door.authority
        base = f"{scope.get('scheme', 'http')}://{host}"
    return f"{base}{Place.SESSION.value}"


def _scopes(scope: Scope, target: Target | None) -> str:
    if target is None or target.place in {Place.BASE, Place.SESSION}:
        return ""
    if target.place is Place.CATALOG:
        return CATALOG
    if _NAME.match(target.name) is None:
        return ""
    return f"repository:{target.name}:{_actions(scope['method'], target.place)}" + _mounted(scope, target.place)


def _actions(method: str, place: Place) -> str:
    if place in {Place.UPLOAD, Place.UPLOADS}:
        return "pull,push"
    if method in _READS:
        return "pull"
    return "delete" if method == "DELETE" else "pull,push"


def _mounted(scope: Scope, place: Place) -> str:
    """Return the second scope that a mount needs: to read where the blob comes from."""
    match = _SOURCE_OF_MOUNT.search(scope.get("query_string", b"")) if place is Place.UPLOADS else None
    name = unquote(match[1].decode("ascii")) if match else ""
    return f" repository:{name}:pull" if _NAME.match(name) else ""
