"""kill -9 of the platform while strangers log signatures over HTTP, with a monitor attached to the public log.

Nothing that was acknowledged is missing afterwards, and every checkpoint that the monitor ever saw, before and after
each kill, is the tree of one and the same log. The monitor reads what the public reads: checkpoint, tiles and bundles.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.flows.processes import free_port, initialised, start

from chainward.formats.bundle import decode_log_entry
from chainward.formats.rekor import HashedRekord, canonical_body, encode_entry_request
from chainward.formats.tile import TILE_WIDTH, EntriesPath, TilePath, decode_entries, decode_tile
from chainward.formats.trusted_root import decode_trusted_root
from chainward.keys.local import generate
from chainward.keys.model import PublicKey, Scheme
from chainward.ledger.checkpoint import open_checkpoint
from chainward.ledger.frontier import Frontier
from chainward.ledger.proofs import leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.processes import Process

    from chainward.formats.checkpoint import Checkpoint

ROUNDS = 4
CLIENTS = 6
SHORTEST, LONGEST = 0.3, 1.2


@dataclass(slots=True)
class Load:
    """Clients that log signatures until the platform is gone, and what was acknowledged to them."""

    url: str
    name: str
    acknowledged: list[tuple[int, bytes]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.threads = [threading.Thread(target=self._work, args=(number,)) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _work(self, number: int) -> None:
        key = generate(Scheme.ECDSA_P256_SHA256)
        headers = {"Content-Type": "application/json"}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            for turn in range(100_000):
                content = f"{self.name}/{number}/{turn}".encode()
                entry = HashedRekord(hashlib.sha256(content).digest(), key.sign(content), key.public_key.der)
                try:
                    answer = client.post("/api/v2/log/entries", content=encode_entry_request(entry), headers=headers)
                except httpx.TransportError:
                    return  # the platform was killed
                assert answer.status_code == 201
                logged = decode_log_entry(answer.content)
                proof = logged.proof
                leaf = leaf_hash(canonical_body(entry))
                verify_inclusion(logged.log_index, proof.tree_size, leaf, proof.hashes, proof.root)
                self.acknowledged.append((logged.log_index, canonical_body(entry)))


@dataclass(slots=True)
class Monitor:
    """Somebody outside who looks at the log all the time, and forgets nothing."""

    origin: str
    key: PublicKey
    seen: list[Checkpoint] = field(default_factory=list)

    def watch(self, url: str, stopping: threading.Event) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            while not stopping.is_set():
                try:
                    self.look(client)
                except httpx.TransportError:
                    return

    def look(self, client: httpx.Client) -> Checkpoint:
        newest = open_checkpoint(client.get("/checkpoint").content, self.origin, self.key)
        if self.seen:
            assert newest.size >= self.seen[-1].size, "the log shrank"
        self.seen.append(newest)
        return newest

    def check(self, client: httpx.Client) -> list[bytes]:
        """Read the whole log as the public can and hold every checkpoint ever seen against it; returns the entries."""
        newest = self.look(client)
        entries: list[bytes] = []
        hashes: list[bytes] = []
        for index in range(-(-newest.size // TILE_WIDTH)):
            width = min(TILE_WIDTH, newest.size - index * TILE_WIDTH)
            bundle = client.get(f"/log/{self.origin}/tile/entries/{EntriesPath(index, width)}").content
            entries += decode_entries(bundle, width)
            hashes += decode_tile(client.get(f"/log/{self.origin}/tile/{TilePath(0, index, width)}").content, width)
        assert hashes == [leaf_hash(entry) for entry in entries]
        roots = {checkpoint.size: checkpoint.root for checkpoint in self.seen}
        assert all(roots[checkpoint.size] == checkpoint.root for checkpoint in self.seen), "one size, two roots"
        frontier = Frontier()
        for size, value in enumerate(hashes, 1):
            frontier.extend([value])
            if size in roots:
                assert frontier.root() == roots[size], f"the tree of size {size} is another than was signed"
        return entries


def killed_under_load(platform: Process, monitor: Monitor, name: str, seconds: float) -> list[tuple[int, bytes]]:
    """Let clients and the monitor work, kill the platform, and return what had been acknowledged."""
    stopping = threading.Event()
    watcher = threading.Thread(target=monitor.watch, args=(platform.url, stopping))
    watcher.start()
    load = Load(platform.url, name)
    load.start()
    time.sleep(seconds)
    platform.kill()
    stopping.set()
    for thread in (*load.threads, watcher):
        thread.join(30)
    return load.acknowledged


@pytest.mark.timeout(300)
def test_killing_the_platform_loses_no_logged_signature_and_forks_no_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    initialised(folder)
    moments = random.Random(2962)  # noqa: S311 - moments, not secrets
    monitor: Monitor | None = None
    acknowledged: list[tuple[int, bytes]] = []
    for number in range(ROUNDS + 1):
        platform = start(folder, free_port())
        try:
            assert platform.process.poll() is None, platform.stderr.read_text()
            with httpx.Client(base_url=platform.url, trust_env=False, timeout=30) as client:
                if monitor is None:
                    (log,) = decode_trusted_root(client.get("/trusted_root.json").content).logs
                    monitor = Monitor(log.origin, PublicKey.from_der(log.public_key_der))
                entries = monitor.check(client)
            assert [body for index, body in acknowledged if entries[index] != body] == []
            if number < ROUNDS:
                seconds = moments.uniform(SHORTEST, LONGEST)
                acknowledged += killed_under_load(platform, monitor, f"round-{number}", seconds)
        finally:
            platform.kill()
    assert monitor is not None
    assert len(acknowledged) > ROUNDS * 10  # else there was no load
    assert len({checkpoint.size for checkpoint in monitor.seen}) > ROUNDS
    assert len({index for index, _ in acknowledged}) == len(acknowledged)
