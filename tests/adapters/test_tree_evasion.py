"""Ways to show a scanner another image than the one that a container runtime unpacks, each named after the trick."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.layers import FOLDER, HARD_LINK, LINK, MemoryBlobs, image, manifest_json, tar, write_layout

from chainward.adapters.tree import DirectoryTree, ImageTree, LayoutBlobs, Limits, image_in_layout
from chainward.formats.oci import OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Manifest
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Problem
from chainward.sbom.errors import TreeUnreadable, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCK = 512
END = bytes(2 * BLOCK)
LOCK = "app/package-lock.json"


def header(
    name: bytes,
    kind: bytes = b"0",
    size: int = 0,
    *,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    tail: bytes = b"",
) -> bytes:
    """One header block, with the fields that the tricks need."""
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"%011o\0" % 0
    block[156:157] = kind
    block[257:265] = magic
    block[345 : 345 + len(prefix)] = prefix
    block[BLOCK - len(tail) :] = tail
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block)


def member(name: bytes, data: bytes, kind: bytes = b"0", **more: Any) -> bytes:
    """A header with its content."""
    return header(name, kind, len(data), **more) + data + bytes(-len(data) % BLOCK)


def pax(**records: str) -> bytes:
    """A pax header; two underscores stand for a full stop."""
    return pax_of({key.replace("__", ".").encode(): value.encode() for key, value in records.items()})


def pax_of(records: dict[bytes, bytes]) -> bytes:
    data = b""
    for key, value in records.items():
        body = b" " + key + b"=" + value + b"\n"
        length = len(body)
        while len(str(length)) + len(body) != length:
            length = len(str(length)) + len(body)
        data += str(length).encode() + body
    return member(b"PaxHeader", data, b"x")


def seen(*layers: bytes, wanted: Callable[[str], bool] = bool, compress: bool = False) -> dict[str, bytes | str]:
    blobs = MemoryBlobs()
    return content(ImageTree(image(blobs, *layers, compress=compress), blobs), wanted)


def content(tree: ImageTree | DirectoryTree, wanted: Callable[[str], bool] = bool) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for file in tree.select(wanted):
        try:
            found[file.path] = file.read(100_000)
        except UnreadableFile as problem:
            found[file.path] = problem.message
    return found


def stored(data: bytes) -> ImageTree:
    blobs = MemoryBlobs()
    layer = Descriptor(OCI_LAYER_GZIP, blobs.add(data), len(data))
    return ImageTree(Manifest(media_type=OCI_MANIFEST, layers=(layer,)), blobs)


# --- one archive, two readings ---------------------------------------------------------------------------------------


def test_a_trailing_slash_does_not_make_a_folder_of_a_file_with_content() -> None:
    assert seen(member(b"app/package-lock.json/", b"{}") + END) == {LOCK: b"{}"}
    assert seen(member(b"app/package-lock.json/", b"", b"\0") + END) == {}, "the oldest archives write folders so"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(member(b"L", LOCK.encode() + b"\0", b"L") + pax(path="docs/readme"), id="long-name-then-pax"),
        pytest.param(pax(path="docs/readme") + member(b"L", LOCK.encode() + b"\0", b"L"), id="pax-then-long-name"),
        pytest.param(member(b"L", LOCK.encode() + b"\0docs/readme", b"L"), id="nul-within-a-long-name"),
        pytest.param(member(b"L", b"docs/a\0", b"L") + member(b"L", LOCK.encode(), b"L"), id="two-long-names"),
        pytest.param(pax(path="docs/readme") + pax(path=LOCK), id="two-pax-headers"),
    ],
)
def test_an_entry_that_is_named_twice_has_the_name_that_runtimes_unpack(headers: bytes) -> None:
    assert seen(headers + member(b"docs/other", b"{}") + END) == {LOCK: b"{}"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(pax(path="docs/readme") + pax(comment="the second header replaces the first"), id="replaced"),
        pytest.param(pax(path="docs/readme") + member(b"g", b"13 comment=x\n", b"g"), id="global-header-between"),
        pytest.param(
            member(b"L", b"docs/readme\0", b"L") + member(b"g", b"13 comment=x\n", b"g"), id="global-after-long-name"
        ),
        pytest.param(pax(path=""), id="taken-back"),
        pytest.param(member(b"g", b"20 path=docs/readme\n", b"g"), id="global-path"),
        pytest.param(pax(size=""), id="size-taken-back"),
    ],
)
def test_an_extended_header_that_runtimes_forget_does_not_rename_an_entry(headers: bytes) -> None:
    assert seen(headers + member(LOCK.encode(), b"{}") + END) == {LOCK: b"{}"}


SPARSE = {"GNU.sparse.name": LOCK, "path": "docs/readme"}


@pytest.mark.parametrize(
    ("records", "name"),
    [
        ({**SPARSE, "GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, LOCK),
        ({**SPARSE, "GNU.sparse.major": "0", "GNU.sparse.minor": "1"}, LOCK),
        ({**SPARSE, "GNU.sparse.map": "0,2"}, LOCK),
        ({**SPARSE, "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "2"}, LOCK),
        ({**SPARSE, "GNU.sparse.major": "9", "GNU.sparse.minor": "0"}, "docs/readme"),
        (SPARSE, "docs/readme"),
    ],
)
def test_a_sparse_file_cannot_hide_behind_its_other_name(records: dict[str, str], name: str) -> None:
    layer = pax_of({key.encode(): value.encode() for key, value in records.items()}) + member(b"x", b"{}") + END
    assert seen(layer) == {name: "has no content in its layer"}


def test_the_map_of_an_old_sparse_file_is_not_taken_for_the_next_entry() -> None:
    block = bytearray(header(b"sparse", b"S", 3, magic=b"ustar  \0"))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    more, last = bytearray(BLOCK), bytes(BLOCK)
    more[504] = 1
    layer = bytes(block) + bytes(more) + last + b"abc".ljust(BLOCK, b"\0") + member(LOCK.encode(), b"{}") + END
    assert seen(layer) == {"sparse": "has no content in its layer", LOCK: b"{}"}


def test_a_prefix_under_gnus_magic_counts_where_no_times_can_be_read() -> None:
    status = member(b"status", b"x", magic=b"ustar  \0", prefix=b"var/lib/dpkg")
    times = member(b"status", b"x", magic=b"ustar  \0", prefix=b"00000000000\x0000000000000\0")
    binary = member(b"status", b"x", magic=b"ustar  \0", prefix=b"\x80" + bytes(10) + b"\1\x80" + bytes(11))
    assert seen(status + END) == {"var/lib/dpkg/status": b"x"}
    assert seen(times + END) == seen(binary + END) == {"status": b"x"}
    assert seen(member(b"status", b"x", magic=bytes(8), prefix=b"var") + END) == {"status": b"x"}


def test_the_prefix_of_a_star_archive_ends_where_its_times_begin() -> None:
    prefix = b"p" * 127 + b"/dir"
    layer = member(b"status", b"x", prefix=prefix + b"00000000000 00000000000 ", tail=b"tar\0") + END
    assert seen(layer) == {f"{'p' * 127}/dir/status": b"x"}


def test_a_lone_empty_block_does_not_end_an_archive_quietly() -> None:
    with pytest.raises(TreeUnreadable, match="lone empty block"):
        seen(member(b"a", b"1") + bytes(BLOCK) + member(LOCK.encode(), b"{}") + END)
    assert seen(member(b"a", b"1") + bytes(BLOCK)) == {"a": b"1"}
    assert seen(member(b"a", b"1")) == {"a": b"1"}


# --- one gzip file, two readings -------------------------------------------------------------------------------------


def noise(count: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join(Digest.of(b"%d" % number).raw for number in range(count // 32 + 1))[:count]


@pytest.mark.parametrize("overlap", [0, 1, 2, 3])
def test_a_gzip_member_whose_magic_lies_across_two_reads_is_not_lost(overlap: int) -> None:
    """The reader takes 256 KiB at a time; a member that begins one byte before used to end the layer."""
    chunk = 256 * 1024
    second = gzip.compress(member(LOCK.encode(), b"{}") + END, mtime=0)
    first = _stretched(gzip.compress(member(b"noise", noise(chunk - 8 * BLOCK)), mtime=0), chunk - overlap)
    assert len(first) == chunk - overlap
    assert content(stored(first + second), lambda path: path == LOCK) == {LOCK: b"{}"}


def _stretched(packed: bytes, size: int) -> bytes:
    """Make a gzip file longer by giving it a name (RFC 1952 §2.3)."""
    name = b"n" * (size - len(packed) - 1) + b"\0"
    return packed[:3] + b"\x08" + packed[4:10] + name + packed[10:]


def test_something_behind_the_gzip_data_is_refused_and_zeros_are_not() -> None:
    packed = gzip.compress(member(b"a", b"1"), mtime=0)
    assert content(stored(packed + bytes(700))) == {"a": b"1"}
    with pytest.raises(TreeUnreadable, match="something behind its gzip data"):
        content(stored(packed + member(LOCK.encode(), b"{}")))


def test_a_gzip_file_that_is_cut_off_between_two_entries_is_refused() -> None:
    whole = gzip.compress(member(b"a", b"1") + noise(4096), mtime=0)
    with pytest.raises(TreeUnreadable):
        content(stored(whole[:-8]))


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_layer_cut_anywhere_is_refused_or_complete(cut: int) -> None:
    whole = gzip.compress(member(b"a", b"1" * 99) + member(b"b", noise(99)) + END, mtime=0)
    try:
        found = content(stored(whole[:-cut]))
    except TreeUnreadable:
        return
    assert found == {"a": b"1" * 99, "b": noise(99)}


# --- one layer, two contents -----------------------------------------------------------------------------------------


def test_a_hard_link_keeps_the_content_that_its_target_had_when_it_was_made() -> None:
    link = bytearray(header(LOCK.encode(), b"1"))
    link[157:158] = b"x"
    link[148:156] = b"%06o\0 " % (sum(link[:148]) + sum(link[156:]) + 8 * 32)
    layer = member(b"x", b"evil") + bytes(link) + member(b"x", b"good") + END
    assert seen(layer) == {"x": b"good", LOCK: b"evil"}
    assert seen(layer, wanted=lambda path: path == LOCK) == {LOCK: b"evil"}


def test_the_target_of_a_hard_link_is_cleaned_as_runtimes_clean_it() -> None:
    layer = tar(("a/b", b"good"), ("b", b"evil"), ("one", HARD_LINK, "a/../b"), ("two", HARD_LINK, "../../b"))
    found = seen(layer)
    assert (found["one"], found["two"]) == (b"evil", b"evil")


def test_of_a_name_that_comes_twice_in_a_layer_the_last_one_counts() -> None:
    assert seen(tar((LOCK, b"good"), (LOCK, b"evil"))) == {LOCK: b"evil"}
    assert seen(tar((LOCK, b"good"), ("e", b"evil"), (LOCK, LINK, "../e"))) == {LOCK: b"evil", "e": b"evil"}
    assert seen(tar((LOCK, b"good"), (LOCK, FOLDER, ""))) == {}


def test_a_second_entry_that_is_too_large_does_not_leave_the_first_one_in_its_place() -> None:
    blobs = MemoryBlobs()
    layers = image(blobs, tar((LOCK, b"good"), (LOCK, b"evil" * 100)))
    found = content(ImageTree(layers, blobs, limits=Limits(file=100)))
    assert found == {LOCK: "is larger than 100 bytes"}


def test_a_whiteout_that_is_a_hard_link_hides_its_name_and_ends_no_run() -> None:
    lower = tar(("var/lib/dpkg/status.d/a", b"1"), ("x", b"2"))
    upper = tar(("var/lib/dpkg/status.d/.wh.a", HARD_LINK, "x"), (".wh.", b""), ("y", b"3"))
    assert seen(lower, upper) == {"x": b"2", "y": b"3"}


def test_content_below_a_linked_folder_is_found_where_it_lands() -> None:
    """Only the place where the file lands is wanted; its entry has a name that nobody asks for."""
    lower = tar(("app/node_modules", FOLDER, ""), ("lib", LINK, "app/node_modules"))
    upper = tar(("lib/evil/package.json", b"{}"))
    found = seen(lower, upper, wanted=lambda path: "node_modules/" in path)
    assert found == {"app/node_modules/evil/package.json": b"{}"}


def test_two_names_that_look_the_same_are_two_files() -> None:
    escaped = member(b"caf\\xe9/package-lock.json", b"1", b"0")
    layer = member(b"caf\xe9/package-lock.json", b"2", b"0") + escaped + END
    blobs = MemoryBlobs()
    tree = ImageTree(image(blobs, layer), blobs)
    found = [(file.path, file.read(9)) for file in tree.select(bool)]
    assert sorted(found) == [("caf\\xe9/package-lock.json", b"1"), ("caf\\xe9/package-lock.json", b"2")]


def test_a_name_that_nobody_could_unpack_is_written_down_and_not_carried_along() -> None:
    name = "node_modules/" * 400 + "package.json"
    blobs = MemoryBlobs()
    tree = ImageTree(image(blobs, tar((name, b"{}"), ("a", b"1"))), blobs)
    assert content(tree) == {"a": b"1"}
    (refused,) = tree.unreadable()
    assert "longer than 4096" in refused.reason
    assert len(refused.path) == 200


def test_a_megabyte_of_tiny_pax_records_is_read_in_linear_time() -> None:
    records = b"5 a=\n" * 200_000
    start = time.process_time()
    assert seen(member(b"p", records, b"x") * 3 + member(b"a", b"1") + END) == {"a": b"1"}
    assert time.process_time() - start < 5


@given(st.data())
def test_archives_of_the_standard_library_are_read_as_it_reads_them(data: st.DataObject) -> None:
    """A differential test: whatever tarfile writes, both readers see the same files."""
    part = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=60)
    names = st.lists(
        part.filter(lambda text: text not in {".", ".."} and not text.startswith(".wh.")), min_size=1, max_size=6
    )
    files = data.draw(st.dictionaries(names.map("/".join), st.binary(max_size=1500), max_size=6))
    form = data.draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    layer = tar(*files.items(), form=form)
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        expected = {found.name: archive.extractfile(found) for found in archive if found.isreg()}
    blobs = MemoryBlobs()
    keep: dict[str, bytes] = {}
    for file in ImageTree(image(blobs, layer), blobs).select(bool):
        keep[file.path] = file.read(2000)
    # A file that lies where another one needs a folder cannot be unpacked; both readers still list it.
    assert keep.keys() == expected.keys()
    assert keep == files


@given(cut=st.integers(0, 3600), flip=st.integers(0, 255))
def test_an_archive_cut_or_bent_at_any_byte_raises_nothing_but_a_refusal(cut: int, flip: int) -> None:
    layer = bytearray(
        pax(path=LOCK)
        + member(b"a", b"1" * 600)
        + member(b"L", b"long\0", b"L")
        + member(b"b", b"2", magic=b"ustar  \0")
        + END
    )
    bent = bytearray(layer)
    bent[cut % len(bent)] ^= flip
    for broken in (layer[:cut], bent):
        try:
            seen(bytes(broken))
        except Problem as problem:
            assert isinstance(problem, TreeUnreadable)  # noqa: PT017 - both ways out are right


# --- layouts ---------------------------------------------------------------------------------------------------------


def layout(folder: Path) -> tuple[Path, MemoryBlobs, Digest]:
    blobs = MemoryBlobs()
    body = manifest_json(image(blobs, tar(("a", b"1"))))
    digest = blobs.add(body)
    write_layout(folder, blobs, [{"mediaType": OCI_MANIFEST, "digest": str(digest), "size": len(body)}])
    return folder, blobs, digest


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_a_layout_document_of_gigabytes_is_not_read_into_memory(tmp_path: Path, name: str) -> None:
    folder, _, _ = layout(tmp_path / "layout")
    with (folder / name).open("r+b") as file:
        file.truncate(50 * 1024 * 1024 * 1024)
    tracemalloc.start()
    with pytest.raises(Problem):
        image_in_layout(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024 * 1024


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["oci-layout", "index.json", "blob"])
def test_a_pipe_in_a_layout_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    folder, _, digest = layout(tmp_path / "layout")
    path = folder / (f"blobs/sha256/{digest.hex}" if name == "blob" else name)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(TreeUnreadable, match="not a regular file"):
        image_in_layout(folder)


def test_an_index_that_lists_itself_over_and_over_is_read_once(tmp_path: Path) -> None:
    """Three levels of two hundred entries each are eight million visits to a reader that counts none."""
    folder, blobs, digest = layout(tmp_path / "layout")
    child, kind = digest, OCI_MANIFEST
    for _ in range(3):
        entry = f'{{"mediaType":"{kind}","digest":"{child}","size":1}}'
        child, kind = blobs.add(f'{{"schemaVersion":2,"manifests":[{",".join([entry] * 200)}]}}'.encode()), OCI_INDEX
    write_layout(folder, blobs, [{"mediaType": OCI_INDEX, "digest": str(child), "size": 1}])
    opened: list[Digest] = []

    class Counting(LayoutBlobs):
        def open(self, digest: Digest) -> Any:
            opened.append(digest)
            return super().open(digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainward.adapters.tree.layout.LayoutBlobs", Counting)
        found, tree = image_in_layout(folder)
    assert found == digest
    assert content(tree) == {"a": b"1"}
    assert len(opened) == 5


def test_an_empty_plain_layer_and_an_archive_without_end_are_read() -> None:
    blobs = MemoryBlobs()
    data = member(b"a", b"1")
    layers = (Descriptor(OCI_LAYER, blobs.add(b""), 0), Descriptor(OCI_LAYER, blobs.add(data), len(data)))
    assert content(ImageTree(Manifest(media_type=OCI_MANIFEST, layers=layers), blobs)) == {"a": b"1"}
