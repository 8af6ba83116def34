"""skopeo against the registry: what a real client of the trade makes of it."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
import time
from typing import TYPE_CHECKING, Final

import pytest
from tests.flows.server import registry_app, serve
from tests.registry_stand import ALICE, WEB, Stand, sqlite_stand

from chainward.formats.image_config import ImageConfig, encode_image_config
from chainward.formats.oci import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    Platform,
    encode_manifest,
)
from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SKOPEO: Final = shutil.which("skopeo")
SECONDS: Final = 60

pytestmark = pytest.mark.skipif(SKOPEO is None, reason="skopeo is not installed (Debian: apt install skopeo)")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with sqlite_stand(tmp_path) as stand:
        yield stand


@pytest.fixture
def registry(stand: Stand) -> Iterator[str]:
    with serve(registry_app(stand)) as url:
        yield url.removeprefix("http://")


def skopeo(*arguments: str, succeeds: bool = True) -> str:
    """Run skopeo and return what it said."""
    command = [SKOPEO or "skopeo", "--insecure-policy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode == 0) is succeeds, done.stderr
    return done.stdout + done.stderr


def push(layout: Path, registry: str, name: str, *options: str, who: str = "publisher", succeeds: bool = True) -> str:
    to = ("--dest-tls-verify=false", f"--dest-creds=user:{who}")
    return skopeo("copy", *options, *to, f"oci:{layout}", f"docker://{registry}/{name}", succeeds=succeeds)


def pull(registry: str, name: str, layout: Path, *options: str, who: str = "reader", succeeds: bool = True) -> str:
    of = ("--src-tls-verify=false", f"--src-creds=user:{who}")
    return skopeo("copy", *options, *of, f"docker://{registry}/{name}", f"oci:{layout}", succeeds=succeeds)


class Layout:
    """An OCI image layout on its way into existence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def add(self, data: bytes, media_type: str) -> Descriptor:
        digest = Digest.of(data)
        (self.folder / "blobs" / "sha256" / digest.hex).write_bytes(data)
        return Descriptor(media_type, digest, len(data))

    def image(self, text: str, architecture: str = "amd64") -> Descriptor:
        """Add an image whose one layer has one file with this text."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            entry = tarfile.TarInfo("hello.txt")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
        layer = content.getvalue()
        config = ImageConfig(architecture=architecture, os="linux", diff_ids=(Digest.of(layer),))
        manifest = Manifest(
            media_type=OCI_MANIFEST,
            config=self.add(encode_image_config(config), OCI_CONFIG),
            layers=(self.add(gzip.compress(layer, mtime=0), OCI_LAYER_GZIP),),
        )
        added = self.add(encode_manifest(manifest), OCI_MANIFEST)
        platform = Platform(architecture=architecture, os="linux")
        return Descriptor(added.media_type, added.digest, added.size, platform=platform)

    def close(self, entry: Descriptor) -> Path:
        """Make ``entry`` what the layout names."""
        index = Manifest(media_type=OCI_INDEX, manifests=(entry,))
        (self.folder / "index.json").write_bytes(encode_manifest(index))
        return self.folder


def named(layout: Path) -> Digest:
    """Return the digest that a layout names."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    return Digest.parse(entry["digest"])


def blobs(layout: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (layout / "blobs" / "sha256").iterdir()}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    layout = Layout(tmp_path / "image")
    return layout.close(layout.image("hello"))


def test_an_image_goes_there_and_back_by_tag_and_by_digest(registry: str, image: Path, tmp_path: Path) -> None:
    push(image, registry, "shop/web:1.0")
    push(image, registry, "shop/web:1.0")
    pull(registry, "shop/web:1.0", tmp_path / "by-tag")
    pull(registry, f"shop/web@{named(image)}", tmp_path / "by-digest")
    for back in (tmp_path / "by-tag", tmp_path / "by-digest"):
        assert (named(back), blobs(back)) == (named(image), blobs(image))


def test_a_multi_architecture_index_goes_there_and_back_whole(registry: str, tmp_path: Path, stand: Stand) -> None:
    layout = Layout(tmp_path / "multi")
    children = tuple(layout.image(f"hello {name}", name) for name in ("amd64", "arm64", "riscv64"))
    body = encode_manifest(Manifest(media_type=OCI_INDEX, manifests=children))
    source = layout.close(layout.add(body, OCI_INDEX))
    push(source, registry, "shop/web:multi", "--all", "--preserve-digests")
    pull(registry, "shop/web:multi", tmp_path / "back", "--all", "--preserve-digests")
    assert blobs(tmp_path / "back") == blobs(source)
    assert stand.registry.resolve(WEB, Tag("multi")) == Digest.of(body)
    assert stand.schemas() == ["pushed"] * 4 + ["tagged"]


