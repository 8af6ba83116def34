"""The registry over HTTP: every request of the distribution-spec that clients of this depth send, and wrong ones."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from tests.flows.server import Switch, registry_app, serve
from tests.registry_stand import ALICE, Stand, image_of, index_of, sqlite_stand

from chainward.formats.oci import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from chainward.kernel.digest import Algorithm, Digest
from chainward.registry import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB: Final = 1 << 20
DATA: Final = bytes(range(256)) * 40
DIGEST: Final = Digest.of(DATA)
BLOB: Final = f"/v2/shop/web/blobs/{DIGEST}"
UPLOADS: Final = "/v2/shop/web/blobs/uploads/"
OCTETS: Final = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with sqlite_stand(tmp_path, limits=Limits(blob=2 * MIB)) as stand:
        yield stand


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Switch]]:
    switch = Switch()
    with serve(switch) as url:
        yield url, switch


@pytest.fixture
def url(server: tuple[str, Switch], stand: Stand) -> str:
    server[1].app = registry_app(stand, body_seconds=0.5, idle_seconds=0.5)
    return server[0]


def client_of(url: str, token: str | None) -> httpx.Client:
    return httpx.Client(base_url=url, auth=("user", token) if token else None, timeout=30)


@pytest.fixture
def publisher(url: str) -> Iterator[httpx.Client]:
    with client_of(url, "publisher") as client:
        yield client


@pytest.fixture
def reader(url: str) -> Iterator[httpx.Client]:
    with client_of(url, "reader") as client:
        yield client


@pytest.fixture
def admin(url: str) -> Iterator[httpx.Client]:
    with client_of(url, "admin") as client:
        yield client


def start(client: httpx.Client, path: str = UPLOADS) -> str:
    answer = client.post(path)
    assert answer.status_code == 202
    assert answer.headers["range"] == "0-0"
    assert answer.headers["docker-upload-uuid"] in answer.headers["location"]
    return str(answer.headers["location"])


def push_blob(client: httpx.Client, data: bytes = DATA, repository: str = "shop/web") -> Digest:
    digest = Digest.of(data)
    answer = client.post(f"/v2/{repository}/blobs/uploads/", params={"digest": str(digest)}, content=data)
    assert answer.status_code == 201, answer.text
    return digest


def push_image(client: httpx.Client, content: bytes = b"layer", reference: str = "v1", **members: Any) -> bytes:
    for blob in (b"{}", content):
        push_blob(client, blob)
    body = image_of(b"{}", content, **members)
    answer = put(client, body, reference)
    assert answer.status_code == 201, answer.text
    return body


def put(
    client: httpx.Client, body: bytes, reference: str, media_type: str = OCI_MANIFEST, repository: str = "shop/web"
) -> httpx.Response:
    path = f"/v2/{repository}/manifests/{reference}"
    return client.put(path, content=body, headers={"Content-Type": media_type})


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the one error of an answer, which must have this status and this code of the specification."""
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code), answer.text
    (error,) = answer.json()["errors"]
    assert error["message"]
    assert error["detail"]["code"]
    assert error["detail"]["hint"]
    return dict(error)


# Who may come in.


def test_nobody_gets_in_without_a_token(url: str) -> None:
    with client_of(url, None) as anonymous:
        for method, path in (
            ("GET", "/v2/"),
            ("GET", BLOB),
            ("POST", UPLOADS),
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/x"),
        ):
            answer = anonymous.request(method, path)
            error_of(answer, 401, "UNAUTHORIZED")
            assert answer.headers["www-authenticate"] == 'Basic realm="chainward"'


