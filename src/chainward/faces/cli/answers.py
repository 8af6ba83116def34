"""What the verbs expect the platform to answer: the members that they read, and nothing more.

The client holds every answer against its shape before a verb sees it, so a platform of another version, or something
that only pretends to be one, ends in one coded error. Members that are not named here are kept for ``--json``.
"""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "Anything",
    "Audit",
    "Authorities",
    "Authority",
    "AuthorityRequest",
    "Consistency",
    "CosignedLog",
    "CosignedLogs",
    "Environment",
    "Environments",
    "Fact",
    "IdentityToken",
    "Inclusion",
    "Log",
    "Logs",
    "NamedWitness",
    "NewToken",
    "OnlineKeys",
    "Policy",
    "Promotion",
    "Review",
    "ReviewAnswer",
    "Revocation",
    "Service",
    "Services",
    "Signer",
    "Signers",
    "Split",
    "Splits",
    "Submission",
    "Submissions",
    "Timeline",
    "Token",
    "Tokens",
    "WitnessNames",
]


class Anything(TypedDict):
    """An object, whatever is in it."""


class Log(TypedDict):
    """One log of the platform."""

    name: str
    origin: str
    size: int
    root: str
    frozen_at: str | None
    verifier_key: str


class Logs(TypedDict):
    """All logs."""

    logs: list[Log]


class Inclusion(TypedDict):
    """An inclusion proof."""

    leaf_hash: str
    hashes: list[str]
    checkpoint: str


class Consistency(TypedDict):
    """A consistency proof."""

    hashes: list[str]


class AuditedLog(TypedDict):
    """A log that was found in order."""

    origin: str
    size: int


class Audit(TypedDict):
    """What an audit found."""

    logs: list[AuditedLog]
    findings: list[str]


class Fact(TypedDict):
    """One fact of a timeline."""

    index: int
    schema: str
    actor: str
    recorded_at: str
    body: dict[str, Any] | None


class Timeline(TypedDict):
    """What happened to an artifact."""

    digest: str
    facts: list[Fact]
    previous: int | None


class Signer(TypedDict):
    """A key or an identity, trusted or not any more."""

    name: str
    fingerprint: str
    public_key: str
    identity: dict[str, Any] | None
    repositories: list[str]
    predicates: list[str]
    portable: bool
    trusted_since: str
    distrusted_at: str | None
    distrusted_since: str | None


class Signers(TypedDict):
    """All signers."""

    signers: list[Signer]


class Token(TypedDict):
    """A token without its secret."""

    id: str
    name: str
    bindings: list[str]
    expires_at: str
    revoked_at: str | None


class Tokens(TypedDict):
    """All tokens."""

    tokens: list[Token]


class NewToken(Token):
    """A new token with its text."""

    token: str


class IdentityToken(TypedDict):
    """An identity token of the development issuer, twice the same."""

    access_token: str
    id_token: str
    expires_in: int
    warning: str


class Policy(TypedDict):
    """The policy in force."""

    name: str
    epoch: int
    digest: str
    document: str


class Service(TypedDict):
    """A service."""

    name: str
    owner: str
    tier: str
    repositories: list[str]


class Services(TypedDict):
    """All services."""

    services: list[Service]


class Environment(TypedDict):
    """An environment."""

    name: str
    order: int
    namespaces: list[str]


class Environments(TypedDict):
    """All environments."""

    environments: list[Environment]


class Promotion(TypedDict):
    """A promotion."""

    repository: str
    digest: str
    environment: str
    promoted_at: str
    fact_index: int
    vsa: str


class Revocation(TypedDict):
    """A revocation."""

    digest: str
    repository: str | None
    revoked_at: str
    fact_index: int


class Status(TypedDict, total=False):
    """Why a review was denied."""

    message: str


class ReviewAnswer(TypedDict, total=False):
    """The gate's answer to a review; ``allowed`` is checked where it is read, for here members may be missing."""

    allowed: bool
    status: Status
    warnings: list[str]
    patch: str


class Review(TypedDict):
    """An AdmissionReview with an answer."""

    response: ReviewAnswer


class CosignedLog(TypedDict):
    """A log that the platform cosigns."""

    origin: str
    keys: list[str]
    size: int
    root: str


class CosignedLogs(TypedDict):
    """The witness that the platform is, and the logs that it cosigns."""

    key: str
    logs: list[CosignedLog]


class Split(TypedDict):
    """Evidence of a split view."""

    origin: str
    evidence: str


class Splits(TypedDict):
    """All evidence of split views."""

    splits: list[Split]


class NamedWitness(TypedDict):
    """A witness of the platform's logs."""

    name: str
    url: str
    key: str


class WitnessNames(TypedDict):
    """The witnesses of the platform's logs."""

    threshold: int
    witnesses: list[NamedWitness]


class Submission(TypedDict):
    """What a witness said about a log."""

    witness: str
    origin: str
    size: int
    code: str
    message: str


class Submissions(TypedDict):
    """What all witnesses said."""

    submissions: list[Submission]


class Pin(TypedDict):
    """A state of a log that is believed after a compromise."""

    origin: str
    size: int


class AuthorityCompromise(TypedDict):
    """Since when a key is compromised, and what is believed nevertheless."""

    since: str
    checkpoints: list[Pin]


class Authority(TypedDict):
    """An instance of a service of the trust root."""

    name: str
    service: str
    active: bool
    origin: str
    fingerprint: str
    start: str
    end: str | None
    compromise: AuthorityCompromise | None


class Authorities(TypedDict):
    """All authorities."""

    authorities: list[Authority]


class AuthorityRequest(TypedDict):
    """What an offline root must certify."""

    name: str
    service: str
    organization: str
    request: str
    root: str


class TrustRepository(TypedDict):
    """The TUF repository."""

    versions: dict[str, int]
    expires: dict[str, str]
    threshold: int
    root_keys: dict[str, str]


class OnlineKeys(TypedDict):
    """New online keys of the TUF repository, PEM by role."""

    online_keys: dict[str, str]
