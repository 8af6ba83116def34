"""The source folder of a build, asked through git where it is a repository, else read as it lies there.

Git runs without the user's and the system's configuration, and with neither hooks nor file system monitor nor the
filters that the repository configures (gitattributes(5)), so that looking at a source does not run what the source
says. Credentials in the address of the remote are dropped, wherever in it they stand.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from chainward.adapters.folder import FolderTree
from chainward.delivery.errors import SourceRefused, SourceUnreadable
from chainward.delivery.materials import FileDigest, SourceState, is_lock_file, tree_digest
from chainward.delivery.ports import NodeKind, TreeNode
from chainward.kernel.digest import Algorithm, Digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["SourceFolder"]

_SECONDS: Final = 120
_SAFE: Final = (
    "-c",
    "safe.directory=*",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.quotePath=false",
)
_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
_SKIPPED: Final = frozenset({".git", ".hg", ".svn"})
_VENDORED: Final = frozenset({*_SKIPPED, "node_modules", ".venv", "venv", "__pycache__", ".tox", "site-packages"})
_SCP: Final = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)(.+)\Z")
_GITLINK: Final = "160000"
_FILTER: Final = re.compile(r"(filter\..*)\.[a-z]+\Z", re.DOTALL)
_NO_FILTER: Final = {"clean": "", "smudge": "", "process": "", "required": "false"}


class SourceFolder:
    """One source folder; implements Workspace. What lies at ``left_out`` below it is never source."""

    def __init__(self, root: Path, *, git: str | None = None, left_out: tuple[str, ...] = ()) -> None:
        self._root = root
        self._left_out = left_out
        self._tree = FolderTree(root)
        self._git = git if git is not None else shutil.which("git")

    def source(self, outputs: tuple[str, ...]) -> SourceState:
        """Return the state of the source now."""
        outputs = (*outputs, *self._left_out)
        if not self._is_repository():
            files = list(self._all_files(outputs))
            return SourceState(tree=tree_digest(files), files=len(files))
        files = list(self._tracked_files())
        commit = self._ask("rev-parse", "--verify", "--quiet", "HEAD", may_fail=True).strip()
        listing = ("status", "--porcelain=v1", "-z", "--untracked-files=normal", "--", ".", *_without(outputs))
        changes = self._ask(*listing, settings=self._without_filters())
        remote = self._ask("config", "--get", "remote.origin.url", may_fail=True).strip()
        return SourceState(
            tree=tree_digest(files),
            files=len(files),
            commit=commit or None,
            reference=self._ask("symbolic-ref", "--quiet", "HEAD", may_fail=True).strip() or None,
            remote=_public(remote) if remote else None,
            is_dirty=bool(changes),
        )

    def lock_files(self) -> tuple[FileDigest, ...]:
        """Return the lock files of the source, those of installed packages left out."""
        nodes = (
            node
            for node in self._tree.nodes()
            if node.kind is NodeKind.FILE and is_lock_file(node.path) and not _VENDORED & {*node.path.split("/")}
        )
        return tuple(self._file(node) for node in nodes)

    def files(self, path: str) -> tuple[FileDigest, ...]:
        """Return the files at or below ``path``."""
        parts = _below(path)
        nodes = (node for node in self._tree.nodes() if tuple(node.path.split("/"))[: len(parts)] == parts)
        return tuple(self._file(node) for node in nodes if node.kind in {NodeKind.FILE, NodeKind.SYMLINK})

    def _all_files(self, outputs: tuple[str, ...]) -> Iterator[FileDigest]:
        left_out = [_below(output) for output in outputs]
        for node in self._tree.nodes():
            parts = tuple(node.path.split("/"))
            if _SKIPPED & {*parts} or any(parts[: len(output)] == output for output in left_out):
                continue
            if node.kind in {NodeKind.FILE, NodeKind.SYMLINK}:
                yield self._file(node)

    def _tracked_files(self) -> Iterator[FileDigest]:
        present = {node.path: node for node in self._tree.nodes()}
        for line in self._ask("ls-files", "-z", "--stage", "--", ".").split("\0"):
            head, _, path = line.partition("\t")
            node = present.get(path)
            if node is None:
                continue
            if head.startswith(_GITLINK):
                commit = head.split(" ")[1].encode()
                yield FileDigest(path, Digest.of(commit), len(commit))
            elif node.kind in {NodeKind.FILE, NodeKind.SYMLINK}:
                yield self._file(node)

    def _file(self, node: TreeNode) -> FileDigest:
        if node.kind is NodeKind.SYMLINK:
            target = os.fsencode(node.target)
            return FileDigest(node.path, Digest.of(target), len(target))
        hasher, size = hashlib.sha256(), 0
        for chunk in self._tree.chunks(node.path):
            hasher.update(chunk)
            size += len(chunk)
        return FileDigest(node.path, Digest(Algorithm.SHA256, hasher.hexdigest()), size)

    def _is_repository(self) -> bool:
        if self._git is None:
            return False
        answer = self._run("rev-parse", "--is-inside-work-tree")
        if answer.returncode == 0:
            return answer.stdout.strip() == b"true"
        if b"not a git repository" in answer.stderr:
            return False
        raise _unreadable(answer)

    def _without_filters(self) -> dict[str, str]:
        """Return the settings that turn off every filter of the repository: status would run them to compare."""
        names = self._ask("config", "--null", "--name-only", "--get-regexp", r"^filter\.", may_fail=True).split("\0")
        filters = dict.fromkeys(match[1] for match in map(_FILTER.match, names) if match)
        return {f"{name}.{key}": value for name in filters for key, value in _NO_FILTER.items()}

    def _ask(self, *arguments: str, may_fail: bool = False, settings: Mapping[str, str] = _NO_SETTINGS) -> str:
        answer = self._run(*arguments, settings=settings)
        if answer.returncode != 0 and not (may_fail and answer.returncode == 1):
            raise _unreadable(answer)
        return os.fsdecode(answer.stdout)

    def _run(self, *arguments: str, settings: Mapping[str, str] = _NO_SETTINGS) -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        # Not as options: a name may hold the character that parts an option's name from its value.
        for number, (key, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        command = (self._git or "git", *_SAFE, "-C", str(self._root), *arguments)
        try:
            return subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS, env=environment)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceUnreadable(f"git does not answer: {error}") from error


def _without(outputs: tuple[str, ...]) -> list[str]:
    return [f":(exclude,literal){'/'.join(_below(output)) or '.'}" for output in outputs]


def _below(path: str) -> tuple[str, ...]:
    wanted = PurePosixPath(path)
    if wanted.is_absolute() or ".." in wanted.parts:
        raise SourceRefused(f"{path[:200]!r} is not a path below the source folder")
    return wanted.parts


def _unreadable(answer: subprocess.CompletedProcess[bytes]) -> SourceUnreadable:
    reason = answer.stderr.decode(errors="replace").strip().splitlines() or [f"status {answer.returncode}"]
    return SourceUnreadable(f"git cannot read the source: {reason[0][:300]}")


def _public(remote: str) -> str:
    """Return the address of a remote as a URL without user name, password, query and fragment."""
    scp = _SCP.match(remote)
    if scp:
        return f"ssh://{scp[1]}/{scp[2].lstrip('/')}"
    try:
        parts = urlsplit(remote)
    except ValueError:
        raise SourceUnreadable("the address of the remote origin is not a URL") from None
    if not parts.netloc:
        return f"file://{remote}" if not parts.scheme else remote
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
