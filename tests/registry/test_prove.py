"""Content that was changed behind the registry's back: noticed before a byte leaves, stated once, healed by a push."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.registry_stand import ALICE, BOB, SANDBOX, WEB, Stand, image_of

from chainward.adapters.blobs.reader import LocalReader
from chainward.kernel.digest import Digest
from chainward.registry.errors import BlobTooLarge, BlobUnknown, IntegrityViolated, ManifestBlobUnknown
from chainward.registry.model import RefusalPath

if TYPE_CHECKING:
    from chainward.registry.model import Seal


@pytest.fixture
def digest(stand: Stand) -> Digest:
    digest = stand.push_blob(b"content")
    time.sleep(0.02)  # a change in the same tick of the clock would show in no older kernel's ctime
    return digest


class Counting:
    """Counts how often blobs are hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = LocalReader.prove

        def prove(reader: LocalReader, digest: Digest) -> Seal:
            self.count += 1
            time.sleep(0.05)
            return real(reader, digest)

        monkeypatch.setattr(LocalReader, "prove", prove)


def test_an_untouched_blob_is_not_hashed_again(stand: Stand, digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)
    assert stand.read(digest) == b"content"
    assert Stand.over(stand.database, stand.folder).read(digest) == b"content"
    assert counting.count == 0


def test_a_touched_blob_is_hashed_once_and_served(
    stand: Stand, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting(monkeypatch)
    os.utime(stand.file_of(digest), (0, 0))
    assert stand.read(digest) == stand.read(digest) == b"content"
    assert counting.count == 1
    assert stand.facts() == []


def test_many_who_ask_for_a_touched_blob_share_one_hashing(
    stand: Stand, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting(monkeypatch)
    os.utime(stand.file_of(digest), (0, 0))
    start = Barrier(8)

    def read(_: int) -> bytes:
        start.wait()
        return stand.read(digest)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(8))) == {b"content"}
    assert counting.count == 1


def test_a_restored_backup_is_proven_anew_and_served(stand: Stand, digest: Digest) -> None:
    path = stand.file_of(digest)
    path.with_suffix(".restored").write_bytes(b"content")
    path.with_suffix(".restored").replace(path)
    assert stand.read(digest) == b"content"


def test_a_flipped_byte_is_noticed_although_the_time_was_set_back(stand: Stand, digest: Digest) -> None:
    status = stand.file_of(digest).stat()
    stand.tamper(digest, b"c0ntent")
    os.utime(stand.file_of(digest), ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(IntegrityViolated):
        stand.read(digest)


def test_tampering_is_stated_once_with_the_platform_as_witness(stand: Stand, digest: Digest) -> None:
    stand.tamper(digest, b"evil")
    start = Barrier(4)

    def read(_: int) -> str:
        start.wait()
        with pytest.raises(IntegrityViolated) as caught:
            stand.read(digest)
        return caught.value.code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(4))) == {"blob-integrity-violated"}
    (fact,) = stand.facts()
    assert (fact.actor, fact.correlation, fact.subjects) == ("platform:chainward", BOB.correlation, (str(digest),))
    assert fact.body == {"repository": str(WEB), "digest": str(digest), "content": "blob", "found": "changed"}


def test_a_quarantined_blob_is_refused_at_once_even_if_the_attacker_puts_it_back(
    stand: Stand, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.tamper(digest, b"evil")
    with pytest.raises(IntegrityViolated):
        stand.read(digest)
    stand.tamper(digest, b"content")
    counting = Counting(monkeypatch)
    with pytest.raises(IntegrityViolated):
        Stand.over(stand.database, stand.folder).read(digest)
    assert counting.count == 0
    assert len(stand.facts()) == 1


def test_a_lost_file_is_stated_as_missing(stand: Stand, digest: Digest) -> None:
    stand.file_of(digest).unlink()
    with pytest.raises(IntegrityViolated, match="lost"):
        stand.read(digest)
    assert [fact.body["found"] for fact in stand.facts() if fact.body] == ["missing"]


def test_a_link_in_place_of_a_blob_is_stated_as_changed(stand: Stand, digest: Digest) -> None:
    path = stand.file_of(digest)
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))
    with pytest.raises(IntegrityViolated):
        stand.read(digest)
    assert [fact.body["found"] for fact in stand.facts() if fact.body] == ["changed"]


