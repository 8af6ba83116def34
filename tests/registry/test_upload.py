"""Uploads: who may go on with one, for how long, and what is left when it ends."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.registry_stand import ALICE, BOB, SANDBOX, WEB, Stand, sqlite_stand

from chainward.kernel.digest import Digest, DigestMismatch
from chainward.registry import Limits
from chainward.registry.errors import (
    BlobTooLarge,
    UploadBusy,
    UploadLengthWrong,
    UploadRangeWrong,
    UploadUnknown,
)
from chainward.registry.upload import Span

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName


def send(stand: Stand, upload: str, data: bytes, span: Span = Span(), context: Context = ALICE) -> int:  # noqa: B008 - frozen
    with closing(stand.registry.uploads.receive(WEB, upload, span, context)) as reception:
        reception.write([data])
        reception.complete()
        return reception.size


def test_an_upload_in_chunks_becomes_a_blob_and_is_forgotten(stand: Stand) -> None:
    uploads = stand.registry.uploads
    upload = uploads.start(WEB, ALICE).id
    assert send(stand, upload, b"abc") == 3
    assert send(stand, upload, b"def", Span(3, 3)) == 6
    assert uploads.received(WEB, upload, ALICE) == 6
    uploads.finish(WEB, upload, Digest.of(b"abcdef"), ALICE)
    assert stand.read(Digest.of(b"abcdef")) == b"abcdef"
    with pytest.raises(UploadUnknown):
        uploads.received(WEB, upload, ALICE)
    assert stand.facts() == [], "a blob alone is no fact"


def test_an_upload_goes_on_after_a_restart(stand: Stand) -> None:
    upload = stand.registry.uploads.start(WEB, ALICE).id
    send(stand, upload, b"abc")
    again = Stand.over(stand.database, stand.folder)
    assert send(again, upload, b"def") == 6
    again.registry.uploads.finish(WEB, upload, Digest.of(b"abcdef"), ALICE)
    assert again.read(Digest.of(b"abcdef")) == b"abcdef"


@pytest.mark.parametrize(("repository", "context"), [(SANDBOX, ALICE), (WEB, BOB)])
def test_an_upload_cannot_be_taken_over(stand: Stand, repository: RepositoryName, context: Context) -> None:
    uploads = stand.registry.uploads
    upload = uploads.start(WEB, ALICE).id
    with pytest.raises(UploadUnknown):
        uploads.received(repository, upload, context)
    with pytest.raises(UploadUnknown):
        uploads.receive(repository, upload, Span(), context)
    with pytest.raises(UploadUnknown):
        uploads.finish(repository, upload, Digest.of(b""), context)
    with pytest.raises(UploadUnknown):
        uploads.cancel(repository, upload, context)


def test_only_one_request_at_a_time_writes_to_an_upload(stand: Stand) -> None:
    uploads = stand.registry.uploads
    upload = uploads.start(WEB, ALICE).id
    with closing(uploads.receive(WEB, upload, Span(), ALICE)) as reception:
        reception.write([b"abc"])
        with pytest.raises(UploadBusy):
            uploads.receive(WEB, upload, Span(), ALICE)
        with pytest.raises(UploadBusy):
            uploads.finish(WEB, upload, Digest.of(b"abc"), ALICE)
        with pytest.raises(UploadBusy):
            uploads.cancel(WEB, upload, ALICE)
    uploads.finish(WEB, upload, Digest.of(b"abc"), ALICE)


def test_replicas_never_write_to_one_upload_at_the_same_time(stand: Stand) -> None:
    own = stand.registry.uploads
    other = Stand.over(stand.database, stand.folder).registry.uploads
    upload = own.start(WEB, ALICE).id
    with closing(own.receive(WEB, upload, Span(), ALICE)) as reception:
        reception.write([b"good"])
        for attempt in (
            lambda: other.receive(WEB, upload, Span(), ALICE),
            lambda: other.finish(WEB, upload, Digest.of(b"good"), ALICE),
            lambda: other.cancel(WEB, upload, ALICE),
        ):
            with pytest.raises(UploadBusy):
                attempt()
    with closing(other.receive(WEB, upload, Span(4), ALICE)) as reception:
        reception.write([b" and more"])
    own.finish(WEB, upload, Digest.of(b"good and more"), ALICE)
    with pytest.raises(UploadUnknown):
        other.receive(WEB, upload, Span(), ALICE)


def test_a_refused_chunk_does_not_leave_the_upload_busy(stand: Stand) -> None:
    upload = stand.registry.uploads.start(WEB, ALICE).id
    with pytest.raises(UploadRangeWrong) as caught:
        send(stand, upload, b"x", Span(7, 1))
    assert (caught.value.size, caught.value.upload, caught.value.repository) == (0, upload, str(WEB))
    assert send(stand, upload, b"x") == 1


@pytest.mark.parametrize("length", [0, 2, 4])
def test_a_chunk_of_another_length_than_announced_is_dropped(stand: Stand, length: int) -> None:
    upload = stand.registry.uploads.start(WEB, ALICE).id
    send(stand, upload, b"good")
    with pytest.raises(UploadLengthWrong):
        send(stand, upload, b"bad", Span(4, length))
    assert stand.registry.uploads.received(WEB, upload, ALICE) == 4
    stand.registry.uploads.finish(WEB, upload, Digest.of(b"good"), ALICE)


def test_wrong_bytes_end_the_upload(stand: Stand) -> None:
    uploads = stand.registry.uploads
    upload = uploads.start(WEB, ALICE).id
    send(stand, upload, b"abc")
    with pytest.raises(DigestMismatch):
        uploads.finish(WEB, upload, Digest.of(b"other"), ALICE)
    with pytest.raises(UploadUnknown):
        uploads.received(WEB, upload, ALICE)
    assert stand.uploads() == stand.files() == []


def test_a_blob_above_the_limit_is_refused_when_announced_and_when_it_arrives(tmp_path: Path) -> None:
    with sqlite_stand(tmp_path, limits=Limits(blob=10)) as stand:
        uploads = stand.registry.uploads
        upload = uploads.start(WEB, ALICE).id
        with pytest.raises(BlobTooLarge):
            uploads.receive_whole(11)
        send(stand, upload, b"12345")
        with pytest.raises(BlobTooLarge):
            send(stand, upload, b"", Span(5, 6))
        with pytest.raises(BlobTooLarge):
            send(stand, upload, b"678901")
        send(stand, upload, b"67890")
        uploads.finish(WEB, upload, Digest.of(b"1234567890"), ALICE)
        assert stand.uploads() == []


def test_an_upload_expires(stand: Stand) -> None:
    upload = stand.registry.uploads.start(WEB, ALICE).id
    send(stand, upload, b"abc")
    stand.clock.advance(timedelta(hours=25))
    with pytest.raises(UploadUnknown):
        stand.registry.uploads.received(WEB, upload, ALICE)
    assert stand.registry.uploads.expire() == 1
    assert stand.uploads() == []
    assert stand.registry.uploads.expire() == 0


def test_expired_uploads_go_when_somebody_starts_a_new_one(stand: Stand) -> None:
    stand.registry.uploads.start(WEB, ALICE)
    stand.clock.advance(timedelta(hours=25))
    fresh = stand.registry.uploads.start(WEB, ALICE).id
    assert [path.name for path in stand.uploads()] == [fresh]


def test_an_expired_upload_that_is_being_written_is_left_alone_until_it_ends(stand: Stand) -> None:
    uploads = stand.registry.uploads
    upload = uploads.start(WEB, ALICE).id
    with closing(uploads.receive(WEB, upload, Span(), ALICE)) as reception:
        stand.clock.advance(timedelta(hours=25))
        assert uploads.expire() == 0
        reception.write([b"abc"])
    assert uploads.expire() == 1


def test_bytes_that_a_crash_left_without_an_upload_are_removed_once_they_are_old(stand: Stand) -> None:
    orphan = stand.folder / "uploads" / ("ab" * 16)
    orphan.write_bytes(b"left behind")
    now = stand.clock.instant.timestamp()
    os.utime(orphan, (now, now))
    assert stand.registry.uploads.expire() == 0
    stand.clock.advance(timedelta(hours=25))
    live = stand.registry.uploads.start(WEB, ALICE).id
    os.utime(stand.folder / "uploads" / live, (now, now))
    stand.registry.uploads.expire()
    assert [path.name for path in stand.uploads()] == [live]


def test_a_whole_upload_that_is_not_kept_leaves_nothing(stand: Stand) -> None:
    with closing(stand.registry.uploads.receive_whole(None)) as reception:
        reception.write([b"abc"])
    assert stand.uploads() == stand.files() == []


def test_the_same_blob_in_two_repositories_is_one_file(stand: Stand) -> None:
    for repository in (WEB, SANDBOX, WEB):
        stand.push_blob(b"shared", repository)
    assert len(stand.files()) == 1
    assert stand.read(Digest.of(b"shared"), SANDBOX) == b"shared"
