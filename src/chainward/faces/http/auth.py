"""Who sent a request: the token in its Authorization header (RFC 6750 Bearer, RFC 7617 Basic).

With Basic the password is the token and the user name is ignored, because registry clients insist on having one. A
token in a query or a form is never accepted, since those end in logs; the login form of the web pages is the exception
and lives there.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from chainward.faces.http.errors import CredentialsMalformed, CredentialsMissing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.access.authenticate import Authenticator
    from chainward.access.model import Principal

__all__ = ["authenticate", "token_in"]

_LIMIT: Final = 4096


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the token that the headers of a request carry, or None if they carry no credentials.

    Raises:
        CredentialsMalformed: there are two Authorization headers, or one that is neither Bearer nor Basic.
    """
    found = [value for name, value in headers if name == b"authorization"]
    if not found:
        return None
    if len(found) > 1 or len(found[0]) > _LIMIT:
        raise CredentialsMalformed("there is more than one Authorization header, or it is too long")
    scheme, _, rest = found[0].strip().partition(b" ")
    match scheme.lower():
        case b"bearer":
            return _text(rest.strip())
        case b"basic":
            return _password(rest.strip())
        case _:
            raise CredentialsMalformed("the Authorization header is neither Bearer nor Basic")


def authenticate(authenticator: Authenticator, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
    """Return who sent a request with these headers. May block on the database.

    Raises:
        CredentialsMissing: nobody, as far as the headers say.
        CredentialsMalformed: the header cannot be read.
        Problem: the token is not good; see Authenticator.
    """
    token = token_in(headers)
    if token is None:
        raise CredentialsMissing("this needs a token")
    return authenticator.authenticate(token)


def _password(encoded: bytes) -> str:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise CredentialsMalformed("the Basic credentials are not base64") from None
    _, colon, password = decoded.partition(b":")
    if not colon:
        raise CredentialsMalformed("the Basic credentials have no password")
    return _text(password)


def _text(token: bytes) -> str:
    if not token or not token.isascii():
        raise CredentialsMalformed("the credentials hold no token")
    return token.decode("ascii")
