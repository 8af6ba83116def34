"""The settings of trust: who may vouch for identities, and how the tokens of one's own CI are read.

What is believed of them is decided by the room (:mod:`chainward.trust.issuers`, :mod:`chainward.trust.providers`); a
setting that it refuses is an error of the configuration.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from chainward.kernel.problem import Problem
from chainward.trust.errors import IssuerInvalid
from chainward.trust.issuers import DEFAULT_AUDIENCE, Issuer, Issuers, IssuerType
from chainward.trust.providers import Provider, ready_providers

__all__ = ["IssuerSettings", "ProviderSettings", "Trust"]

_MAX_TEXT: Final = 512


class ProviderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the tokens of another CI become certificates. The ready ones are github, gitlab, buildkite and circleci."""

    subject: Annotated[str, Meta(description="Template of the subject (a URI), such as {server}/{pipeline}.")]
    extensions: Annotated[
        dict[str, str],
        Meta(description="Template of each extension by name; build_signer_uri and runner_environment must be there."),
    ]
    values: Annotated[
        dict[str, str], Meta(description="Fixed values that templates may use; no claim replaces them.")
    ] = field(default_factory=dict)
    defaults: Annotated[dict[str, str], Meta(description="What stands in for absent claims.")] = field(
        default_factory=dict
    )
    optional: Annotated[
        tuple[str, ...], Meta(description="Extensions that are left out when a claim of theirs is absent.")
    ] = ()

    def provider(self, name: str) -> Provider:
        """Return the provider; raises IssuerInvalid."""
        return Provider(
            name=name,
            subject=self.subject,
            extensions=self.extensions,
            values=self.values,
            defaults=self.defaults,
            optional=frozenset(self.optional),
        )


class IssuerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One issuer of OIDC identity tokens that is believed; repeat the table for each."""

    url: Annotated[
        str, Meta(description="The issuer exactly as it stands in its tokens; * stands for letters, digits, - and _.")
    ]
    type: Annotated[
        Literal["email", "uri", "username", "spiffe", "kubernetes", "ci-provider"],
        Meta(description="What the subjects of its tokens are."),
    ]
    audience: Annotated[str, Meta(description="The audience that a token must be for.")] = DEFAULT_AUDIENCE
    provider: Annotated[str | None, Meta(description="For ci-provider: which one.")] = None
    values: Annotated[
        dict[str, str], Meta(description="For ci-provider: fixed values of it that differ, such as server_url.")
    ] = field(default_factory=dict)
    subject_domain: Annotated[
        str, Meta(description="For uri (https://example.org) and username (example.org): where its subjects live.")
    ] = ""
    spiffe_trust_domain: Annotated[str, Meta(description="For spiffe: the trust domain, such as example.org.")] = ""
    issuer_claim: Annotated[
        str, Meta(description="For email: where a broker says who vouched, such as $.federated_claims.connector_id.")
    ] = ""
    challenge_claim: Annotated[str, Meta(description="The claim that clients sign; without it the email, or sub.")] = ""
    ca_certificate: Annotated[
        str, Meta(description="Certificates in PEM that its HTTPS is checked with, in place of the system's.")
    ] = ""
    key_hosts: Annotated[
        tuple[str, ...], Meta(description="Other hosts on which it may keep its keys; by default only its own.")
    ] = ()
    skip_email_verification: Annotated[
        bool, Meta(description="For email: believe addresses that the issuer says it has not verified.")
    ] = False


class Trust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose identities get certificates."""

    development_issuer: Annotated[
        bool,
        Meta(
            description="INSECURE: vouch ourselves for whatever identity an administrator names. For trying out only."
        ),
    ] = False
    issuers: tuple[IssuerSettings, ...] = ()
    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    witness_threshold: Annotated[
        int,
        Meta(ge=1, le=64, description="How many witnesses must have cosigned a checkpoint before it is served so."),
    ] = 1

    def __post_init__(self) -> None:
        try:
            self.trusted_issuers()
        except Problem as problem:
            raise ValueError(problem.message) from problem

    def trusted_issuers(self) -> tuple[Issuer, ...]:
        """Return the issuers that are believed, beside the development issuer.

        Raises:
            IssuerInvalid: one cannot be; the message begins with ``issuers[…]``, counted from 0.
        """
        known = ready_providers() if self.issuers or self.providers else {}
        known |= {name: settings.provider(name) for name, settings in self.providers.items()}
        issuers: list[Issuer] = []
        for position, settings in enumerate(self.issuers):
            try:
                issuers.append(_issuer(settings, known))
                Issuers(issuers)
            except IssuerInvalid as problem:
                raise IssuerInvalid(f"issuers[{position}]: {problem.message}") from problem
        return tuple(issuers)


def _issuer(settings: IssuerSettings, known: dict[str, Provider]) -> Issuer:
    provider = known.get(settings.provider or "")
    if provider is None and settings.provider is not None:
        raise IssuerInvalid(f"provider: expected one of {', '.join(sorted(known))}, found {settings.provider!r}")
    if settings.values and provider is None:
        raise IssuerInvalid(f"values: expected none, because issuer {settings.url} has no provider")
    return Issuer(
        url=settings.url,
        type=IssuerType(settings.type),
        audience=settings.audience,
        provider=provider.with_values(settings.values) if provider and settings.values else provider,
        subject_domain=settings.subject_domain,
        spiffe_trust_domain=settings.spiffe_trust_domain,
        issuer_claim=settings.issuer_claim,
        challenge_claim=settings.challenge_claim,
        ca_certificate=settings.ca_certificate,
        key_hosts=settings.key_hosts,
        skip_email_verification=settings.skip_email_verification,
    )
