"""What a timestamp costs: the server over real HTTP, and the authority and the verifier in process.

    python bench/tsa.py [--scale 1.0] [--json FILE]

The platform runs as its users start it (``chainward init``, ``chainward up``); the clients are coroutines of this
process with a kept connection each. Every request has a digest and a nonce of its own. CPU is that of the server,
all its threads, over the requests of one round; a sample of the answers is verified against the authority.
In process, CPU is that of this thread, the median of many rounds.

The promises are 2,500 tokens a second for each core over HTTP, and 0.25 ms to verify one with P-256; when one is missed
the exit status is 1. The same token through rfc3161-client stands beside our verifier.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import uvloop
from bench.rekor_add import server_cpu
from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response
from tests.flows.processes import initialised, running

from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.formats.rfc3161 import TimestampRequest, decode_request, encode_request
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.authority import Authority, AuthorityKind
from chainward.trust.material import TrustedAuthority
from chainward.trust.offline import OfflineRoot
from chainward.trust.stamped import verify_timestamp
from chainward.trust.timestamp import Timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chainward.keys.ports import DigestSigner

PROMISE_PER_CORE = 2_500
PROMISE_VERIFY_US = 250.0
CLIENTS = ((1, 1_000), (16, 6_000), (64, 12_000))
SERIES, CALLS = 25, 200
MESSAGE = b"the bytes of a signature"


@dataclass(frozen=True, slots=True)
class Round:
    """What one number of clients saw, and what it cost the server."""

    clients: int
    tokens: int
    cpu_us: float
    per_core: float
    per_second: float
    p50_ms: float
    p99_ms: float


class OneInstance:
    """A single authority with its keys in this process."""

    def __init__(self) -> None:
        clock, entropy = SystemClock(), SystemEntropy()
        self._key = generate(Scheme.ECDSA_P256_SHA256)
        root = OfflineRoot.new(AuthorityKind.TSA, generate(Scheme.ECDSA_P256_SHA256), "bench.test", clock, entropy)
        self.authority = Authority(
            name="tsa-1",
            kind=AuthorityKind.TSA,
            origin="",
            public_key=self._key.public_key,
            certificates=root.certify(self._key.public_key, "bench.test", clock, entropy),
            start=clock.now().replace(microsecond=0),
        )

    def active(self, kind: AuthorityKind) -> Authority:
        """Return the one instance."""
        assert kind is AuthorityKind.TSA
        return self.authority

    def signer(self, name: str) -> DigestSigner:
        """Return its key."""
        assert name == self.authority.name
        return self._key


def cpu_microseconds(call: Callable[[], object]) -> float:
    """Return the CPU of one call, as the median of many series."""
    costs = []
    for _ in range(SERIES):
        started = time.thread_time()
        for _ in range(CALLS):
            call()
        costs.append((time.thread_time() - started) / CALLS)
    return round(median(costs) * 1e6, 1)


def in_process() -> dict[str, float]:
    """Measure the parts without HTTP."""
    instance = OneInstance()
    timestamps = Timestamps(instance, SystemClock(), SystemEntropy(), SystemClock().now)
    digest = hashlib.sha256(MESSAGE).digest()
    asked = encode_request(TimestampRequest(hash_name="sha256", digest=digest, nonce=2**63, certificates=True))
    request = decode_request(asked)
    reply = timestamps.issue(request)
    trusted = [TrustedAuthority.of("tsa-1", instance.authority.certificates)]
    leaf, root = (x509.load_der_x509_certificate(each) for each in instance.authority.certificates)
    theirs = VerifierBuilder().tsa_certificate(leaf).add_root_certificate(root).build()
    key = instance.signer("tsa-1")
    signature = key.sign(MESSAGE)
    return {
        "sign (P-256 alone)": cpu_microseconds(lambda: key.sign(MESSAGE)),
        "verify (P-256 alone)": cpu_microseconds(lambda: key.public_key.verify(MESSAGE, signature)),
        "decode a request": cpu_microseconds(lambda: decode_request(asked)),
        "issue a token": cpu_microseconds(lambda: timestamps.issue(request)),
        "verify a token": cpu_microseconds(lambda: verify_timestamp(reply, MESSAGE, trusted)),
        "verify a token (rfc3161-client)": cpu_microseconds(
            lambda: theirs.verify_message(decode_timestamp_response(reply), MESSAGE)
        ),
    }


def requests(authority: str, count: int) -> Iterator[tuple[bytes, bytes]]:
    """Give messages, and whole HTTP requests for timestamps over them."""
    for number in range(count):
        message = b"signature %d" % number
        asked = TimestampRequest(
            hash_name="sha256", digest=hashlib.sha256(message).digest(), nonce=number + 1, certificates=number % 2 == 0
        )
        body = encode_request(asked)
        head = f"POST /api/v1/timestamp HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/timestamp-query\r\n"
        yield message, head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def client(
    port: int, waiting: list[tuple[bytes, bytes]], latencies: list[float], answers: list[tuple[bytes, bytes]]
) -> None:
    """Send one request after the other until none is left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:
        message, request = waiting.pop()
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"the authority refused a request: {head[:40]!r} {body[:300]!r}")
        if len(latencies) % 97 == 0:
            answers.append((message, body))
    writer.close()


