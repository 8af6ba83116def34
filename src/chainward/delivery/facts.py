"""The facts of delivery: what the gates decided."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "AdmissionAllowed", "AdmissionDenied", "AdmissionsAnchored", "Promoted", "PromotionDenial"]


class AdmissionAllowed(FactBody, frozen=True, kw_only=True):
    """The admission gate let an image into a namespace, for the first time under this policy and for this caller.

    ``decision`` names the decision; repetitions of it are rows that ``delivery.admissions-anchored/1`` vouches for.
    ``request`` is the uid of the admission review.
    """

    schema: ClassVar[str] = "delivery.admission-allowed/1"
    feeds: ClassVar[tuple[str, ...]] = ("M1", "M3", "M8")

    decision: str
    request: str
    caller: str
    namespace: str
    environment: str
    image: str
    repository: str
    digest: str
    policy_epoch: int
    policy_digest: str

    def subjects(self) -> tuple[str, ...]:
        """Return the image and the environment."""
        return (self.digest, f"environment:{self.environment}")


class AdmissionDenied(FactBody, frozen=True, kw_only=True):
    """The admission gate kept an image out of a namespace, for the first time under this policy and for this caller.

    ``digest`` and ``repository`` are None for an image that is not ours, ``environment`` for a namespace that belongs
    to none, the policy's epoch and digest where no policy was asked. ``codes`` are those of the failed checks.
    """

    schema: ClassVar[str] = "delivery.admission-denied/1"
    feeds: ClassVar[tuple[str, ...]] = ("M1", "M3", "M8", "F3", "F6")

    decision: str
    request: str
    caller: str
    namespace: str
    environment: str | None
    image: str
    repository: str | None
    digest: str | None
    policy_epoch: int | None
    policy_digest: str | None
    codes: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the image and the environment, as far as they are known."""
        own = () if self.digest is None else (self.digest,)
        return own if self.environment is None else (*own, f"environment:{self.environment}")


class AdmissionsAnchored(FactBody, frozen=True, kw_only=True):
    """The repeated admissions from row ``first`` to row ``last`` are these ``count`` rows, as ``sha256`` says."""

    schema: ClassVar[str] = "delivery.admissions-anchored/1"
    feeds: ClassVar[tuple[str, ...]] = ("M1", "M8")

    first: int
    last: int
    count: int
    sha256: str


class Promoted(FactBody, frozen=True, kw_only=True):
    """An image was promoted into an environment; ``vsa`` is the bundle in which the platform says so."""

    schema: ClassVar[str] = "delivery.promoted/1"
    feeds: ClassVar[tuple[str, ...]] = ("M2",)

    repository: str
    digest: str
    environment: str
    policy_epoch: int
    policy_digest: str
    vsa: str

    def subjects(self) -> tuple[str, ...]:
        """Return the image, its summary and the environment."""
        return (self.digest, self.vsa, f"environment:{self.environment}")


class PromotionDenial(FactBody, frozen=True, kw_only=True):
    """The gate did not let an image into an environment; ``codes`` are those of the failed checks."""

    schema: ClassVar[str] = "delivery.promotion-denied/1"
    feeds: ClassVar[tuple[str, ...]] = ("F3",)

    repository: str
    digest: str
    environment: str
    policy_epoch: int | None
    policy_digest: str | None
    codes: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the image and the environment."""
        return (self.digest, f"environment:{self.environment}")


FACTS: Final[tuple[type[FactBody], ...]] = (
    AdmissionAllowed,
    AdmissionDenied,
    AdmissionsAnchored,
    Promoted,
    PromotionDenial,
)
