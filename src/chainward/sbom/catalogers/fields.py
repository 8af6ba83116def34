r"""The field files that Debian's and Python's packagers share: ``Name: value`` lines, indented continuations.

In: text. Out: paragraphs, each a mapping of lowercase names to the values in order, continuation lines stripped and
joined by a newline. Follows Debian Policy §5.1 and, as far as it agrees, Python's core metadata specification, whose
description comes after the first empty line: reading the first paragraph leaves it out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Fields", "first", "paragraph", "paragraphs"]

Fields: TypeAlias = dict[str, list[str]]

_FIELD = re.compile(r"^([^\s:#][^:\n]*):[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_INDENT = re.compile(r"\n[ \t]+")


def paragraphs(text: str) -> Iterator[Fields]:
    """Read paragraph after paragraph; lines that are neither a field nor a continuation are passed over."""
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields: Fields = {}
        for match in _FIELD.finditer(block):
            fields.setdefault(match[1].strip().lower(), []).append(_INDENT.sub("\n", match[2]).strip())
        if fields:
            yield fields


def paragraph(text: str) -> Fields:
    r"""Read the fields before the first empty line.

    >>> paragraph("Package: a\nDepends: b,\n c\n\nignored: x")
    {'package': ['a'], 'depends': ['b,\nc']}
    """
    head, _, _ = text.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
    return next(paragraphs(head), {})


def first(fields: Fields, name: str) -> str:
    """The first value of a field, or the empty string."""
    return next(iter(fields.get(name, ())), "")
