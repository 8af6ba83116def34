"""Identity tokens: who says that this process is who, read without being believed.

In: the text of an OpenID Connect ID token (RFC 7519, RFC 7515 compact form), or sources that the environment of a job
or a workload may offer. Out: an :class:`IdentityToken`, whose text shows itself only through :meth:`reveal`. Nothing is
verified here: the certificate authority does that. What is read serves three ends: not to send a token that cannot be
accepted, to sign the right challenge, and to see afterwards whether the certificate is about the same subject.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from chainward.formats.codec import decode_object
from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Problem
from chainward.trust.errors import IdentityTokenMissing, IdentityTokenUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_AUDIENCE", "MAX_TOKEN", "AmbientSource", "IdentityToken", "ambient_token"]

DEFAULT_AUDIENCE: Final = "sigstore"
MAX_TOKEN: Final = 16 * 1024
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\Z")
_MAX_CLAIM: Final = 2048
_YEAR_9999: Final = 253402300799


class IdentityToken:
    """An ID token on its way from its source to a certificate authority.

    Not a dataclass, because encoders, logs and tracebacks write those out member by member.
    """

    __slots__ = ("_claims", "_text")

    def __init__(self, text: str, claims: dict[str, Any]) -> None:
        self._text = text
        self._claims = claims

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the claims of a token; its signature is not looked at.

        Raises:
            IdentityTokenUnusable: not a signed JWT with an issuer, a subject and an expiry, or its email is unverified.
        """
        token = cls(text.strip(), _claims_of(text.strip()))
        for claim in ("iss", "sub"):
            token._text_of(claim)
        token._expiry()
        if token.email and token._claims.get("email_verified") not in {True, "true"}:
            raise IdentityTokenUnusable("the identity token names an email address that its issuer has not verified")
        return token

    def reveal(self) -> str:
        """Return the text, which whoever holds it may sign with."""
        return self._text

    @property
    def issuer(self) -> str:
        """Who issued it."""
        return self._text_of("iss")

    @property
    def subject(self) -> str:
        """Whom it is about, as its issuer counts them."""
        return self._text_of("sub")

    @property
    def email(self) -> str | None:
        """The address that it names, if any."""
        return self._text_of("email") if self._claims.get("email") else None

    @property
    def connector(self) -> str | None:
        """The issuer behind its issuer, where that only passes identities on (as Dex does)."""
        federated = self._claims.get("federated_claims")
        found = federated.get("connector_id") if isinstance(federated, dict) else None
        return found if isinstance(found, str) and found else None

    @property
    def challenge(self) -> str:
        """What a client signs to show that it holds its key (Fulcio v2): the email address if there is one."""
        return self.email or self.subject

    def check_time(self, now: datetime) -> None:
        """Raise IdentityTokenUnusable when the token has expired."""
        expiry = self._expiry()
        if expiry <= now:
            raise IdentityTokenUnusable(f"the identity token expired at {rfc3339(expiry)}")

    def _expiry(self) -> datetime:
        seconds = self._claims.get("exp")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _YEAR_9999:
            raise IdentityTokenUnusable("the identity token does not say when it expires")
        return datetime.fromtimestamp(seconds, UTC)

    def _text_of(self, claim: str) -> str:
        value = self._claims.get(claim)
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_CLAIM:
            raise IdentityTokenUnusable(f"the identity token has no usable claim {claim!r}")
        return value

    def __repr__(self) -> str:
        return "IdentityToken(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("an identity token is not pickled")


class AmbientSource(Protocol):
    """A place in the environment of a process where an identity token may be had."""

    @property
    def name(self) -> str:
        """How people call it."""
        ...

    @property
    def is_present(self) -> bool:
        """Whether this process runs where the source gives tokens; cheap, nothing is asked of anybody."""
        ...

    def obtain(self, audience: str) -> str:
        """Return the text of a fresh token for ``audience``.

        Raises:
            IdentityTokenUnobtainable: the source is there and gives none; the message holds no secret.
        """
        ...


def ambient_token(sources: Sequence[AmbientSource], *, audience: str, now: datetime) -> IdentityToken:
    """Return a token of the first source that is present.

    One that is present and fails is an error: falling back to the next would sign as somebody else.

    Raises:
        IdentityTokenMissing: none is present.
        IdentityTokenUnobtainable, IdentityTokenUnusable: the first one that is present gives none, or no good one.
    """
    for source in sources:
        if source.is_present:
            token = IdentityToken.parse(source.obtain(audience))
            token.check_time(now)
            return token
    known = ", ".join(source.name for source in sources)
    raise IdentityTokenMissing(f"there is no identity to sign with: neither a key nor a token (looked for {known})")


def _claims_of(text: str) -> dict[str, Any]:
    """Return the claims inside a compact JWT; what it holds is never part of an error."""
    match = _COMPACT.match(text) if len(text) <= MAX_TOKEN else None
    if match is None:
        raise IdentityTokenUnusable("this is not an identity token: a signed JWT of three parts, at most 16 KiB")
    try:
        payload = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))
        return decode_object(payload, limit=MAX_TOKEN, what="identity token")
    except (binascii.Error, Problem):
        raise IdentityTokenUnusable("the claims of the identity token cannot be read") from None
