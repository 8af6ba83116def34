r"""Who may vouch for identities: issuers of OIDC tokens, as data.

An issuer is known by its URL, exactly or with wildcards. A ``*`` stands for letters, digits, ``-`` and ``_`` and the
pattern must fit the whole URL: neither a dot nor a slash can be smuggled into it, and nothing may stand before or
behind. What kind of subject its tokens have is the :class:`IssuerType`; which values of it are believed follows from
``subject_domain`` and ``spiffe_trust_domain``. Turning claims into a subject is :mod:`chainward.trust.principal`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from cryptography import x509

from chainward.trust.errors import IssuerInvalid, IssuerUntrusted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.trust.providers import Provider

__all__ = ["DEFAULT_AUDIENCE", "Issuer", "IssuerType", "Issuers", "is_loopback"]

DEFAULT_AUDIENCE: Final = "sigstore"
_WILD: Final = "[-_a-zA-Z0-9]+"
_MAX_URL: Final = 512
_MAX_ISSUERS: Final = 256
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/*%\[\]-]+\Z")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?\Z")
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}\Z")
_CLAIM_PATH: Final = re.compile(r"\$((?:\.[A-Za-z0-9_-]{1,64}){1,8})\Z")
_CLAIM: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}\Z")
_MAX_PEM: Final = 256 * 1024
_REGISTRABLE: Final = 2


class IssuerType(StrEnum):
    """What the subjects of an issuer are."""

    EMAIL = "email"
    URI = "uri"
    USERNAME = "username"
    SPIFFE = "spiffe"
    KUBERNETES = "kubernetes"
    CI_PROVIDER = "ci-provider"
    DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One issuer, or with wildcards a family of them.

    ``issuer_claim`` is a path such as ``$.federated_claims.connector_id``: for a broker that knows who really vouched.
    ``challenge_claim`` is what clients sign to prove possession; without it the email, or ``sub``. ``key_hosts`` are
    the hosts, beside its own, that the issuer may keep its keys on. ``ca_certificate`` is PEM.

    Raises:
        IssuerInvalid: the parts do not belong together.
    """

    url: str
    type: IssuerType
    audience: str = DEFAULT_AUDIENCE
    provider: Provider | None = None
    subject_domain: str = ""
    spiffe_trust_domain: str = ""
    issuer_claim: str = ""
    challenge_claim: str = ""
    ca_certificate: str = ""
    key_hosts: tuple[str, ...] = ()
    skip_email_verification: bool = False
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_url(self.url, is_local=self.type is IssuerType.DEVELOPMENT)
        _check_type(self)
        _check_rest(self)
        pattern = _WILD.join(map(re.escape, self.url.split("*")))
        object.__setattr__(self, "_pattern", re.compile(pattern))

    @property
    def is_wildcard(self) -> bool:
        """Whether it is a family of issuers."""
        return "*" in self.url

    @property
    def challenge(self) -> str:
        """The claim that clients sign."""
        return self.challenge_claim or ("email" if self.type is IssuerType.EMAIL else "sub")

    @property
    def issuer_path(self) -> tuple[str, ...]:
        """The members on the way to the claim that names who vouched; empty if that is the issuer itself."""
        return tuple(self.issuer_claim.split(".")[1:])

    def is_of(self, url: str) -> bool:
        """Whether a token that says it is from ``url`` is one of this issuer."""
        return len(url) <= _MAX_URL and self._pattern.fullmatch(url) is not None


class Issuers:
    """All issuers that are believed. An exact URL wins over wildcards, among those the first.

    Raises:
        IssuerInvalid: one URL twice, or too many issuers.
    """

    def __init__(self, issuers: Iterable[Issuer] = ()) -> None:
        self.all = tuple(issuers)
        self._exact = {issuer.url: issuer for issuer in self.all if not issuer.is_wildcard}
        self._wild = tuple(issuer for issuer in self.all if issuer.is_wildcard)
        urls = [issuer.url for issuer in self.all]
        twice = next((url for url in urls if urls.count(url) > 1), None)
        if twice is not None:
            raise IssuerInvalid(f"issuer {twice} is configured twice")
        if len(self.all) > _MAX_ISSUERS:
            raise IssuerInvalid(f"{len(self.all)} issuers are more than {_MAX_ISSUERS}")

    def find(self, url: str) -> Issuer:
        """Return the issuer of tokens from ``url``; raises IssuerUntrusted. Nothing may be asked of any other URL."""
        exact = self._exact.get(url)
        if exact is not None:
            return exact
        for issuer in self._wild:
            if issuer.is_of(url):
                return issuer
        raise IssuerUntrusted(f"no identity token of {url[:200]!r} is accepted here")