def test_a_wrong_password_is_told_from_a_right_one(url: str) -> None:
    with client_of(url, "guess") as client:
        error_of(client.get("/v2/"), 401, "UNAUTHORIZED")
    with client_of(url, "reader") as client:
        answer = client.get("/v2/")
        assert (answer.status_code, answer.json()) == (200, {})
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_a_token_may_also_come_as_bearer(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer reader"}) as client:
        assert client.get("/v2/").status_code == 200


def test_a_reader_cannot_push_and_a_publisher_cannot_delete(publisher: httpx.Client, reader: httpx.Client) -> None:
    body = push_image(publisher)
    error_of(reader.post(UPLOADS), 403, "DENIED")
    error_of(put(reader, body, "v2"), 403, "DENIED")
    error_of(publisher.delete("/v2/shop/web/manifests/v1"), 403, "DENIED")
    error_of(reader.get("/v2/sandbox/web/tags/list"), 403, "DENIED")


def test_rights_in_one_repository_are_none_in_another(url: str, publisher: httpx.Client) -> None:
    body = push_image(publisher)
    with client_of(url, "stranger") as stranger:
        for path in (BLOB, "/v2/shop/web/manifests/v1", f"/v2/shop/web/referrers/{Digest.of(body)}"):
            error_of(stranger.get(path), 403, "DENIED")


# Blobs on their way in.


def test_a_blob_goes_in_with_post_patch_and_put(publisher: httpx.Client, stand: Stand) -> None:
    location = start(publisher)
    answer = publisher.patch(location, content=DATA, headers=OCTETS)
    assert (answer.status_code, answer.headers["range"]) == (202, f"0-{len(DATA) - 1}")
    status = publisher.get(location)
    assert (status.status_code, status.headers["range"]) == (204, f"0-{len(DATA) - 1}")
    done = publisher.put(location, params={"digest": str(DIGEST)})
    assert (done.status_code, done.headers["location"]) == (201, BLOB)
    assert done.headers["docker-content-digest"] == str(DIGEST)
    assert publisher.get(BLOB).content == DATA
    assert stand.uploads() == []
    error_of(publisher.get(location), 404, "BLOB_UPLOAD_UNKNOWN")


def test_the_last_chunk_may_come_with_the_put(publisher: httpx.Client) -> None:
    location = start(publisher)
    publisher.patch(location, content=DATA[:1000])
    assert publisher.put(location, params={"digest": str(DIGEST)}, content=DATA[1000:]).status_code == 201
    whole = start(publisher)
    assert publisher.put(whole, params={"digest": str(DIGEST)}, content=DATA).status_code == 201


def test_a_blob_goes_in_with_one_post(publisher: httpx.Client) -> None:
    push_blob(publisher)
    push_blob(publisher, b"")
    assert publisher.get(BLOB).content == DATA
    assert publisher.get(f"/v2/shop/web/blobs/{Digest.of(b'')}").content == b""


def test_a_blob_may_be_named_by_sha512(publisher: httpx.Client) -> None:
    digest = Digest.of(DATA, Algorithm.SHA512)
    answer = publisher.post(UPLOADS, params={"digest": str(digest)}, content=DATA)
    assert answer.status_code == 201
    assert publisher.get(f"/v2/shop/web/blobs/{digest}").content == DATA


def test_a_body_without_a_length_is_streamed(publisher: httpx.Client) -> None:
    location = start(publisher)
    pieces = (DATA[at : at + 333] for at in range(0, len(DATA), 333))
    assert publisher.patch(location, content=pieces).headers["range"] == f"0-{len(DATA) - 1}"
    assert publisher.put(location, params={"digest": str(DIGEST)}).status_code == 201


def chunk(client: httpx.Client, location: str, first: int, last: int, data: bytes) -> httpx.Response:
    return client.patch(location, content=data, headers={"Content-Range": f"{first}-{last}", **OCTETS})


def test_chunks_in_order_are_taken_and_one_out_of_order_is_not(publisher: httpx.Client) -> None:
    location = start(publisher)
    assert chunk(publisher, location, 0, 999, DATA[:1000]).headers["range"] == "0-999"
    for first in (0, 500, 1001, 5000):
        answer = chunk(publisher, location, first, first + 99, DATA[first : first + 100])
        error_of(answer, 416, "BLOB_UPLOAD_INVALID")
        assert answer.headers["range"] == "0-999"
        assert answer.headers["location"] == location
    assert chunk(publisher, location, 1000, len(DATA) - 1, DATA[1000:]).status_code == 202
    assert publisher.put(location, params={"digest": str(DIGEST)}).status_code == 201


def test_the_first_chunk_must_begin_at_zero(publisher: httpx.Client) -> None:
    location = start(publisher)
    error_of(chunk(publisher, location, 5, 9, b"12345"), 416, "BLOB_UPLOAD_INVALID")
    assert publisher.get(location).headers["range"] == "0-0"


def test_a_chunk_that_lies_about_its_length_leaves_nothing(publisher: httpx.Client) -> None:
    location = start(publisher)
    chunk(publisher, location, 0, 9, DATA[:10])
    error_of(chunk(publisher, location, 10, 99, DATA[10:20]), 400, "SIZE_INVALID")
    for shorter in (iter([DATA[10:20]]), iter([DATA[10:200]])):
        answer = publisher.patch(location, content=shorter, headers={"Content-Range": "10-99"})
        error_of(answer, 400, "SIZE_INVALID")
    for broken in ("abc", "9-1", "-5", "1-", "0-9999999999999999999999"):
        answer = publisher.patch(location, content=b"x", headers={"Content-Range": broken})
        assert answer.status_code == 400
    assert publisher.get(location).headers["range"] == "0-9"


def test_wrong_bytes_are_refused_in_every_form_of_push(publisher: httpx.Client, stand: Stand) -> None:
    wrong = str(Digest.of(b"something else"))
    error_of(publisher.post(UPLOADS, params={"digest": wrong}, content=DATA), 400, "DIGEST_INVALID")
    location = start(publisher)
    error_of(publisher.put(location, params={"digest": wrong}, content=DATA), 400, "DIGEST_INVALID")
    location = start(publisher)
    publisher.patch(location, content=DATA)
    error_of(publisher.put(location, params={"digest": wrong}), 400, "DIGEST_INVALID")
    error_of(publisher.get(location), 404, "BLOB_UPLOAD_UNKNOWN")
    assert stand.files() == stand.uploads() == []


@pytest.mark.parametrize("text", ["", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + "Z" * 64])
def test_what_is_not_a_digest_is_refused(publisher: httpx.Client, text: str) -> None:
    location = start(publisher)
    error_of(publisher.put(location, params={"digest": text}), 400, "DIGEST_INVALID")
    error_of(publisher.post(UPLOADS, params={"digest": text}), 400, "DIGEST_INVALID")
    error_of(publisher.post(UPLOADS, params={"mount": text, "from": "shop/api"}), 400, "DIGEST_INVALID")
    if text:
        error_of(publisher.get(f"/v2/shop/web/blobs/{text}"), 400, "DIGEST_INVALID")


def test_a_put_without_a_digest_is_refused(publisher: httpx.Client) -> None:
    error_of(publisher.put(start(publisher)), 400, "DIGEST_INVALID")


def test_an_upload_can_be_cancelled(publisher: httpx.Client, stand: Stand) -> None:
    location = start(publisher)
    publisher.patch(location, content=DATA)
    assert publisher.delete(location).status_code == 204
    for method in ("GET", "DELETE", "PATCH"):
        error_of(publisher.request(method, location), 404, "BLOB_UPLOAD_UNKNOWN")
    assert stand.uploads() == []


def test_an_upload_belongs_to_its_repository_and_its_owner(url: str, publisher: httpx.Client) -> None:
    location = start(publisher)
    error_of(publisher.get(location.replace("shop/web", "shop/api")), 404, "BLOB_UPLOAD_UNKNOWN")
    with client_of(url, "colleague") as colleague:
        for method in ("GET", "PATCH", "DELETE"):
            error_of(colleague.request(method, location), 404, "BLOB_UPLOAD_UNKNOWN")
        error_of(colleague.put(location, params={"digest": str(DIGEST)}), 404, "BLOB_UPLOAD_UNKNOWN")
    assert publisher.get(location).status_code == 204


@pytest.mark.parametrize("name", ["nonsense", "0" * 32, "..%2f..%2fetc"])
def test_an_upload_nobody_started_is_unknown(publisher: httpx.Client, name: str) -> None:
    answer = publisher.get(UPLOADS + name)
    assert answer.status_code == 404


def test_a_blob_above_the_limit_is_refused_before_and_while_it_arrives(publisher: httpx.Client, stand: Stand) -> None:
    large = bytes(2 * MIB + 1)
    error_of(publisher.post(UPLOADS, params={"digest": str(Digest.of(large))}, content=large), 413, "SIZE_INVALID")
    location = start(publisher)
    error_of(publisher.patch(location, content=iter([large[:MIB]] * 4)), 413, "SIZE_INVALID")
    assert stand.files() == []


def test_a_client_that_vanishes_can_go_on_where_it_was(publisher: httpx.Client, url: str, stand: Stand) -> None:
    location = start(publisher)
    vanish(url, "PATCH", location, DATA[:5000], announced=len(DATA))
    size = wait_for_size(publisher, location, 5000)
    assert publisher.patch(location, content=DATA[size:]).status_code == 202
    assert publisher.put(location, params={"digest": str(DIGEST)}).status_code == 201
    assert stand.uploads() == []


def test_a_client_that_vanishes_in_a_single_post_leaves_nothing(url: str, stand: Stand) -> None:
    vanish(url, "POST", f"{UPLOADS}?digest={DIGEST}", DATA[:5000], announced=len(DATA))
    deadline = time.monotonic() + 10
    while stand.uploads() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert stand.uploads() == stand.files() == []


def test_a_client_that_sends_nothing_any_more_is_let_go(url: str, publisher: httpx.Client) -> None:
    location = start(publisher)
    with closing(open_request(url, "PATCH", location, len(DATA))) as connection:
        connection.sendall(DATA[:100])
        assert b" 408 " in connection.recv(4096)
    assert wait_for_size(publisher, location, 100) == 100


def open_request(url: str, method: str, path: str, announced: int) -> socket.socket:
    where = urlsplit(url)
    connection = socket.create_connection((where.hostname, where.port), timeout=10)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer publisher\r\nContent-Length: {announced}\r\n\r\n"
    )
    connection.sendall(head.encode())
    return connection


