"""Patterns over names with slashes: ``*`` stands for text without a slash, ``**`` for any text.

Matching takes time proportional to the text, whatever the pattern (each text character moves one bit set of positions),
so a hostile name cannot make a match slow. Besides matching, two questions about patterns are answered here: whether
one covers another, and whether two overlap.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["Glob", "covers", "matches", "overlap"]

_STAR: Final = "*"
_ANY: Final = "**"
_TOKEN: Final = re.compile(r"\*\*|\*|.", re.DOTALL)
_SOME_TEXT: Final = "\x00"  # stand for the wildcards of a pattern that is itself matched
_ANY_TEXT: Final = "\x01"


class Glob:
    """A compiled pattern."""

    __slots__ = ("_accept", "_any", "_letters", "_stars", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._letters: dict[str, int] = {}
        self._stars = self._any = 0
        tokens = _tokens(text)
        for position, token in enumerate(tokens):
            bit = 1 << position
            if token == _ANY:
                self._any |= bit
            if token in {_STAR, _ANY}:
                self._stars |= bit
            else:
                self._letters[token] = self._letters.get(token, 0) | bit
        self._accept = 1 << len(tokens)

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` fits."""
        return self._run(text, "/")

    def covers(self, other: str) -> bool:
        """Whether all that fits the pattern ``other`` fits this one; False where that cannot be told."""
        symbolic = "".join({_STAR: _SOME_TEXT, _ANY: _ANY_TEXT}.get(token, token) for token in _tokens(other))
        return self._run(symbolic, "/" + _ANY_TEXT)

    def _run(self, text: str, beyond_star: str) -> bool:
        stars, letters = self._stars, self._letters
        states = 1 | (stars & 1) << 1
        for character in text:
            stay = states & (self._any if character in beyond_star else stars)
            states = stay | (states & letters.get(character, 0)) << 1
            states |= (states & stars) << 1
        return bool(states & self._accept)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> Glob:
    return Glob(pattern)


@lru_cache(maxsize=8192)
def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` fits ``pattern``.

    >>> matches("https://git.example/shop/*", "https://git.example/shop/web")
    True
    >>> matches("https://git.example/*", "https://git.example/shop/web")
    False
    """
    return _glob(pattern).matches(text)


def covers(wider: str, narrower: str) -> bool:
    """Whether everything that fits ``narrower`` fits ``wider``; False where that cannot be told.

    >>> covers("shop/**", "shop/web-*"), covers("shop/*", "shop/**")
    (True, False)
    """
    return _glob(wider).covers(narrower)


def overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns.

    >>> overlap("shop/*-web", "shop/front-*"), overlap("shop/*", "blog/*")
    (True, False)
    """
    left, right = _tokens(one), _tokens(other)
    seen = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        at = waiting.pop()
        if at == (len(left), len(right)):
            return True
        for following in _steps(left, right, *at):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _steps(left: list[str], right: list[str], i: int, j: int) -> list[tuple[int, int]]:
    """Return the pairs of positions that one common character, or an empty wildcard, leads to."""
    a = left[i] if i < len(left) else ""
    b = right[j] if j < len(right) else ""
    steps: list[tuple[int, int]] = []
    if a in {_STAR, _ANY}:
        steps.append((i + 1, j))
    if b in {_STAR, _ANY}:
        steps.append((i, j + 1))
    if b and _takes(a, b):
        steps.append((i, j + 1))
    if a and _takes(b, a):
        steps.append((i + 1, j))
    if a and a == b:
        steps.append((i + 1, j + 1))
    return steps


def _takes(wildcard: str, letter: str) -> bool:
    """Whether a wildcard swallows a letter; False when either is something else."""
    return len(letter) == 1 and letter != _STAR and (wildcard == _ANY or (wildcard == _STAR and letter != "/"))
