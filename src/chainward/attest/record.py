"""Facts from what verification gave: the verified statement, the complete collection, or the Problem.

Pure; committing the fact together with what it belongs to is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.attest.facts import AttestationRejected, Attested, Completed
from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.formats.slsa import decode_provenance
from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from chainward.attest.complete import Completeness
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import VerifiedStatement

__all__ = ["attested", "completed", "rejected"]

_MAX_TEXT: Final = 500
_MAX_SIGNERS: Final = 16


def attested(
    found: VerifiedStatement,
    repository: RepositoryName,
    digest: Digest,
    *,
    isolated_builders: AbstractSet[str] = frozenset(),
) -> Attested:
    """Return the fact that ``found`` came in for an artifact."""
    builder = _builder(found)
    return Attested(
        repository=str(repository),
        digest=str(digest),
        predicate_type=found.predicate_type[:_MAX_TEXT],
        signer=found.signer,
        signers=found.signers[:_MAX_SIGNERS],
        fingerprint=found.fingerprint,
        identity=found.identity.subject[:_MAX_TEXT] if found.identity else None,
        issuer=found.identity.issuer[:_MAX_TEXT] if found.identity else None,
        signed_at=rfc3339(found.signed_at) if found.signed_at else None,
        bundle_digest=str(found.bundle_digest),
        log_origin=found.log_origin,
        log_index=found.log_index,
        builder=None if builder is None else builder[:_MAX_TEXT],
        isolated=builder in isolated_builders,
    )


def completed(repository: RepositoryName, digest: Digest, found: Completeness) -> Completed:
    """Return the fact that nothing is missing any more; only for a collection that is complete."""
    if not found.is_complete:
        raise ValueError(f"the collection of {digest} still lacks {', '.join(found.missing)}")
    return Completed(repository=str(repository), digest=str(digest), predicate_types=found.present)


def rejected(
    problem: Problem, repository: RepositoryName, digest: Digest, bundle_digest: Digest
) -> AttestationRejected:
    """Return the fact that a bundle did not verify."""
    fingerprint = problem.details.get("fingerprint")
    return AttestationRejected(
        repository=str(repository),
        digest=str(digest),
        bundle_digest=str(bundle_digest),
        code=problem.code,
        message=problem.message[:_MAX_TEXT],
        fingerprint=fingerprint if isinstance(fingerprint, str) else None,
    )


def _builder(found: VerifiedStatement) -> str | None:
    """Return the builder that provenance names; None for another statement, or provenance that cannot be read."""
    if found.predicate_type != SLSA_PROVENANCE:
        return None
    try:
        return decode_provenance(found.statement.predicate).builder_id
    except Problem:
        return None  # it is a signed statement all the same; the policy's provenance rule says what is wrong with it
