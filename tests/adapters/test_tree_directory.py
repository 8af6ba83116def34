"""A folder as a tree: what is given, and what an attacker who wrote the folder cannot make us read."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from chainward.adapters.tree import DirectoryTree, Limits
from chainward.adapters.tree.links import resolve
from chainward.sbom.errors import TreeUnreadable, UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path


def everything(path: str) -> bool:
    return bool(path)


def read(tree: DirectoryTree, limit: int = 1000) -> dict[str, bytes | str]:
    """Every file's content, or why it cannot be read."""
    found: dict[str, bytes | str] = {}
    for file in tree.select(everything):
        try:
            found[file.path] = file.read(limit)
        except UnreadableFile as problem:
            found[file.path] = problem.message
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    return folder


def test_files_are_given_by_path_in_order(root: Path) -> None:
    (root / "b" / "c").mkdir(parents=True)
    (root / "b" / "c" / "x").write_bytes(b"1")
    (root / "a").write_bytes(b"2")
    tree = DirectoryTree(root)
    assert list(read(tree).items()) == [("a", b"2"), ("b/c/x", b"1")]
    assert tree.unreadable() == ()
    assert [file.path for file in tree.select(lambda path: path.endswith("x"))] == ["b/c/x"]


def test_one_file_is_a_tree_too(root: Path) -> None:
    (root / "package-lock.json").write_bytes(b"{}")
    (root / "other").write_bytes(b"")
    assert read(DirectoryTree(root / "package-lock.json")) == {"package-lock.json": b"{}"}


def test_what_is_not_there_is_no_tree(root: Path) -> None:
    with pytest.raises(TreeUnreadable) as caught:
        list(DirectoryTree(root / "missing").select(everything))
    assert caught.value.code == "tree-unreadable"


def test_a_link_within_the_tree_gives_the_file_that_it_leads_to(root: Path) -> None:
    (root / "usr" / "lib").mkdir(parents=True)
    (root / "usr" / "lib" / "os-release").write_bytes(b"ID=debian")
    (root / "etc").mkdir()
    (root / "etc" / "os-release").symlink_to("../usr/lib/os-release")
    (root / "etc" / "absolute").symlink_to("/usr/lib/os-release")
    (root / "lib").symlink_to("usr/lib")
    (root / "etc" / "through").symlink_to("/lib/os-release")
    found = read(DirectoryTree(root))
    assert found["etc/os-release"] == found["etc/absolute"] == found["etc/through"] == b"ID=debian"
    assert "lib/os-release" not in found


@pytest.mark.parametrize("target", ["../secret", "../../../../../../etc/passwd", "a/../../secret"])
def test_a_link_that_leads_out_of_the_tree_is_not_followed(root: Path, target: str) -> None:
    (root / "a").mkdir()
    (root / "link").symlink_to(target)
    assert read(DirectoryTree(root))["link"] == "the symbolic link leaves the tree"


def test_an_absolute_link_begins_at_the_root_of_the_tree(root: Path, tmp_path: Path) -> None:
    (root / "link").symlink_to(tmp_path / "secret")
    assert "No such file" in str(read(DirectoryTree(root))["link"])


def test_a_circle_of_links_ends(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    (root / "self").symlink_to("self/self")
    assert set(read(DirectoryTree(root)).values()) == {"the symbolic links go in a circle"}


def test_a_link_to_a_folder_is_not_walked(root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "x").write_bytes(b"1")
    (root / "loop").symlink_to("folder/../folder")
    (root / "link").symlink_to("folder")
    found = read(DirectoryTree(root))
    assert found["folder/x"] == b"1"
    assert "link/x" not in found
    assert found["link"] == found["loop"] == "is not a regular file"


def test_pipes_sockets_and_devices_are_not_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    (root / "link").symlink_to("pipe")
    found = read(DirectoryTree(root))
    assert found == {"link": "is not a regular file"}


def test_a_folder_swapped_for_a_link_after_the_walk_is_not_followed(root: Path, tmp_path: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "secret").write_bytes(b"harmless")
    (file,) = DirectoryTree(root).select(everything)
    (root / "a" / "secret").unlink()
    (root / "a").rmdir()
    (root / "a").symlink_to(tmp_path)
    with pytest.raises(UnreadableFile):
        file.read(100)


def test_a_file_swapped_for_a_link_between_check_and_open_is_not_followed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "x").write_bytes(b"harmless")
    (file,) = DirectoryTree(root).select(everything)

    def swapped(path: str, _target_of: object) -> str:
        (root / "x").unlink()
        (root / "x").symlink_to(tmp_path / "secret")
        return path

    monkeypatch.setattr("chainward.adapters.tree.directory.resolve", swapped)
    with pytest.raises(UnreadableFile, match="cannot be opened"):
        file.read(100)


def test_a_file_over_the_limit_is_not_given(root: Path) -> None:
    (root / "large").write_bytes(b"x" * 101)
    assert read(DirectoryTree(root), limit=100) == {"large": "is larger than 100 bytes"}
    assert read(DirectoryTree(root), limit=101) == {"large": b"x" * 101}


def test_a_tree_with_too_many_entries_is_refused(root: Path) -> None:
    for number in range(20):
        (root / str(number)).touch()
    with pytest.raises(TreeUnreadable, match="more than 10"):
        list(DirectoryTree(root, limits=Limits(entries=10)).select(everything))


def test_a_name_in_another_encoding_is_shown_with_escapes_and_still_read(root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9")).write_bytes(b"1")
    (root / "naïve").write_bytes(b"2")
    assert read(DirectoryTree(root)) == {"caf\\xe9": b"1", "naïve": b"2"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_is_written_down(root: Path) -> None:
    (root / "closed").mkdir(mode=0)
    tree = DirectoryTree(root)
    assert read(tree) == {}
    assert [(found.path, found.reason) for found in tree.unreadable()] == [
        ("closed", "cannot be listed: Permission denied")
    ]


def test_a_folder_that_vanishes_during_the_walk_is_written_down(root: Path) -> None:
    (root / "gone").mkdir()
    (root / "a").touch()
    tree = DirectoryTree(root)

    def vanishing(path: str) -> bool:
        if (root / "gone").exists():
            (root / "gone").rmdir()
        return bool(path)

    assert [file.path for file in tree.select(vanishing)] == ["a"]
    assert [found.path for found in tree.unreadable()] == ["gone"]


@pytest.mark.parametrize(
    ("path", "links", "expected"),
    [
        ("a/b", {}, "a/b"),
        ("a/./b/../c", {}, "a/c"),
        ("a", {"a": "b/c"}, "b/c"),
        ("a/x", {"a": "/b"}, "b/x"),
        ("a/x", {"a": "b", "b/x": "../c"}, "c"),
    ],
)
def test_links_are_resolved_as_after_chroot(path: str, links: dict[str, str], expected: str) -> None:
    assert resolve(path, links.get) == expected
