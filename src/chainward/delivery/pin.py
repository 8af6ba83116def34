"""Replaces names by digests in Pods, so that what was checked is what the node pulls.

In: a review for the mutating webhook. Out: replacements of texts. Workloads that make Pods are never changed: their
owners keep them in a repository of their own and would find them different. Of an updated Pod only new images are
pinned, because another text for the same image would restart its container. What cannot be resolved is left as it is;
the validating webhook, which is asked afterwards, says why not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.delivery.scope import Level, task_of
from chainward.formats.admission import Replacement
from chainward.kernel.name import ImageName
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from chainward.delivery.ports import DecisionReader
    from chainward.formats.admission import Review

__all__ = ["pin"]


def pin(review: Review, reader: DecisionReader, hosts: frozenset[str]) -> tuple[Replacement, ...]:
    """Return what to replace in the object of a review; raises only when the database fails."""
    task = task_of(review)
    if task.level is not Level.POD:
        return ()
    pinned = {text: _pinned(text, reader, hosts) for text in task.new}
    return tuple(
        Replacement(use.pointer, use.text, new) for use in review.images if (new := pinned.get(use.text)) is not None
    )


def _pinned(text: str, reader: DecisionReader, hosts: frozenset[str]) -> str | None:
    try:
        name = ImageName.parse(text)
    except Problem:
        return None
    if name.host not in hosts or name.digest is not None or name.tag is None:
        return None
    state = reader.read(name.repository, name.tag, "").state
    return None if state is None else str(name.pinned(state.digest))
