"""Repeating a verb that was decided on rows which somebody else changed in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from chainward.registry.errors import StateMoved

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["insist"]

T = TypeVar("T")

_ATTEMPTS: Final = 8


def insist(attempt: Callable[[], T]) -> T:
    """Call ``attempt``, which reads and then commits, until it was not overtaken; gives up with StateMoved."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except StateMoved:
            continue
    return attempt()
