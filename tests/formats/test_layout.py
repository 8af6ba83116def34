"""OCI image layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.strategies import digests

from chainward.formats import layout
from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.formats.oci import OCI_INDEX, OCI_MANIFEST, Descriptor, decode_manifest
from chainward.kernel.digest import Algorithm, Digest

IMAGE = Descriptor.of(b"image", OCI_MANIFEST)


@given(digests())
def test_a_blob_lies_under_its_algorithm_and_hex(digest: Digest) -> None:
    assert layout.blob_path(digest).split("/") == ["blobs", digest.algorithm.value, digest.hex]


def test_the_marker_is_the_one_of_the_specification() -> None:
    assert (layout.LAYOUT_FILE, layout.INDEX_FILE) == ("oci-layout", "index.json")
    assert layout.encode_marker() == b'{"imageLayoutVersion":"1.0.0"}'
    layout.check_marker(b'{ "imageLayoutVersion": "1.0.0", "extra": 1 }\n')


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"imageLayoutVersion":"2.0.0"}', Unsupported),
        (b"{}", Malformed),
        (b"", Malformed),
        (b" " * 5000, TooLarge),
    ],
)
def test_a_folder_with_another_marker_is_no_layout(data: bytes, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        layout.check_marker(data)


def test_the_index_lists_images_by_name_and_is_an_image_index() -> None:
    other = Descriptor.of(b"other", OCI_MANIFEST)
    data = layout.encode_layout_index([layout.named(IMAGE, "shop/web:1"), other])
    first, second = layout.decode_layout_index(data)
    assert first.annotations == {"org.opencontainers.image.ref.name": "shop/web:1"}
    assert first.digest == IMAGE.digest
    assert second == other
    assert decode_manifest(data, OCI_INDEX).is_index


def test_naming_an_image_keeps_its_other_annotations() -> None:
    annotated = Descriptor(OCI_MANIFEST, Digest.of(b"", Algorithm.SHA512), 0, {"a": "b"})
    assert layout.named(annotated, "x").annotations == {"a": "b", layout.REF_NAME: "x"}
    assert annotated.annotations == {"a": "b"}
