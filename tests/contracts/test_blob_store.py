"""The contract of places for bytes: what is finished is whole and provable, what is not can go on or be dropped."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.adapters.blobs import disk
from chainward.adapters.blobs.local import LocalBlobs
from chainward.kernel.digest import Algorithm, Digest, DigestMismatch
from chainward.registry.errors import (
    BlobStoreUnavailable,
    BlobUnknown,
    IntegrityViolated,
    UploadRangeWrong,
    UploadUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.registry.model import Seal

UPLOAD = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs", tmp_path / "uploads")


def path_of(folder: Path, digest: Digest) -> Path:
    return folder / "blobs" / digest.algorithm.value / digest.hex[:2] / digest.hex


def keep(store: LocalBlobs, data: bytes, upload: str = UPLOAD, known: Seal | None = None) -> Seal:
    store.create(upload)
    store.append(upload, 0, [data])
    return store.finish(upload, Digest.of(data), known)


def content(store: LocalBlobs, digest: Digest) -> bytes:
    with closing(store.open(digest)) as reader:
        return reader.read(0, reader.seal.size + 1)


def settle() -> None:
    """Let the clock of the file system move on, so that a change is a change of ctime on every kernel."""
    time.sleep(0.02)


def test_what_was_appended_in_pieces_becomes_one_blob(store: LocalBlobs) -> None:
    store.create(UPLOAD)
    assert store.append(UPLOAD, 0, [b"ab", b"", b"c"]) == 3
    assert store.append(UPLOAD, 3, [b"def"]) == 6
    assert store.size(UPLOAD) == 6
    seal = store.finish(UPLOAD, Digest.of(b"abcdef"), None)
    assert seal.size == 6
    with closing(store.open(Digest.of(b"abcdef"))) as reader:
        assert reader.seal == seal == reader.prove(Digest.of(b"abcdef"))
        assert reader.read(2, 3) == b"cde"
        assert reader.read(5, 100) == b"f"
        assert reader.read(6, 1) == b""
    with pytest.raises(UploadUnknown):
        store.size(UPLOAD)


def test_a_blob_may_be_empty(store: LocalBlobs) -> None:
    store.create(UPLOAD)
    assert store.finish(UPLOAD, Digest.of(b""), None).size == 0
    assert content(store, Digest.of(b"")) == b""


def test_a_blob_may_be_named_by_sha512(store: LocalBlobs) -> None:
    digest = Digest.of(b"data", Algorithm.SHA512)
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"data"])
    store.finish(UPLOAD, digest, None)
    assert content(store, digest) == b"data"
    with pytest.raises(BlobUnknown):
        store.open(Digest.of(b"data"))


def test_other_bytes_than_the_digest_names_do_not_become_a_blob(store: LocalBlobs) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"data"])
    with pytest.raises(DigestMismatch):
        store.finish(UPLOAD, Digest.of(b"other"), None)
    with pytest.raises(BlobUnknown):
        store.open(Digest.of(b"other"))
    assert store.size(UPLOAD) == 4, "the upload is still there"


@pytest.mark.parametrize("upload", ["", "../../etc/passwd", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n"])
def test_an_upload_cannot_be_named_out_of_its_folder(store: LocalBlobs, upload: str) -> None:
    for attempt in (store.create, store.size, store.abort):
        with pytest.raises(UploadUnknown):
            attempt(upload)


def test_nothing_can_be_done_to_an_upload_that_is_not_there(store: LocalBlobs) -> None:
    with pytest.raises(UploadUnknown):
        store.append(UPLOAD, 0, [b"x"])
    with pytest.raises(UploadUnknown):
        store.cut(UPLOAD, 0)
    with pytest.raises(UploadUnknown):
        store.finish(UPLOAD, Digest.of(b""), None)
    store.abort(UPLOAD)


def test_a_chunk_must_begin_where_the_upload_ends(store: LocalBlobs) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"abc"])
    for offset in (0, 2, 4):
        with pytest.raises(UploadRangeWrong):
            store.append(UPLOAD, offset, [b"x"])
    assert store.append(UPLOAD, 3, [b"d"]) == 4
    store.finish(UPLOAD, Digest.of(b"abcd"), None)


def test_an_upload_that_was_cut_goes_on_from_there(store: LocalBlobs) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"abc", b"wrong"])
    store.cut(UPLOAD, 3)
    store.append(UPLOAD, 3, [b"def"])
    store.finish(UPLOAD, Digest.of(b"abcdef"), None)
    assert content(store, Digest.of(b"abcdef")) == b"abcdef"


def test_an_upload_goes_on_after_a_restart(store: LocalBlobs, tmp_path: Path) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"abc"])
    again = LocalBlobs(tmp_path / "blobs", tmp_path / "uploads")
    assert again.size(UPLOAD) == 3
    again.append(UPLOAD, 3, [b"def"])
    again.finish(UPLOAD, Digest.of(b"abcdef"), None)
    assert content(again, Digest.of(b"abcdef")) == b"abcdef"


def test_an_upload_whose_file_was_changed_behind_our_back_after_a_restart_is_noticed(
    store: LocalBlobs, tmp_path: Path
) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"abc"])
    (tmp_path / "uploads" / UPLOAD).write_bytes(b"xyz")
    with pytest.raises(DigestMismatch):
        LocalBlobs(tmp_path / "blobs", tmp_path / "uploads").finish(UPLOAD, Digest.of(b"abc"), None)


def test_a_blob_that_is_there_and_known_is_not_stored_twice(store: LocalBlobs, tmp_path: Path) -> None:
    seal = keep(store, b"data")
    inode = path_of(tmp_path, Digest.of(b"data")).stat().st_ino
    assert keep(store, b"data", OTHER, known=seal) == seal
    assert path_of(tmp_path, Digest.of(b"data")).stat().st_ino == inode
    assert not list((tmp_path / "uploads").iterdir())


def test_a_blob_that_was_changed_is_replaced_by_the_right_bytes(store: LocalBlobs, tmp_path: Path) -> None:
    seal = keep(store, b"data")
    settle()
    path_of(tmp_path, Digest.of(b"data")).chmod(0o600)
    path_of(tmp_path, Digest.of(b"data")).write_bytes(b"evil")
    assert keep(store, b"data", OTHER, known=seal) != seal
    assert content(store, Digest.of(b"data")) == b"data"


def test_many_who_finish_the_same_blob_at_the_same_time_leave_one_file(store: LocalBlobs, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096

    def push(number: int) -> Seal:
        return keep(store, data, f"{number:032x}")

    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(push, range(16)))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [path_of(tmp_path, Digest.of(data))]
    assert content(store, Digest.of(data)) == data
    with closing(store.open(Digest.of(data))) as reader:
        assert reader.seal in seals


def flip_a_byte(path: Path) -> None:
    path.chmod(0o600)
    with path.open("r+b") as handle:
        handle.write(b"D")


def flip_and_set_the_time_back(path: Path) -> None:
    status = path.stat()
    flip_a_byte(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_another_file(path: Path) -> None:
    path.with_suffix(".new").write_bytes(b"Data")
    path.with_suffix(".new").replace(path)


def append_a_byte(path: Path) -> None:
    path.chmod(0o600)
    with path.open("ab") as handle:
        handle.write(b"!")


@pytest.mark.parametrize("attack", [flip_a_byte, flip_and_set_the_time_back, replace_by_another_file, append_a_byte])
def test_a_changed_file_has_another_seal_and_cannot_be_proven(
    store: LocalBlobs, tmp_path: Path, attack: object
) -> None:
    assert callable(attack)
    digest = Digest.of(b"data")
    seal = keep(store, b"data")
    settle()
    attack(path_of(tmp_path, digest))
    with closing(store.open(digest)) as reader:
        assert reader.seal != seal
        with pytest.raises(IntegrityViolated):
            reader.prove(digest)


def test_a_file_that_was_only_touched_can_be_proven_again(store: LocalBlobs, tmp_path: Path) -> None:
    digest = Digest.of(b"data")
    seal = keep(store, b"data")
    settle()
    path_of(tmp_path, digest).touch()
    with closing(store.open(digest)) as reader:
        assert reader.seal != seal
        assert reader.prove(digest) == reader.seal


def test_a_symbolic_link_in_place_of_a_blob_is_not_followed(store: LocalBlobs, tmp_path: Path) -> None:
    keep(store, b"data")
    (tmp_path / "elsewhere").write_bytes(b"data")
    path = path_of(tmp_path, Digest.of(b"data"))
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityViolated):
        store.open(Digest.of(b"data"))


def test_a_mapping_that_outlives_the_proof_cannot_slip_bytes_in_after_it(store: LocalBlobs, tmp_path: Path) -> None:
    """The kernel notes the first write through a mapping only; those after the proof would go unseen."""
    data = b"data" * 2048
    keep(store, data)
    path = path_of(tmp_path, Digest.of(data))
    path.chmod(0o600)
    with path.open("r+b") as handle, closing(mmap.mmap(handle.fileno(), 0)) as mapping:
        mapping[0:1] = b"d"
        with closing(store.open(Digest.of(data))) as reader, pytest.raises(BlobStoreUnavailable, match="for writing"):
            reader.prove(Digest.of(data))
    with closing(store.open(Digest.of(data))) as reader:
        assert reader.prove(Digest.of(data)) == reader.seal


@pytest.mark.parametrize("attack", [flip_a_byte, flip_and_set_the_time_back])
def test_an_upload_that_others_write_to_becomes_no_blob(
    store: LocalBlobs, tmp_path: Path, attack: Callable[[Path], None]
) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"da"])
    settle()
    attack(tmp_path / "uploads" / UPLOAD)
    store.append(UPLOAD, 2, [b"ta"])
    with pytest.raises(DigestMismatch):
        store.finish(UPLOAD, Digest.of(b"data"), None)


@pytest.mark.parametrize("attack", [flip_a_byte, flip_and_set_the_time_back])
def test_an_upload_that_others_write_to_at_its_end_becomes_no_blob(
    store: LocalBlobs, tmp_path: Path, attack: Callable[[Path], None]
) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"data"])
    settle()
    attack(tmp_path / "uploads" / UPLOAD)
    with pytest.raises(DigestMismatch):
        store.finish(UPLOAD, Digest.of(b"data"), None)


def test_a_pipe_in_place_of_a_blob_does_not_hang_the_reader(store: LocalBlobs, tmp_path: Path) -> None:
    keep(store, b"data")
    path = path_of(tmp_path, Digest.of(b"data"))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(IntegrityViolated):
        store.open(Digest.of(b"data"))


def test_a_file_that_changes_while_it_is_read_is_not_read_any_further(store: LocalBlobs, tmp_path: Path) -> None:
    keep(store, b"data")
    with closing(store.open(Digest.of(b"data"))) as reader:
        assert reader.read(0, 2) == b"da"
        settle()
        flip_a_byte(path_of(tmp_path, Digest.of(b"data")))
        with pytest.raises(IntegrityViolated):
            reader.read(2, 2)


def test_a_file_that_changes_while_it_is_read_and_hides_it_is_not_read_any_further(
    store: LocalBlobs, tmp_path: Path
) -> None:
    keep(store, b"data")
    with closing(store.open(Digest.of(b"data"))) as reader:
        assert reader.read(0, 2) == b"da"
        settle()
        flip_and_set_the_time_back(path_of(tmp_path, Digest.of(b"data")))
        with pytest.raises(IntegrityViolated):
            reader.read(2, 2)


def test_a_reader_reads_what_was_proven_although_the_name_leads_elsewhere(store: LocalBlobs, tmp_path: Path) -> None:
    keep(store, b"data")
    with closing(store.open(Digest.of(b"data"))) as reader:
        replace_by_another_file(path_of(tmp_path, Digest.of(b"data")))
        assert reader.read(0, 4) == b"data"


def test_a_reader_keeps_its_file_while_a_push_replaces_it(store: LocalBlobs) -> None:
    keep(store, b"data")
    with closing(store.open(Digest.of(b"data"))) as reader:
        assert reader.read(0, 2) == b"da"
        keep(store, b"data", OTHER)
        assert reader.read(2, 2) == b"ta"


def test_a_full_disk_leaves_the_upload_as_it_was(store: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"abc"])
    real = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if offset >= 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, bytes(data)[:2], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(BlobStoreUnavailable, match="the disk is full"):
        store.append(UPLOAD, 3, [b"defg"])
    monkeypatch.undo()
    assert store.size(UPLOAD) == 3
    store.append(UPLOAD, 3, [b"def"])
    store.finish(UPLOAD, Digest.of(b"abcdef"), None)


def test_an_upload_whose_sync_failed_is_dropped_and_never_becomes_a_blob(
    store: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(UPLOAD)
    store.append(UPLOAD, 0, [b"data"])

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, f"Input/output error on {descriptor}")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(BlobStoreUnavailable):
        store.finish(UPLOAD, Digest.of(b"data"), None)
    monkeypatch.undo()
    assert not list((tmp_path / "uploads").iterdir())
    with pytest.raises(BlobUnknown):
        store.open(Digest.of(b"data"))


def test_everything_is_synced_in_the_order_that_survives_a_power_loss(
    store: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_sync, real_folder = os.fsync, disk.sync_folder
    place = path_of(tmp_path, Digest.of(b"data"))

    def sync(descriptor: int) -> None:
        events.append(f"sync {place.exists()}")
        real_sync(descriptor)

    def sync_folder(folder: Path) -> None:
        events.append(f"folder {folder == place.parent} {place.exists()}")
        real_folder(folder)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr("chainward.adapters.blobs.local.sync_folder", sync_folder)
    keep(store, b"data")
    assert events[0] == "sync False", "the bytes are synced before the name exists"
    assert events[-2:] == ["folder True True", "sync True"], "the folder is synced after the name exists"


def test_uploads_to_which_nothing_is_written_are_found(store: LocalBlobs, tmp_path: Path) -> None:
    store.create(UPLOAD)
    store.create(OTHER)
    (tmp_path / "uploads" / "README").write_text("not an upload")
    os.utime(tmp_path / "uploads" / UPLOAD, (0, 0))
    (tmp_path / "uploads" / "README").touch()
    assert store.abandoned(datetime.now(UTC) - timedelta(hours=1)) == [UPLOAD]


def test_blobs_and_uploads_on_two_disks_are_refused_when_opened(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is only one file system here")
    with (
        tempfile.TemporaryDirectory(dir=memory) as folder,
        pytest.raises(BlobStoreUnavailable, match="different disks"),
    ):
        LocalBlobs(tmp_path / "blobs", Path(folder) / "uploads")


def test_a_blob_can_be_read_by_its_owner_only_and_not_written(store: LocalBlobs, tmp_path: Path) -> None:
    keep(store, b"data")
    assert path_of(tmp_path, Digest.of(b"data")).stat().st_mode & 0o777 == 0o440
    assert (tmp_path / "blobs").stat().st_mode & 0o077 == 0


def test_a_folder_that_somebody_else_made_is_synced_before_it_is_relied_on(
    store: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = path_of(tmp_path, Digest.of(b"data"))
    place.parent.mkdir(parents=True)
    synced: list[Path] = []
    monkeypatch.setattr("chainward.adapters.blobs.disk.sync_folder", synced.append)
    keep(store, b"data")
    keep(store, b"data", OTHER)
    assert synced == [tmp_path / "blobs", tmp_path / "blobs" / "sha256"]


@given(
    chunks=st.lists(st.binary(max_size=2000), max_size=8),
    cuts=st.lists(st.integers(0, 5000), max_size=3),
    restart=st.booleans(),
)
def test_any_order_of_appending_cutting_and_restarting_keeps_hash_and_bytes_together(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], cuts: list[int], *, restart: bool
) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = LocalBlobs(folder / "blobs", folder / "uploads")
    store.create(UPLOAD)
    expected = b""
    for number, chunk in enumerate(chunks):
        assert store.append(UPLOAD, len(expected), [chunk]) == len(expected) + len(chunk)
        expected += chunk
        if number < len(cuts):
            expected = expected[: cuts[number]]
            store.cut(UPLOAD, len(expected))
        if restart:
            store = LocalBlobs(folder / "blobs", folder / "uploads")
    store.finish(UPLOAD, Digest.of(expected), None)
    assert content(store, Digest.of(expected)) == expected
