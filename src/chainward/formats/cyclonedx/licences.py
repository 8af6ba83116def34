"""How CycloneDX writes licences: an SPDX identifier, one SPDX expression, or just a name (ECMA-424, "licenses").

In: the texts that packages declare. Out: the schema's ``licenseChoice``. The list of identifiers is the one of the
shipped SPDX schema.
"""

from __future__ import annotations

import re
from functools import cache
from pkgutil import get_data
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["licence_choice", "licence_identifier"]

_MAX_NAME: Final = 200
_MAX_EXPRESSION: Final = 800
_LEAST_WORDS: Final = 3  # term, operator, term
_WORD = re.compile(r"\s*(\(|\)|[^\s()]+)")
_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+\Z")
_OPERATORS: Final = frozenset({"AND", "OR", "WITH"})


def licence_identifier(text: str) -> str:
    """Return the SPDX identifier that ``text`` is or names in full, or the empty string.

    >>> licence_identifier("mit license")
    'MIT'
    """
    return _known().get(text.strip().lower(), "")


def licence_choice(licences: Sequence[str]) -> list[dict[str, Any]]:
    """Write declared licences; several become a list, because the schema admits only one expression alone."""
    texts = list(dict.fromkeys(text.strip() for text in licences if text.strip()))
    if len(texts) == 1:
        expression = _expression(texts[0])
        if expression:
            return [{"expression": expression}]
    return [{"license": _licence(text)} for text in texts]


def _licence(text: str) -> dict[str, str]:
    identifier = licence_identifier(text)
    return {"id": identifier} if identifier else {"name": text[:_MAX_NAME]}


def _expression(text: str) -> str:
    """Return ``text`` as an SPDX expression of at least two terms in canonical case, or the empty string."""
    words = [_canonical(word) for word in _WORD.findall(text[:_MAX_EXPRESSION])]
    if len(text) > _MAX_EXPRESSION or "" in words or len(words) < _LEAST_WORDS or not _is_well_formed(words):
        return ""
    return " ".join(words).replace("( ", "(").replace(" )", ")")


def _canonical(word: str) -> str:
    if word in "()" or word.upper() in _OPERATORS:
        return word.upper()
    plus = "+" if word.endswith("+") else ""
    bare = word.removesuffix("+")
    if _REFERENCE.match(bare):
        return word
    identifier = licence_identifier(bare)
    return f"{identifier}{plus}" if identifier else ""


def _is_well_formed(words: Sequence[str]) -> bool:
    depth, wants_term = 0, True
    for word in words:
        is_opening = word not in _OPERATORS and word != ")"
        if is_opening is not wants_term:
            return False
        depth += (word == "(") - (word == ")")
        wants_term = word in _OPERATORS or word == "("
        if depth < 0:
            return False
    return depth == 0 and not wants_term


@cache
def _known() -> Mapping[str, str]:
    schema = orjson.loads(get_data("chainward.formats", "schemas/spdx.schema.json") or b"{}")
    known = {name.lower(): identifier for identifier, name in schema["meta:enum"].items()}
    return known | {identifier.lower(): identifier for identifier in schema["enum"]}
