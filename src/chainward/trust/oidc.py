"""Identity tokens: what can be read of one before anything is believed, and what must hold once its signature does.

In: a JWT in its compact form (RFC 7515 §3.1). :func:`read_token` gives the unverified issuer, algorithm and key id,
which only select: the issuer must be configured before any key is looked for, the algorithm must be on the list below.
:func:`check_claims` holds the claims against issuer, audience and clock (RFC 7519 §4.1, OpenID Connect Core §3.1.3.7).
The signature between the two is checked by an adapter (:class:`~chainward.trust.ports.TokenVerifier`).

There is no ``none`` and no HMAC: with those, whoever knows the *public* key could sign.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from chainward.formats.codec import decode_json
from chainward.formats.errors import Malformed, TooLarge
from chainward.trust.errors import TokenInvalid, TokenMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["ALGORITHMS", "LEEWAY", "MAX_TOKEN", "UnverifiedToken", "check_claims", "read_token"]

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
MAX_TOKEN: Final = 16 * 1024
LEEWAY: Final = timedelta(seconds=30)
_DEPTH: Final = 16
_MAX_KEY_ID: Final = 256
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z")
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """What a token says about itself; nothing here is true until the signature is checked."""

    issuer: str
    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def read_token(text: str) -> UnverifiedToken:
    """Take a token apart.

    Raises:
        TokenMalformed: it is too long, nested too deeply, not a signed JWT, or of an algorithm that is not on the list.
    """
    if len(text) > MAX_TOKEN:
        raise TokenMalformed(f"a token of {len(text)} characters is longer than {MAX_TOKEN}")
    parts = _COMPACT.match(text)
    if parts is None:
        raise TokenMalformed("the identity token is not three base64url parts with dots between them")
    header, claims = _object(parts[1], "header"), _object(parts[2], "claims")
    algorithm, key_id, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenMalformed(
            f"tokens signed with {str(algorithm)[:40]!r} are not accepted", hint=f"Use one of {sorted(ALGORITHMS)}."
        )
    if "crit" in header or "b64" in header:
        raise TokenMalformed("the token demands an extension of JWS that is not known here")
    if key_id is not None and (not isinstance(key_id, str) or not 1 <= len(key_id) <= _MAX_KEY_ID):
        raise TokenMalformed(f"the key id of the token is not a text of 1 to {_MAX_KEY_ID} characters")
    if not isinstance(issuer, str) or not issuer:
        raise TokenMalformed("the token does not say who issued it")
    signed, _, signature = text.rpartition(".")
    return UnverifiedToken(issuer, algorithm, key_id, claims, signed.encode(), _bytes(signature, "signature"))


def check_claims(claims: Mapping[str, Any], *, issuer: str, audience: str, now: datetime) -> None:
    """Return if a token with these claims is from ``issuer``, for ``audience``, and valid ``now``.

    Raises:
        TokenInvalid: in every other case; a token without an expiry is never valid.
    """
    if claims.get("iss") != issuer:
        raise TokenInvalid("the token is of another issuer than the one whose keys signed it")
    named = claims.get("aud")
    audiences = [named] if isinstance(named, str) else named
    if not isinstance(audiences, list) or audience not in audiences:
        raise TokenInvalid(f"the token is not for {audience}", hint=f"Ask the issuer for the audience {audience}.")
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    if _seconds(claims, "exp", required=True) + leeway <= moment:
        raise TokenInvalid("the token has expired")
    if max(_seconds(claims, "nbf"), _seconds(claims, "iat")) - leeway > moment:
        raise TokenInvalid("the token is not valid yet")


def _seconds(claims: Mapping[str, Any], name: str, *, required: bool = False) -> float:
    value = claims.get(name)
    if value is None and not required:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        raise TokenInvalid(f"the token's claim {name} is not a time")
    return float(value)


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        return decode_json(_bytes(part, what), dict[str, Any], limit=MAX_TOKEN, what=f"token {what}", depth=_DEPTH)
    except (Malformed, TooLarge) as problem:
        raise TokenMalformed(problem.message) from None


def _bytes(part: str, what: str) -> bytes:
    standard = part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4)
    try:
        return binascii.a2b_base64(standard, strict_mode=True)
    except ValueError:
        raise TokenMalformed(f"the {what} of the token cannot be read as base64url") from None
