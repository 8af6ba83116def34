"""``/api/v1/artifacts``: what is there, and everything that is known about one artifact now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.images import own_image
from chainward.faces.http.revocations import RevocationView, revocation_view
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.kernel.name import RepositoryName, Tag
from chainward.registry.errors import ManifestUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.delivery.evidence import Gathered
    from chainward.delivery.writes import Promotion
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["LIST", "READ", "ROUTES", "ArtifactView", "EvidenceView", "RowView", "inspect", "rows_of"]

READ = Needs(Permission.PULL, Reach.REPOSITORY)
LIST = Needs(Permission.PULL, Reach.LISTED)
_REPOSITORIES = 50
_TAGS = 100


class EvidenceView(Struct, frozen=True, kw_only=True):
    """A piece of evidence: verified now, or not, with the code and the message of the reason.

    An ``issuer`` vouches for an ``identity``. ``signed_at`` is the earliest proven time, null if nothing proves any.
    """

    bundle: str
    verified: bool
    predicate_type: str | None = None
    signer: str | None = None
    signers: tuple[str, ...] = ()
    identity: str | None = None
    issuer: str | None = None
    signed_at: str | None = None
    log_index: int | None = None
    code: str | None = None
    message: str | None = None


class DeploymentView(Struct, frozen=True, kw_only=True):
    """An environment that the artifact was let into, and since when."""

    environment: str
    since: str


class PromotedView(Struct, frozen=True, kw_only=True):
    """An environment that the artifact was promoted to; ``vsa`` is the bundle with the signed summary."""

    environment: str
    promoted_at: str
    vsa: str
    fact_index: int


class ArtifactView(Struct, frozen=True, kw_only=True):
    """Everything that is known about one artifact now."""

    repository: str
    digest: str
    media_type: str
    artifact_type: str | None
    size: int
    pushed_at: str
    tags: tuple[str, ...]
    pull: str
    revoked: RevocationView | None
    evidence: tuple[EvidenceView, ...]
    promotions: tuple[PromotedView, ...]
    deployments: tuple[DeploymentView, ...]


class RowView(Struct, frozen=True, kw_only=True):
    """One tag of one repository."""

    repository: str
    tag: str
    digest: str
    pushed_at: str
    revoked: bool


class ArtifactList(Struct, frozen=True, kw_only=True):
    """Tags of the repositories that the caller may pull from; ask for the next page with ``last=next``."""

    artifacts: tuple[RowView, ...]
    next: str | None


def rows_of(call: Call) -> tuple[Sequence[RowView], str | None]:
    """Return the newest 100 tags by name of each of 50 repositories, and where the next page begins."""
    page = call.platform.registry.listing.repositories(call.may, call.text("last") or "", _REPOSITORIES)
    rows: list[RowView] = []
    for name in page.names:
        repository = RepositoryName(name)
        tags = call.platform.registry.listing.tags(repository, limit=_TAGS)
        rows += [row for tag in tags.names if (row := _row(call, repository, Tag(tag))) is not None]
    return rows, page.names[-1] if page.has_more else None


def inspect(call: Call, repository: RepositoryName, digest: Digest) -> ArtifactView:
    """Return what is known about an artifact; its evidence is verified now.

    Raises:
        ManifestUnknown: there is none.
        IntegrityViolated: its stored bytes were changed.
    """
    registry = call.platform.registry
    state = registry.state_of(repository, digest)
    manifest = registry.manifest(repository, digest, call.context)
    with registry.store.view() as view:
        tags = view.tags_of(repository, digest)
    found = call.platform.portfolios.deployments(repository=repository, digest=digest)
    host = call.platform.config.hosts[0]
    return ArtifactView(
        repository=str(repository),
        digest=str(digest),
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        size=manifest.size,
        pushed_at=rfc3339(state.pushed_at),
        tags=tuple(map(str, tags)),
        pull=f"skopeo copy docker://{host}/{repository}@{digest} oci:image",
        revoked=revocation_view(state.revoked) if state.revoked else None,
        evidence=_evidence(call.platform.evidence_of(repository, digest)),
        promotions=tuple(map(_promoted, call.platform.promoter.promotions(repository, digest))),
        deployments=tuple(DeploymentView(environment=one.environment, since=rfc3339(one.since)) for one in found),
    )


def _evidence(gathered: Gathered) -> tuple[EvidenceView, ...]:
    verified = [
        EvidenceView(
            bundle=str(one.bundle_digest),
            verified=True,
            predicate_type=one.predicate_type,
            signer=one.signer,
            signers=one.signers,
            identity=one.identity.subject if one.identity else None,
            issuer=one.identity.issuer if one.identity else None,
            signed_at=rfc3339(one.signed_at) if one.signed_at else None,
            log_index=one.log_index,
        )
        for one in gathered.statements
    ]
    rejected = [
        EvidenceView(bundle=str(one.bundle), verified=False, code=one.code, message=one.message)
        for one in gathered.rejected
    ]
    return (*verified, *rejected)


def _promoted(promotion: Promotion) -> PromotedView:
    return PromotedView(
        environment=promotion.environment,
        promoted_at=rfc3339(promotion.promoted_at),
        vsa=str(promotion.vsa),
        fact_index=promotion.fact_index,
    )


def _row(call: Call, repository: RepositoryName, tag: Tag) -> RowView | None:
    """Return the row of a tag, or None if it was deleted in between."""
    try:
        state = call.platform.registry.state_of(repository, tag)
    except ManifestUnknown:
        return None
    return RowView(
        repository=str(repository),
        tag=str(tag),
        digest=str(state.digest),
        pushed_at=rfc3339(state.pushed_at),
        revoked=state.revoked is not None,
    )


def _list(call: Call) -> Answer:
    rows, following = rows_of(call)
    return json_answer(ArtifactList(artifacts=tuple(rows), next=following))


def _show(call: Call) -> Answer:
    name = own_image(call, f"{call.path['repository']}@{call.path['digest']}")
    return json_answer(inspect(call, name.repository, Digest.parse(call.path["digest"])))


ROUTES = (
    Route(
        "GET",
        "/api/v1/artifacts",
        LIST,
        _list,
        "List tags with the digests that they name.",
        gives=ArtifactList,
        parameters=(("last", "Begin after this repository."),),
    ),
    Route(
        "GET",
        "/api/v1/artifacts/{repository:path}@{digest}",
        READ,
        _show,
        "Show one artifact: tags, evidence (verified now), environments, revocation.",
        gives=ArtifactView,
    ),
)
