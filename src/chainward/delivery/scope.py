"""Which images of an admission review must be decided about, and how much a no counts.

In: a :class:`~chainward.formats.admission.Review`. Out: a :class:`Task`. Pods decide; controllers that make Pods only
warn, unless configured otherwise, because their Pods come by here as well. An image that was there before an update was
decided about when it came, so it is only held against revocations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chainward.formats.admission import Operation

if TYPE_CHECKING:
    from chainward.formats.admission import Review

__all__ = ["Level", "Task", "is_pod", "task_of"]

_RUNNING: Final = frozenset({"", "ephemeralcontainers"})
# What these carry, if they carry an object at all, cannot change its images.
_HARMLESS: Final = frozenset(
    {"attach", "binding", "eviction", "exec", "log", "portforward", "proxy", "resize", "scale", "status"}
)


class Level(StrEnum):
    """What a review is about."""

    NOTHING = "nothing"
    UNKNOWN = "unknown"
    POD = "pod"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be decided: images that are new, and images that were there before; each once, as they are named."""

    level: Level
    new: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


def task_of(review: Review) -> Task:
    """Return what must be decided about a review."""
    if review.operation in {Operation.DELETE, Operation.CONNECT} or review.subresource in _HARMLESS:
        return Task(Level.NOTHING)
    if not review.understood or review.subresource not in _RUNNING:
        return Task(Level.UNKNOWN)
    if not review.images:
        # A Pod has at least one container: one in which none was found was not understood.
        return Task(Level.UNKNOWN if is_pod(review) else Level.NOTHING)
    named = dict.fromkeys(use.text for use in review.images)
    before = {use.text for use in review.previous_images} if review.operation is Operation.UPDATE else set()
    level = Level.POD if is_pod(review) else Level.CONTROLLER
    new = tuple(text for text in named if text not in before)
    # What is on its way out may lose its finalizers, revoked or not: else a revoked Pod could never go.
    known = () if review.deleting else tuple(text for text in named if text in before)
    return Task(level, new, known) if new or known else Task(Level.NOTHING)


def is_pod(review: Review) -> bool:
    """Whether a review is about a Pod itself."""
    return (review.group, review.kind) == ("", "Pod")
