"""The statement that an artifact was verified against a policy, with the evidence that was looked at.

Follows SLSA v1.2, verification summary v1. In: the verdict as values and the verified statements behind it. Out: the
summary, or the statement about the artifact. The inputs are named by the digests of their bundles, so whoever reads the
summary can fetch and check the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.formats.intoto import VSA, ResourceDescriptor, Statement
from chainward.formats.vsa import VerificationResult, VerificationSummary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from chainward.kernel.digest import Digest

__all__ = ["statement_of_summary", "summary_of"]


def summary_of(
    *,
    verifier_id: str,
    verified_at: datetime,
    resource_uri: str,
    policy_uri: str,
    policy_digest: Digest,
    passed: bool,
    evidence: Iterable[Digest],
    levels: Sequence[str] = (),
) -> VerificationSummary:
    """Return the summary of one verification; ``evidence`` are the digests of the bundles that were verified for it.

    A summary that failed states no levels, whatever was found on the way.
    """
    return VerificationSummary(
        verifier_id=verifier_id,
        time_verified=verified_at,
        resource_uri=resource_uri,
        policy_uri=policy_uri,
        policy_digest=policy_digest,
        result=VerificationResult.PASSED if passed else VerificationResult.FAILED,
        verified_levels=tuple(levels) if passed else (),
        input_attestations=tuple(
            ResourceDescriptor(uri=str(bundle), digest={bundle.algorithm.value: bundle.hex})
            for bundle in sorted(set(evidence))
        ),
    )


def statement_of_summary(name: str, digest: Digest, summary: VerificationSummary) -> Statement:
    """Return the statement that ``summary`` is about the artifact ``name`` with this ``digest``."""
    return Statement((ResourceDescriptor.of(name, digest),), VSA, summary.to_predicate())
