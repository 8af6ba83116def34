"""Verification summaries: somebody has checked an artifact against a policy, and says with what result.

Follows SLSA v1.2, verification summary v1 (predicate type ``https://slsa.dev/verification_summary/v1``). In: the
predicate of a statement. Out: a :class:`VerificationSummary`; unknown members are skipped, ``dependencyLevels`` among
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import convert, without_empty
from chainward.formats.errors import Malformed
from chainward.formats.intoto import ResourceDescriptor, WireResource, resource_members
from chainward.kernel.instant import parse_instant, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chainward.kernel.digest import Digest

__all__ = ["VerificationResult", "VerificationSummary", "decode_summary"]

_WHAT: Final = "verification summary"


class VerificationResult(StrEnum):
    """Whether the artifact met the policy."""

    PASSED = "PASSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationSummary:
    """Who verified which resource when, against which policy, from which evidence, and what came out.

    ``policy_digest`` is None when the verifier gave none, or none of an accepted algorithm.
    """

    verifier_id: str
    time_verified: datetime
    resource_uri: str
    policy_uri: str
    policy_digest: Digest | None
    result: VerificationResult
    verified_levels: tuple[str, ...]
    input_attestations: tuple[ResourceDescriptor, ...] = ()
    slsa_version: str = "1.2"

    def to_predicate(self) -> dict[str, Any]:
        """Return the predicate for a statement."""
        policy = ResourceDescriptor(uri=self.policy_uri, digest=_digest_set(self.policy_digest))
        optional = {
            "inputAttestations": [resource_members(each) for each in self.input_attestations],
            "slsaVersion": self.slsa_version,
        }
        return {
            "verifier": {"id": self.verifier_id},
            "timeVerified": rfc3339(self.time_verified),
            "resourceUri": self.resource_uri,
            "policy": resource_members(policy),
            "verificationResult": self.result.value,
            "verifiedLevels": list(self.verified_levels),
            **without_empty(optional),
        }


class _WireVerifier(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class _WireSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    verifier: _WireVerifier
    time_verified: str
    resource_uri: str
    policy: WireResource
    verification_result: VerificationResult
    verified_levels: tuple[str, ...]
    input_attestations: tuple[WireResource, ...] | None = None
    slsa_version: str | None = None


def decode_summary(predicate: Mapping[str, Any]) -> VerificationSummary:
    """Read a verification summary; raises Malformed, or InvalidInstant for a time that is none."""
    wire = convert(predicate, _WireSummary, what=_WHAT)
    if not wire.verifier.id or not wire.resource_uri:
        raise Malformed(_WHAT, "verifier.id or resourceUri is empty")
    policy = wire.policy.value(_WHAT)
    return VerificationSummary(
        verifier_id=wire.verifier.id,
        time_verified=parse_instant(wire.time_verified),
        resource_uri=wire.resource_uri,
        policy_uri=policy.uri,
        policy_digest=next(iter(policy.digests()), None),
        result=wire.verification_result,
        verified_levels=wire.verified_levels,
        input_attestations=tuple(each.value(_WHAT) for each in wire.input_attestations or ()),
        slsa_version=wire.slsa_version or "",
    )


def _digest_set(digest: Digest | None) -> dict[str, str]:
    return {} if digest is None else {digest.algorithm.value: digest.hex}
