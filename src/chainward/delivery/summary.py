"""How a promotion stands in a verification summary of this platform, and how it is read back.

SLSA v1.2, verification summary v1: ``resourceUri`` is ``oci://host/repository@digest``, and the environment is one of
``verifiedLevels`` as ``CHAINWARD_PROMOTED_STAGING`` (levels of others than SLSA may be named freely). A summary counts
where it says it does: one that was made in another repository promotes nothing in this one, though the digest be the
same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chainward.formats.vsa import VerificationResult, decode_summary
from chainward.policy.model import Promotion

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import VerifiedStatement

__all__ = ["level_of", "promotions_in", "resource_uri"]

_PREFIX: Final = "CHAINWARD_PROMOTED_"


def resource_uri(host: str, repository: RepositoryName, digest: Digest) -> str:
    """Return the URI under which a summary names an image."""
    return f"oci://{host}/{repository}@{digest}"


def level_of(environment: str) -> str:
    """Return the level that says that an image was promoted into an environment.

    >>> level_of("pre-prod")
    'CHAINWARD_PROMOTED_PRE_PROD'
    """
    return _PREFIX + environment.upper().replace("-", "_")


def promotions_in(statement: VerifiedStatement, repository: RepositoryName, digest: Digest) -> tuple[Promotion, ...]:
    """Return the promotions that a verified summary states for this very image; raises Malformed."""
    summary = decode_summary(statement.statement.predicate)
    parts = urlsplit(summary.resource_uri)
    is_this = parts.scheme == "oci" and parts.path == f"/{repository}@{digest}"
    if not is_this or summary.result is not VerificationResult.PASSED:
        return ()
    return tuple(
        Promotion(level.removeprefix(_PREFIX).lower().replace("_", "-"), summary.time_verified)
        for level in summary.verified_levels
        if level.startswith(_PREFIX)
    )
