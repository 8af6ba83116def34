"""What was decided about one image of an admission review, and the identity of that decision.

Two reviews that ask the same (caller, namespace, environment, image, outcome, policy) share one decision: the first is
a fact, the following are counted. So 500 reviews a second of the same workload do not make 43 million facts a day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chainward.delivery.model import Snapshot
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.policy.model import Check

__all__ = ["Case", "Ruling", "key_of"]

_SHOWN: Final = 16


@dataclass(frozen=True, slots=True)
class Case:
    """Who asks for what: the actor of the webhook, the user whose request is reviewed, and the place.

    ``request`` is the uid of the review; two cases that differ only in it are the same.
    """

    actor: str
    caller: str
    namespace: str
    request: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Yes or no for one image. ``key`` is the identity of the decision, empty for one that needs no record."""

    image: str
    allowed: bool
    failures: tuple[Check, ...] = ()
    environment: str | None = None
    repository: RepositoryName | None = None
    digest: Digest | None = None
    snapshot: Snapshot | None = None
    policy_digest: Digest | None = None
    key: str = ""

    @property
    def decision(self) -> str:
        """How people refer to the decision."""
        return self.key[:_SHOWN] or "none"

    @property
    def is_deployment(self) -> bool:
        """Whether letting the image in makes it the newest one of its repository in the environment."""
        return self.allowed and self.snapshot is not None and self.snapshot.deployed != self.digest


@lru_cache(maxsize=8192)
def key_of(
    case: Case, environment: str | None, image: str, digest: Digest | None, outcome: str, policy_epoch: int | None
) -> str:
    """Return the identity of a decision; ``image`` is the repository, or the text of an image that is not ours.

    ``outcome`` is ``allowed`` or ``denied``. The request is not part of it: two requests for the same share a decision.
    """
    parts = (
        case.actor,
        case.caller,
        case.namespace,
        environment or "",
        image,
        "" if digest is None else digest.hex,
        outcome,
        str(policy_epoch),
    )
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