def vanish(url: str, method: str, path: str, sent: bytes, announced: int) -> None:
    """Begin a request, send less than was announced, and hang up."""
    with closing(open_request(url, method, path, announced)) as connection:
        connection.sendall(sent)
        time.sleep(0.1)


def wait_for_size(client: httpx.Client, location: str, size: int) -> int:
    """Return the size of an upload, once it is ``size`` or did not grow for long."""
    deadline = time.monotonic() + 10
    received = 0
    while received < size and time.monotonic() < deadline:
        time.sleep(0.02)
        received = int(client.get(location).headers["range"].removeprefix("0-")) + 1
    return received


# Mounting.


def test_a_blob_is_mounted_from_a_repository_that_the_caller_may_read(publisher: httpx.Client, stand: Stand) -> None:
    push_blob(publisher)
    mounted = publisher.post("/v2/sandbox/x/blobs/uploads/", params={"mount": str(DIGEST), "from": "shop/web"})
    assert (mounted.status_code, mounted.headers["location"]) == (201, f"/v2/sandbox/x/blobs/{DIGEST}")
    assert publisher.get(f"/v2/sandbox/x/blobs/{DIGEST}").content == DATA
    assert len(stand.files()) == 1


def test_mounting_what_is_not_there_starts_an_upload(publisher: httpx.Client) -> None:
    answer = publisher.post("/v2/sandbox/x/blobs/uploads/", params={"mount": str(DIGEST), "from": "shop/web"})
    assert answer.status_code == 202
    assert publisher.post(UPLOADS, params={"mount": str(DIGEST)}).status_code == 202
    error_of(publisher.post(UPLOADS, params={"mount": str(DIGEST), "from": "NO"}), 400, "NAME_INVALID")


