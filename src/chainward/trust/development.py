"""An issuer for trying out, inside the platform: it vouches for whatever identity its caller names.

INSECURE by intent, off unless configured, and loud about it: tokens, discovery and every answer carry a warning. Its
key (RS256, which every client understands) lives in this process only, so a restart ends all its tokens and replicas
do not know each other's. Follows OpenID Connect Core §2 for the token, RFC 7517 and 7518 §6.3.1 for the key.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chainward.formats.codec import deterministic_json
from chainward.keys.errors import KeyUnsupported
from chainward.keys.local import generate
from chainward.keys.scheme import Scheme
from chainward.trust.issuers import DEFAULT_AUDIENCE, Issuer, IssuerType
from chainward.trust.principal import VerifiedToken, principal_of

if TYPE_CHECKING:
    from chainward.kernel.instant import Clock

__all__ = ["WARNING", "DevelopmentIssuer"]

WARNING: Final = (
    "INSECURE development issuer: it vouches for any identity that its caller names; never trust it elsewhere"
)
_LIFETIME: Final = timedelta(minutes=10)
_ALGORITHM: Final = "RS256"


class DevelopmentIssuer:
    """Vouches for anybody. Thread-safe. Its discovery document is served below ``url``, which ends without a slash."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.issuer = Issuer(url=url, type=IssuerType.DEVELOPMENT)
        self._clock = clock
        self._key = generate(Scheme.RSA_2048)
        self._key_id = self._key.public_key.fingerprint

    @property
    def url(self) -> str:
        """The issuer, as it stands in its tokens."""
        return self.issuer.url

    def discovery(self) -> dict[str, Any]:
        """Return the members of the discovery document (OpenID Connect Discovery 1.0 §3)."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
            "warning": WARNING,
        }

    def key_set(self) -> bytes:
        """Return the JSON Web Key Set."""
        public = load_der_public_key(self._key.public_key.der)
        if not isinstance(public, RSAPublicKey):
            raise KeyUnsupported("the development issuer signs with RSA")
        numbers = public.public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": _ALGORITHM,
            "kid": self._key_id,
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }
        return deterministic_json({"keys": [key]})

    def token(self, *, subject: str | None = None, email: str | None = None, audience: str = DEFAULT_AUDIENCE) -> str:
        """Return a token for ten minutes that names ``email``, or else ``subject`` (a URI).

        Raises:
            IdentityRefused: neither is there, or it is not of a form that certificates can carry.
        """
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(_LIFETIME.total_seconds()),
            "warning": WARNING,
        }
        claims |= {"sub": subject} if email is None else {"sub": email, "email": email, "email_verified": True}
        principal_of(VerifiedToken(self.issuer, self.url, claims))
        header = {"alg": _ALGORITHM, "kid": self._key_id, "typ": "JWT"}
        signed = f"{_part(deterministic_json(header))}.{_part(deterministic_json(claims))}"
        return f"{signed}.{_part(self._key.sign(signed.encode()))}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int) -> str:
    return _part(value.to_bytes((value.bit_length() + 7) // 8, "big"))
