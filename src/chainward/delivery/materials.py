"""What went into a build and what came out: files by digest, the state of the source, lock files.

The digest of a tree is in-toto's ``dirHash1`` (digest_set.md): the SHA-256 over the lines that ``sha256sum`` prints for
its files in the order of their names, so that anybody can recompute it with coreutils.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import SourceRefused
from chainward.kernel.digest import Algorithm, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LOCK_FILES", "FileDigest", "SourceState", "is_lock_file", "tree_digest"]

LOCK_FILES: Final = frozenset(
    {
        "Cargo.lock",
        "Gemfile.lock",
        "Pipfile.lock",
        "composer.lock",
        "go.sum",
        "gradle.lockfile",
        "mix.lock",
        "npm-shrinkwrap.json",
        "package-lock.json",
        "packages.lock.json",
        "pnpm-lock.yaml",
        "poetry.lock",
        "pubspec.lock",
        "pylock.toml",
        "uv.lock",
        "yarn.lock",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class FileDigest:
    """One file by its path below the source folder, with ``/``."""

    path: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """The source as it was: its commit if it has one, and the digest of every tracked file together.

    ``is_dirty`` says that files differ from the commit, or that there are files the commit does not know. Without a
    repository there is no commit, and ``tree`` covers every file of the folder.
    """

    tree: Digest
    files: int
    commit: str | None = None
    reference: str | None = None
    remote: str | None = None
    is_dirty: bool = False

    @property
    def uri(self) -> str:
        """Where the source comes from, as a provenance names it."""
        if self.commit is None:
            return "file:."
        place = self.remote or "file:."
        return f"git+{place}@{self.reference}" if self.reference else f"git+{place}"


def tree_digest(files: Iterable[FileDigest]) -> Digest:
    """Return the ``dirHash1`` of files; two listings of the same files give the same digest.

    >>> tree_digest([]).hex[:8]
    'e3b0c442'

    Raises:
        SourceRefused: a name with a line break, which could pass for two files.
    """
    hasher = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.path.encode(errors="surrogateescape")):
        if "\n" in file.path:
            raise SourceRefused(f"the name {file.path[:200]!r} has a line break", hint="Rename the file.")
        hasher.update(f"{file.digest.hex}  {file.path}\n".encode(errors="surrogateescape"))
    return Digest(Algorithm.SHA256, hasher.hexdigest())


def is_lock_file(path: str) -> bool:
    """Whether a file pins dependencies: a known name, or a pip requirements file.

    >>> is_lock_file("web/package-lock.json"), is_lock_file("requirements-dev.txt"), is_lock_file("notes.txt")
    (True, True, False)
    """
    name = path.rpartition("/")[2]
    return name in LOCK_FILES or (name.startswith(("requirements", "constraints")) and name.endswith((".txt", ".lock")))
