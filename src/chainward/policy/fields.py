"""Reading the members of a mapping as what they should be, or saying where it is not and what was expected.

Strict on purpose: an unknown key is an error with a suggestion (a misspelt check would otherwise not be checked), and a
value of another type is one too, even where it could be converted.
"""

from __future__ import annotations

import difflib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from chainward.kernel.problem import Problem
from chainward.policy.errors import PolicyInvalid
from chainward.policy.tree import Branch, Leaf, Many, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Fields", "Globs", "refuse"]

T = TypeVar("T")

_NOT_TEXT: Final = re.compile(
    r"(?:null|true|false|~|)\Z|[-+]?(?:\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?|\.inf|\.nan)\Z", re.IGNORECASE
)
_WHOLE: Final = re.compile(r"0\Z|[1-9][0-9]{0,8}\Z")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,3})([dh])\Z")
_GLOB: Final = re.compile(r"[!-~]{1,512}\Z")
_SIGNER: Final = re.compile(r"[a-z0-9*][a-z0-9._*-]{0,63}\Z|key:[0-9a-f]{64}\Z")
_MAX_TEXT: Final = 1000
_MAX_ITEMS: Final = 256
_MAX_STARS: Final = 8


def refuse(node: Node, why: str) -> NoReturn:
    """Raise PolicyInvalid at the place of ``node``."""
    raise PolicyInvalid(node.line, node.column, why)


class Globs(tuple[str, ...]):
    """Patterns over URIs or names; see :mod:`chainward.kernel.pattern`."""

    __slots__ = ()


