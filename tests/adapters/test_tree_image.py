"""An image as a tree: layers over each other, and archives that were made to break their reader."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.layers import FOLDER, HARD_LINK, LINK, MemoryBlobs, image, manifest_json, tar, write_layout
from tests.sbom.stand_ins import StoppedClock, purls

from chainward.adapters.tree import ImageTree, Limits, image_in_layout
from chainward.formats.oci import OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Manifest
from chainward.kernel.digest import Digest, DigestMismatch
from chainward.kernel.problem import Problem
from chainward.sbom.errors import AmbiguousImage, TreeUnreadable, UnreadableFile
from chainward.sbom.generate import generate
from chainward.sbom.model import Subject, SubjectKind

if TYPE_CHECKING:
    from pathlib import Path


def everything(path: str) -> bool:
    return bool(path)


def read(tree: ImageTree, limit: int = 10_000) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for file in tree.select(everything):
        try:
            found[file.path] = file.read(limit)
        except UnreadableFile as problem:
            found[file.path] = problem.message
    return found


def files(*layers: bytes, **more: Any) -> dict[str, bytes | str]:
    blobs = MemoryBlobs()
    return read(ImageTree(image(blobs, *layers), blobs, **more))


def test_upper_layers_replace_and_white_out_what_lies_below() -> None:
    lower = tar(
        ("etc/a", b"1"), ("etc/b", b"1"), ("opt/x/y", b"1"), ("opt/x/z", b"1"), ("var/one", b"1"), ("keep", b"1")
    )
    upper = tar(
        ("etc/a", b"2"),
        ("etc/.wh.b", b""),
        ("opt/.wh.x", b""),
        ("opt/x/new", b"2"),
        ("var/.wh..wh..opq", b""),
        ("var/two", b"2"),
    )
    assert files(lower, upper) == {"etc/a": b"2", "opt/x/new": b"2", "var/two": b"2", "keep": b"1"}


def test_a_whiteout_does_not_touch_its_own_layer_whatever_the_order() -> None:
    assert files(tar(("a/x", b"1")), tar(("a/y", b"2"), ("a/.wh..wh..opq", b""), ("a/z", b"3"))) == {
        "a/y": b"2",
        "a/z": b"3",
    }
    assert files(tar(("a", b"1")), tar(("a", b"2"), (".wh.a", b""))) == {"a": b"2"}


def test_an_opaque_root_empties_the_image() -> None:
    assert files(tar(("a/x", b"1"), ("b", b"1")), tar((".wh..wh..opq", b""), ("c", b"2"))) == {"c": b"2"}


def test_a_file_in_place_of_a_folder_removes_what_was_in_the_folder() -> None:
    assert files(tar(("a/b/c", b"1")), tar(("a", b"2"))) == {"a": b"2"}
    assert files(tar(("a", b"1")), tar(("a", FOLDER, ""), ("a/b", b"2"))) == {"a/b": b"2"}


def test_marks_of_union_file_systems_are_no_files() -> None:
    assert files(tar((".wh..wh.aufs", b""), ("a", b"1"), (".wh..wh.plnk/1.2", b"x"))) == {
        "a": b"1",
        ".wh..wh.plnk/1.2": b"x",
    }


def test_each_file_remembers_the_layer_of_its_content() -> None:
    blobs = MemoryBlobs()
    manifest = image(blobs, tar(("a", b"1"), ("b", b"1")), tar(("b", b"2")))
    layers = {file.path: file.layer for file in ImageTree(manifest, blobs).select(everything)}
    assert layers == {"a": manifest.layers[0].digest, "b": manifest.layers[1].digest}


def test_only_wanted_content_is_kept_and_each_layer_is_read_once() -> None:
    blobs = MemoryBlobs()
    manifest = image(blobs, tar(("a", b"1"), ("b", b"x" * 5000)), tar(("c", b"1")))
    tree = ImageTree(manifest, blobs, limits=Limits(kept=10))
    assert [file.path for file in tree.select(lambda path: path == "a")] == ["a"]
    assert blobs.opened == [layer.digest for layer in manifest.layers]


def test_links_lead_to_files_of_any_layer() -> None:
    lower = tar(("usr/lib/os-release", b"ID=debian"), ("lib", LINK, "usr/lib"))
    upper = tar(("etc/os-release", LINK, "../lib/os-release"), ("etc/absolute", LINK, "/usr/lib/os-release"))
    blobs = MemoryBlobs()
    tree = ImageTree(image(blobs, lower, upper), blobs)
    found = {file.path: file.read(100) for file in tree.select(lambda path: path.startswith("etc/"))}
    assert found == {"etc/os-release": b"ID=debian", "etc/absolute": b"ID=debian"}


def test_a_link_that_leads_nowhere_or_out_or_in_circles_is_unreadable() -> None:
    found = files(tar(("out", LINK, "../../etc/passwd"), ("none", LINK, "nothing"), ("a", LINK, "b"), ("b", LINK, "a")))
    assert found["out"] == "the symbolic link leaves the tree"
    assert "leads to nothing" in str(found["none"])
    assert "circle" in str(found["a"])


def test_a_layer_that_adds_below_a_linked_folder_replaces_the_real_file() -> None:
    lower = tar(("usr/lib/x", b"1"), ("lib", LINK, "usr/lib"))
    assert files(lower, tar(("lib/x", b"2")))["usr/lib/x"] == b"2"
    assert "usr/lib/x" not in files(lower, tar(("lib/.wh.x", b"")))
    assert "usr/lib/x" not in files(lower, tar(("lib/.wh..wh..opq", b"")))


def test_a_hard_link_has_the_content_of_its_target() -> None:
    layer = tar(("a", b"1"), ("b", HARD_LINK, "a"), ("c", HARD_LINK, "./b"))
    assert files(layer) == {"a": b"1", "b": b"1", "c": b"1"}
    blobs = MemoryBlobs()
    tree = ImageTree(image(blobs, layer, tar((".wh.a", b""))), blobs)
    assert {file.path: file.read(9) for file in tree.select(lambda path: path == "b")} == {"b": b"1"}


def test_a_hard_link_to_nothing_is_unreadable() -> None:
    assert files(tar(("b", HARD_LINK, "../../etc/passwd"))) == {"b": "has no content in its layer"}


def test_devices_and_pipes_hide_what_is_below_and_are_no_files() -> None:
    assert files(tar(("a", b"1")), tar(("a", tarfile.CHRTYPE, ""), ("p", tarfile.FIFOTYPE, ""))) == {}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_forms_of_long_names_are_read(form: int) -> None:
    name = "/".join(["directory" * 5] * 4) + "/file"
    assert files(tar((name, b"1"), ("next", b"2"), form=form)) == {name: b"1", "next": b"2"}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_very_long_names_and_targets_are_read(form: int) -> None:
    name = "/".join(["x" * 200] * 5)
    assert files(tar((name, b"1"), ("link", LINK, name), form=form))["link"] == b"1"


def test_a_name_that_is_not_unicode_is_shown_with_escapes() -> None:
    layer = bytearray(tar(("caf?", b"1"), form=tarfile.USTAR_FORMAT))
    layer[3] = 0xE9
    layer[148:156] = b"%06o\0 " % (sum(layer[:148]) + sum(layer[156:512]) + 8 * 32)
    assert files(bytes(layer)) == {"caf\\xe9": b"1"}


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/etc/passwd", ".."])
def test_an_entry_whose_name_leads_out_of_the_image_is_refused_and_written_down(name: str) -> None:
    blobs = MemoryBlobs()
    tree = ImageTree(image(blobs, tar((name, b"evil"), ("./good", b"1"))), blobs)
    assert read(tree) == {"good": b"1"}
    assert [found.path for found in tree.unreadable()] == [name]


def test_a_sparse_file_is_named_but_not_read() -> None:
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse"}
    info.size = 4
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"1234"))
    assert files(buffer.getvalue()) == {"sparse": "has no content in its layer"}


def test_plain_and_multi_member_gzip_layers_are_read() -> None:
    layer = tar(("a", b"x" * 2000), ("b", b"2"))
    blobs = MemoryBlobs()
    assert read(ImageTree(image(blobs, layer, compress=False), blobs))["b"] == b"2"
    parts = gzip.compress(layer[:1000]) + gzip.compress(layer[1000:])
    digest = blobs.add(parts)
    manifest = Manifest(media_type=OCI_MANIFEST, layers=(Descriptor(OCI_LAYER_GZIP, digest, len(parts)),))
    assert read(ImageTree(manifest, blobs))["b"] == b"2"


def test_an_empty_layer_is_an_empty_layer() -> None:
    assert files(tar()) == {}
    assert files(b"", tar(("a", b"1"))) == {"a": b"1"}


def one_layer(data: bytes, *, size: int | None = None, digest: Digest | None = None, **more: Any) -> dict[str, Any]:
    blobs = MemoryBlobs()
    found = blobs.add(data)
    blobs.blobs[digest or found] = data
    descriptor = Descriptor(OCI_LAYER, digest or found, len(data) if size is None else size)
    return read(ImageTree(Manifest(media_type=OCI_MANIFEST, layers=(descriptor,)), blobs, **more))


def test_a_layer_that_is_not_what_its_digest_says_is_refused() -> None:
    with pytest.raises(TreeUnreadable, match="not what its digest says"):
        one_layer(tar(("a", b"1")), digest=Digest.of(b"other"))


def test_bytes_after_the_end_of_the_archive_are_hashed_too() -> None:
    data = tar(("a", b"1"))
    with pytest.raises(TreeUnreadable, match="not what its digest says"):
        one_layer(data + b"appended", digest=Digest.of(data))
    assert one_layer(data + b"part of the blob") == {"a": b"1"}


def test_a_layer_that_is_longer_than_its_descriptor_says_is_refused() -> None:
    with pytest.raises(TreeUnreadable, match="longer"):
        one_layer(tar(("a", b"1")), size=10)


def test_a_missing_layer_is_refused() -> None:
    missing = Manifest(media_type=OCI_MANIFEST, layers=(Descriptor(OCI_LAYER, Digest.of(b"missing"), 7),))
    with pytest.raises(TreeUnreadable, match="no blob"):
        read(ImageTree(missing, MemoryBlobs()))


def test_a_decompression_bomb_is_stopped_by_its_ratio() -> None:
    with pytest.raises(TreeUnreadable, match="times its size"):
        files(tar(("zeros", bytes(5_000_000))), limits=Limits(ratio=100, ratio_from=1_000_000))


def test_an_image_that_unpacks_beyond_the_limit_is_stopped() -> None:
    with pytest.raises(TreeUnreadable, match="unpack to more than"):
        files(tar(("a", bytes(600_000))), tar(("b", bytes(600_000))), limits=Limits(unpacked=1_000_000))


def test_an_image_with_too_many_entries_is_stopped() -> None:
    layer = tar(*((str(number), b"") for number in range(20)))
    with pytest.raises(TreeUnreadable, match="entries"):
        files(layer, limits=Limits(entries=10))


def test_an_image_with_too_many_layers_is_stopped() -> None:
    with pytest.raises(TreeUnreadable, match="layers"):
        files(tar(), tar(), tar(), limits=Limits(layers=2))


def test_an_image_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(TreeUnreadable, match="takes longer"):
        files(tar(("a", b"1")), limits=Limits(seconds=-1))


def test_files_beyond_the_memory_limits_are_named_with_the_reason() -> None:
    found = files(tar(("a", b"x" * 50), ("b", b"x" * 500), ("c", b"x" * 80)), limits=Limits(file=100, kept=100))
    assert found["a"] == b"x" * 50
    assert "larger than 100" in str(found["b"])
    assert "more than 100 bytes would have to be kept" in str(found["c"])


def test_an_extended_header_of_gigabytes_is_not_read() -> None:
    layer = bytearray(tar(("x" * 300, b"1"), form=tarfile.GNU_FORMAT))
    layer[124:136] = b"77777777777\0"
    layer[148:156] = b"%06o\0 " % (sum(layer[:148]) + sum(layer[156:512]) + 8 * 32)
    with pytest.raises(TreeUnreadable, match="extended header"):
        one_layer(bytes(layer))


@pytest.mark.parametrize(
    "damage",
    [
        lambda layer: layer[:700],
        lambda _: b"x" * 1024,
        lambda layer: b"\x28\xb5\x2f\xfd" + layer,
        lambda layer: gzip.compress(layer)[:-20],
        lambda layer: gzip.compress(layer)[:40] + b"\xff" * 60,
        lambda layer: layer[:124] + b"notoctal\0\0\0\0" + layer[136:],
        lambda layer: layer[:200],
    ],
    ids=["cut", "not-tar", "zstd", "gzip-cut", "gzip-noise", "size-no-number", "header-cut"],
)
def test_a_damaged_layer_is_refused(damage: Any) -> None:
    with pytest.raises(TreeUnreadable):
        one_layer(damage(tar(("a", b"1" * 1000), form=tarfile.USTAR_FORMAT)))


@pytest.mark.parametrize(
    "record", [b"99 path=x\n", b"0 path=x\n", b"path=x\n", b"9 pathx\n", b"-1 path=x\n", b"x" * 20]
)
def test_a_malformed_pax_header_is_refused(record: bytes) -> None:
    layer = bytearray(tar(("n" * 300, b"1"), form=tarfile.PAX_FORMAT))
    layer[512:1024] = record.ljust(512, b"\0")
    with pytest.raises(TreeUnreadable, match="malformed pax header"):
        one_layer(bytes(layer))


@given(
    noise=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=6),
    compress=st.booleans(),
    fix=st.booleans(),
)
def test_noise_in_a_layer_never_raises_anything_but_a_problem(
    noise: list[tuple[int, int]], *, compress: bool, fix: bool
) -> None:
    layer = bytearray(tar(("a" * 150, b"1" * 600), ("b", LINK, "a"), ("c", HARD_LINK, "a"), form=tarfile.PAX_FORMAT))
    for place, value in noise:
        layer[place % len(layer)] = value
    if fix:
        layer[148:156] = b"%06o\0 " % (sum(layer[:148]) + sum(layer[156:512]) + 8 * 32)
    try:
        read(ImageTree(image(blobs := MemoryBlobs(), bytes(layer), compress=compress), blobs))
    except Problem as problem:
        assert isinstance(problem, TreeUnreadable)  # noqa: PT017 - both ways out are right


def test_an_index_is_not_an_image() -> None:
    with pytest.raises(TreeUnreadable, match="index"):
        ImageTree(Manifest(media_type=OCI_INDEX), MemoryBlobs())


def layout(folder: Path, *names: str, platform: str = "") -> list[Digest]:
    """Write a layout with one image per name; each has one layer with a requirements file."""
    blobs = MemoryBlobs()
    blobs.add(b"{}")
    listed: list[dict[str, Any]] = []
    for name in names:
        body = manifest_json(image(blobs, tar(("requirements.txt", f"{name}==1".encode()))))
        described = {"mediaType": OCI_MANIFEST, "digest": str(blobs.add(body)), "size": len(body)}
        annotations = {"org.opencontainers.image.ref.name": name}
        more = {"platform": {"architecture": "unknown", "os": platform}} if platform else {}
        listed.append({**described, "annotations": annotations, **more})
    write_layout(folder, blobs, listed)
    return [Digest.parse(found["digest"]) for found in listed]


def test_the_only_image_of_a_layout_is_found_and_catalogued(tmp_path: Path) -> None:
    (digest,) = layout(tmp_path, "one")
    found, tree = image_in_layout(tmp_path)
    assert found == digest
    subject = Subject("one", SubjectKind.CONTAINER, digest=found)
    sbom = generate(tree, subject=subject, clock=StoppedClock())
    assert purls(sbom) == ["pkg:pypi/one@1"]
    assert sbom.components[0].locations[0].layer is not None


def test_one_of_several_images_is_chosen_by_digest_or_name(tmp_path: Path) -> None:
    first, second = layout(tmp_path, "one", "two")
    assert image_in_layout(tmp_path, digest=first)[0] == first
    assert image_in_layout(tmp_path, name="two")[0] == second
    with pytest.raises(AmbiguousImage) as caught:
        image_in_layout(tmp_path)
    assert caught.value.details["digests"] == sorted([str(first), str(second)])


def test_an_image_behind_nested_indexes_is_found_and_attestations_are_passed_over(tmp_path: Path) -> None:
    layout(tmp_path, "attestation", platform="unknown")
    with pytest.raises(TreeUnreadable, match="no such image"):
        image_in_layout(tmp_path)
    (digest,) = layout(tmp_path, "one")
    inner = json.loads((tmp_path / "index.json").read_bytes())
    for _ in range(3):
        body = json.dumps({"mediaType": OCI_INDEX, **inner}).encode()
        (tmp_path / "blobs/sha256" / Digest.of(body).hex).write_bytes(body)
        described = {"mediaType": OCI_INDEX, "digest": str(Digest.of(body)), "size": len(body)}
        inner = {"schemaVersion": 2, "manifests": [described]}
    (tmp_path / "index.json").write_text(json.dumps(inner))
    assert image_in_layout(tmp_path)[0] == digest


def test_indexes_nested_without_end_are_refused(tmp_path: Path) -> None:
    layout(tmp_path, "one")
    inner = json.loads((tmp_path / "index.json").read_bytes())
    for _ in range(9):
        body = json.dumps({"mediaType": OCI_INDEX, **inner}).encode()
        (tmp_path / "blobs/sha256" / Digest.of(body).hex).write_bytes(body)
        described = {"mediaType": OCI_INDEX, "digest": str(Digest.of(body)), "size": len(body)}
        inner = {"schemaVersion": 2, "manifests": [described]}
    (tmp_path / "index.json").write_text(json.dumps(inner))
    with pytest.raises(TreeUnreadable, match="too deeply"):
        image_in_layout(tmp_path)


def test_a_manifest_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    (digest,) = layout(tmp_path, "one")
    path = tmp_path / "blobs/sha256" / digest.hex
    path.write_bytes(path.read_bytes().replace(b'"schemaVersion": 2', b'"schemaVersion": 2 '))
    with pytest.raises(DigestMismatch):
        image_in_layout(tmp_path)


def test_a_folder_that_is_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TreeUnreadable, match="not an image layout"):
        image_in_layout(tmp_path)
    layout(tmp_path, "one")
    with pytest.raises(TreeUnreadable, match="no such image"):
        image_in_layout(tmp_path, digest=Digest.of(b"other"))
    for blob in (tmp_path / "blobs/sha256").iterdir():
        blob.unlink()
    with pytest.raises(TreeUnreadable, match="no readable blob"):
        image_in_layout(tmp_path)


def test_a_layer_that_hardly_compresses_is_no_bomb() -> None:
    noise = hashlib.shake_256(b"noise").digest(500_000)
    found = files(tar(("a", noise)), limits=Limits(ratio=2, ratio_from=1000))
    assert found == {"a": "is larger than 10000 bytes"}