def test_mounting_from_a_repository_the_caller_may_not_read_looks_like_one_that_lacks_it(
    url: str, publisher: httpx.Client
) -> None:
    push_blob(publisher)
    with client_of(url, "stranger") as stranger:
        answer = stranger.post("/v2/other/x/blobs/uploads/", params={"mount": str(DIGEST), "from": "shop/web"})
        assert answer.status_code == 202
        error_of(stranger.get(f"/v2/other/x/blobs/{DIGEST}"), 404, "BLOB_UNKNOWN")


def test_a_digest_of_a_private_layer_is_not_readable_through_another_repository(
    url: str, publisher: httpx.Client
) -> None:
    push_blob(publisher)
    with client_of(url, "stranger") as stranger:
        push_blob(stranger, b"own", "other/x")
        for method in ("GET", "HEAD"):
            assert stranger.request(method, f"/v2/other/x/blobs/{DIGEST}").status_code == 404
        body = image_of(b"own", DATA)
        answer = put(stranger, body, "theft", repository="other/x")
        error_of(answer, 400, "MANIFEST_BLOB_UNKNOWN")


def test_a_mount_that_names_no_source_takes_what_the_caller_may_read_anywhere(
    url: str, publisher: httpx.Client
) -> None:
    push_blob(publisher)
    mounted = publisher.post("/v2/sandbox/x/blobs/uploads/", params={"mount": str(DIGEST)})
    assert mounted.status_code == 201
    with client_of(url, "stranger") as stranger:
        assert stranger.post("/v2/other/x/blobs/uploads/", params={"mount": str(DIGEST)}).status_code == 202


# Blobs on their way out.


def test_a_blob_can_be_looked_at_before_it_is_pulled(publisher: httpx.Client, reader: httpx.Client) -> None:
    error_of(reader.get(BLOB), 404, "BLOB_UNKNOWN")
    assert reader.head(BLOB).status_code == 404
    push_blob(publisher)
    head = reader.head(BLOB)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")
    got = reader.get(BLOB)
    for answer in (head, got):
        assert answer.headers["docker-content-digest"] == str(DIGEST)
        assert answer.headers["etag"] == f'"{DIGEST}"'
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["cache-control"] == "private, max-age=0, must-revalidate"


