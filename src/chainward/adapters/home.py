"""The data folder of a platform: making it, its keys and their passphrase, and the lock that keeps a second one out.

Everything in it is readable by its owner only. A secret is written to a new file, fsynced and then linked to its name,
so that a crash leaves either the whole secret or none, and an existing one is never replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final

from chainward.kernel.problem import Kind, Problem
from chainward.keys.local import load_private_key

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.keys.local import PrivateKey

__all__ = [
    "AlreadyInitialised",
    "DataFolder",
    "FolderUnusable",
    "InstanceLock",
    "InstanceMismatch",
    "InstanceRunning",
    "NotInitialised",
]

_MARKER: Final = "instance.json"
_FORMAT: Final = 1
_OWN: Final = ("keys", "chainward.db", "blobs", _MARKER)
_LIMIT: Final = 64 * 1024
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class AlreadyInitialised(Problem):
    """The data folder, or the database, holds a platform already."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "already-initialised"
    hint = "Start it with: chainward up; or name another folder with --data."


class NotInitialised(Problem):
    """The data folder holds no platform."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "not-initialised"
    hint = "Make it with: chainward init; or name the right folder with --data or CHAINWARD_DATA."


class InstanceMismatch(Problem):
    """The data belongs to a platform of another name or of a later version."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "instance-mismatch"
    hint = (
        "The name of a platform stands in its logs and cannot change: set instance.name to the name it was made with."
    )


class InstanceRunning(Problem):
    """Another process runs on the same data; ``details["pid"]`` is the one that holds the lock."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "instance-running"
    hint = "Stop the other process first; two never write one data folder."


class FolderUnusable(Problem):
    """The data folder cannot be read or written."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "data-folder-unusable"
    hint = "Check the owner, the permissions and the free space of the data folder."


class InstanceLock:
    """An exclusive lock on a data folder; the operating system drops it when this process ends, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let another process have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DataFolder:
    """One data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def keys(self) -> Path:
        """Where the platform's own keys lie."""
        return self.path / "keys"

    def create(self) -> None:
        """Make the folder, or take an empty one.

        Raises:
            AlreadyInitialised: something of a platform is in it.
            FolderUnusable: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
            found = sorted(name for name in _OWN if (self.path / name).exists())
            if found:
                raise AlreadyInitialised(f"{self.path} already holds {', '.join(found)}", details={"found": found})
            self.path.chmod(_PRIVATE_FOLDER)
            self.keys.mkdir(mode=_PRIVATE_FOLDER)
        except OSError as error:
            raise FolderUnusable(f"{self.path}: {error.strerror}") from error

    def discard(self) -> None:
        """Remove what a failed making left behind; a folder that was completed is left alone."""
        if (self.path / _MARKER).exists():
            return
        for name in ("keys", "blobs", "uploads"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("chainward.db", "chainward.db-wal", "chainward.db-shm", "projections.db", "lock"):
            (self.path / name).unlink(missing_ok=True)

    def complete(self, instance: str) -> None:
        """Mark the folder as fully made; without the mark it is not opened."""
        text = json.dumps({"format": _FORMAT, "name": instance}) + "\n"
        self.write_secret(self.path / _MARKER, text.encode())

    def check(self, instance: str) -> None:
        """Return when the folder holds the platform ``instance``.

        Raises:
            NotInitialised: it holds none, or its making was interrupted.
            InstanceMismatch: it holds another one.
        """
        marker = self.path / _MARKER
        if not marker.is_file():
            raise NotInitialised(f"{self.path} holds no platform")
        try:
            members = json.loads(_read(marker))
        except ValueError as error:
            raise FolderUnusable(f"{marker} cannot be read") from error
        if not isinstance(members, dict) or members.get("format") != _FORMAT:
            raise InstanceMismatch(f"{self.path} was written by a version that this one does not know")
        if members.get("name") != instance:
            raise InstanceMismatch(f"{self.path} holds the platform {members.get('name')!r}, not {instance!r}")

    def lock(self) -> InstanceLock:
        """Take the folder for this process; raises InstanceRunning."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        except OSError as error:
            raise FolderUnusable(f"{self.path / 'lock'}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise InstanceRunning(
                f"process {holder} runs on {self.path} already", details={"pid": holder, "folder": str(self.path)}
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return InstanceLock(descriptor)

    def write_secret(self, path: Path, content: bytes) -> None:
        """Write a new file that only its owner can read, durably; an existing one is refused."""
        partial = path.with_name(f".{path.name}.partial")
        try:
            with suppress(FileNotFoundError):
                partial.unlink()
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            os.link(partial, path)
            partial.unlink()
            _sync_folder(path.parent)
        except FileExistsError as error:
            raise AlreadyInitialised(f"{path} exists already") from error
        except OSError as error:
            raise FolderUnusable(f"{path}: {error.strerror}") from error

    def read_passphrase(self, path: Path) -> bytes:
        """Return the passphrase in a file; one that others may read is refused."""
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise FolderUnusable(f"the passphrase file {path}: {error.strerror}") from error
        if stat.S_IMODE(mode) & 0o077:
            raise FolderUnusable(f"the passphrase file {path} is readable by others", hint=f"Run: chmod 600 {path}")
        return _read(path).strip()

    def read_secret(self, path: Path) -> bytes:
        """Return what :meth:`write_secret` wrote; raises NotInitialised without it."""
        if not path.is_file():
            raise NotInitialised(f"the file {path} is missing")
        return _read(path)

    def store_key(self, name: str, key: PrivateKey, passphrase: bytes) -> None:
        """Keep a new key under a name, encrypted."""
        self.write_secret(self.keys / f"{name}.pem", key.encrypted_pem(passphrase))

    def load_key(self, name: str, passphrase: bytes) -> PrivateKey:
        """Return a key; raises NotInitialised, or what load_private_key raises."""
        return load_private_key(self.read_secret(self.keys / f"{name}.pem"), passphrase)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            content = handle.read(_LIMIT + 1)
    except OSError as error:
        raise FolderUnusable(f"{path}: {error.strerror}") from error
    if len(content) > _LIMIT:
        raise FolderUnusable(f"{path} is larger than {_LIMIT} bytes")
    return content


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
