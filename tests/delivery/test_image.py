"""Images are assembled from folders, deterministically, and carry nothing that a layer must not carry."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.adapters.folder import FolderTree, LayoutReader, ResultWriter
from chainward.delivery.errors import LayoutInvalid, SourceChanged, SourceRefused, SourceUnreadable
from chainward.delivery.image import AssembledImage, ImagePlan, LayerPlan, assemble, gzip_chunks, tar_chunks
from chainward.delivery.ports import NodeKind, TreeNode
from chainward.formats.oci import OCI_LAYER_GZIP, decode_image_config, decode_manifest
from chainward.kernel.digest import Digest, DigestMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SKOPEO = shutil.which("skopeo")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemorySink:
    """Keeps blobs in memory."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def put(self, chunks: Iterable[bytes]) -> tuple[Digest, int]:
        data = b"".join(chunks)
        digest = Digest.of(data)
        self.blobs[digest] = data
        return digest, len(data)


class ListedTree:
    """A folder that exists only as a list."""

    def __init__(self, *nodes: TreeNode, content: bytes = b"") -> None:
        self._nodes = nodes
        self._content = content

    def nodes(self) -> Iterator[TreeNode]:
        yield from self._nodes

    def chunks(self, path: str) -> Iterator[bytes]:
        del path
        yield self._content


def _example(root: Path, names: Iterable[str] = ("run.sh", "lib/b.txt", "lib/a.txt")) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (root / "run.sh").chmod(0o700)
    (root / "current").symlink_to("lib/a.txt")
    return root


def _assemble(*layers: tuple[Path, str]) -> tuple[AssembledImage, MemorySink]:
    sink = MemorySink()
    plan = ImagePlan(
        layers=tuple(LayerPlan(FolderTree(path), target) for path, target in layers),
        entrypoint=("/app/run.sh",),
        command=("--serve",),
        environment=("PATH=/usr/bin",),
        working_dir="/app",
        user="1000:1000",
        labels={"b": "2", "a": "1"},
    )
    return assemble(plan, sink), sink


def _tar(tree: ListedTree | FolderTree, target: str = "/") -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(b"".join(tar_chunks(tree, target, EPOCH))))


def test_the_same_folder_gives_the_same_digest_whatever_its_times_umask_and_order_of_creation(tmp_path: Path) -> None:
    first = _example(tmp_path / "one")
    former = os.umask(0o077)
    try:
        second = _example(tmp_path / "two", ("lib/a.txt", "lib/b.txt", "run.sh"))
    finally:
        os.umask(former)
    for path in second.rglob("*"):
        os.utime(path, (1_000_000, 2_000_000), follow_symlinks=False)
    assert _assemble((first, "/app"))[0].manifest == _assemble((second, "/app"))[0].manifest


def test_another_byte_another_name_or_another_mode_gives_another_digest(tmp_path: Path) -> None:
    base = _assemble((_example(tmp_path / "base"), "/app"))[0].manifest.digest
    digests = {base}
    changes: tuple[Callable[[Path], object], ...] = (
        lambda root: (root / "lib/a.txt").write_text("other"),
        lambda root: (root / "lib/a.txt").rename(root / "lib/c.txt"),
        lambda root: (root / "lib/a.txt").chmod(0o755),
        lambda root: (root / "empty").mkdir(),
    )
    for number, change in enumerate(changes):
        root = _example(tmp_path / str(number))
        change(root)
        digests.add(_assemble((root, "/app"))[0].manifest.digest)
    assert len(digests) == 5


def test_an_image_describes_its_blobs_truthfully(tmp_path: Path) -> None:
    image, sink = _assemble((_example(tmp_path / "code"), "/srv/app"), (_example(tmp_path / "more"), "/"))
    manifest = decode_manifest(sink.blobs[image.manifest.digest], image.manifest.media_type)
    assert manifest.config is not None
    config = decode_image_config(sink.blobs[manifest.config.digest])
    for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
        assert layer.media_type == OCI_LAYER_GZIP
        assert len(sink.blobs[layer.digest]) == layer.size
        assert Digest.of(gzip.decompress(sink.blobs[layer.digest])) == diff_id
    assert config.entrypoint == ("/app/run.sh",)
    assert config.command == ("--serve",)
    assert config.user == "1000:1000"
    assert config.created == "1970-01-01T00:00:00Z"
    assert [step.created_by for step in config.history] == [
        "chainward build --layer srv/app",
        "chainward build --layer /",
    ]