class Fields:
    """The members of one mapping; only keys in ``known`` may be there, and only those may be asked for.

    ``signers_above`` are the signers that hold where the mapping itself names none.
    """

    def __init__(self, node: Node, what: str, known: Sequence[str], *, signers_above: tuple[str, ...] = ()) -> None:
        if not isinstance(node, Branch):
            refuse(node, f"expected {what} with keys ({', '.join(known)}), found {_describe(node)}")
        self.node = node
        self._what = what
        self._known = known
        self._signers_above = signers_above
        for key, (leaf, _) in node.members.items():
            if key not in known:
                refuse(leaf, f"{what} has no key {key[:60]!r}{suggestion(key, known)}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return self.find(key) is not None

    def find(self, key: str) -> Node | None:
        """Return the node of a member, if it is there."""
        if key not in self._known:
            raise KeyError(key)
        found = self.node.members.get(key)
        return None if found is None else found[1]

    def need(self, key: str) -> Node:
        """Return the node of a member that must be there."""
        node = self.find(key)
        if node is None:
            refuse(self.node, f"{self._what} lacks the key {key!r}")
        return node

    def text(self, key: str) -> str:
        """Return a text of one to 1000 characters that must be there."""
        return _text(self.need(key), key)

    def optional_text(self, key: str) -> str:
        """Return a text, or an empty one."""
        return self.text(key) if self.has(key) else ""

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        node = self.find(key)
        if node is None:
            return default
        if not isinstance(node, Leaf) or not node.plain or node.text not in {"true", "false"}:
            refuse(node, f"expected true or false for {key!r}, found {_describe(node)}")
        return node.text == "true"

    def whole(self, key: str, lowest: int, highest: int) -> int:
        """Return a whole number within bounds that must be there."""
        node = self.need(key)
        expected = f"expected a whole number from {lowest} to {highest} for {key!r}"
        if not isinstance(node, Leaf) or not node.plain or _WHOLE.match(node.text) is None:
            refuse(node, f"{expected}, found {_describe(node)}")
        if not lowest <= int(node.text) <= highest:
            refuse(node, f"{expected}, found {node.text}")
        return int(node.text)

    def duration(self, key: str) -> timedelta | None:
        """Return a duration such as ``30d`` or ``12h``, if it is there."""
        node = self.find(key)
        if node is None:
            return None
        match = _DURATION.match(node.text) if isinstance(node, Leaf) else None
        if match is None:
            refuse(node, f"expected a duration such as 30d or 12h for {key!r}, found {_describe(node)}")
        return timedelta(days=int(match[1])) if match[2] == "d" else timedelta(hours=int(match[1]))

    def constant(self, key: str, value: str) -> None:
        """Make sure that a member is there and has the one value that it can have."""
        _choice(self.need(key), key, (value,))

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """Return one of some words."""
        node = self.find(key)
        return default if node is None else _choice(node, key, allowed)

    def choices(self, key: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Return some of some words; all of them where the key is missing."""
        return self._each(key, lambda node: _choice(node, key, allowed)) or tuple(allowed)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty only where the key is missing."""
        return self._each(key, lambda node: _text(node, key))

    def parsed(self, key: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Return a list of values that ``parse`` reads from texts, whose Problem becomes ours with a place."""

        def read(node: Node) -> T:
            try:
                return parse(_text(node, key))
            except PolicyInvalid:
                raise
            except Problem as problem:
                refuse(node, f"{problem.message} ({problem.hint})")

        return self._each(key, read)

    def globs(self, key: str) -> Globs:
        """Return a list of patterns over URIs."""
        return Globs(self._each(key, lambda node: _glob(node, key)))

    def signers(self) -> tuple[str, ...]:
        """Return who must have signed: the mapping's own ``signers``, or else those above it.

        Raises:
            PolicyInvalid: there are neither.
        """
        own = self._each("signers", _signer) or self._signers_above
        if not own:
            refuse(self.node, f"{self._what} must say by whom: add signers here, to the rule, or to its signature")
        return own

    def _each(self, key: str, read: Callable[[Node], T]) -> tuple[T, ...]:
        node = self.find(key)
        if node is None:
            return ()
        if not isinstance(node, Many) or not 0 < len(node.items) <= _MAX_ITEMS:
            found = f"a list of {len(node.items)}" if isinstance(node, Many) else _describe(node)
            refuse(node, f"expected a list of 1 to {_MAX_ITEMS} for {key!r}, found {found}")
        values = tuple(read(item) for item in node.items)
        for position, value in enumerate(values):
            if value in values[:position]:
                refuse(node.items[position], f"{str(value)[:80]!r} stands in {key!r} twice")
        return values


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return what somebody who wrote ``word`` may have meant, as the end of a sentence."""
    close = difflib.get_close_matches(word[:80], known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"


def _describe(node: Node) -> str:
    match node:
        case Branch():
            return "a mapping"
        case Many():
            return "a list"
        case Leaf(text="", plain=True):
            return "nothing"
        case Leaf():
            return repr(node.text[:60])


def _text(node: Node, key: str) -> str:
    if not isinstance(node, Leaf):
        refuse(node, f"expected text for {key!r}, found {_describe(node)}")
    if node.plain and _NOT_TEXT.match(node.text):
        refuse(node, f"expected text for {key!r}, found {_describe(node)}; put quotes around it if it is meant as text")
    if not node.text.strip() or len(node.text) > _MAX_TEXT:
        refuse(node, f"expected 1 to {_MAX_TEXT} characters for {key!r}")
    return node.text


def _choice(node: Node, key: str, allowed: Sequence[str]) -> str:
    if not isinstance(node, Leaf) or node.text not in allowed:
        words = suggestion(node.text, allowed) if isinstance(node, Leaf) else f"; known are {', '.join(allowed)}"
        refuse(node, f"{_describe(node)} cannot be a value of {key!r}{words}")
    return node.text


def _glob(node: Node, key: str) -> str:
    text = _text(node, key)
    if _GLOB.match(text) is None or "***" in text or text.count("*") > _MAX_STARS:
        refuse(node, f"expected a URI, or a pattern with * or ** and no blanks, for {key!r}, found {_describe(node)}")
    return text


def _signer(node: Node) -> str:
    text = _text(node, "signers")
    if _SIGNER.match(text) is None or "**" in text:
        refuse(node, f"expected the name of a signer, or key:<64 hex digits>, found {_describe(node)}")
    return text
