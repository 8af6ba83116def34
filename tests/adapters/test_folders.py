"""Folders on disk held against what the system itself says of them, and results that survive a failing disk."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sbom.stand_ins import SUBJECT, StoppedClock, purls

from chainward.adapters.folder import FolderTree, ResultWriter
from chainward.adapters.git import SourceFolder
from chainward.adapters.tree import DirectoryTree
from chainward.delivery.errors import SourceUnreadable
from chainward.delivery.image import tar_chunks
from chainward.delivery.materials import tree_digest
from chainward.delivery.ports import NodeKind
from chainward.sbom.generate import generate

if TYPE_CHECKING:
    from collections.abc import Callable


NAMES = st.text("ab.-_ é\\'\"", min_size=1, max_size=5).filter(lambda name: name not in {".", ".."})
FILES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=9), max_size=6)


def write(root: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """Write files; those that lie where another one needs a folder are left out."""
    written: dict[str, bytes] = {}
    for name, data in files.items():
        path = root / name
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written[name] = data
    return written


@given(FILES)
def test_every_reader_of_a_folder_finds_the_same_files(files: dict[str, bytes]) -> None:
    """Three readers walk folders: of the inventory, of layers and of materials. They must not disagree."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        written = write(root, files)
        read = {file.path: file.read(100) for file in DirectoryTree(root).select(bool)}
        tree = FolderTree(root)
        packed = {node.path: b"".join(tree.chunks(node.path)) for node in tree.nodes() if node.kind is NodeKind.FILE}
        noted = {file.path: file.size for file in SourceFolder(root, git="").files(".")}
        assert read == packed == written
        assert noted == {name: len(data) for name, data in written.items()}


@given(FILES)
def test_parents_come_first_and_no_folder_is_told_twice(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files)
        paths = [node.path for node in FolderTree(root).nodes()]
        assert len({*paths}) == len(paths)
        for place, path in enumerate(paths):
            parent = path.rpartition("/")[0]
            assert not parent or paths.index(parent) < place
        assert paths == sorted(paths, key=lambda path: path.split("/")), "or else layers depend on chance"


@given(FILES, FILES)
def test_two_folders_have_one_digest_only_if_they_hold_the_same(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    def digest(files: dict[str, bytes]) -> tuple[object, dict[str, bytes]]:
        with TemporaryDirectory() as folder:
            written = write(Path(folder), files)
            return tree_digest(SourceFolder(Path(folder), git="").files(".")), written

    (left, first), (right, second) = digest(one), digest(other)
    assert (left == right) == (first == second)


def test_one_file_that_nobody_looks_at_is_not_an_empty_and_complete_inventory(tmp_path: Path) -> None:
    (tmp_path / "my.lock").write_text("a==1")
    sbom = generate(DirectoryTree(tmp_path / "my.lock"), subject=SUBJECT, clock=StoppedClock())
    assert not sbom.is_complete
    (tmp_path / "requirements.txt").write_text("a==1")
    sbom = generate(DirectoryTree(tmp_path / "requirements.txt"), subject=SUBJECT, clock=StoppedClock())
    assert (purls(sbom), sbom.is_complete) == (["pkg:pypi/a@1"], True)


def test_a_source_that_vanishes_or_changes_its_kind_is_named(tmp_path: Path) -> None:
    tree = FolderTree(tmp_path)
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        list(tree.chunks("gone"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceUnreadable, match="no longer a file"):
        list(tree.chunks("pipe"))
    with pytest.raises(SourceUnreadable, match="is not a folder"):
        list(FolderTree(tmp_path / "none").nodes())
    with pytest.raises(SourceUnreadable, match="is not a folder"):
        list(tar_chunks(FolderTree(tmp_path / "none"), "/app", datetime(2026, 1, 1, tzinfo=UTC)))


# --- the folder that a build leaves ----------------------------------------------------------------------------------


def result(target: Path, text: bytes) -> ResultWriter:
    writer = ResultWriter(target)
    writer.write("build.json", text)
    return writer


def failing(failures: int, real: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
    """A rename that fails once, at the call of this number, as on a disk that has just become full."""
    calls = 0

    def rename(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failures:
            raise OSError(errno.ENOSPC, "no space left")
        return real(path, target)

    return rename


@pytest.mark.parametrize("failures", [1, 2])
def test_a_result_that_cannot_take_its_place_leaves_the_former_one_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    result(tmp_path / "out", b"former").complete()
    writer = result(tmp_path / "out", b"new")
    monkeypatch.setattr(Path, "rename", failing(failures, Path.rename))
    with pytest.raises(OSError, match="no space"):
        writer.complete()
    assert (tmp_path / "out/build.json").read_bytes() == b"former"
    writer.abandon()
    assert (tmp_path / "out/build.json").read_bytes() == b"former"


def test_a_blob_that_is_not_written_to_its_end_leaves_no_file(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path / "out")

    def chunks() -> object:
        yield b"half"
        raise OSError(errno.EIO, "input/output error")

    with pytest.raises(OSError, match="input/output"):
        writer.put(chunks())  # type: ignore[arg-type]  # a generator of bytes that ends early
    writer.complete()
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
