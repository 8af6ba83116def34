"""What a gate says to the person whose image it kept out: which image, which check, what to do, under which decision.

The API server shows a message of several KiB whole, and warnings of 256 characters each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.delivery.ruling import Ruling

__all__ = ["MESSAGE_LIMIT", "denial_message", "unknown_kind_message", "warnings_of"]

MESSAGE_LIMIT: Final = 4096
_WARNING_LIMIT: Final = 256
_PART_LIMIT: Final = 400
_ELLIPSIS: Final = "…"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def denial_message(rulings: Sequence[Ruling]) -> str:
    """Return the message for a denial, at most 4 KiB of UTF-8: as many images as fit, and how many more there are."""
    denied = [ruling for ruling in rulings if not ruling.allowed]
    blocks = ["chainward keeps this out:"]
    room = MESSAGE_LIMIT - len(blocks[0]) - 64
    for position, ruling in enumerate(denied):
        block = _block(ruling)
        room -= len(block.encode()) + 1
        if room < 0 and position:
            blocks.append(f"and {len(denied) - position} more images")
            break
        blocks.append(block)
    return "\n".join(blocks)


def warnings_of(rulings: Sequence[Ruling]) -> tuple[str, ...]:
    """Return a warning for each image that would be kept out."""
    return tuple(
        _cut(f"chainward will keep {ruling.image} out: {ruling.failures[0].message}", _WARNING_LIMIT)
        for ruling in rulings
        if not ruling.allowed
    )


def unknown_kind_message(group: str, kind: str, subresource: str) -> str:
    """Return the message for an object of which nobody knows where its images stand."""
    named = _cut(f"{group}/{kind}".lstrip("/"), 120)
    part = f" (subresource {_cut(subresource, 80)})" if subresource else ""
    return (
        f"chainward does not know where the images of {named}{part} stand, so it cannot let it pass "
        "[admission-kind-unknown]\n  -> take this kind out of the rules of the webhook"
    )


def _block(ruling: Ruling) -> str:
    lines = [f"- image {_cut(ruling.image, 200)} (decision {ruling.decision})"]
    for check in ruling.failures[:6]:
        lines.append(f"  {check.name}: {_cut(check.message, _PART_LIMIT)} [{check.code}]")
        if check.next_step:
            lines.append(f"    -> {_cut(check.next_step, _PART_LIMIT)}")
    text = "\n".join(lines)
    return _clip(text, MESSAGE_LIMIT // 4 - 64)


def _cut(text: str, limit: int) -> str:
    """Return a text on one line: a name must not write lines of its own into logs and terminals."""
    return _clip(_CONTROL.sub(" ", text), limit)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + _ELLIPSIS
