"""Blobs: every way to push them, pulled whole and in part, looked for, mounted and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import pytest
from tests.conformance.oci.client import location
from tests.conformance.oci.data import Content, noise

if TYPE_CHECKING:
    import httpx
    from tests.conformance.oci.client import Repository
    from tests.conformance.oci.conftest import Target

BYTES: Final = "application/octet-stream"
SIZE: Final = 4096
OTHER: Final = b"these are other bytes"


class Form(Protocol):
    """A way to push a blob: what the registry said at the end."""

    def __call__(self, repository: Repository, content: Content, digest: str) -> httpx.Response: ...


def post_only(repository: Repository, content: Content, digest: str) -> httpx.Response:
    return repository.post_blob(content.body, digest)


def post_then_put(repository: Repository, content: Content, digest: str) -> httpx.Response:
    return repository.finish(repository.start(content.algorithm), digest, content.body)


def one_chunk(repository: Repository, content: Content, digest: str) -> httpx.Response:
    started = repository.start(content.algorithm)
    sent = repository.append(started, content.body, 0) if content.body else started
    return repository.finish(sent, digest)


def chunks_then_put(repository: Repository, content: Content, digest: str) -> httpx.Response:
    return repository.finish(send_chunks(repository, content, chunks_of(content, repository)), digest)


def last_chunk_in_the_put(repository: Repository, content: Content, digest: str) -> httpx.Response:
    *first, last = chunks_of(content, repository)
    sent = send_chunks(repository, content, first)
    return repository.finish(sent, digest, last, len(content.body) - len(last))


def streamed(repository: Repository, content: Content, digest: str) -> httpx.Response:
    pieces = (content.body[at : at + 1000] for at in range(0, len(content.body), 1000))
    sent = repository.stream(repository.start(content.algorithm), pieces)
    assert sent.status_code == 202, sent.text
    return repository.finish(sent, digest)


def chunks_of(content: Content, repository: Repository) -> list[bytes]:
    """Cut into three, or into fewer if the registry wants long chunks."""
    least = int(repository.start().headers.get("OCI-Chunk-Min-Length", 1))
    size = max(least, len(content.body) // 3 + 1)
    return [content.body[at : at + size] for at in range(0, len(content.body), size)] or [b""]


def send_chunks(repository: Repository, content: Content, chunks: list[bytes]) -> httpx.Response:
    answer, sent = repository.start(content.algorithm), 0
    for chunk in filter(None, chunks):
        answer = repository.append(answer, chunk, sent)
        sent += len(chunk)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Range"] == f"0-{sent - 1}"
    return answer


FORMS: Final[tuple[Form, ...]] = (
    post_only,
    post_then_put,
    one_chunk,
    chunks_then_put,
    last_chunk_in_the_put,
    streamed,
)
BODIES: Final = {"empty": b"", "empty-json": b"{}", "random": noise("random", SIZE)}
every_algorithm = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


@pytest.fixture
def content(algorithm: str) -> Content:
    return Content(BODIES["random"], BYTES, algorithm)


@every_algorithm
@every_form
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_blob_is_pushed_and_pulled(
    target: Target, repository: Repository, form: Form, algorithm: str, body: bytes
) -> None:
    content = Content(body, BYTES, algorithm)
    answer = form(repository, content, content.digest)
    if form is post_only:
        target.need(answer, 201, 202, feature="pushing with one POST")
    assert answer.status_code == 201, answer.text
    assert repository.registry.send("GET", location(answer)).content == body
    pulled = repository.blob(content.digest)
    assert pulled.status_code == 200
    assert pulled.content == body
    assert content.is_named_by(pulled.headers["Docker-Content-Digest"])


@every_algorithm
@every_form
def test_a_blob_that_is_not_what_its_digest_says_is_refused(
    target: Target, repository: Repository, form: Form, algorithm: str, content: Content
) -> None:
    claimed = Content(OTHER, BYTES, algorithm).digest
    answer = form(repository, content, claimed)
    if form is post_only:
        target.need(answer, 400, 202, feature="pushing with one POST")
    assert answer.status_code == 400
    assert repository.blob(claimed).status_code == 404
    assert repository.blob(content.digest).status_code == 404


@pytest.mark.parametrize("form", [post_only, post_then_put, one_chunk], ids=lambda form: form.__name__)
@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "md5:" + "a" * 32, "nothing"])
def test_a_blob_is_not_pushed_under_an_invalid_digest(
    target: Target, repository: Repository, form: Form, digest: str
) -> None:
    answer = form(repository, Content(OTHER, BYTES), digest)
    if form is post_only:
        target.need(answer, 400, 202, feature="pushing with one POST")
    assert answer.status_code == 400


@pytest.mark.parametrize("algorithm", ["md5", "sha999", ""], ids=["old", "unknown", "none"])
def test_an_upload_for_an_algorithm_that_is_not_supported_is_refused_at_once(
    target: Target, repository: Repository, algorithm: str
) -> None:
    answer = repository.start(algorithm)
    target.need(answer, 400, 202, feature="refusing algorithms before it sees a digest")


@every_algorithm
def test_a_blob_is_looked_for(repository: Repository, content: Content) -> None:
    repository.stock_blob(content)
    answer = repository.blob(content.digest, "HEAD")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["Content-Length"] == str(SIZE)
    assert content.is_named_by(answer.headers["Docker-Content-Digest"])


@dataclass(frozen=True, slots=True)
class Part:
    """A range that is asked for, and what it means in a blob of 4096 bytes."""

    asked: str
    first: int
    last: int


PARTS: Final = (
    Part("500-1499", 500, 1499),
    Part("500-", 500, SIZE - 1),
    Part("-500", SIZE - 500, SIZE - 1),
    Part("2000-5000", 2000, SIZE - 1),
    Part("0-0", 0, 0),
)


@every_algorithm
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.asked)
def test_a_part_of_a_blob_is_pulled(target: Target, repository: Repository, part: Part, content: Content) -> None:
    repository.stock_blob(content)
    answer = repository.blob(content.digest, span=part.asked)
    target.need(answer, 206, 200, feature="ranges")
    assert answer.content == content.body[part.first : part.last + 1]
    where = f"bytes {part.first}-{part.last}/"
    assert answer.headers["Content-Range"] in {f"{where}{SIZE}", f"{where}*"}


@every_algorithm
@pytest.mark.parametrize("asked", ["500-0", "5000-10000"])
def test_a_part_that_no_blob_has_is_refused(
    target: Target, repository: Repository, asked: str, content: Content
) -> None:
    repository.stock_blob(content)
    target.need(repository.blob(content.digest, span=asked), 416, 200, feature="ranges")


@every_algorithm
def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(repository: Repository, content: Content) -> None:
    first, second, third = chunks_of(content, repository)
    started = repository.append(repository.start(content.algorithm), first, 0)
    assert started.status_code == 202
    early = repository.append(started, third, len(first) + len(second))
    assert early.status_code == 416
    told = repository.progress(started)
    assert told.status_code == 204
    assert told.headers["Range"] == f"0-{len(first) - 1}"
    resumed = repository.append(told, second, len(first))
    assert resumed.status_code == 202
    finished = repository.finish(resumed, content.digest, third, len(first) + len(second))
    assert finished.status_code == 201, finished.text
    assert repository.blob(content.digest).content == content.body


@every_algorithm
def test_a_first_chunk_that_does_not_begin_at_the_beginning_is_refused(
    repository: Repository, content: Content
) -> None:
    assert repository.append(repository.start(content.algorithm), content.body, 10).status_code == 416


@every_algorithm
def test_a_last_chunk_out_of_order_is_refused(repository: Repository, content: Content) -> None:
    first, _, third = chunks_of(content, repository)
    started = repository.append(repository.start(content.algorithm), first, 0)
    late = repository.finish(started, content.digest, third, len(content.body) - len(third))
    assert late.status_code == 416
    assert repository.blob(content.digest).status_code == 404


@every_algorithm
def test_a_chunk_that_was_sent_already_is_refused(repository: Repository, content: Content) -> None:
    first, *_ = chunks_of(content, repository)
    started = repository.append(repository.start(content.algorithm), first, 0)
    assert repository.append(started, first, 0).status_code == 416


@every_algorithm
def test_an_upload_is_cancelled(target: Target, repository: Repository, content: Content) -> None:
    started = repository.append(repository.start(content.algorithm), content.body, 0)
    assert started.status_code == 202
    target.need(repository.cancel(started), 204, 400, 404, 405, feature="cancelling uploads")
    assert repository.progress(started).status_code == 404
    assert repository.finish(started, content.digest).status_code == 404
    assert repository.blob(content.digest).status_code == 404


@every_algorithm
@pytest.mark.parametrize("says", [["from"], []], ids=["from-a-repository", "anonymous"])
def test_a_blob_is_mounted(target: Target, repository: Repository, says: list[str], content: Content) -> None:
    source = target.new_repository()
    source.stock_blob(content)
    answer = repository.mount(content.digest, source, *says)
    if answer.status_code == 202:
        assert repository.finish(answer, content.digest, content.body).status_code == 201
    assert repository.blob(content.digest).content == content.body
    target.need(answer, 201, 202, feature="mounting")
    assert repository.registry.send("GET", location(answer)).content == content.body


@every_algorithm
@pytest.mark.parametrize("says", [["from"], []], ids=["from-a-repository", "anonymous"])
def test_mounting_what_is_not_there_begins_an_upload(
    target: Target, repository: Repository, says: list[str], algorithm: str
) -> None:
    absent = Content(noise(repository.name, 100), BYTES, algorithm)
    answer = repository.mount(absent.digest, target.new_repository(), *says)
    assert answer.status_code == 202
    assert repository.finish(answer, absent.digest, absent.body).status_code == 201
    assert repository.blob(absent.digest).content == absent.body


@every_algorithm
def test_a_blob_is_deleted(target: Target, repository: Repository, content: Content) -> None:
    repository.stock_blob(content)
    target.need(repository.blob(content.digest, "DELETE"), 202, 400, 405, feature="deleting blobs")
    assert repository.blob(content.digest).status_code == 404
    assert repository.blob(content.digest, "HEAD").status_code == 404
    repository.stock_blob(content)
    assert repository.blob(content.digest).content == content.body
