"""The data folder: made once, readable by its owner only, taken by one process at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from chainward.adapters.home import (
    AlreadyInitialised,
    DataFolder,
    FolderUnusable,
    InstanceMismatch,
    InstanceRunning,
    NotInitialised,
)
from chainward.adapters.keyring import load_keys, make_keys
from chainward.adapters.system import SystemEntropy
from chainward.keys.errors import PassphraseWrong

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, pathlib
from chainward.adapters.home import DataFolder
lock = DataFolder(pathlib.Path(sys.argv[1])).lock()
print("held", flush=True)
sys.stdin.read()
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def made(tmp_path: Path) -> DataFolder:
    """A complete folder of the platform a.example."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    folder.complete("a.example")
    return folder


def test_a_new_folder_is_private(made: DataFolder) -> None:
    assert mode_of(made.path) == 0o700
    assert mode_of(made.keys) == 0o700
    made.check("a.example")


def test_an_empty_folder_may_be_taken_and_becomes_private(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    tmp_path.chmod(0o755)
    DataFolder(tmp_path).create()
    assert mode_of(tmp_path) == 0o700


@pytest.mark.parametrize("name", ["keys", "chainward.db", "blobs", "instance.json"])
def test_a_folder_that_holds_something_of_a_platform_is_not_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(AlreadyInitialised) as caught:
        DataFolder(tmp_path).create()
    assert caught.value.details["found"] == [name]


def test_what_was_not_completed_is_no_platform(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    with pytest.raises(NotInitialised):
        folder.check("a.example")
    folder.discard()
    folder.create()


def test_a_completed_folder_is_never_discarded(made: DataFolder) -> None:
    (made.path / "chainward.db").write_bytes(b"precious")
    made.discard()
    assert (made.path / "chainward.db").read_bytes() == b"precious"


def test_the_platform_of_another_name_is_not_started(made: DataFolder) -> None:
    with pytest.raises(InstanceMismatch, match=r"'a\.example', not 'b\.example'"):
        made.check("b.example")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "name": "a.example"}', "\xff"])
def test_a_broken_marker_stops_the_start(made: DataFolder, text: str) -> None:
    (made.path / "instance.json").chmod(0o600)
    (made.path / "instance.json").write_bytes(text.encode("latin-1"))
    with pytest.raises((FolderUnusable, InstanceMismatch)):
        made.check("a.example")


def test_a_second_process_is_kept_out_and_told_who_is_in(made: DataFolder) -> None:
    lock = made.lock()
    with pytest.raises(InstanceRunning) as caught:
        DataFolder(made.path).lock()
    assert caught.value.details["pid"] == str(os.getpid())
    lock.release()
    lock.release()
    DataFolder(made.path).lock().release()


def test_the_lock_falls_with_the_process_that_holds_it_however_it_ends(made: DataFolder) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(made.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InstanceRunning) as caught:
            made.lock()
        assert caught.value.details["pid"] == str(holder.pid)
        holder.kill()
        holder.wait()
    made.lock().release()


def test_a_secret_is_private_and_never_replaced(made: DataFolder) -> None:
    path = made.keys / "passphrase"
    made.write_secret(path, b"first")
    assert mode_of(path) == 0o600
    with pytest.raises(AlreadyInitialised):
        made.write_secret(path, b"second")
    assert path.read_bytes() == b"first"
    assert "passphrase" in {found.name for found in made.keys.iterdir()}


def test_a_secret_half_written_before_a_crash_is_no_obstacle(made: DataFolder) -> None:
    (made.keys / ".passphrase.partial").write_bytes(b"ha")
    made.write_secret(made.keys / "passphrase", b"whole")
    assert made.read_passphrase(made.keys / "passphrase") == b"whole"


def test_a_passphrase_that_others_may_read_is_refused(made: DataFolder) -> None:
    path = made.path / "passphrase"
    path.write_bytes(b"open secret")
    path.chmod(0o640)
    with pytest.raises(FolderUnusable, match="readable by others") as caught:
        made.read_passphrase(path)
    assert "chmod 600" in caught.value.hint


def test_a_missing_or_huge_passphrase_file_is_refused(made: DataFolder) -> None:
    with pytest.raises(FolderUnusable, match="No such file"):
        made.read_passphrase(made.path / "none")
    path = made.path / "huge"
    path.touch(mode=0o600)
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(FolderUnusable, match="larger"):
        made.read_passphrase(path)


def test_keys_lie_encrypted_and_open_with_their_passphrase_only(made: DataFolder) -> None:
    passphrase = made.keys / "passphrase"
    keys, offline = make_keys(made, passphrase, SystemEntropy(), None)
    assert len(passphrase.read_bytes()) > 40
    for name in ("facts-log", "platform", *(f"offline/{name}" for name, _ in offline.named())):
        pem = made.keys / f"{name}.pem"
        assert mode_of(pem) == 0o600
        assert pem.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    opened = load_keys(made, passphrase)
    assert opened.platform.public_key == keys.platform.public_key
    assert opened.facts.public_key == keys.facts.public_key
    sealed = keys.sealing.seal(offline.ca, "somewhere else")
    assert opened.sealing.open(sealed, "somewhere else").public_key == offline.ca.public_key
    assert mode_of(made.keys / "sealing.key") == 0o600
    with pytest.raises(PassphraseWrong):
        made.load_key("platform", b"another passphrase")
    (made.keys / "platform.pem").unlink()
    with pytest.raises(NotInitialised, match=r"platform\.pem is missing"):
        load_keys(made, passphrase)


def test_a_passphrase_file_that_was_given_is_used_and_left_alone(made: DataFolder, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.touch(mode=0o600)
    given.write_bytes(b"correct horse battery\n")
    make_keys(made, given, SystemEntropy(), b"ignored when there is a file")
    assert given.read_bytes() == b"correct horse battery\n"
    made.load_key("platform", b"correct horse battery")


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderUnusable):
        DataFolder(tmp_path / "file" / "data").create()
    with pytest.raises(FolderUnusable):
        DataFolder(tmp_path / "none").lock()