async def load(port: int, pid: int, clients: int, count: int, answers: list[tuple[bytes, bytes]]) -> Round:
    """Let that many clients send that many requests."""
    waiting, latencies = list(requests(f"127.0.0.1:{port}", count)), list[float]()
    started, cpu = time.perf_counter(), server_cpu(pid)
    await asyncio.gather(*(client(port, waiting, latencies, answers) for _ in range(clients)))
    elapsed, cpu = time.perf_counter() - started, server_cpu(pid) - cpu
    every = sorted(latencies)
    return Round(
        clients,
        count,
        round(cpu / count * 1e6, 1),
        round(count / cpu, 0),
        round(count / elapsed, 1),
        round(every[count // 2] * 1000, 2),
        round(every[count * 99 // 100] * 1000, 2),
    )


def over_http(folder: Path, scale: float) -> list[Round]:
    """Start a platform, warm it up, and run every round."""
    initialised(folder)
    answers: list[tuple[bytes, bytes]] = []
    rounds = []
    with running(folder) as platform:
        port = int(platform.url.rpartition(":")[2])
        for clients, usual in ((16, 1_000), *CLIENTS):
            count = max(clients, round(usual * scale))
            rounds.append(uvloop.run(load(port, platform.process.pid, clients, count, answers)))
        chain = httpx.get(f"{platform.url}/api/v1/timestamp/certchain", trust_env=False).content
    trusted = [TrustedAuthority("tsa", tuple(x509.load_pem_x509_certificates(chain)))]
    for message, reply in answers:
        verify_timestamp(reply, message, trusted)
    return rounds[1:]


def report(parts: dict[str, float], rounds: Sequence[Round]) -> None:
    """Print both tables."""
    print(f"In process, CPU of one call; load {os.getloadavg()[0]:.1f}")
    for name, cost in parts.items():
        print(f"  {name:<34}{cost:>9.1f} us{1e6 / cost:>10.0f} /s")
    print("Tokens over HTTP, CPU of the server")
    print(f"{'clients':>8}{'tokens':>8}{'CPU us':>9}{'per core':>10}{'wall /s':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for each in rounds:
        print(
            f"{each.clients:>8}{each.tokens:>8}{each.cpu_us:>9}{each.per_core:>10.0f}{each.per_second:>9}"
            f"{each.p50_ms:>9}{each.p99_ms:>9}"
        )


def main() -> int:
    """Measure, print, and return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description="What a timestamp costs.")
    parser.add_argument("--scale", type=float, default=1.0, help="More or fewer requests in each round.")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    parts = in_process()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        rounds = over_http(Path(name).resolve() / "data", options.scale)
    report(parts, rounds)
    if options.json is not None:
        document = {"in_process_us": parts, "load": os.getloadavg()[0], "rounds": [asdict(each) for each in rounds]}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    best = max(each.per_core for each in rounds)
    kept = best >= PROMISE_PER_CORE and parts["verify a token"] <= PROMISE_VERIFY_US
    print(f"promise: {PROMISE_PER_CORE} tokens/s/core, {PROMISE_VERIFY_US:.0f} us: {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
