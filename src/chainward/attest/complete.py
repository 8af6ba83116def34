"""When a collection of statements is complete: every demanded kind is there, verified, about this very artifact.

In: the predicate types that are demanded and verified statements. Out: what is there and what is missing. Whether what
the statements say is good enough is the policy's question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.kernel.digest import Digest
    from chainward.trust.model import VerifiedStatement

__all__ = ["Completeness", "completeness"]


@dataclass(frozen=True, slots=True)
class Completeness:
    """Which of the demanded predicate types are present and which are missing, each sorted."""

    present: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def completeness(demanded: Iterable[str], statements: Iterable[VerifiedStatement], subject: Digest) -> Completeness:
    """Compare what is demanded for ``subject`` with the statements about it; those about other digests do not count."""
    stated = {statement.predicate_type for statement in statements if subject in statement.subjects}
    wanted = set(demanded)
    return Completeness(tuple(sorted(wanted & stated)), tuple(sorted(wanted - stated)))
