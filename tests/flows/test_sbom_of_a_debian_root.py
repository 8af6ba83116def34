"""The inventory of a real Debian root, made by debootstrap: what dpkg says is what we say, and quickly."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from tests.sbom.stand_ins import StoppedClock

from chainward.adapters.tree import DirectoryTree, ImageTree, LayoutBlobs
from chainward.formats.cyclonedx import Aggregate, decode_bom, validate_bom
from chainward.formats.layout import blob_path
from chainward.formats.oci import OCI_LAYER, OCI_MANIFEST, Descriptor, Manifest
from chainward.kernel.digest import Algorithm, Digest
from chainward.sbom import Subject, SubjectKind, encode, generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.sbom import Sbom

_SUITE: Final = "bookworm"
_SUBJECT: Final = Subject("debian", SubjectKind.CONTAINER, "12")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make the root."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def debian_root(request: pytest.FixtureRequest) -> Path:
    """A minimal Debian 12, made once and kept in pytest's cache folder."""
    if shutil.which("debootstrap") is None or shutil.which("dpkg-query") is None:
        pytest.skip("debootstrap and dpkg-query are not installed")
    if os.geteuid() != 0:
        pytest.skip("debootstrap needs root")
    folder = request.config.cache.mkdir(f"debian-{_SUITE}")
    root = folder / "root"
    with _locked(folder):
        if not (folder / "done").exists():
            shutil.rmtree(root, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", _SUITE, str(root)]
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode != 0:
                pytest.skip(f"debootstrap failed, no archive is reachable: {made.stdout.strip()[-200:]}")
            (folder / "done").touch()
    return root


@pytest.fixture(scope="session")
def sbom(debian_root: Path) -> Sbom:
    return generate(DirectoryTree(debian_root), subject=_SUBJECT, clock=StoppedClock())


def _installed(root: Path) -> set[tuple[str, str, str, str]]:
    """Name, version, architecture and source package of everything, in dpkg's own words."""
    shown = "${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
    command = ["dpkg-query", f"--root={root}", "--show", f"--showformat={shown}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in output.splitlines()]
    return {(name, version, architecture, source) for name, version, architecture, source in lines}


def test_every_package_that_dpkg_knows_is_listed_with_version_architecture_and_source(
    debian_root: Path, sbom: Sbom
) -> None:
    debs = [component.purl for component in sbom.components if component.purl.type == "deb"]
    listed = {
        (purl.name, purl.version, purl.qualifier("arch"), purl.qualifier("upstream").partition("@")[0] or purl.name)
        for purl in debs
    }
    assert listed == _installed(debian_root)
    assert len(listed) > 50
    assert {(purl.namespace, purl.qualifier("distro")) for purl in debs} == {("debian", "debian-12")}


def test_the_document_is_valid_complete_and_connected(sbom: Sbom) -> None:
    data = encode(sbom)
    validate_bom(data)
    summary = decode_bom(data)
    assert summary.aggregate is Aggregate.COMPLETE
    assert len(summary.components) == len(sbom.components)
    edges = {(edge.source.name, edge.depends_on.name) for edge in sbom.edges}
    assert {("apt", "libc6"), ("dpkg", "tar"), ("bash", "base-files"), ("libc6", "libgcc-s1")} <= edges


def test_the_inventory_takes_less_than_two_seconds(debian_root: Path) -> None:
    begin = time.process_time()
    encode(generate(DirectoryTree(debian_root), subject=_SUBJECT, clock=StoppedClock()))
    assert time.process_time() - begin < 2


def test_the_same_root_as_an_image_layer_has_the_same_components_and_names_the_layer(
    debian_root: Path, sbom: Sbom, tmp_path: Path
) -> None:
    archive = tmp_path / "layer.tar"
    command = ["tar", "-C", str(debian_root), "-cf", str(archive), "."]
    subprocess.run(command, check=True)
    with archive.open("rb") as file:
        digest = Digest(Algorithm.SHA256, hashlib.file_digest(file, "sha256").hexdigest())
    blob = tmp_path / blob_path(digest)
    blob.parent.mkdir(parents=True)
    size = archive.stat().st_size
    archive.rename(blob)
    manifest = Manifest(media_type=OCI_MANIFEST, layers=(Descriptor(OCI_LAYER, digest, size),))
    tree = ImageTree(manifest, LayoutBlobs(tmp_path))
    image = generate(tree, subject=_SUBJECT, clock=StoppedClock())
    blob.unlink()
    assert [component.purl for component in image.components] == [component.purl for component in sbom.components]
    assert (image.edges, image.roots, image.unreadable) == (sbom.edges, sbom.roots, ())
    assert {location.layer for component in image.components for location in component.locations} == {digest}
