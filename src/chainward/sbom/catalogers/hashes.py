"""Hashes as lock files write them: ``sha256:<hex>``, or an integrity string ``sha512-<base64>``.

A hash that cannot be read costs nothing but itself: the package is there all the same, and leaving it out would be a
way to hide it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chainward.sbom.errors import UnreadableFile
from chainward.sbom.model import Hash, HashAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["pinned", "readable"]

_SEPARATOR: Final = re.compile("[:-]")
_KNOWN: Final = frozenset(algorithm.value for algorithm in HashAlgorithm)


def pinned(text: str) -> Hash:
    """Read ``algorithm:hex``; raises :class:`~chainward.sbom.errors.UnreadableFile`."""
    algorithm, _, value = text.partition(":")
    return Hash.parse(algorithm, value)


def readable(texts: Iterable[str], flaws: list[str], read: Callable[[str], Hash] = pinned) -> tuple[Hash, ...]:
    """The hashes of known algorithms, each once, sorted; a broken one is remarked in ``flaws``, an unknown one skipped.

    >>> readable(["md5:" + "0" * 32, "blake2b:00"], [])[0].algorithm.value
    'md5'
    """
    found: set[Hash] = set()
    for text in texts:
        if _SEPARATOR.split(text, maxsplit=1)[0].lower() in _KNOWN:
            try:
                found.add(read(text))
            except UnreadableFile as problem:
                flaws.append(problem.message)
    return tuple(sorted(found))