def test_a_cache_asks_again_and_is_told_that_nothing_changed(publisher: httpx.Client, reader: httpx.Client) -> None:
    push_blob(publisher)
    body = push_image(publisher)
    for path, digest in ((BLOB, DIGEST), ("/v2/shop/web/manifests/v1", Digest.of(body))):
        for tag in (f'"{digest}"', f'"x", W/"{digest}"'):
            answer = reader.get(path, headers={"If-None-Match": tag})
            assert (answer.status_code, answer.content) == (304, b"")
        assert reader.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=500-1499", (500, 1500)),
        ("bytes=500-", (500, len(DATA))),
        ("bytes=-500", (len(DATA) - 500, len(DATA))),
        ("bytes=0-0", (0, 1)),
        ("bytes=10000-99999", (10000, len(DATA))),
        ("bytes=-99999", (0, len(DATA))),
    ],
)
def test_a_range_of_a_blob_is_served(publisher: httpx.Client, asked: str, expected: tuple[int, int]) -> None:
    push_blob(publisher)
    start_at, stop = expected
    answer = publisher.get(BLOB, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[start_at:stop])
    assert answer.headers["content-range"] == f"bytes {start_at}-{stop - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(stop - start_at)


@pytest.mark.parametrize("asked", ["bytes=500-0", "bytes=99999-", "bytes=-0", "bytes=-", "bytes=a-b", "bytes=1"])
def test_a_range_outside_of_a_blob_is_refused(publisher: httpx.Client, asked: str) -> None:
    push_blob(publisher)
    answer = publisher.get(BLOB, headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(DATA)}")


@pytest.mark.parametrize("asked", ["items=0-5", "bytes=0-1,5-9"])
def test_ranges_of_other_kinds_give_the_whole_blob(publisher: httpx.Client, asked: str) -> None:
    push_blob(publisher)
    answer = publisher.get(BLOB, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)


def test_a_range_of_something_that_changed_gives_the_whole_blob(publisher: httpx.Client) -> None:
    push_blob(publisher)
    for condition, status in ((f'"{DIGEST}"', 206), ('"other"', 200)):
        assert publisher.get(BLOB, headers={"Range": "bytes=0-9", "If-Range": condition}).status_code == status


def test_no_range_of_an_empty_blob_can_be_served(publisher: httpx.Client) -> None:
    digest = push_blob(publisher, b"")
    assert publisher.get(f"/v2/shop/web/blobs/{digest}", headers={"Range": "bytes=0-"}).status_code == 416


def test_only_a_blob_that_no_manifest_needs_is_deleted_and_only_by_an_administrator(
    publisher: httpx.Client, admin: httpx.Client
) -> None:
    push_blob(publisher)
    body = push_image(publisher)
    layer = json.loads(body)["layers"][0]["digest"]
    error_of(publisher.delete(BLOB), 403, "DENIED")
    assert admin.delete(f"/v2/shop/web/blobs/{layer}").status_code == 409
    assert admin.get(f"/v2/shop/web/blobs/{layer}").status_code == 200
    free = push_blob(publisher, b"nothing needs this")
    assert admin.delete(f"/v2/shop/web/blobs/{free}").status_code == 202
    for method in ("GET", "DELETE"):
        error_of(admin.request(method, f"/v2/shop/web/blobs/{free}"), 404, "BLOB_UNKNOWN")


def test_several_tags_are_given_with_one_push_by_digest(publisher: httpx.Client, reader: httpx.Client) -> None:
    body = push_image(publisher)
    digest = Digest.of(body)
    answer = put(publisher, body, f"{digest}?tag=1.2.3&tag=1.2&tag=1.2.3")
    assert (answer.status_code, answer.headers["oci-tag"]) == (201, "1.2.3, 1.2")
    assert reader.get("/v2/shop/web/manifests/1.2").content == body
    error_of(put(publisher, body, f"{digest}?tag=-no"), 400, "NAME_INVALID")
    assert "oci-tag" not in put(publisher, body, str(digest)).headers


def test_a_client_that_stops_reading_in_the_middle_does_not_disturb_others(publisher: httpx.Client, url: str) -> None:
    large = os.urandom(MIB)
    digest = push_blob(publisher, large)
    for _ in range(3):
        with client_of(url, "reader") as client, client.stream("GET", f"/v2/shop/web/blobs/{digest}") as answer:
            assert next(answer.iter_raw(1000))
    assert publisher.get(f"/v2/shop/web/blobs/{digest}").content == large


# Manifests.


