"""Who a certificate says signed, and which such identities are meant.

In: a certificate with one subject alternative name and Fulcio's extensions. Out: an :class:`Identity`; and an
:class:`IdentityMatch`, which is how an operator names identities. Follows Fulcio's certificate specification
(docs/certificate-specification.md, docs/oid-info.md): the subject is an email, a URI, or ``user!domain``.

A pattern always covers the whole text. Under a search, ``https://ci.example/.*`` would also fit a subject that merely
contains it, and issuer ``https://ci.example`` one that only begins so (``https://ci.example.evil.test``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from chainward.formats.errors import Malformed
from chainward.formats.fulcio import ISSUER, decode_claims, decode_username
from chainward.trust.errors import CertificateMalformed, IdentityPatternInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Identity", "IdentityKind", "IdentityMatch", "identity_of"]

_MAX_TEXT: Final = 4096
_MAX_PATTERN: Final = 1024
_MAX_CLAIMS: Final = 32
_NO_CLAIMS: Final[Mapping[str, str]] = MappingProxyType({})


class IdentityKind(StrEnum):
    """What sort of name a subject is."""

    EMAIL = "email"
    URI = "uri"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an issuer vouched for, and what else it said about the run (``claims``, by the names of Fulcio)."""

    subject: str
    kind: IdentityKind
    issuer: str
    claims: Mapping[str, str] = field(default_factory=lambda: _NO_CLAIMS, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityMatch:
    """The identities that are meant: subject and issuer, each exactly or by a pattern, and claims that must be there.

    Patterns are regular expressions that must fit the whole text, whatever anchors they carry themselves. An issuer is
    always named: a subject means nothing without who vouches for it.

    Raises:
        IdentityPatternInvalid: both or neither of text and pattern, or a pattern that is no regular expression.
    """

    subject: str | None = None
    subject_regex: str | None = None
    issuer: str | None = None
    issuer_regex: str | None = None
    claims: tuple[tuple[str, str], ...] = ()
    _subject: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _issuer: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_subject", _pattern("identity", self.subject, self.subject_regex))
        object.__setattr__(self, "_issuer", _pattern("issuer", self.issuer, self.issuer_regex))
        if len(self.claims) > _MAX_CLAIMS or len(dict(self.claims)) != len(self.claims):
            raise IdentityPatternInvalid(f"an identity is matched by at most {_MAX_CLAIMS} claims, each named once")

    def matches(self, identity: Identity) -> bool:
        """Whether ``identity`` is meant."""
        return (
            self._subject.fullmatch(identity.subject) is not None
            and self._issuer.fullmatch(identity.issuer) is not None
            and all(identity.claims.get(name) == value for name, value in self.claims)
        )


def identity_of(certificate: x509.Certificate) -> Identity:
    """Return who a certificate names; whether it may be believed is not asked here.

    Raises:
        CertificateMalformed: not exactly one subject alternative name of a known kind, no issuer, unreadable claims.
    """
    try:
        names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        claims = decode_claims(certificate.extensions)
    except x509.ExtensionNotFound:
        raise CertificateMalformed("the certificate names nobody: it has no subject alternative name") from None
    except (Malformed, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError) as error:
        raise CertificateMalformed(f"the certificate cannot be read: {error}") from None
    found = list(names) if isinstance(names, x509.SubjectAlternativeName) else []
    if len(found) != 1:
        raise CertificateMalformed(f"the certificate has {len(found)} subject alternative names, not one")
    subject, kind = _subject(found[0])
    issuer = claims.get(ISSUER, "")
    if not subject or not issuer or max(len(subject), len(issuer)) > _MAX_TEXT:
        raise CertificateMalformed("the certificate does not say who vouched for whom")
    return Identity(subject, kind, issuer, MappingProxyType(claims))


def _subject(name: x509.GeneralName) -> tuple[str, IdentityKind]:
    match name:
        case x509.RFC822Name():
            return name.value, IdentityKind.EMAIL
        case x509.UniformResourceIdentifier():
            return name.value, IdentityKind.URI
        case x509.OtherName():
            try:
                return decode_username(name), IdentityKind.OTHER
            except Malformed as problem:
                raise CertificateMalformed(problem.message) from None
        case _:
            raise CertificateMalformed(f"a {type(name).__name__} is not a name of who signs")


def _pattern(named: str, exact: str | None, regex: str | None) -> re.Pattern[str]:
    if (exact is None) == (regex is None):
        raise IdentityPatternInvalid(f"give the {named} either exactly or as a pattern")
    if regex is None:
        regex = re.escape(exact or "")
        if not exact or len(exact) > _MAX_TEXT:
            raise IdentityPatternInvalid(f"the {named} is empty or longer than {_MAX_TEXT} characters")
    elif not 1 <= len(regex) <= _MAX_PATTERN:
        raise IdentityPatternInvalid(f"a pattern has 1 to {_MAX_PATTERN} characters")
    try:
        return re.compile(regex)
    except (re.error, RecursionError, OverflowError) as error:
        raise IdentityPatternInvalid(f"the pattern for the {named} is no regular expression: {error}") from None
