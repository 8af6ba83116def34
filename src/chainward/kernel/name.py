"""Names of things in a registry: repositories, tags, image references, and patterns over repositories.

Grammar: OCI distribution-spec 1.1.1, "Pulling manifests" (``<name>`` and ``<reference>``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from chainward.kernel.digest import Digest
from chainward.kernel.pattern import matches
from chainward.kernel.problem import Kind, Problem

__all__ = ["ImageName", "InvalidName", "RepositoryName", "RepositoryPattern", "Tag"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\Z")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?\Z")
_PATTERN = re.compile(r"[a-z0-9._/*-]{1,255}\Z")
_MAX_REPOSITORY = 255
_MAX_STARS = 4  # bounds the work of one match


class InvalidName(Problem):
    """The text is not a repository, tag, image name or pattern."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "name-invalid"
    hint = "Use lowercase path components such as team/service, and a tag such as 1.4.2."


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """The name of a repository, such as ``shop/frontend``."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > _MAX_REPOSITORY or _REPOSITORY.match(self.text) is None:
            raise InvalidName(f"{self.text[:80]!r} is not a repository name")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """A tag within a repository, such as ``1.4.2``."""

    text: str

    def __post_init__(self) -> None:
        if _TAG.match(self.text) is None:
            raise InvalidName(f"{self.text[:80]!r} is not a tag")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image as Kubernetes and people write it: ``host/repository:tag@digest``.

    ``host`` is empty when none was written. A name with neither tag nor digest has the tag ``latest``.

    >>> str(ImageName.parse("reg.example:5000/shop/web:1.0"))
    'reg.example:5000/shop/web:1.0'
    """

    host: str
    repository: RepositoryName
    tag: Tag | None
    digest: Digest | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an image name; raises :class:`InvalidName` or :class:`~chainward.kernel.digest.InvalidDigest`."""
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        first, slash, remainder = rest.partition("/")
        host = ""
        if slash and ("." in first or ":" in first or first == "localhost"):
            if _HOST.match(first) is None:
                raise InvalidName(f"{first[:80]!r} is not a registry host")
            host, rest = first, remainder
        path, colon, tag_text = rest.partition(":")
        tag = Tag(tag_text) if colon else None
        if tag is None and digest is None:
            tag = Tag("latest")
        return cls(host, RepositoryName(path), tag, digest)

    def pinned(self, digest: Digest) -> Self:
        """Return the same name bound to ``digest``, its tag dropped."""
        return type(self)(self.host, self.repository, None, digest)

    def __str__(self) -> str:
        host = f"{self.host}/" if self.host else ""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{host}{self.repository}{tag}{digest}"


@dataclass(frozen=True, slots=True, order=True)
class RepositoryPattern:
    """Which repositories: ``*`` stands for one path component's text, ``**`` for any depth.

    >>> RepositoryPattern("shop/**").matches(RepositoryName("shop/web/api"))
    True
    >>> RepositoryPattern("shop/*").matches(RepositoryName("shop/web/api"))
    False
    """

    text: str

    def __post_init__(self) -> None:
        if _PATTERN.match(self.text) is None or "***" in self.text or self.text.count("*") > _MAX_STARS:
            raise InvalidName(
                f"{self.text[:80]!r} is not a repository pattern", hint="Use a pattern such as shop/** or **."
            )

    def matches(self, repository: RepositoryName) -> bool:
        """Whether ``repository`` is covered."""
        return matches(self.text, repository.text)

    def __str__(self) -> str:
        return self.text