def test_a_manifest_goes_in_and_comes_out_as_it_was(publisher: httpx.Client, reader: httpx.Client) -> None:
    body = push_image(publisher)
    digest = Digest.of(body)
    for reference in ("v1", str(digest)):
        got, head = (reader.request(method, f"/v2/shop/web/manifests/{reference}") for method in ("GET", "HEAD"))
        assert (got.status_code, got.content, head.content) == (200, body, b"")
        for answer in (got, head):
            assert answer.headers["content-type"] == OCI_MANIFEST
            assert answer.headers["docker-content-digest"] == str(digest)
            assert answer.headers["content-length"] == str(len(body))
            assert answer.headers["cache-control"] == "private, max-age=0, must-revalidate"


def test_a_manifest_put_by_digest_has_no_tag(publisher: httpx.Client) -> None:
    push_blob(publisher, b"{}")
    body = image_of(b"{}")
    answer = put(publisher, body, str(Digest.of(body)))
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/shop/web/manifests/{Digest.of(body)}"
    assert publisher.get("/v2/shop/web/tags/list").json() == {"name": "shop/web", "tags": []}


def test_an_index_needs_its_children(publisher: httpx.Client) -> None:
    children = [push_image(publisher, content, f"v1-{content.decode()}") for content in (b"amd64", b"arm64")]
    error_of(put(publisher, index_of(*children, b"riscv"), "v1", OCI_INDEX), 400, "MANIFEST_BLOB_UNKNOWN")
    assert put(publisher, index_of(*children), "v1", OCI_INDEX).status_code == 201
    assert publisher.get("/v2/shop/web/manifests/v1").headers["content-type"] == OCI_INDEX


def test_what_is_not_a_manifest_is_refused(publisher: httpx.Client, stand: Stand) -> None:
    push_blob(publisher, b"{}")
    body = image_of(b"{}")
    for wrong in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, body[:-1], body + b"x"):
        error_of(put(publisher, wrong, "v1"), 400, "MANIFEST_INVALID")
    for media_type in (
        "",
        "text/plain",
        OCI_INDEX,
        DOCKER_MANIFEST,
        "application/vnd.docker.distribution.manifest.v1+json",
    ):
        error_of(put(publisher, body, "v1", media_type), 400, "MANIFEST_INVALID")
    error_of(put(publisher, body, str(Digest.of(b"other"))), 400, "DIGEST_INVALID")
    error_of(put(publisher, body, "sha256:short"), 400, "DIGEST_INVALID")
    error_of(put(publisher, body, "-tag"), 400, "NAME_INVALID")
    assert stand.schemas() == []


def test_a_manifest_above_four_mebibytes_is_refused(publisher: httpx.Client) -> None:
    padded = image_of(b"{}", annotations={"padding": "x" * (4 * MIB)})
    error_of(put(publisher, padded, "v1"), 413, "SIZE_INVALID")
    push_blob(publisher, b"{}")
    nearly = image_of(b"{}", annotations={"padding": "x" * (4 * MIB - 1000)})
    assert put(publisher, nearly, "v1").status_code == 201


def test_a_manifest_that_never_arrives_is_not_waited_for(url: str, publisher: httpx.Client) -> None:
    with closing(open_request(url, "PUT", "/v2/shop/web/manifests/v1", 1000)) as connection:
        assert b" 408 " in connection.recv(4096)
    error_of(publisher.get("/v2/shop/web/manifests/v1"), 404, "MANIFEST_UNKNOWN")


def test_a_tag_never_moves_and_the_attempt_is_stated(publisher: httpx.Client, stand: Stand) -> None:
    first = push_image(publisher, b"one")
    push_blob(publisher, b"two")
    second = image_of(b"{}", b"two")
    error = error_of(put(publisher, second, "v1"), 409, "DENIED")
    assert error["detail"]["code"] == "tag-immutable"
    assert publisher.get("/v2/shop/web/manifests/v1").content == first
    (fact,) = stand.facts("registry.overwrite-refused/1")
    assert (fact.actor, fact.subjects) == ("token:publisher", (str(Digest.of(first)), str(Digest.of(second))))
    error_of(publisher.get(f"/v2/shop/web/manifests/{Digest.of(second)}"), 404, "MANIFEST_UNKNOWN")


def test_deleting_a_tag_does_not_free_its_name_for_other_content(
    publisher: httpx.Client, admin: httpx.Client, stand: Stand
) -> None:
    body = push_image(publisher)
    assert admin.delete("/v2/shop/web/manifests/v1").status_code == 202
    error_of(publisher.get("/v2/shop/web/manifests/v1"), 404, "MANIFEST_UNKNOWN")
    error_of(admin.delete("/v2/shop/web/manifests/v1"), 404, "MANIFEST_UNKNOWN")
    push_blob(publisher, b"other")
    error_of(put(publisher, image_of(b"{}", b"other"), "v1"), 409, "DENIED")
    assert put(publisher, body, "v1").status_code == 201
    assert stand.schemas() == ["pushed", "tagged", "deleted", "overwrite-refused", "tagged"]


