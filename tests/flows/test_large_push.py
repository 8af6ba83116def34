"""A large blob in and out over HTTP: memory stays bounded, whatever its size."""

from __future__ import annotations

import hashlib
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import httpx
from tests.flows.server import registry_app, serve
from tests.registry_stand import sqlite_stand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB: Final = 1 << 20
SIZE: Final = 64
BOUND: Final = 12 * MIB
PIECE: Final = bytes(range(256)) * 256


def pieces() -> Iterator[bytes]:
    for _ in range(SIZE * MIB // len(PIECE)):
        yield PIECE


def digest() -> str:
    hasher = hashlib.sha256()
    for piece in pieces():
        hasher.update(piece)
    return f"sha256:{hasher.hexdigest()}"


def test_a_large_blob_goes_in_and_out_without_being_held_in_memory(tmp_path: Path) -> None:
    name = digest()
    with (
        sqlite_stand(tmp_path) as stand,
        serve(registry_app(stand)) as url,
        httpx.Client(base_url=url, auth=("u", "publisher"), timeout=120) as client,
    ):
        location = client.post("/v2/shop/web/blobs/uploads/").headers["location"]
        tracemalloc.start()
        try:
            assert client.patch(location, content=pieces()).headers["range"] == f"0-{SIZE * MIB - 1}"
            assert client.put(location, params={"digest": name}).status_code == 201
            hasher = hashlib.sha256()
            with client.stream("GET", f"/v2/shop/web/blobs/{name}") as answer:
                for piece in answer.iter_raw():
                    hasher.update(piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert f"sha256:{hasher.hexdigest()}" == name
    assert peak < BOUND, f"{peak / MIB:.1f} MiB were held at once, by client and server together"


def test_many_who_push_one_layer_at_the_same_time_store_it_once(tmp_path: Path) -> None:
    data = PIECE * 32
    name = f"sha256:{hashlib.sha256(data).hexdigest()}"

    def push(url: str) -> int:
        with httpx.Client(base_url=url, auth=("u", "publisher"), timeout=60) as client:
            location = client.post("/v2/shop/web/blobs/uploads/").headers["location"]
            return client.put(location, params={"digest": name}, content=data).status_code

    with sqlite_stand(tmp_path) as stand, serve(registry_app(stand)) as url, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(push, [url] * 8)) == {201}
        assert [path.stat().st_size for path in stand.files()] == [len(data)]
        assert stand.uploads() == []
        with httpx.Client(base_url=url, auth=("u", "reader")) as client:
            assert client.get(f"/v2/shop/web/blobs/{name}").content == data