def test_a_layer_holds_owner_zero_plain_modes_one_time_and_no_pax_header_where_none_is_needed(tmp_path: Path) -> None:
    data = b"".join(tar_chunks(FolderTree(_example(tmp_path)), "/srv/app", EPOCH))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {member.name: member for member in archive}
    assert list(members) == [
        "srv",
        "srv/app",
        "srv/app/current",
        "srv/app/lib",
        "srv/app/lib/a.txt",
        "srv/app/lib/b.txt",
        "srv/app/run.sh",
    ]
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in members.values()} == {
        (0, 0, "", "", 0)
    }
    assert members["srv/app/run.sh"].mode == 0o755
    assert members["srv/app/lib/a.txt"].mode == 0o644
    assert members["srv/app/current"].linkname == "lib/a.txt"
    assert b"PaxHeader" not in data


def test_names_beyond_ustar_come_back_whole() -> None:
    name = "ordner-mit-ümlauten/" + "/".join(["long" * 30] * 4)
    nodes = [TreeNode("ordner-mit-ümlauten", NodeKind.DIRECTORY), TreeNode(name, NodeKind.FILE, 5)]
    with _tar(ListedTree(*nodes, content=b"12345")) as archive:
        assert archive.getnames() == ["ordner-mit-ümlauten", name]
        handle = archive.extractfile(name)
        assert handle is not None
        assert handle.read() == b"12345"


@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("/app", "/etc/passwd"),
        ("/app", "../../etc/passwd"),
        ("/app", ".."),
        ("/app", "lib/../../../x"),
        ("/app", "/app/../etc/shadow"),
        ("/", "../x"),
        ("/", "/../x"),
    ],
)
def test_a_link_that_leaves_its_layer_is_refused(target: str, link: str) -> None:
    tree = ListedTree(TreeNode("link", NodeKind.SYMLINK, target=link))
    with pytest.raises(SourceRefused, match="leaves"):
        list(tar_chunks(tree, target, EPOCH))


@pytest.mark.parametrize(
    ("target", "link"), [("/app", "lib/x"), ("/app", "/app/lib"), ("/", "/etc/alternatives/python"), ("/a/b", "../b/c")]
)
def test_a_link_within_its_layer_is_kept_as_it_is(target: str, link: str) -> None:
    tree = ListedTree(TreeNode("link", NodeKind.SYMLINK, target=link))
    with _tar(tree, target) as archive:
        assert archive.getmembers()[-1].linkname == link


def test_a_whiteout_smuggled_into_a_layer_is_refused() -> None:
    for name in (".wh.passwd", "etc/.wh..wh..opq"):
        with pytest.raises(SourceRefused, match="delete other files"):
            list(tar_chunks(ListedTree(TreeNode(name, NodeKind.FILE)), "/", EPOCH))


def test_devices_pipes_and_sockets_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceRefused, match="neither file, folder nor link"):
        list(tar_chunks(FolderTree(tmp_path), "/", EPOCH))


@pytest.mark.parametrize("path", ["../x", "a//b", "/x", "a/./b", "new\nline", "nul\0", "\udcff", "x" * 5000])
def test_a_name_that_no_layer_can_carry_is_refused(path: str) -> None:
    with pytest.raises(SourceRefused):
        list(tar_chunks(ListedTree(TreeNode(path, NodeKind.FILE)), "/", EPOCH))


def test_a_tree_out_of_order_is_refused_because_its_digest_would_depend_on_chance() -> None:
    for second in ("a", "b"):
        with pytest.raises(SourceRefused, match="out of order"):
            list(tar_chunks(ListedTree(TreeNode("b", NodeKind.FILE), TreeNode(second, NodeKind.FILE)), "/", EPOCH))


@pytest.mark.parametrize("size", [4, 6])
def test_a_file_that_changes_while_it_is_packed_stops_the_image(size: int) -> None:
    with pytest.raises(SourceChanged):
        list(tar_chunks(ListedTree(TreeNode("a", NodeKind.FILE, size), content=b"12345"), "/", EPOCH))


@pytest.mark.parametrize("target", ["app", "/app/../etc", "/./x", ""])
def test_a_layer_stands_at_an_absolute_path(target: str) -> None:
    with pytest.raises(SourceRefused, match="absolute path"):
        list(tar_chunks(ListedTree(), target, EPOCH))