def test_deleting_a_manifest_deletes_its_tags_and_leaves_a_tombstone(
    publisher: httpx.Client, admin: httpx.Client, stand: Stand
) -> None:
    body = push_image(publisher)
    put(publisher, body, "latest")
    assert admin.delete(f"/v2/shop/web/manifests/{Digest.of(body)}").status_code == 202
    assert publisher.get("/v2/shop/web/tags/list").json()["tags"] == []
    error_of(admin.delete(f"/v2/shop/web/manifests/{Digest.of(body)}"), 404, "MANIFEST_UNKNOWN")
    (fact,) = stand.facts("registry.deleted/1")
    assert fact.body is not None
    assert (fact.body["tags"], fact.body["tag_count"]) == (["latest", "v1"], 2)


# Lists.


def test_tags_are_listed_in_pages(publisher: httpx.Client) -> None:
    body = push_image(publisher, reference="a")
    for tag in ("c", "b", "D"):
        put(publisher, body, tag)
    first = publisher.get("/v2/shop/web/tags/list", params={"n": 2})
    assert first.json() == {"name": "shop/web", "tags": ["D", "a"]}
    second = publisher.get(first.links["next"]["url"])
    assert second.json()["tags"] == ["b", "c"]
    assert "link" not in second.headers
    nothing = publisher.get("/v2/shop/web/tags/list", params={"n": 0})
    assert (nothing.json()["tags"], "link" in nothing.headers) == ([], False)
    assert publisher.get("/v2/shop/web/tags/list", params={"last": "a"}).json()["tags"] == ["b", "c"]
    for wrong in ("-1", "x", "9" * 30):
        assert publisher.get("/v2/shop/web/tags/list", params={"n": wrong}).status_code == 400
    error_of(publisher.get("/v2/shop/none/tags/list"), 404, "NAME_UNKNOWN")


def test_the_catalog_names_only_what_the_caller_may_pull(
    url: str, publisher: httpx.Client, admin: httpx.Client
) -> None:
    for repository in ("shop/a", "shop/b", "sandbox/c"):
        push_blob(publisher, b"x", repository)
    assert admin.get("/v2/_catalog").json() == {"repositories": ["sandbox/c", "shop/a", "shop/b"]}
    with client_of(url, "reader") as reader:
        first = reader.get("/v2/_catalog", params={"n": 1})
        assert first.json() == {"repositories": ["shop/a"]}
        assert reader.get(first.links["next"]["url"]).json() == {"repositories": ["shop/b"]}
    with client_of(url, "stranger") as stranger:
        assert stranger.get("/v2/_catalog").json() == {"repositories": []}


# Paths and methods.


@pytest.mark.parametrize(
    "path", ["/v2/x", "/v2/shop/web/nothing", "/v2/shop/web/tags", "/v2//manifests/", "/v2/a/b/c/d"]
)
def test_a_path_that_is_none_is_told_so(publisher: httpx.Client, path: str) -> None:
    assert publisher.get(path).status_code == 404


@pytest.mark.parametrize("name", ["SHOP/web", "shop//web", "shop/web-", "shop/" + "x" * 300, "_catalog", "shop/%C3%A9"])
def test_a_name_that_is_none_is_refused(admin: httpx.Client, name: str) -> None:
    error_of(admin.get(f"/v2/{name}/manifests/v1"), 400, "NAME_INVALID")


def test_methods_that_a_path_does_not_have_are_named(publisher: httpx.Client) -> None:
    for path, allow in (("/v2/", "GET, HEAD"), (UPLOADS, "POST"), (BLOB, "GET, HEAD, DELETE")):
        answer = publisher.request("PATCH", path)
        error_of(answer, 405, "UNSUPPORTED")
        assert answer.headers["allow"] == allow


def test_a_repository_may_be_called_like_a_part_of_a_path(publisher: httpx.Client) -> None:
    name = "shop/manifests/blobs/tags"
    push_blob(publisher, b"{}", name)
    body = image_of(b"{}")
    assert put(publisher, body, "v1", repository=name).status_code == 201
    assert publisher.get(f"/v2/{name}/manifests/v1").content == body


# Revocation and integrity, as a client sees them.


def revoke(stand: Stand, body: bytes, reason: str = 'stolen "key" — naïve') -> None:
    stand.registry.revocations.revoke(Digest.of(body), reason, ALICE)


