"""Power loss: what a disk may show after one, reconstructed from what a process did to its files.

kill -9 proves little about durability, because the kernel still writes out what a dead process left. Here a process
runs under a recorder (``recorder.c``, loaded with LD_PRELOAD, built by the system's C compiler), and from its trace any
number of folders are made, each as a disk might show it if the power had failed at some point::

    trace = record(folder, [sys.executable, "-m", "tests.crash.producer", "prepare", url])
    for state in trace.crash_states(50, seed=1, into=tmp_path):
        acknowledged = state.said.splitlines()       # what the process had written to its standard output by then
        store = open_store(state.directory)          # must show everything that was acknowledged

Guaranteed is only what POSIX guarantees: bytes written before an fsync (or fdatasync) of that file which had returned,
and names (create, link, rename, unlink) made before an fsync of their folder which had returned. Of everything else
each write is, at random, there, not there, or there in part (sectors of 512 bytes); each name likewise. Files named
``*-shm`` are left out: they are shared memory and made again. What was in the folder before recording counts as
durable.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CrashState", "Trace", "record"]

_PROJECT: Final = Path(__file__).parents[2]
_SOURCE: Final = Path(__file__).with_name("recorder.c")
_HEAD: Final = struct.Struct("<cQQII")
_SECTOR: Final = 512
_NAMING: Final = frozenset("crulxd")


@dataclass(frozen=True, slots=True)
class Event:
    """One record of the trace; see recorder.c for the kinds."""

    kind: str
    inode: int
    number: int
    one: bytes
    two: bytes


@dataclass(frozen=True, slots=True)
class CrashState:
    """A folder as a disk might show it, and what the process had said before the power failed."""

    directory: Path
    said: bytes
    point: int


@dataclass(slots=True)
class _File:
    """One file: what it held at first, and every change with its place in the trace."""

    content: bytes = b""
    changes: list[tuple[int, int, bytes | None]] = field(default_factory=list)  # place, offset or size, data
    synced: int = -1  # changes before this place are guaranteed


@dataclass(slots=True)
class _Disk:
    """Files and names, up to some place of the trace."""

    files: list[_File] = field(default_factory=list)
    by_inode: dict[int, int] = field(default_factory=dict)
    folders: dict[int, str] = field(default_factory=dict)
    naming: list[tuple[int, str, str, str, int]] = field(default_factory=list)  # place, kind, path, other path, file
    synced_folders: dict[str, int] = field(default_factory=lambda: defaultdict(lambda: -1))
    names: dict[str, int] = field(default_factory=dict)
    said: bytearray = field(default_factory=bytearray)

    def add(self, file: _File) -> int:
        self.files.append(file)
        return len(self.files) - 1


@dataclass(slots=True)
class Trace:
    """Everything a process did to a folder, in order."""

    directory: Path
    events: list[Event]
    initial: dict[str, tuple[int, bytes | None]]  # path below the folder: inode, content (None for a folder)

    def crash_states(self, count: int, *, seed: int, into: Path) -> Iterator[CrashState]:
        """Make ``count`` folders below ``into``, each removed again when the next one is asked for.

        Half of the points lie right behind something that was said, where a broken promise shows soonest.
        """
        random = Random(seed)  # noqa: S311 - a test must be repeatable
        spoken = [place + 1 for place, event in enumerate(self.events) if event.kind == "s"]
        for number in range(count):
            anywhere = number % 2 == 0 or not spoken
            point = random.randrange(len(self.events) + 1) if anywhere else random.choice(spoken)
            folder = into / f"crash-{number}"
            said = self._materialise(folder, point, random)
            yield CrashState(folder, said, point)
            shutil.rmtree(folder)

    def replay(self, into: Path) -> None:
        """Make the folder as it is when nothing is lost."""
        self._materialise(into, len(self.events), None)

    def _materialise(self, folder: Path, point: int, random: Random | None) -> bytes:
        disk = self._disk(point)
        names = _surviving_names(disk, random)
        folder.mkdir(parents=True)
        for path in sorted(names, key=lambda path: path.count("/")):
            target = folder / path
            if names[path] < 0:
                target.mkdir(exist_ok=True, parents=True)
            elif target.parent.is_dir() and not path.endswith("-shm"):
                target.write_bytes(_surviving_content(disk.files[names[path]], random))
        return bytes(disk.said)

    def _disk(self, point: int) -> _Disk:
        disk = self._initial_disk()
        began: dict[int, int] = {}
        for place, event in enumerate(self.events[:point]):
            if event.kind == "f":
                began[event.number] = place
            elif event.kind == "F":
                _sync(disk, event.inode, began[event.number])
            elif event.kind == "s":
                disk.said += event.one
            elif event.kind in _NAMING:
                self._name(disk, place, event)
            elif event.kind in "wt":
                data = event.one if event.kind == "w" else None
                disk.files[disk.by_inode[event.inode]].changes.append((place, event.number, data))
        return disk

    def _initial_disk(self) -> _Disk:
        disk = _Disk()
        for path, (inode, content) in self.initial.items():
            if content is None:
                disk.folders[inode] = path
                disk.names[path] = -1
            else:
                disk.by_inode[inode] = disk.names[path] = disk.add(_File(content))
        disk.folders[self.directory.stat().st_ino] = ""
        return disk

    def _name(self, disk: _Disk, place: int, event: Event) -> None:
        path, other = self._below(event.one), self._below(event.two)
        file = -1
        if event.kind == "c":
            file = disk.by_inode[event.inode] = disk.add(_File())
            if not event.one:
                return  # a file without a name, until it is linked
        elif event.kind == "l":
            file = disk.by_inode[event.inode]
        elif event.kind == "d":
            disk.folders[event.inode] = path
        disk.naming.append((place, event.kind, path, other, file))

    def _below(self, path: bytes) -> str:
        return os.path.relpath(os.path.normpath(path.decode()), self.directory) if path else ""


def record(directory: Path, argv: Sequence[str], *, environment: dict[str, str] | None = None) -> Trace:
    """Run a command (in the project's folder) and record what it does to ``directory``.

    Skips the test where there is no C compiler to build the recorder with. The command must end with status 0, and the
    trace must be complete: replaying it must give the very folder that the command left.
    """
    directory = directory.resolve()
    work = directory.parent / f"{directory.name}.recording"
    work.mkdir()
    initial = _snapshot(directory)
    recording = {
        **os.environ,
        **(environment or {}),
        "LD_PRELOAD": str(_library(work)),
        "POWERLOSS_TRACE": str(work / "trace"),
        "POWERLOSS_ROOT": str(directory),
    }
    done = subprocess.run(argv, env=recording, cwd=_PROJECT, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    trace = Trace(directory, _read(work / "trace"), {path: (inode, content) for path, inode, content in initial})
    unsupported = {event.one for event in trace.events if event.kind == "U"}
    assert not unsupported, f"the recorder cannot follow {unsupported}"
    trace.replay(work / "replayed")
    expected = {path: content for path, _, content in _snapshot(directory)}
    assert {path: content for path, _, content in _snapshot(work / "replayed")} == expected
    assert b"".join(event.one for event in trace.events if event.kind == "s") == done.stdout
    return trace


def _library(folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to build the recorder with")
    library = folder / "recorder.so"
    command: list[str | Path] = [compiler, "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-pthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def _read(path: Path) -> list[Event]:
    data = path.read_bytes()
    events: list[Event] = []
    at = 0
    while at < len(data):
        kind, inode, number, first, second = _HEAD.unpack_from(data, at)
        middle = at + _HEAD.size + first
        events.append(
            Event(kind.decode(), inode, number, data[at + _HEAD.size : middle], data[middle : middle + second])
        )
        at = middle + second
    return events


def _snapshot(directory: Path) -> list[tuple[str, int, bytes | None]]:
    """Return path, inode and content of everything below a folder, except shared memory."""
    return [
        (str(path.relative_to(directory)), path.stat().st_ino, path.read_bytes() if path.is_file() else None)
        for path in sorted(directory.rglob("*"))
        if not path.name.endswith("-shm")
    ]


def _sync(disk: _Disk, inode: int, began: int) -> None:
    if inode in disk.folders:
        folder = disk.folders[inode]
        disk.synced_folders[folder] = max(disk.synced_folders[folder], began)
    elif inode in disk.by_inode:
        file = disk.files[disk.by_inode[inode]]
        file.synced = max(file.synced, began)


def _surviving_names(disk: _Disk, random: Random | None) -> dict[str, int]:
    """Apply every durable change of names, and of the others none, the first few, or any."""
    pending = [change for change in disk.naming if not _is_durable(disk, change)]
    kept: set[int] = {change[0] for change in pending}
    if random is not None:
        match random.randrange(3):
            case 0:
                kept = set()
            case 1:
                kept = {change[0] for change in pending[: random.randint(0, len(pending))]}
            case _:
                kept = {change[0] for change in pending if random.random() < 0.5}
    names = dict(disk.names)
    for change in disk.naming:
        if change[0] in kept or _is_durable(disk, change):
            _apply_name(names, *change[1:])
    return names


def _is_durable(disk: _Disk, change: tuple[int, str, str, str, int]) -> bool:
    place, kind, path, other, _ = change
    parent = os.path.dirname(other if kind == "r" else path)  # noqa: PTH120 - text, not a path of this machine
    return disk.synced_folders[parent] > place


def _apply_name(names: dict[str, int], kind: str, path: str, other: str, file: int) -> None:
    if kind in "cld":
        names[path] = file
    elif kind == "r" and path in names:
        moved = [name for name in names if name == path or name.startswith(f"{path}/")]
        for name in moved:
            names[other + name[len(path) :]] = names.pop(name)
    elif kind in "ux":
        names.pop(path, None)


def _surviving_content(file: _File, random: Random | None) -> bytes:
    """Apply every durable change of content, and of the others none, the first few, or any, also in part."""
    content = bytearray(file.content)
    pending = sum(place >= file.synced for place, _, _ in file.changes)
    mode = 3 if random is None else random.randrange(3)
    first = random.randint(0, pending) if random is not None else pending
    for place, number, data in file.changes:
        if place < file.synced or mode == 3:
            _apply(content, number, data)
        elif mode == 1 and first > 0:
            first -= 1
            _apply(content, number, data)
        elif mode == 2 and random is not None:
            _apply_in_part(content, number, data, random)
    return bytes(content)


def _apply(content: bytearray, number: int, data: bytes | None) -> None:
    if data is None:
        del content[number:]
        content.extend(bytes(number - len(content)))
    else:
        content.extend(bytes(max(0, number - len(content))))
        content[number : number + len(data)] = data


def _apply_in_part(content: bytearray, number: int, data: bytes | None, random: Random) -> None:
    match random.randrange(3):
        case 1:
            _apply(content, number, data)
        case 2 if data is not None:
            for start in range(0, len(data), _SECTOR):
                if random.random() < 0.5:
                    _apply(content, number + start, data[start : start + _SECTOR])
        case _:
            return