def is_loopback(host: str | None) -> bool:
    """Whether a host, as a URL names it, is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _check_url(url: str, *, is_local: bool) -> None:
    """Hold the form of a URL; ``is_local`` says that the keys are in this process, so that nobody is on the way."""
    parts = _split(url)
    if parts is None or len(url) > _MAX_URL or _URL.match(url) is None or not parts.hostname or "@" in parts.netloc:
        raise IssuerInvalid(f"issuer {url[:200]!r}: expected a URL such as https://login.example.org, * for a part")
    if parts.query or parts.fragment:
        raise IssuerInvalid(f"issuer {url[:200]!r}: expected a URL without query and fragment")
    if parts.scheme == "http" and not is_local and not is_loopback(parts.hostname):
        raise IssuerInvalid(
            f"issuer {url[:200]!r}: expected https, because whoever is on the way could vouch otherwise"
        )
    if "*" in "".join(parts.netloc.rsplit(".", _REGISTRABLE)[-_REGISTRABLE:]):
        raise IssuerInvalid(
            f"issuer {url[:200]!r}: expected no * in the last two labels of the host",
            hint="Anybody can get a host under a domain that is left open, and vouch for anything there.",
        )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_reachable = parts.port is None or parts.port > 0  # a port that is no number raises, but only when asked for
    except ValueError:
        return None
    return parts if is_reachable else None


def _check_type(issuer: Issuer) -> None:
    """Hold what a type needs, and what only it may have, against what is there."""
    rules = (
        (IssuerType.CI_PROVIDER, "provider", issuer.provider is not None),
        (IssuerType.SPIFFE, "spiffe_trust_domain", bool(issuer.spiffe_trust_domain)),
    )
    for type_, name, is_given in rules:
        if (issuer.type is type_) is not is_given:
            need = "needs" if issuer.type is type_ else "has no use for"
            raise IssuerInvalid(f"issuer {issuer.url}: type {issuer.type} {need} {name}")
    named = issuer.type in {IssuerType.URI, IssuerType.USERNAME}
    if named is not bool(issuer.subject_domain):
        raise IssuerInvalid(
            f"issuer {issuer.url}: type {issuer.type} {'needs' if named else 'has no use for'} subject_domain"
        )
    if (issuer.issuer_claim or issuer.skip_email_verification) and issuer.type is not IssuerType.EMAIL:
        raise IssuerInvalid(
            f"issuer {issuer.url}: issuer_claim and skip_email_verification belong to type email, not {issuer.type}"
        )
    if named:
        _check_domain(issuer)


def _check_domain(issuer: Issuer) -> None:
    """A subject lives in the domain of its issuer: who runs login.example.org cannot vouch for example.com."""
    host = issuer.subject_domain
    if issuer.type is IssuerType.URI:
        parts = _split(issuer.subject_domain)
        if parts is None or not parts.scheme or not parts.netloc or parts.path or parts.query or parts.fragment:
            raise IssuerInvalid(f"issuer {issuer.url}: expected subject_domain such as https://example.org")
        host = parts.netloc
    if _HOST.match(host) is None:
        raise IssuerInvalid(f"issuer {issuer.url}: expected a lowercase host in subject_domain, not {host[:80]!r}")
    if _registrable(host) != _registrable(urlsplit(issuer.url).netloc):
        raise IssuerInvalid(
            f"issuer {issuer.url}: subject_domain {host} is not of the same second-level domain as the issuer"
        )


def _check_rest(issuer: Issuer) -> None:
    if not 1 <= len(issuer.audience) <= _MAX_URL or not issuer.audience.isprintable():
        raise IssuerInvalid(f"issuer {issuer.url}: expected an audience, such as {DEFAULT_AUDIENCE}")
    if issuer.spiffe_trust_domain and _TRUST_DOMAIN.match(issuer.spiffe_trust_domain) is None:
        raise IssuerInvalid(f"issuer {issuer.url}: {issuer.spiffe_trust_domain[:80]!r} is not a SPIFFE trust domain")
    if issuer.issuer_claim and _CLAIM_PATH.match(issuer.issuer_claim) is None:
        raise IssuerInvalid(f"issuer {issuer.url}: expected issuer_claim such as $.federated_claims.connector_id")
    if issuer.challenge_claim and _CLAIM.match(issuer.challenge_claim) is None:
        raise IssuerInvalid(f"issuer {issuer.url}: {issuer.challenge_claim[:80]!r} is not a claim")
    wrong = [host for host in issuer.key_hosts if _HOST.match(host) is None]
    if wrong:
        raise IssuerInvalid(f"issuer {issuer.url}: {wrong[0][:80]!r} in key_hosts is not a lowercase host")
    if issuer.ca_certificate and not _holds_certificates(issuer.ca_certificate):
        raise IssuerInvalid(f"issuer {issuer.url}: expected ca_certificate to hold certificates in PEM")


def _holds_certificates(pem: str) -> bool:
    try:
        return len(pem) <= _MAX_PEM and bool(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return False


def _registrable(netloc: str) -> str:
    host = netloc.rpartition("]")[0] if netloc.startswith("[") else netloc.partition(":")[0]
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return ".".join(host.lower().split(".")[-_REGISTRABLE:])