def test_an_image_is_copied_within_the_registry_by_mounting(registry: str, image: Path, stand: Stand) -> None:
    push(image, registry, "shop/web:1.0")
    both = ("--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds=u:publisher", "--dest-creds=u:publisher")
    skopeo("copy", *both, f"docker://{registry}/shop/web:1.0", f"docker://{registry}/sandbox/web:1.0")
    assert len(stand.files()) == 2


def test_a_wrong_password_is_told_as_such(registry: str, image: Path, tmp_path: Path) -> None:
    said = push(image, registry, "shop/web:1.0", who="guess", succeeds=False)
    assert "unauthorized" in said.lower()
    push(image, registry, "shop/web:1.0")
    assert "unauthorized" in pull(registry, "shop/web:1.0", tmp_path / "x", who="guess", succeeds=False).lower()


def test_a_reader_cannot_push(registry: str, image: Path) -> None:
    assert "token:reader may not push" in push(image, registry, "shop/web:1.0", who="reader", succeeds=False)


def test_skopeo_shows_why_a_tag_does_not_move(registry: str, image: Path, tmp_path: Path) -> None:
    push(image, registry, "shop/web:1.0")
    other = Layout(tmp_path / "other")
    said = push(other.close(other.image("something else")), registry, "shop/web:1.0", succeeds=False)
    assert "tags of this repository never move" in said


def test_skopeo_shows_why_a_revoked_image_is_not_pulled(
    registry: str, image: Path, tmp_path: Path, stand: Stand
) -> None:
    push(image, registry, "shop/web:1.0")
    stand.registry.revocations.revoke(named(image), "the build machine was taken over", ALICE)
    for name in ("shop/web:1.0", f"shop/web@{named(image)}"):
        said = pull(registry, name, tmp_path / "back", succeeds=False)
        assert "the build machine was taken over" in said
    assert "the build machine was taken over" in push(image, registry, "shop/web:2.0", succeeds=False)


def test_a_fixed_image_is_pushed_over_the_layers_of_a_revoked_one(registry: str, tmp_path: Path, stand: Stand) -> None:
    layout = Layout(tmp_path / "bad")
    bad = layout.close(layout.image("shared layer"))
    push(bad, registry, "shop/web:1.0")
    stand.registry.revocations.revoke(named(bad), "wrong configuration", ALICE)
    layout = Layout(tmp_path / "good")
    good = layout.close(layout.image("shared layer", "arm64"))
    push(good, registry, "shop/web:2.0")
    pull(registry, "shop/web:2.0", tmp_path / "back", "--override-arch=arm64")
    assert blobs(tmp_path / "back") == blobs(good)


def test_a_tampered_layer_is_not_pulled_and_a_plain_push_heals_it(
    registry: str, image: Path, tmp_path: Path, stand: Stand
) -> None:
    push(image, registry, "shop/web:1.0")
    layer = max(stand.files(), key=lambda path: path.stat().st_size)
    good = layer.read_bytes()
    time.sleep(0.02)
    stand.tamper(Digest.parse(f"sha256:{layer.name}"), good[:-1] + b"!")
    pull(registry, "shop/web:1.0", tmp_path / "broken", succeeds=False)
    assert "integrity-violated" in stand.schemas()
    push(image, registry, "shop/web:1.0")
    pull(registry, "shop/web:1.0", tmp_path / "healed")
    assert blobs(tmp_path / "healed") == blobs(image)


def test_tags_are_listed_and_a_manifest_is_deleted_by_an_administrator(registry: str, image: Path) -> None:
    push(image, registry, "shop/web:1.0")
    where = ("--tls-verify=false", f"docker://{registry}/shop/web")
    assert json.loads(skopeo("list-tags", "--creds=u:reader", *where))["Tags"] == ["1.0"]
    delete = ("delete", "--tls-verify=false", f"docker://{registry}/shop/web:1.0")
    skopeo(*delete, "--creds=u:publisher", succeeds=False)
    skopeo(*delete, "--creds=u:admin")
    assert not json.loads(skopeo("list-tags", "--creds=u:reader", *where))["Tags"]
