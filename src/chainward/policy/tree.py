"""YAML text to a tree of nodes that know where they stand. The part of YAML 1.2 that a policy needs, and no more.

Refused: anchors and aliases (a few lines of them can stand for billions of nodes), tags, several documents, repeated
keys, keys that are no plain text, nesting beyond 16 levels, more than 256 KiB. No value is given a type here: who reads
a node knows what it should be, so ``on`` or ``1.10`` never turn into something else than what was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import yaml

from chainward.formats.codec import check_size
from chainward.policy.errors import PolicyInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_DOCUMENT", "Branch", "Leaf", "Many", "Node", "read_tree"]

MAX_DOCUMENT: Final = 256 * 1024
_MAX_DEPTH: Final = 16
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar; ``plain`` says that it was written without quotes."""

    line: int
    column: int
    text: str
    plain: bool


@dataclass(slots=True)
class Many:
    """A list."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Branch:
    """A mapping; each key keeps its own place."""

    line: int
    column: int
    members: dict[str, tuple[Leaf, Node]] = field(default_factory=dict)


Node: TypeAlias = Leaf | Many | Branch


def read_tree(data: bytes) -> Node:
    """Read one YAML document.

    Raises:
        TooLarge: above :data:`MAX_DOCUMENT` bytes.
        PolicyInvalid: it is not YAML, not UTF-8, or uses what is refused.
    """
    check_size(data, limit=MAX_DOCUMENT, what="policy")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyInvalid(line, 1, "expected UTF-8 text") from None
    try:
        return _Builder(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyInvalid(line, column, f"expected YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        raise PolicyInvalid(line, 1, f"expected YAML: {getattr(error, 'reason', 'unreadable')}") from None


class _Builder:
    """Builds the tree from the parser's events, one at a time, so that a limit stops the parser too."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._depth = 0

    def document(self) -> Node:
        for expected in (yaml.StreamStartEvent, yaml.DocumentStartEvent):
            event = next(self._events)
            if not isinstance(event, expected):
                raise PolicyInvalid(1, 1, "expected a policy, found an empty document")
        root = self._node(next(self._events))
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise PolicyInvalid(*_place(event), "expected one document, found a second one")
        return root

    def _node(self, event: yaml.Event) -> Node:
        place = _place(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise PolicyInvalid(*place, "anchors and aliases are not allowed: write the value out")
        if getattr(event, "tag", None) is not None:
            raise PolicyInvalid(*place, f"tags such as {str(getattr(event, 'tag', ''))[:40]} are not allowed")
        if isinstance(event, yaml.ScalarEvent):
            return Leaf(*place, event.value, event.style is None or event.style == "")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise PolicyInvalid(*place, f"nested more than {_MAX_DEPTH} levels deep")
        node: Node = self._list(place) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(place)
        self._depth -= 1
        return node

    def _list(self, place: tuple[int, int]) -> Many:
        many = Many(*place)
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            many.items.append(self._node(event))
        return many

    def _mapping(self, place: tuple[int, int]) -> Branch:
        branch = Branch(*place)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event)
            if not isinstance(key, Leaf):
                raise PolicyInvalid(key.line, key.column, "expected a key, found a list or a mapping")
            if key.text in branch.members:
                first = branch.members[key.text][0]
                raise PolicyInvalid(
                    key.line, key.column, f"the key {key.text[:60]!r} stands here twice, first in line {first.line}"
                )
            branch.members[key.text] = (key, self._node(next(self._events)))
        return branch


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
