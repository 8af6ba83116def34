"""Key files: written once, whole, for the owner alone; read with a limit."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from chainward.adapters.signers import open_signer, passphrase_of_file, read_key_file, write_secret_file
from chainward.keys.errors import (
    KeyFileExists,
    KeyFileUnreadable,
    KeyFileUnwritable,
    KeyReferenceInvalid,
    KeyUnencrypted,
    PassphraseWrong,
)
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.keys.uri import KeyReference

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = b"correct horse battery"
KEY = generate(Scheme.ECDSA_P256_SHA256)
ENCRYPTED = KEY.encrypted_pem(PASSPHRASE)


def test_a_secret_file_is_readable_by_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "release.key"
    before = os.umask(0)
    try:
        write_secret_file(path, ENCRYPTED)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == ENCRYPTED
    assert os.listdir(tmp_path) == ["release.key"]  # noqa: PTH208 - hidden files too


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "release.key"
    path.write_bytes(b"older")
    with pytest.raises(KeyFileExists):
        write_secret_file(path, ENCRYPTED)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["release.key"]  # noqa: PTH208 - hidden files too


def test_a_dangling_link_of_that_name_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "release.key"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileExists):
        write_secret_file(path, ENCRYPTED)
    assert not (tmp_path / "elsewhere").exists()


def test_of_many_writers_of_one_name_exactly_one_wins_with_its_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "release.key"

    def attempt(number: int) -> bool:
        try:
            write_secret_file(path, b"%d" % number * 1000)
        except KeyFileExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert sum(won) == 1
    assert path.read_bytes() == b"%d" % won.index(True) * 1000


def test_a_folder_that_is_not_there_is_a_problem_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnwritable, match="No such file"):
        write_secret_file(tmp_path / "nowhere" / "release.key", ENCRYPTED)


@pytest.mark.parametrize("make", ["nothing", "folder", "large", "null"])
def test_what_is_no_key_file_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "release.key"
    if make == "folder":
        path.mkdir()
    elif make == "large":
        path.write_bytes(b"x" * 20_000)
    elif make == "null":
        path = tmp_path / "a\x00b"
    with pytest.raises(KeyFileUnreadable):
        read_key_file(path)


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [(b"secret words", b"secret words"), (b"secret words\n", b"secret words"), (b" secret \r\n", b" secret ")],
)
def test_a_passphrase_file_holds_one_line(tmp_path: Path, content: bytes, passphrase: bytes) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    assert passphrase_of_file(path) == passphrase


def test_a_file_with_a_second_line_is_not_taken_for_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(ENCRYPTED)
    with pytest.raises(KeyFileUnreadable, match="more than one line"):
        passphrase_of_file(path)


def test_the_passphrase_is_asked_for_once_and_only_for_an_encrypted_key(tmp_path: Path) -> None:
    path = tmp_path / "release.key"
    write_secret_file(path, ENCRYPTED)
    asked: list[bytes] = []

    def ask() -> bytes:
        asked.append(PASSPHRASE)
        return PASSPHRASE

    reference = KeyReference.parse(f"file:{path}")
    assert open_signer(reference, ask).public_key == KEY.public_key
    assert open_signer(reference, PASSPHRASE).public_key == KEY.public_key
    assert asked == [PASSPHRASE]
    with pytest.raises(PassphraseWrong):
        open_signer(reference, lambda: None)


def test_a_clear_key_is_refused_without_asking_for_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "clear.key"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")

    def ask() -> bytes:
        raise AssertionError

    with pytest.raises(KeyUnencrypted):
        open_signer(KeyReference.parse(str(path)), ask)


def test_a_kind_of_key_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(KeyReferenceInvalid, match="carrier-pigeon"):
        open_signer(KeyReference.parse("carrier-pigeon:home"), None)
