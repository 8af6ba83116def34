"""Gathers the evidence about one artifact and verifies every piece of it, now.

In: where evidence lies and what is believed. Out: :class:`Gathered`, of which the verified part may open a gate and the
rejected part only explains why it stays shut. A piece that is missing, changed, too large or signed by a stranger is
rejected with its code; a registry or database that fails is an error of the call, never the absence of evidence.

Bounded: 256 bundles of 4 MiB, 32 MiB together, the oldest first, so that nobody can push evidence out of sight later;
of all other referrers, and of those beyond, nothing is read. Evidence is safe from a flood once it stands beside the
image, so it is pushed with the image. Who may push to the repository can be earlier: 256 bundles of junk before the
first honest one keep the gate shut, as deleting the evidence would. They cannot open it: a check passes only by what
one verified statement says (:mod:`chainward.policy.rules.statements`); what is left out never speaks for an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import EvidenceRevoked, EvidenceTooLarge
from chainward.delivery.referrer import BUNDLES, MAX_BUNDLE, bundle_layer
from chainward.delivery.summary import promotions_in
from chainward.formats.cyclonedx import Aggregate, outline_bom
from chainward.formats.intoto import CYCLONEDX, VSA
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Kind, Problem
from chainward.policy.model import RejectedEvidence, SbomEvidence
from chainward.registry.model import ArtifactTypes
from chainward.trust.verify import OwnRecords, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.delivery.ports import EvidenceSource
    from chainward.kernel.name import RepositoryName
    from chainward.policy.model import Promotion
    from chainward.registry.model import Referrer
    from chainward.trust.model import TrustRoot, VerifiedStatement

__all__ = ["FAILURES", "Gathered", "gather", "read_bundle"]

FAILURES: Final = frozenset({Kind.UNAVAILABLE, Kind.TOO_MANY, Kind.INTERNAL})
_BUNDLE_TYPES: Final = ArtifactTypes(BUNDLES, is_prefix=True)
_MAX_BUNDLES: Final = 256
_MAX_TOGETHER: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Gathered:
    """What stands beside an artifact: verified, or rejected with the reason."""

    statements: tuple[VerifiedStatement, ...]
    rejected: tuple[RejectedEvidence, ...]
    sboms: tuple[SbomEvidence, ...]
    promotions: tuple[Promotion, ...]


def gather(
    source: EvidenceSource,
    repository: RepositoryName,
    digest: Digest,
    root: TrustRoot,
    *,
    platform_key: str,
    check_time: Callable[[], None],
    own: OwnRecords = OwnRecords(),  # noqa: B008 - frozen
) -> Gathered:
    """Return the evidence about ``digest`` in ``repository``.

    ``platform_key`` is the fingerprint whose verification summaries count as promotions; ``check_time`` is called
    before every piece and raises when there is no time left. Without the platform's ``own`` records a statement counts
    wherever its signer may say it, also where it was only copied to.

    Raises:
        Problem: of a kind in :data:`FAILURES`, when the registry failed; nothing can be said about the evidence then.
    """
    bundles = source.referrers(repository, digest, _BUNDLE_TYPES, _MAX_BUNDLES + 1)
    statements: list[VerifiedStatement] = []
    rejected = [_left_out(each) for each in bundles[_MAX_BUNDLES:]]
    left = _MAX_TOGETHER
    for referrer in bundles[:_MAX_BUNDLES]:
        check_time()
        try:
            data = read_bundle(source, repository, referrer.digest, min(left, MAX_BUNDLE))
            left -= len(data)
            statements.append(verify_bundle(data, root, subject=digest, repository=repository, own=own))
        except Problem as problem:
            if problem.kind in FAILURES:
                raise
            rejected.append(RejectedEvidence(problem.code, problem.message, referrer.digest))
    sboms, promotions = _Reader(repository, digest, platform_key, rejected).read(statements)
    return Gathered(tuple(statements), tuple(rejected), sboms, promotions)


def read_bundle(source: EvidenceSource, repository: RepositoryName, referrer: Digest, limit: int) -> bytes:
    """Return the bundle that a referrer holds.

    Raises:
        EvidenceRevoked: the referrer or the bundle was revoked.
        EvidenceUnreadable: it does not hold exactly one.
        EvidenceTooLarge: it has more than ``limit`` bytes.
        Problem: it cannot be had, or was changed.
    """
    layer = bundle_layer(source.manifest(repository, referrer))
    revocation = source.revocation(repository, referrer, layer.digest)
    if revocation is not None:
        raise EvidenceRevoked(f"{revocation.digest} was revoked: {revocation.reason}")
    if layer.size > limit:
        raise EvidenceTooLarge(f"the bundle in {referrer} does not fit into what is read for one artifact")
    return source.blob_bytes(repository, layer.digest, limit)


def _left_out(referrer: Referrer) -> RejectedEvidence:
    problem = EvidenceTooLarge(
        f"only the {_MAX_BUNDLES} oldest bundles of an artifact are read, not this or later ones"
    )
    return RejectedEvidence(problem.code, problem.message, referrer.digest)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what verified statements say; one that says nothing readable is rejected as well."""

    repository: RepositoryName
    digest: Digest
    platform_key: str
    rejected: list[RejectedEvidence]

    def read(self, statements: Sequence[VerifiedStatement]) -> tuple[tuple[SbomEvidence, ...], tuple[Promotion, ...]]:
        sboms: list[SbomEvidence] = []
        promotions: list[Promotion] = []
        for statement in statements:
            try:
                if statement.predicate_type == CYCLONEDX:
                    sboms.append(_sbom(statement))
                elif statement.predicate_type == VSA and self._is_ours(statement):
                    promotions.extend(promotions_in(statement, self.repository, self.digest))
            except Problem as problem:
                self.rejected.append(RejectedEvidence(problem.code, problem.message, statement.bundle_digest))
        return tuple(sboms), tuple(promotions)

    def _is_ours(self, statement: VerifiedStatement) -> bool:
        return statement.identity is None and statement.fingerprint == self.platform_key


def _sbom(statement: VerifiedStatement) -> SbomEvidence:
    summary = outline_bom(statement.statement.predicate)
    named = sorted(summary.subject_digests)  # sha256 sorts first
    return SbomEvidence(
        bundle=statement.bundle_digest,
        format="cyclonedx",
        components=summary.components,
        complete=summary.aggregate is Aggregate.COMPLETE,
        subject_digest=Digest.parse(named[0]) if named else None,
        generated_at=summary.timestamp,
    )
