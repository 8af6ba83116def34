"""Whom a verified token names: claims in, the subject of a certificate and its extensions out.

Follows Fulcio's rules for each type of issuer (docs/oidc.md, docs/certificate-specification.md there), SPIFFE-ID §2 for
``spiffe``, the projected tokens of Kubernetes for ``kubernetes``. Nothing is repaired: what does not fit is refused,
except that letters which a URI cannot hold are percent-encoded (RFC 3987 §3.1): a branch may well be named ``größe``.
So is the percent sign itself, always: else a branch that is really named ``gr%C3%B6%C3%9Fe`` would be taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from cryptography import x509

from chainward.formats.errors import Unwritable
from chainward.formats.fulcio import ISSUER, MAX_CLAIM, SUBJECT, encode_claims, encode_username
from chainward.trust.errors import IdentityRefused
from chainward.trust.issuers import IssuerType

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.trust.issuers import Issuer

__all__ = ["Principal", "SubjectKind", "VerifiedToken", "principal_of"]

_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])\Z")
_USERNAME: Final = re.compile(r"[^\s!@\x00-\x1f\x7f]{1,256}\Z")
_SPIFFE_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._-]+)+\Z")
_KUBERNETES: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_ACCOUNT: Final = "system:serviceaccount:"
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}:[!-~]+\Z")
_URI_LETTERS: Final = "!#$&'()*+,/:;=?@[]~"


class SubjectKind(StrEnum):
    """What sort of name the subject is in the certificate."""

    EMAIL = "email"
    URI = "uri"
    USERNAME = "username"


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """The claims of a token that ``issuer`` signed, at ``url``, for us, and that is valid now."""

    issuer: Issuer
    url: str
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the subject, what stands in the extensions, and the text whose signature proves possession of a key.

    ``subject_name`` and ``extensions`` are the same as a certificate has them.

    Raises:
        IdentityRefused: what is said does not fit into a certificate.
    """

    subject: str
    kind: SubjectKind
    claims: Mapping[str, str]
    challenge: str
    subject_name: x509.GeneralName = field(init=False, compare=False)
    extensions: tuple[x509.UnrecognizedExtension, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject_name", self._subject_name())
        object.__setattr__(self, "extensions", self._extensions())

    @property
    def issuer(self) -> str:
        """Who vouches for the subject."""
        return self.claims[ISSUER]

    def _subject_name(self) -> x509.GeneralName:
        if len(self.subject.encode()) > MAX_CLAIM:
            raise IdentityRefused(f"a subject of more than {MAX_CLAIM} bytes cannot stand in a certificate")
        try:
            match self.kind:
                case SubjectKind.EMAIL:
                    return x509.RFC822Name(self.subject)
                case SubjectKind.URI:
                    return x509.UniformResourceIdentifier(self.subject)
                case SubjectKind.USERNAME:
                    return encode_username(self.subject)
        except (ValueError, Unwritable) as error:
            raise IdentityRefused(f"the subject cannot stand in a certificate: {error}") from None

    def _extensions(self) -> tuple[x509.UnrecognizedExtension, ...]:
        try:
            return encode_claims(self.claims)
        except Unwritable as problem:
            raise IdentityRefused(f"a claim cannot stand in a certificate: {problem.message}") from None


def principal_of(token: VerifiedToken) -> Principal:
    """Return whom a token names.

    Raises:
        IdentityRefused: a claim is absent, or is not of the form or domain that the issuer may vouch for.
    """
    subject, kind, more = _BY_TYPE[token.issuer.type](token)
    issuer = _issuer_of(token)
    claims = {ISSUER: issuer, SUBJECT: _text(token.claims, "sub"), **more}
    return Principal(subject, kind, claims, _challenge(token))


Named = tuple[str, SubjectKind, Mapping[str, str]]
_NOTHING_MORE: Final[Mapping[str, str]] = {}


def _email(token: VerifiedToken) -> Named:
    address = _text(token.claims, "email")
    if _EMAIL.match(address) is None:
        raise IdentityRefused(f"{address[:80]!r} is not an email address that a certificate can carry")
    if token.claims.get("email_verified") is not True and not token.issuer.skip_email_verification:
        raise IdentityRefused(
            f"the issuer has not verified the address {address[:80]}",
            hint="Confirm the address with the issuer; email_verified must be true in the token.",
        )
    return address, SubjectKind.EMAIL, _NOTHING_MORE


def _uri(token: VerifiedToken) -> Named:
    subject, domain = _text(token.claims, "sub"), urlsplit(token.issuer.subject_domain)
    try:
        parts = urlsplit(subject)
    except ValueError:
        raise IdentityRefused(f"{subject[:200]!r} is not a URI") from None
    if _URI.match(subject) is None or (parts.scheme, parts.netloc) != (domain.scheme, domain.netloc):
        raise IdentityRefused(f"{subject[:200]!r} is not a URI below {token.issuer.subject_domain}")
    return subject, SubjectKind.URI, _NOTHING_MORE


def _username(token: VerifiedToken) -> Named:
    name = _text(token.claims, "sub")
    if _USERNAME.match(name) is None:
        raise IdentityRefused(f"{name[:80]!r} is not a user name; it holds no space, ! or @")
    return f"{name}!{token.issuer.subject_domain}", SubjectKind.USERNAME, _NOTHING_MORE


def _spiffe(token: VerifiedToken) -> Named:
    subject = _text(token.claims, "sub")
    path = subject.removeprefix(f"spiffe://{token.issuer.spiffe_trust_domain}")
    if path == subject or _SPIFFE_PATH.match(path) is None or {".", ".."} & set(path.split("/")):
        raise IdentityRefused(f"{subject[:200]!r} is not a SPIFFE ID of {token.issuer.spiffe_trust_domain}")
    return subject, SubjectKind.URI, _NOTHING_MORE


def _kubernetes(token: VerifiedToken) -> Named:
    claims = token.claims.get("kubernetes.io")
    account = claims.get("serviceaccount") if isinstance(claims, dict) else None
    if not isinstance(claims, dict) or not isinstance(account, dict):
        raise IdentityRefused(
            "the token names no service account of Kubernetes", hint="Use a projected service account token."
        )
    namespace, name = _text(claims, "namespace"), _text(account, "name")
    if _KUBERNETES.match(namespace) is None or _KUBERNETES.match(name) is None:
        raise IdentityRefused("the token's namespace or service account is not a name of Kubernetes")
    if _text(token.claims, "sub") != f"{_ACCOUNT}{namespace}:{name}":
        raise IdentityRefused("the token's subject and its service account differ")
    uri = f"https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{name}"
    return uri, SubjectKind.URI, _NOTHING_MORE


def _ci_provider(token: VerifiedToken) -> Named:
    provider = token.issuer.provider
    if provider is None:
        raise IdentityRefused(f"no CI provider is configured for issuer {token.url}")
    subject = _as_uri(provider.subject_of(token.claims))
    if _URI.match(subject) is None:
        raise IdentityRefused(f"{subject[:200]!r} is not a URI", hint=f"Look at the templates of {provider.name}.")
    return subject, SubjectKind.URI, provider.extensions_of(token.claims)


def _development(token: VerifiedToken) -> Named:
    if "email" in token.claims:
        return _email(token)
    subject = _text(token.claims, "sub")
    if _URI.match(subject) is None:
        raise IdentityRefused(f"{subject[:200]!r} is not a URI such as https://ci.example.org/web")
    return subject, SubjectKind.URI, _NOTHING_MORE


_BY_TYPE: Final[Mapping[IssuerType, Callable[[VerifiedToken], Named]]] = {
    IssuerType.EMAIL: _email,
    IssuerType.URI: _uri,
    IssuerType.USERNAME: _username,
    IssuerType.SPIFFE: _spiffe,
    IssuerType.KUBERNETES: _kubernetes,
    IssuerType.CI_PROVIDER: _ci_provider,
    IssuerType.DEVELOPMENT: _development,
}


def _issuer_of(token: VerifiedToken) -> str:
    """Return who vouched: the issuer, or whom a broker such as Dex names as the one it asked."""
    path = token.issuer.issuer_path
    found: Any = token.claims
    for member in path:
        found = found.get(member) if isinstance(found, dict) else None
    if not path:
        return token.url
    if not isinstance(found, str) or not found:
        raise IdentityRefused(f"the token does not say at {token.issuer.issuer_claim} who vouched")
    return found


def _challenge(token: VerifiedToken) -> str:
    name = token.issuer.challenge
    if token.issuer.type is IssuerType.DEVELOPMENT and "email" in token.claims:
        name = "email"
    return _text(token.claims, name)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_CLAIM:
        raise IdentityRefused(f"the token has no claim {name} that is a text of 1 to {MAX_CLAIM} characters")
    return value


def _as_uri(text: str) -> str:
    try:
        return quote(text, safe=_URI_LETTERS)
    except UnicodeEncodeError:
        raise IdentityRefused("the subject is not text") from None
