"""Manifests, indexes and image configurations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import digests

from chainward.formats import oci
from chainward.formats.codec import encode_base64
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.oci import Descriptor, ImageConfig, Manifest, Platform
from chainward.kernel.digest import Digest, DigestMismatch, InvalidDigest

CONFIG = Descriptor.of(b"config", oci.OCI_CONFIG)
LAYER = Descriptor.of(b"layer", oci.OCI_LAYER_GZIP)
IMAGE = Manifest(media_type=oci.OCI_MANIFEST, config=CONFIG, layers=(LAYER,))

some_annotations = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=3)
platforms = st.builds(
    Platform,
    architecture=st.sampled_from(["amd64", "arm64"]),
    os=st.just("linux"),
    variant=st.none() | st.just("v8"),
    os_version=st.none() | st.just("10.0"),
    os_features=st.lists(st.just("win32k"), max_size=1).map(tuple),
)
descriptors = st.builds(
    Descriptor,
    st.sampled_from([oci.OCI_LAYER, oci.OCI_LAYER_GZIP, oci.OCI_MANIFEST]),
    digests(),
    st.integers(0, 2**63 - 1),
    some_annotations,
    st.none() | st.just("application/example"),
    st.none(),
    st.lists(st.just("https://example.com/x"), max_size=1).map(tuple),
    st.none() | platforms,
)
subjects = st.none() | descriptors
images = st.builds(
    Manifest,
    media_type=st.sampled_from([oci.OCI_MANIFEST, oci.DOCKER_MANIFEST]),
    artifact_type=st.none() | st.just("application/example"),
    config=descriptors,
    layers=st.lists(descriptors, max_size=3).map(tuple),
    subject=subjects,
    annotations=some_annotations,
)
indexes = st.builds(
    Manifest,
    media_type=st.sampled_from([oci.OCI_INDEX, oci.DOCKER_MANIFEST_LIST]),
    artifact_type=st.none() | st.just("application/example"),
    manifests=st.lists(descriptors, max_size=3).map(tuple),
    subject=subjects,
    annotations=some_annotations,
)


def members(manifest: Manifest = IMAGE, **changes: Any) -> bytes:
    document = json.loads(oci.encode_manifest(manifest)) | changes
    return json.dumps({name: value for name, value in document.items() if value != "absent"}).encode()


@given(images | indexes)
def test_a_manifest_reads_back_as_it_was_written_and_always_has_the_same_bytes(manifest: Manifest) -> None:
    data = oci.encode_manifest(manifest)
    again = oci.decode_manifest(data, manifest.media_type)
    assert again == manifest
    assert oci.encode_manifest(again) == data


@pytest.mark.parametrize("media_type", sorted(oci.MANIFEST_TYPES))
def test_the_four_accepted_media_types_are_read(media_type: str) -> None:
    is_index = media_type in {oci.OCI_INDEX, oci.DOCKER_MANIFEST_LIST}
    manifest = Manifest(media_type=media_type) if is_index else Manifest(media_type=media_type, config=CONFIG)
    assert oci.decode_manifest(oci.encode_manifest(manifest), media_type).is_index is is_index


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/json",
        "",
    ],
)
def test_docker_schema_1_and_unknown_types_are_refused(media_type: str) -> None:
    with pytest.raises(Unsupported) as caught:
        oci.decode_manifest(members(), media_type)
    assert caught.value.code == "input-unsupported"


def test_a_docker_schema_1_document_is_refused_under_any_media_type() -> None:
    schema_1 = {"schemaVersion": 1, "name": "a/b", "tag": "x", "fsLayers": [{"blobSum": str(LAYER.digest)}]}
    for version in (1, 2):
        with pytest.raises((Malformed, Unsupported)):
            oci.decode_manifest(json.dumps(schema_1 | {"schemaVersion": version}).encode(), oci.OCI_MANIFEST)


def test_a_manifest_above_four_mebibytes_is_too_large() -> None:
    body = members(filler="x" * oci.MAX_MANIFEST)
    with pytest.raises(TooLarge):
        oci.decode_manifest(body, oci.OCI_MANIFEST)


def test_an_oci_manifest_may_leave_its_media_type_out_and_a_docker_manifest_may_not() -> None:
    assert oci.decode_manifest(members(mediaType="absent"), oci.OCI_MANIFEST) == IMAGE
    with pytest.raises(Malformed):
        oci.decode_manifest(members(mediaType="absent"), oci.DOCKER_MANIFEST)


@pytest.mark.parametrize("inside", [oci.OCI_INDEX, oci.DOCKER_MANIFEST, "", "application/json"])
def test_a_manifest_that_calls_itself_something_else_is_refused(inside: str) -> None:
    with pytest.raises(Malformed):
        oci.decode_manifest(members(mediaType=inside), oci.OCI_MANIFEST)


@pytest.mark.parametrize("config", ["absent", None])
def test_a_manifest_without_a_config_is_malformed(config: object) -> None:
    with pytest.raises(Malformed, match="config"):
        oci.decode_manifest(members(config=config), oci.OCI_MANIFEST)


@pytest.mark.parametrize("extra", [{"manifests": []}, {"manifests": None}, {"fsLayers": []}])
def test_a_manifest_that_could_also_be_read_as_an_index_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        oci.decode_manifest(members(**extra), oci.OCI_MANIFEST)


@pytest.mark.parametrize("extra", [{"layers": []}, {"layers": None}, {"config": {}}, {"manifests": "absent"}])
def test_an_index_that_could_also_be_read_as_a_manifest_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        oci.decode_manifest(members(Manifest(media_type=oci.OCI_INDEX), **extra), oci.OCI_INDEX)


def test_null_lists_as_go_programs_write_them_are_empty_lists() -> None:
    assert oci.decode_manifest(members(layers=None, annotations=None), oci.OCI_MANIFEST).layers == ()
    index = members(Manifest(media_type=oci.OCI_INDEX), manifests=None)
    assert oci.decode_manifest(index, oci.OCI_INDEX).manifests == ()


def test_unknown_members_are_skipped() -> None:
    body = members(custom={"a": 1}, config=json.loads(members())["config"] | {"custom": True})
    assert oci.decode_manifest(body, oci.OCI_MANIFEST) == IMAGE


@pytest.mark.parametrize(
    "changes",
    [
        {"mediaType": "absent"},
        {"mediaType": ""},
        {"digest": "absent"},
        {"size": -1},
        {"size": 1.5},
        {"size": "3"},
        {"annotations": {"a": 1}},
        {"data": "!"},
    ],
)
def test_a_descriptor_that_does_not_follow_the_specification_is_malformed(changes: dict[str, Any]) -> None:
    config = {name: value for name, value in (json.loads(members())["config"] | changes).items() if value != "absent"}
    with pytest.raises(Malformed):
        oci.decode_manifest(members(config=config), oci.OCI_MANIFEST)


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + "A" * 64])
def test_a_descriptor_with_an_unacceptable_digest_is_refused(digest: str) -> None:
    with pytest.raises(InvalidDigest):
        oci.decode_manifest(members(config=json.loads(members())["config"] | {"digest": digest}), oci.OCI_MANIFEST)


def test_data_embedded_in_a_descriptor_must_be_what_the_descriptor_names() -> None:
    config = json.loads(members())["config"]
    right = oci.decode_manifest(members(config=config | {"data": encode_base64(b"config")}), oci.OCI_MANIFEST)
    assert right.config is not None
    assert right.config.data == b"config"
    with pytest.raises(DigestMismatch):
        oci.decode_manifest(members(config=config | {"data": encode_base64(b"c0nfig")}), oci.OCI_MANIFEST)
    with pytest.raises(Malformed, match="6"):
        oci.decode_manifest(members(config=config | {"data": encode_base64(b"configs")}), oci.OCI_MANIFEST)


def test_a_registry_must_hold_config_and_layers_once_each_but_no_layer_that_may_not_be_redistributed() -> None:
    foreign = Descriptor.of(b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    private = Descriptor.of(b"other", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
    manifest = Manifest(media_type=oci.OCI_MANIFEST, config=CONFIG, layers=(LAYER, foreign, LAYER, private))
    assert oci.blob_digests(manifest) == (CONFIG.digest, LAYER.digest)
    assert oci.child_digests(manifest) == ()


def test_the_children_of_an_index_are_its_manifests() -> None:
    index = Manifest(media_type=oci.OCI_INDEX, manifests=(CONFIG, LAYER, CONFIG))
    assert oci.child_digests(index) == (CONFIG.digest, LAYER.digest)
    assert oci.blob_digests(index) == ()


def test_the_artifact_type_for_referrers_falls_back_to_the_type_of_the_config() -> None:
    assert IMAGE.effective_artifact_type == oci.OCI_CONFIG
    assert Manifest(media_type=oci.OCI_INDEX).effective_artifact_type is None
    typed = Manifest(media_type=oci.OCI_MANIFEST, artifact_type="application/x", config=oci.EMPTY_DESCRIPTOR)
    assert typed.effective_artifact_type == "application/x"


def test_the_empty_descriptor_is_the_one_of_the_specification() -> None:
    expected = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert str(oci.EMPTY_DESCRIPTOR.digest) == expected
    assert oci.EMPTY_DESCRIPTOR.size == 2


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(media_type=oci.OCI_MANIFEST),
        Manifest(media_type=oci.OCI_MANIFEST, config=CONFIG, manifests=(LAYER,)),
        Manifest(media_type=oci.OCI_INDEX, config=CONFIG),
        Manifest(media_type=oci.OCI_INDEX, layers=(LAYER,)),
    ],
)
def test_a_manifest_that_is_neither_image_nor_index_is_not_written(manifest: Manifest) -> None:
    with pytest.raises(Unwritable):
        oci.encode_manifest(manifest)


def test_an_image_config_reads_back_as_it_was_written() -> None:
    config = ImageConfig(
        architecture="arm64",
        os="linux",
        diff_ids=(Digest.of(b"layer"),),
        variant="v8",
        created="2026-11-23T00:00:00Z",
        author="shop",
        user="1000:1000",
        environment=("PATH=/usr/bin", "EMPTY="),
        entrypoint=("/bin/web",),
        command=("--port", "80"),
        working_dir="/srv",
        exposed_ports=("80/tcp",),
        volumes=("/data",),
        labels={"org.example": "x"},
        stop_signal="SIGTERM",
        history=(oci.History(created_by="assemble", comment="one"), oci.History(empty_layer=True)),
    )
    data = oci.encode_image_config(config)
    assert oci.decode_image_config(data) == config
    assert json.loads(data)["config"]["ExposedPorts"] == {"80/tcp": {}}


def test_an_image_config_needs_a_platform_and_layers() -> None:
    good = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    assert oci.decode_image_config(json.dumps(good | {"config": None, "history": None}).encode()).diff_ids == ()
    for missing in good:
        with pytest.raises(Malformed):
            oci.decode_image_config(json.dumps({name: good[name] for name in good if name != missing}).encode())
    with pytest.raises(Malformed, match=r"rootfs\.type"):
        oci.decode_image_config(json.dumps(good | {"rootfs": {"type": "tar"}}).encode())
    with pytest.raises(InvalidDigest):
        oci.decode_image_config(json.dumps(good | {"rootfs": {"type": "layers", "diff_ids": ["x"]}}).encode())