def test_a_folder_swapped_for_a_link_while_packing_pulls_nothing_in(tmp_path: Path) -> None:
    root = _example(tmp_path / "root")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/a.txt").write_text("secret")
    tree = FolderTree(root)
    nodes = tree.nodes()
    for node in nodes:
        if node.path == "lib/a.txt":
            break
    shutil.rmtree(root / "lib")
    (root / "lib").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceUnreadable):
        list(tree.chunks("lib/a.txt"))


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="is not a folder"):
        list(tar_chunks(FolderTree(tmp_path / "nothing"), "/", EPOCH))


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_what_is_compressed_comes_back_and_says_nothing_about_when(chunks: list[bytes]) -> None:
    packed = b"".join(gzip_chunks(chunks))
    assert gzip.decompress(packed) == b"".join(chunks)
    assert packed[3:8] == b"\0\0\0\0\0"  # no name, no time
    assert packed == b"".join(gzip_chunks([b"".join(chunks)]))


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1), st.binary(max_size=700))
)
def test_every_tree_that_is_packed_unpacks_to_itself(files: dict[str, bytes]) -> None:
    class Tree:
        def nodes(self) -> Iterator[TreeNode]:
            for name in sorted(files):
                yield TreeNode(name, NodeKind.FILE, len(files[name]))

        def chunks(self, path: str) -> Iterator[bytes]:
            yield files[path]

    try:
        data = b"".join(tar_chunks(Tree(), "/", EPOCH))
    except SourceRefused:
        assert any(name in {".", ".."} or name.startswith(".wh.") or not name.isprintable() for name in files)
        return
    assert len(data) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        assert {name: handle.read() for name, handle in found.items() if handle} == files


def test_a_large_tree_is_packed_in_bounded_memory() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")

    class Large:
        def nodes(self) -> Iterator[TreeNode]:
            for number in range(2000):
                yield TreeNode(f"{number:06}", NodeKind.FILE, 64 * 1024)

        def chunks(self, path: str) -> Iterator[bytes]:
            del path
            yield bytes(64 * 1024)

    tracemalloc.start()
    try:
        size = sum(len(chunk) for chunk in gzip_chunks(tar_chunks(Large(), "/", EPOCH)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 100_000
    assert peak < 4 * 1024 * 1024


def test_a_result_appears_as_a_whole_and_replaces_the_former_one(tmp_path: Path) -> None:
    target = tmp_path / "build/result"
    for text in ("first", "second"):
        writer = ResultWriter(target)
        image = assemble(ImagePlan(layers=(), labels={"text": text}), writer)
        writer.index(image.manifest, "1.0")
        writer.write("build.json", text.encode())
        before = target.exists() and (target / "build.json").read_text()
        assert before in {False, "first"}
        writer.complete()
        assert (target / "build.json").read_text() == text
        descriptor, body = LayoutReader(target / "image").manifest()
        assert (descriptor.digest, body) == (image.manifest.digest, image.body)
        assert descriptor.annotations["org.opencontainers.image.ref.name"] == "1.0"
    assert [path.name for path in target.parent.iterdir()] == ["result"]


def test_a_result_that_is_abandoned_leaves_nothing(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path / "result")
    writer.put((b"blob",))

    def failing() -> Iterator[bytes]:
        yield b"half"
        raise SourceChanged("gone")

    with pytest.raises(SourceChanged):
        writer.put(failing())
    writer.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_tampered_blob_of_a_layout_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path / "result")
    image = assemble(ImagePlan(layers=(LayerPlan(FolderTree(_example(tmp_path / "code")), "/app"),)), writer)
    writer.index(image.manifest, "1.0")
    writer.complete()
    layout = LayoutReader(tmp_path / "result/image")
    digest = image.layers[0].digest
    path = tmp_path / "result/image/blobs/sha256" / digest.hex
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DigestMismatch):
        list(layout.chunks(digest))
    path.unlink()
    with pytest.raises(LayoutInvalid, match="lacks"):
        list(layout.chunks(digest))


@pytest.mark.parametrize(
    "index", [b"", b"{}", b"[]", b'{"manifests":[]}', b'{"manifests":[{"mediaType":"x","digest":"sha256:0","size":1}]}']
)
def test_a_folder_that_is_no_layout_is_refused(tmp_path: Path, index: bytes) -> None:
    (tmp_path / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (tmp_path / "index.json").write_bytes(index)
    with pytest.raises(LayoutInvalid):
        LayoutReader(tmp_path).manifest()


@pytest.mark.skipif(SKOPEO is None, reason="skopeo is not installed")
def test_skopeo_reads_the_layout_and_finds_the_same_digest(tmp_path: Path) -> None:
    writer = ResultWriter(tmp_path / "result")
    image = assemble(ImagePlan(layers=(LayerPlan(FolderTree(_example(tmp_path / "code")), "/app"),)), writer)
    writer.index(image.manifest, "1.0")
    writer.complete()
    answer = subprocess.run(
        [SKOPEO or "", "inspect", f"oci:{tmp_path}/result/image:1.0"], capture_output=True, check=True, timeout=60
    )
    assert json.loads(answer.stdout)["Digest"] == str(image.manifest.digest)
