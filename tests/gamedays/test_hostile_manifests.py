"""Manifests whose members are not what a database, a header or another client could take."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from chainward.formats.errors import Malformed
from chainward.formats.oci import EMPTY_DESCRIPTOR, OCI_INDEX, OCI_MANIFEST, decode_manifest

CONFIG: Final[dict[str, Any]] = {
    "mediaType": EMPTY_DESCRIPTOR.media_type,
    "digest": str(EMPTY_DESCRIPTOR.digest),
    "size": EMPTY_DESCRIPTOR.size,
}


def _manifest(**members: Any) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [], **members}
    ).encode()


@pytest.mark.parametrize(
    "text", ["a/b\0c", "a/b\r\nX-Evil: 1", "a/b\n", " a/b", "\u0430/b", "a/" + "b" * 300], ids=ascii
)
def test_a_media_type_that_is_no_line_of_ascii_is_refused(text: str) -> None:
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "artifactType": text}
    for body, media_type in (
        (_manifest(artifactType=text), OCI_MANIFEST),
        (_manifest(config=CONFIG | {"mediaType": text}), OCI_MANIFEST),
        (_manifest(layers=[CONFIG | {"artifactType": text}]), OCI_MANIFEST),
        (json.dumps(index).encode(), OCI_INDEX),
    ):
        with pytest.raises(Malformed, match="media type"):
            decode_manifest(body, media_type)


@pytest.mark.parametrize("text", ["application/x;version=0.2", "application/vnd.x.v1+json; a=b", "x"])
def test_media_types_as_tools_write_them_are_taken(text: str) -> None:
    assert decode_manifest(_manifest(artifactType=text), OCI_MANIFEST).artifact_type == text


@pytest.mark.parametrize("size", [-1, 1 << 63, 10**26])
def test_a_size_that_no_blob_can_have_is_refused(size: int) -> None:
    with pytest.raises(Malformed, match="size"):
        decode_manifest(_manifest(config=CONFIG | {"size": size}), OCI_MANIFEST)
    assert decode_manifest(_manifest(layers=[CONFIG | {"size": (1 << 63) - 1}]), OCI_MANIFEST).layers