@pytest.mark.parametrize("attack", ["change", "remove"])
def test_a_push_of_the_right_bytes_heals(stand: Stand, digest: Digest, attack: str) -> None:
    if attack == "change":
        stand.tamper(digest, b"evil")
    else:
        stand.file_of(digest).unlink()
    with pytest.raises(IntegrityViolated):
        stand.read(digest)
    stand.push_blob(b"content", SANDBOX)
    assert stand.read(digest) == stand.read(digest, SANDBOX) == b"content"
    time.sleep(0.02)
    stand.tamper(digest, b"evil again")
    with pytest.raises(IntegrityViolated):
        stand.read(digest)
    assert len(stand.facts()) == 2, "each state is stated once"


def test_a_push_heals_what_nobody_has_noticed_yet(stand: Stand, digest: Digest) -> None:
    stand.tamper(digest, b"evil")
    stand.push_blob(b"content")
    assert stand.read(digest) == b"content"
    assert stand.facts() == []


def test_a_manifest_over_a_quarantined_blob_is_not_taken_until_it_is_healed(stand: Stand, digest: Digest) -> None:
    stand.tamper(digest, b"evil")
    with pytest.raises(IntegrityViolated):
        stand.read(digest)
    stand.push_blob(b"{}")
    with pytest.raises(ManifestBlobUnknown):
        stand.put(image_of(b"{}", b"content"), "v1")
    stand.push_blob(b"content")
    stand.put(image_of(b"{}", b"content"), "v1")


def test_a_manifest_edited_in_the_database_is_not_served_and_stated_once(stand: Stand) -> None:
    body = stand.push_image()
    digest = Digest.of(body)
    with stand.database.database.writer.begin() as connection:
        connection.execute(text("UPDATE registry_manifest SET body = :body"), {"body": body + b" "})
    for reference in ("v1", str(digest)):
        with pytest.raises(IntegrityViolated):
            stand.pull(reference)
    with pytest.raises(IntegrityViolated):
        stand.registry.manifest(WEB, digest)
    (fact,) = stand.facts("registry.integrity-violated/1")
    assert fact.body is not None
    assert fact.body["content"] == "manifest"
    stand.put(body, "v1")
    assert stand.pull("v1") == body


def test_other_rooms_read_proven_bytes_within_a_limit(stand: Stand, digest: Digest) -> None:
    registry = stand.registry
    assert registry.blob_bytes(WEB, digest, 7) == b"content"
    with pytest.raises(BlobTooLarge):
        registry.blob_bytes(WEB, digest, 6)
    with pytest.raises(BlobUnknown):
        registry.blob_bytes(SANDBOX, digest, 7)
    stand.tamper(digest, b"evil")
    with pytest.raises(IntegrityViolated):
        registry.blob_bytes(WEB, digest, 7)


def test_other_rooms_still_see_what_was_revoked(stand: Stand) -> None:
    body = stand.push_image()
    stand.registry.revocations.revoke(Digest.of(body), "bad", ALICE)
    assert stand.registry.manifest(WEB, Digest.of(body)).body == body
    assert stand.registry.blob_bytes(WEB, Digest.of(b"layer"), 100) == b"layer"
    state = stand.registry.state_of(WEB, Digest.of(body))
    assert state.revoked is not None
    assert state.revoked.reason == "bad"
    assert not stand.facts("registry.revocation-enforced/1")


def test_a_file_descriptor_is_not_left_open_by_a_refusal(stand: Stand, digest: Digest) -> None:
    stand.tamper(digest, b"evil")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - there is no path to iterate
    for _ in range(5):
        with pytest.raises(IntegrityViolated):
            stand.read(digest)
    with closing(stand.registry.pull.blob(WEB, stand.push_blob(b"x"), BOB, RefusalPath.BLOB_RANGE)):
        pass
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208 - likewise
