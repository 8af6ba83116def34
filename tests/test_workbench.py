"""The client's half of the wiring: what it reads, what it refuses to write over, and when a token would be seen."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.tokens import jwt_of

from chainward import workbench
from chainward.adapters.folder import write_whole
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, pae
from chainward.kernel.digest import Algorithm, Digest
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.errors import IdentityTokenUnobtainable, IdentityTokenUnusable
from chainward.workbench import FileUnusable, OutputRefused

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_up_to_its_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert workbench.read_bytes(path, 5) == b"12345"
    with pytest.raises(FileUnusable, match="larger than 4 bytes"):
        workbench.read_bytes(path, 4)
    with pytest.raises(FileUnusable, match="No such file"):
        workbench.read_bytes(tmp_path / "none", 5)
    with pytest.raises(FileUnusable, match="directory"):
        workbench.read_bytes(tmp_path, 5)


def test_a_file_is_hashed_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    assert workbench.file_digest(path) == Digest.of(b"content")
    with pytest.raises(FileUnusable):
        workbench.file_digest(tmp_path / "none")


def test_a_written_file_is_whole_and_has_the_usual_mode(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a much longer content")
    workbench.write_bytes(path, b"new")
    mask = os.umask(0o022)
    os.umask(mask)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_write_that_fails_keeps_the_old_content_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(FileUnusable, match="No space left"):
        workbench.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(path, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize("place", ["input", "./input", "folder/../input", "link"])
def test_an_input_is_no_output(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "input").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "input")
    with pytest.raises(OutputRefused):
        workbench.check_output(tmp_path / place, tmp_path / "input")
    workbench.check_output(tmp_path / "other", tmp_path / "input")


def test_a_new_file_is_new_and_has_a_folder(tmp_path: Path) -> None:
    workbench.check_new(tmp_path / "new")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (tmp_path, tmp_path / "link"):
        with pytest.raises(OutputRefused):
            workbench.check_new(taken)
    with pytest.raises(FileUnusable, match="there is no folder"):
        workbench.check_new(tmp_path / "none" / "new")


def test_the_halves_of_a_key_go_into_two_new_files(tmp_path: Path) -> None:
    key = generate(Scheme.ED25519)
    private, public = tmp_path / "k.key", tmp_path / "k.pub"
    workbench.store_key(private, public, key, b"correct horse")
    assert workbench.read_public_key(public) == key.public_key
    assert workbench.open_key(str(private), lambda: b"correct horse").public_key == key.public_key
    with pytest.raises(OutputRefused):
        workbench.store_key(tmp_path / "other.key", public, key, b"correct horse")
    with pytest.raises(OutputRefused, match="both halves"):
        workbench.store_key(tmp_path / "x", tmp_path / "x", key, b"correct horse")
    assert not (tmp_path / "other.key").exists()


def test_a_result_replaces_a_former_result_or_an_empty_folder_only(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("new", "empty", "former"):
        (tmp_path / name).mkdir(exist_ok=name != "new")
    (tmp_path / "former" / "build.json").write_bytes(b"{}")
    for name in ("absent", "new", "empty", "former"):
        workbench.result_folder(tmp_path / name, source).abandon()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("full", "file", "link", "source", ".", "source/.."):
        with pytest.raises(OutputRefused):
            workbench.result_folder(tmp_path / name, source)
    with pytest.raises(FileUnusable):
        workbench.result_folder(tmp_path / "file" / "below", source)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8420", "http://[::1]:1", "http://localhost", "https://registry.example.org", "http://[", ""],
)
def test_a_token_stays_here_or_travels_by_tls(url: str) -> None:
    assert workbench.unprotected_host(url) is None


@pytest.mark.parametrize("host", ["registry.example.org", "10.0.0.1", "192.0.2.7", "localhost.example.org"])
def test_a_token_that_others_could_read_is_told(host: str) -> None:
    assert workbench.unprotected_host(f"http://{host}:8420") == host


def test_a_file_is_named_by_the_hash_of_the_key_that_signs_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert workbench.file_digest(path) == Digest.of(b"content")
    assert workbench.file_digest(path, "sha512") == Digest.of(b"content", Algorithm.SHA512)
    with pytest.raises(FileUnusable, match="sha384"):
        workbench.file_digest(path, "sha384")


def test_a_statement_dressed_as_a_file_is_not_signed(tmp_path: Path) -> None:
    """A build that signs what others hand in would otherwise state what they like."""
    path = tmp_path / "release.bin"
    path.write_bytes(pae(PAYLOAD_TYPE_INTOTO, b'{"_type":"https://in-toto.io/Statement/v1"}'))
    with pytest.raises(FileUnusable, match="envelope"):
        workbench.signable_digest(path, "sha256")
    path.write_bytes(b"content")
    assert workbench.signable_digest(path, "sha256") == workbench.file_digest(path)
    for harmless in (b"", b"DSSE", b" DSSEv1 "):
        path.write_bytes(harmless)
        assert workbench.signable_digest(path, "sha256") == Digest.of(harmless)


def test_an_identity_token_is_text_or_the_content_of_a_file_or_ambient(tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    path = tmp_path / "token"
    path.write_text(jwt_of(sub="file", expires=later))
    ambient = {"CHAINWARD_IDENTITY_TOKEN": jwt_of(sub="ambient", expires=later)}
    given = (jwt_of(sub="text", expires=later), f"@{path}", None)
    found = [workbench.identity_token(each, ambient, "sigstore").subject for each in given]
    assert found == ["text", "file", "ambient"]
    with pytest.raises(IdentityTokenUnusable, match="expired"):
        workbench.identity_token(jwt_of(expires=later - timedelta(hours=1)), {}, "sigstore")
    with pytest.raises(IdentityTokenUnobtainable):
        workbench.identity_token("@", {}, "sigstore")
