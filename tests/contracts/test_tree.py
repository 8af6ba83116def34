"""What every tree promises to the sbom room, over a folder and over an image with the same content."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.layers import FOLDER, LINK, MemoryBlobs, image, tar
from tests.sbom.stand_ins import SUBJECT, StoppedClock, edge_names, purls

from chainward.adapters.tree import DirectoryTree, ImageTree, Limits
from chainward.sbom.errors import UnreadableFile
from chainward.sbom.generate import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from chainward.sbom.ports import Tree


class Maker(Protocol):
    """Makes a tree of files and symbolic links; a link is written as its target."""

    def __call__(self, files: Mapping[str, bytes], links: Mapping[str, str], limits: Limits | None = None) -> Tree: ...


@pytest.fixture(params=["folder", "one layer", "two layers"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    def folder(files: Mapping[str, bytes], links: Mapping[str, str], limits: Limits | None = None) -> Tree:
        root = tmp_path / "root"
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        for path, target in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        return DirectoryTree(root, limits=limits)

    def one(files: Mapping[str, bytes], links: Mapping[str, str], limits: Limits | None = None) -> Tree:
        blobs = MemoryBlobs()
        return ImageTree(image(blobs, tar(*files.items(), *_linked(links))), blobs, limits=limits)

    def two(files: Mapping[str, bytes], links: Mapping[str, str], limits: Limits | None = None) -> Tree:
        blobs = MemoryBlobs()
        older = {path: b"older " + data for path, data in files.items()} | {"gone/file": b"gone"}
        layers = tar(*older.items()), tar(*_linked(links), ("gone", FOLDER, ""), (".wh.gone", b""), *files.items())
        return ImageTree(image(blobs, *layers), blobs, limits=limits)

    makers: dict[str, Maker] = {"folder": folder, "one layer": one, "two layers": two}
    return makers[request.param]


def _linked(links: Mapping[str, str]) -> list[tuple[str, bytes, str]]:
    return [(path, LINK, target) for path, target in links.items()]


def _read(tree: Tree, wanted: Callable[[str], bool] = bool, limit: int = 1000) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for file in tree.select(wanted):
        try:
            found[file.path] = file.read(limit)
        except UnreadableFile:
            found[file.path] = None
    return found


FILES = {"b/x": b"1", "a": b"2", "b/c/y": b"3", "usr/lib/os": b"4"}


def test_every_wanted_file_is_given_once_in_order_with_its_content(make: Maker) -> None:
    tree = make(FILES, {})
    assert list(_read(tree).items()) == sorted(FILES.items())
    assert _read(tree, lambda path: path.endswith("y")) == {"b/c/y": b"3"}
    assert tree.unreadable() == ()


def test_an_empty_selection_is_empty(make: Maker) -> None:
    assert _read(make(FILES, {}), lambda _: False) == {}


def test_a_tree_can_be_read_again_and_says_the_same(make: Maker) -> None:
    tree = make(FILES, {"link": "a"})
    assert _read(tree) == _read(tree)


def test_links_within_the_tree_are_followed_and_others_are_not(make: Maker) -> None:
    links = {
        "etc/relative": "../usr/lib/os",
        "etc/absolute": "/usr/lib/os",
        "lib": "usr/lib",
        "etc/through": "../lib/os",
        "etc/chain": "relative",
        "out": "../../../../../../etc/passwd",
        "etc/out": "/../../etc/passwd",
        "circle": "circle",
        "nothing": "not/there",
        "folder": "b",
    }
    found = _read(make(FILES, links))
    assert {found[f"etc/{name}"] for name in ("relative", "absolute", "through", "chain")} == {b"4"}
    assert [found[name] for name in ("out", "etc/out", "circle", "nothing")] == [None] * 4
    assert found.get("folder") is None
    assert "folder/x" not in found


def test_a_link_is_followed_although_only_the_link_is_wanted(make: Maker) -> None:
    assert _read(make(FILES, {"etc/os": "../usr/lib/os"}), lambda path: path == "etc/os") == {"etc/os": b"4"}


def test_content_over_the_limit_is_not_given_and_content_at_the_limit_is(make: Maker) -> None:
    tree = make({"a": b"x" * 10, "b": b"x" * 11}, {})
    assert _read(tree, limit=10) == {"a": b"x" * 10, "b": None}


def test_names_with_spaces_newlines_and_other_scripts_are_given_as_they_are(make: Maker) -> None:
    files = {"with space/a b": b"1", "new\nline": b"2", "naïve/日本": b"3", "-rf": b"4", "a'\"$(x)`": b"5"}
    assert _read(make(files, {})) == files


def test_the_inventory_does_not_depend_on_where_the_files_lie(make: Maker) -> None:
    files = {
        "var/lib/dpkg/status": b"Package: a\nVersion: 1\nArchitecture: all\nDepends: b\n\nPackage: b\nVersion: 2\n",
        "usr/lib/os-release": b"ID=debian\nVERSION_ID=12\n",
        "srv/requirements.lock": b"x==1\ny==2\n    # via x\n",
        "srv/node_modules/p/package.json": b'{"name":"p","version":"1"}',
    }
    links = {"etc/os-release": "../usr/lib/os-release"}
    sbom = generate(make(files, links), subject=SUBJECT, clock=StoppedClock())
    assert purls(sbom) == [
        "pkg:deb/debian/a@1?arch=all&distro=debian-12",
        "pkg:deb/debian/b@2?distro=debian-12",
        "pkg:npm/p@1",
        "pkg:pypi/x@1",
        "pkg:pypi/y@2",
    ]
    assert edge_names(sbom) == {("a", "b"), ("x", "y")}
    assert sbom.is_complete


_part = st.sampled_from(["a", "b", "c", ".wh.a", ".wh.b", ".wh..wh..opq"])
_steps = st.lists(
    st.tuples(st.lists(_part, min_size=1, max_size=3).map("/".join), st.sampled_from(["file", "folder"])), max_size=6
)


def _expected(layers: list[list[tuple[str, str]]]) -> dict[str, bytes]:
    """Lay layers over each other in the slow and obvious way: one set of names, each step on its own."""
    names: dict[str, str] = {}
    for number, steps in enumerate(layers):
        for path, _ in steps:
            folder, _, name = path.rpartition("/")
            prefix = f"{folder}/" if folder else ""
            if name == ".wh..wh..opq":
                names = {found: kind for found, kind in names.items() if not found.startswith(prefix)}
            elif name.startswith(".wh."):
                gone = prefix + name[4:]
                names = {
                    found: kind for found, kind in names.items() if found != gone and not found.startswith(f"{gone}/")
                }
        for path, kind in steps:
            if path.rpartition("/")[2].startswith(".wh."):
                continue
            if kind == "file":
                names = {found: what for found, what in names.items() if not found.startswith(f"{path}/")}
            names[path] = "folder" if kind == "folder" else f"{number}:{path}"
    return {path: what.encode() for path, what in names.items() if what != "folder"}


def _is_sound(steps: list[tuple[str, str]]) -> bool:
    """Whether an archiver could have written this layer: no name twice, nothing below a file or a mark."""
    paths = [path for path, _ in steps]
    files = {path for path, kind in steps if kind == "file"}
    below = any(path.startswith(f"{file}/") for path in paths for file in files)
    marked = any(part.startswith(".wh.") for path in paths for part in path.split("/")[:-1])
    return len(set(paths)) == len(paths) and not below and not marked


@given(st.lists(_steps.filter(_is_sound), min_size=1, max_size=4))
def test_layers_of_any_shape_give_what_laying_them_down_one_by_one_gives(layers: list[list[tuple[str, str]]]) -> None:
    blobs = MemoryBlobs()
    archives = []
    for number, steps in enumerate(layers):
        members = [
            (path, f"{number}:{path}".encode()) if kind == "file" or ".wh." in path else (path, FOLDER, "")
            for path, kind in steps
        ]
        archives.append(tar(*members))
    assert _read(ImageTree(image(blobs, *archives), blobs)) == _expected(layers)


def test_what_the_systems_own_tar_writes_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / ("long" * 40) / "x").mkdir(parents=True)
    (root / ("long" * 40) / "x" / ("name" * 40)).write_bytes(b"1")
    (root / "hard").write_bytes(b"2")
    (root / "link").hardlink_to(root / "hard")
    (root / "symbolic").symlink_to("hard")
    expected = _read(DirectoryTree(root))
    for form in ("gnu", "posix", "pax"):
        command = ["tar", f"--format={form}", "-C", str(root), "-cf", str(tmp_path / "t.tar"), "."]
        subprocess.run(command, check=True)
        blobs = MemoryBlobs()
        assert _read(ImageTree(image(blobs, (tmp_path / "t.tar").read_bytes()), blobs)) == expected