def test_a_revoked_image_cannot_be_pulled_by_tag_digest_or_layer(
    publisher: httpx.Client, reader: httpx.Client, stand: Stand
) -> None:
    body = push_image(publisher, DATA)
    revoke(stand, body)
    paths = ["/v2/shop/web/manifests/v1", f"/v2/shop/web/manifests/{Digest.of(body)}", BLOB]
    for path in paths:
        answer = reader.get(path)
        error = error_of(answer, 403, "DENIED")
        assert error["detail"]["code"] == "artifact-revoked"
        assert error["detail"]["reason"] == 'stolen "key" — naïve'
        assert answer.headers["warning"].startswith(f'299 - "{Digest.of(body) if path != BLOB else DIGEST}')
        assert reader.head(path).status_code == 403
    error_of(reader.get(BLOB, headers={"Range": "bytes=0-9"}), 403, "DENIED")
    error_of(put(publisher, body, "again"), 403, "DENIED")
    mount = publisher.post("/v2/sandbox/x/blobs/uploads/", params={"mount": str(DIGEST), "from": "shop/web"})
    assert mount.status_code == 202
    error_of(publisher.get(f"/v2/sandbox/x/blobs/{DIGEST}"), 404, "BLOB_UNKNOWN")
    paths_refused = [fact.body["path"] for fact in stand.facts("registry.revocation-enforced/1") if fact.body]
    assert sorted(paths_refused) == ["blob", "blob-range", "manifest-by-digest", "manifest-by-tag", "mount", "put"]


def test_a_cache_cannot_keep_a_revoked_image_alive_by_asking_whether_it_changed(
    publisher: httpx.Client, reader: httpx.Client, stand: Stand
) -> None:
    body = push_image(publisher, DATA)
    revoke(stand, body)
    for path, digest in ((BLOB, DIGEST), ("/v2/shop/web/manifests/v1", Digest.of(body))):
        error_of(reader.get(path, headers={"If-None-Match": f'"{digest}"'}), 403, "DENIED")


def test_a_new_image_may_be_pushed_over_the_base_layer_of_a_revoked_one(publisher: httpx.Client, stand: Stand) -> None:
    revoke(stand, push_image(publisher, DATA))
    looked = publisher.head(BLOB)
    assert (looked.status_code, "revoked" in looked.headers["warning"]) == (404, True)
    push_blob(publisher, b"fixed")
    push_blob(publisher)
    assert put(publisher, image_of(b"fixed", DATA), "v2").status_code == 201
    assert publisher.get(BLOB).content == DATA


def test_a_tampered_blob_is_not_served_and_a_new_push_heals_it(
    publisher: httpx.Client, reader: httpx.Client, stand: Stand
) -> None:
    push_blob(publisher)
    time.sleep(0.02)
    stand.tamper(DIGEST, DATA[:-1] + b"!")
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": f'"{DIGEST}"'}):
        answer = reader.get(BLOB, headers=headers)
        error = error_of(answer, 403, "DENIED")
        assert error["detail"]["code"] == "blob-integrity-violated"
        assert "integrity" in answer.headers["warning"] or "quarantine" in answer.headers["warning"]
    assert (reader.head(BLOB).status_code, publisher.head(BLOB).status_code) == (403, 404)
    assert stand.schemas() == ["integrity-violated"]
    push_blob(publisher)
    assert reader.get(BLOB).content == DATA


def test_a_file_that_is_swapped_after_its_proof_is_not_sent_in_its_place(stand: Stand) -> None:
    """A server that sends files by name would open the name only when the swap is done."""
    import anyio

    stand.push_blob(DATA)
    sent: list[dict[str, Any]] = []
    swap = True

    async def run(path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer reader"), *headers],
            "extensions": {"http.response.pathsend": {}},
        }

        async def receive() -> dict[str, Any]:
            await anyio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.start" and message["status"] == 200 and swap:
                evil = stand.folder / "evil"
                evil.write_bytes(b"E" * len(DATA))
                evil.replace(stand.file_of(DIGEST))

        await registry_app(stand)(scope, receive, send)

    anyio.run(run, BLOB, [])
    assert sent[0]["status"] == 200
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(DATA)).encode()
    assert {message["type"] for message in sent[1:]} == {"http.response.body"}
    assert b"".join(message.get("body", b"") for message in sent) == DATA
    sent.clear()
    swap = False
    anyio.run(run, BLOB, [])
    assert [sent[0]["status"], sent[1]["type"]] == [403, "http.response.body"]
