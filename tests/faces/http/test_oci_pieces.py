"""The pieces of the registry protocol: ranges, paths, errors, and bodies that are pumped to threads."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import digests, repository_names, tags

from chainward.faces.http.errors import BodyTooSlow, ParameterInvalid, RequestTruncated
from chainward.faces.http.oci.body import pump
from chainward.faces.http.oci.call import Place, Target, target_of
from chainward.faces.http.oci.errors import RangeNotSatisfiable, oci_answer, warning_of
from chainward.faces.http.oci.ranges import download_range, upload_span
from chainward.kernel.digest import Digest
from chainward.registry import Revocation
from chainward.registry.errors import ArtifactRevoked, BlobTooLarge, UploadLengthWrong, UploadRangeWrong
from chainward.registry.upload import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.name import RepositoryName, Tag
    from chainward.kernel.problem import Problem

MIB = 1 << 20


@given(st.integers(0, 200), st.integers(0, 250), st.integers(0, 250))
def test_a_range_selects_the_bytes_that_a_slice_would(size: int, first: int, last: int) -> None:
    content = bytes(index % 256 for index in range(size))
    for header, expected in (
        (f"bytes={first}-{last}", content[first : last + 1]),
        (f"bytes={first}-", content[first:]),
        (f"bytes=-{last}", content[max(size - last, 0) :]),
    ):
        if not expected:
            with pytest.raises(RangeNotSatisfiable) as caught:
                download_range(header, size)
            assert caught.value.headers["Content-Range"] == f"bytes */{size}"
            continue
        found = download_range(header, size)
        assert found is not None
        assert content[found.start : found.stop] == expected
        assert len(found) == len(expected)


@given(st.text(max_size=40))
def test_any_text_as_a_range_is_a_range_or_is_refused(text: str) -> None:
    for header in (text, f"bytes={text}"):
        try:
            found = download_range(header, 100)
        except RangeNotSatisfiable:
            continue
        assert found is None or 0 <= found.start < found.stop <= 100


def test_no_range_means_everything() -> None:
    assert download_range(None, 0) is None
    assert download_range("bytes=0-0,5-9", 10) is None


@pytest.mark.parametrize(
    ("content_range", "length", "expected"),
    [
        (None, None, Span()),
        (None, 5, Span(None, 5)),
        ("0-4", 5, Span(0, 5)),
        ("10-19", None, Span(10, 10)),
        ("bytes 10-19/*", 10, Span(10, 10)),
        ("bytes 10-19/100", None, Span(10, 10)),
    ],
)
def test_where_a_chunk_belongs_is_read_from_its_headers(
    content_range: str | None, length: int | None, expected: Span
) -> None:
    assert upload_span(content_range, length) == expected


def test_headers_of_a_chunk_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UploadLengthWrong):
        upload_span("0-9", 9)
    for broken in ("", "1", "-1", "1-", "2-1", "a-b", "0-9 ", "٣-٤"):
        try:
            assert upload_span(broken, None) == Span(0, 10)
        except ParameterInvalid:
            continue


@given(repository_names(), digests(), tags())
def test_every_path_of_the_protocol_is_taken_apart(repository: RepositoryName, digest: Digest, tag: Tag) -> None:
    name = str(repository)
    base = f"/v2/{name}"
    assert target_of(f"{base}/manifests/{tag}") == Target(Place.MANIFEST, name, str(tag))
    assert target_of(f"{base}/manifests/{digest}") == Target(Place.MANIFEST, name, str(digest))
    assert target_of(f"{base}/blobs/{digest}") == Target(Place.BLOB, name, str(digest))
    assert target_of(f"{base}/blobs/uploads/") == target_of(f"{base}/blobs/uploads") == Target(Place.UPLOADS, name)
    assert target_of(f"{base}/blobs/uploads/{digest.hex}") == Target(Place.UPLOAD, name, digest.hex)
    assert target_of(f"{base}/referrers/{digest}") == Target(Place.REFERRERS, name, str(digest))
    assert target_of(f"{base}/tags/list") == Target(Place.TAGS, name)


@pytest.mark.parametrize("path", ["", "/", "/v1/", "/v2x", "/v2/x", "/v2/a/tags/lists", "/v2/a/manifests/b/c\n"])
def test_other_paths_are_none(path: str) -> None:
    assert target_of(path) is None


def test_a_warning_header_carries_no_quotes_line_breaks_or_foreign_letters() -> None:
    digest = Digest.of(b"x")
    revocation = Revocation(
        digest, None, 'a "b"\r\nX-Evil: 1 \\ é' + "y" * 5000, "a", datetime(2026, 1, 1, tzinfo=UTC), 1
    )
    problem = ArtifactRevoked(revocation, digest)
    warning = warning_of(problem)
    assert warning is not None
    assert warning.isascii()
    assert len(warning) < 1100
    assert not set(warning.removeprefix('299 - "').removesuffix('"')) & set('"\r\n\\')
    assert warning_of(BlobTooLarge("x")) is None


def test_errors_carry_the_code_of_the_specification_and_our_own() -> None:
    answer = oci_answer(UploadRangeWrong(7, size=5, upload="id", repository="shop/web"), "request-1")
    assert answer.status == 416
    assert (answer.headers["Range"], answer.headers["Location"]) == ("0-4", "/v2/shop/web/blobs/uploads/id")
    (error,) = orjson.loads(answer.body)["errors"]
    assert error["code"] == "BLOB_UPLOAD_INVALID"
    assert error["detail"]["code"] == "upload-range-wrong"
    assert error["detail"]["request_id"] == "request-1"


class Sender:
    """A client that sends chunks and then ends, vanishes or falls silent."""

    def __init__(self, chunks: Sequence[bytes], ending: str = "end") -> None:
        self.chunks = list(chunks)
        self.ending = ending
        self.handed_out = 0

    async def receive(self) -> dict[str, Any]:
        if self.chunks:
            chunk = self.chunks.pop(0)
            self.handed_out += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": bool(self.chunks) or self.ending != "end"}
        if self.ending == "silence":
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}


def run_pump(sender: Sender, write: Any) -> None:
    async def main() -> None:
        await pump(sender.receive, write, idle_seconds=0.1)

    anyio.run(main)


@given(st.lists(st.binary(max_size=40).map(lambda data: data * 20_000), max_size=12))
def test_a_body_arrives_whole_and_in_order_however_it_is_cut(chunks: list[bytes]) -> None:
    got: list[bytes] = []
    run_pump(Sender(chunks or [b""]), got.extend)
    assert b"".join(got) == b"".join(chunks)


def test_no_batch_is_written_while_another_one_is_and_none_in_the_event_loop() -> None:
    loop_thread = threading.get_ident()
    busy = threading.Lock()
    sender = Sender([bytes(MIB // 2)] * 20)
    ahead: list[int] = []
    written = 0

    def write(batch: Sequence[bytes]) -> None:
        nonlocal written
        assert threading.get_ident() != loop_thread
        assert busy.acquire(blocking=False)
        time.sleep(0.005)
        ahead.append(sender.handed_out - written)
        written += sum(map(len, batch))
        busy.release()

    run_pump(sender, write)
    assert written == 10 * MIB
    assert max(ahead) <= 3 * MIB, "one batch is written, one gathered, and one chunk may be in the hand"


@pytest.mark.parametrize(("ending", "expected"), [("vanish", RequestTruncated), ("silence", BodyTooSlow)])
def test_what_had_arrived_is_written_when_a_client_stops(ending: str, expected: type[Problem]) -> None:
    got: list[bytes] = []
    with pytest.raises(expected):
        run_pump(Sender([bytes(MIB), b"tail"], ending), got.extend)
    assert sum(map(len, got)) == MIB + 4


@pytest.mark.parametrize("ending", ["end", "vanish"])
def test_after_a_batch_that_failed_no_later_one_is_written(ending: str) -> None:
    batches = 0

    def write(batch: Sequence[bytes]) -> None:
        nonlocal batches
        del batch
        batches += 1
        raise BlobTooLarge("the disk is full")

    sender = Sender([bytes(MIB)] * 5, ending)
    with pytest.raises(BlobTooLarge):
        run_pump(sender, write)
    assert batches == 1
    assert sender.handed_out <= 3 * MIB, "the rest is not read"
