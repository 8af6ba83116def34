"""What a certificate costs the platform: over real HTTP, with a CI token of RS256, durable in the certificate log.

    python bench/ca.py [--scale 1.0] [--json FILE]

The platform runs as its users start it (granian, SQLite with synchronous=FULL) and trusts an issuer on loopback that
this process serves, with the ready mapping for GitHub: 21 extensions in each certificate. Half of the requests prove
possession by a certificate request, half by a signed challenge, under 256 keys and tokens. CPU is that of the server's
process, all its threads. A sample of the answers is verified: chain, promise, extensions.

The promise is 500 certificates a second for each core; when it is missed the exit status is 1. Beside it stands what
``cryptography`` alone takes to build and sign the same certificate once, without token, proof, promise and log.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop
from bench.ledger_append import fsync_milliseconds
from bench.rekor_add import Round, server_cpu
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from tests.adapters.issuer_server import serve_issuer
from tests.flows.processes import initialised, running
from tests.trust.certification import challenge_proof, fresh_key, request_pem
from tests.trust.identities import GITHUB_CLAIMS

from chainward.formats.fulcio import decode_claims
from chainward.formats.trusted_root import decode_trusted_root
from chainward.trust.material import TrustMaterial
from chainward.trust.sct import verify_sct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.trust.identities import FakeIssuer

PROMISE_PER_CORE = 500
HOLDERS = 256
CLAIMS = 21
ROUNDS = ((1, 100), (16, 1_000), (64, 3_000))
BUILDS = 300


def requests(issuer: FakeIssuer, authority: str) -> list[bytes]:
    """Return one whole HTTP request for each holder of a key."""
    now = datetime.now(UTC)
    times = {"iat": int(now.timestamp()), "exp": int((now + timedelta(hours=1)).timestamp())}
    made: list[bytes] = []
    for number in range(HOLDERS):
        key = fresh_key()
        claims = GITHUB_CLAIMS | times | {"run_id": str(number)}
        if number % 2:
            body: dict[str, object] = {"certificateSigningRequest": base64.b64encode(request_pem(key)).decode()}
        else:
            proof = challenge_proof(key, claims["sub"])
            signature = base64.b64encode(proof.signature).decode()
            public = {"algorithm": "ECDSA", "content": proof.public_key.decode()}
            body = {"publicKeyRequest": {"publicKey": public, "proofOfPossession": signature}}
        data = json.dumps(body).encode()
        head = (
            f"POST /api/v2/signingCert HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {issuer.token(**claims)}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        made.append(head.encode() + data)
    return made


async def client(port: int, waiting: list[bytes], latencies: list[float], answers: list[bytes]) -> None:
    """Send one request after the other until none is left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:
        message = waiting.pop()
        started = time.perf_counter()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"the authority refused: {head[:40]!r} {body[:300]!r}")
        if len(latencies) % 97 == 0:
            answers.append(body)
    writer.close()


async def load(port: int, pid: int, clients: int, waiting: list[bytes], answers: list[bytes]) -> Round:
    """Let that many clients send all requests."""
    count, latencies = len(waiting), list[float]()
    started, cpu = time.perf_counter(), server_cpu(pid)
    await asyncio.gather(*(client(port, waiting, latencies, answers) for _ in range(clients)))
    elapsed, cpu = time.perf_counter() - started, server_cpu(pid) - cpu
    every = sorted(latencies)
    return Round(
        clients,
        count,
        round(count / elapsed, 1),
        round(cpu / count * 1e6, 1),
        round(every[count // 2] * 1000, 2),
        round(every[count * 99 // 100] * 1000, 2),
    )


def check(answers: Sequence[bytes], trusted_root: bytes) -> x509.Certificate:
    """Verify the sample, and return one of it."""
    material = TrustMaterial.from_document(decode_trusted_root(trusted_root))
    leaves: list[x509.Certificate] = []
    for answer in answers:
        chain = json.loads(answer)["signedCertificateEmbeddedSct"]["chain"]["certificates"]
        leaf, issuer, _ = (x509.load_pem_x509_certificate(pem.encode()) for pem in chain)
        leaf.verify_directly_issued_by(issuer)
        verify_sct(leaf, issuer, material.ct_logs)
        assert len(decode_claims(leaf.extensions)) == CLAIMS
        leaves.append(leaf)
    return leaves[0]


def measure(folder: Path, scale: float) -> tuple[list[Round], x509.Certificate]:
    """Start a platform, warm it up, and run every round."""
    import httpx

    initialised(folder)
    rounds: list[Round] = []
    answers: list[bytes] = []
    with serve_issuer() as issuer:
        table = f'[[trust.issuers]]\nurl = "{issuer.issuer.url}"\ntype = "ci-provider"\nprovider = "github"\n'
        (folder / "chainward.toml").write_text(table, encoding="utf-8")
        with running(folder) as platform:
            port = int(platform.url.rpartition(":")[2])
            prepared = requests(issuer.issuer, f"127.0.0.1:{port}")
            for clients, usual in ((16, 300), *ROUNDS):
                count = max(clients, round(usual * scale))
                waiting = [prepared[number % HOLDERS] for number in range(count)]
                rounds.append(uvloop.run(load(port, platform.process.pid, clients, waiting, answers)))
            root = httpx.get(f"{platform.url}/trusted_root.json", trust_env=False).content
    return rounds[1:], check(answers, root)


def plain(like: x509.Certificate) -> float:
    """Return the CPU seconds that ``cryptography`` takes to build and sign such a certificate."""
    key, issuer = like.public_key(), ec.generate_private_key(ec.SECP256R1())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    costs: list[float] = []
    for _ in range(BUILDS):
        started = time.process_time()
        builder = x509.CertificateBuilder(
            like.issuer,
            like.subject,
            key,
            like.serial_number,
            like.not_valid_before_utc,
            like.not_valid_after_utc,
        )
        for extension in like.extensions:
            builder = builder.add_extension(extension.value, critical=extension.critical)
        builder.sign(issuer, SHA256())
        costs.append(time.process_time() - started)
    return median(costs)


def main() -> int:
    """Measure, print a table, write JSON when asked."""
    parser = argparse.ArgumentParser(description="What a certificate costs, and how long it takes.")
    parser.add_argument("--scale", type=float, default=1.0, help="More or fewer requests in each round.")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name).resolve()
        fsync = fsync_milliseconds(folder)
        rounds, certificate = measure(folder / "data", options.scale)
    alone = plain(certificate)
    load_average = os.getloadavg()[0]
    print(f"Certificates over HTTP, SQLite FULL; fdatasync {fsync:.2f} ms, load {load_average:.1f}")
    print(f"{'clients':>8}{'issued':>8}{'CPU us':>9}{'per core':>10}{'wall /s':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for each in rounds:
        print(
            f"{each.clients:>8}{each.adds:>8}{each.cpu_us:>9}{each.per_core:>10.0f}{each.per_second:>9}"
            f"{each.p50_ms:>9}{each.p99_ms:>9}"
        )
    print(f"cryptography alone: {alone * 1e6:.0f} us to build and sign one, {1 / alone:.0f} per core")
    if options.json is not None:
        rows = [
            {
                "clients": each.clients,
                "issued": each.adds,
                "cpu_us": each.cpu_us,
                "p50_ms": each.p50_ms,
                "p99_ms": each.p99_ms,
                "per_second": each.per_second,
            }
            for each in rounds
        ]
        document = {
            "fdatasync_ms": round(fsync, 3),
            "load": load_average,
            "plain_us": round(alone * 1e6, 1),
            "rounds": rows,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    held = rounds[-1].per_core >= PROMISE_PER_CORE
    print("promise held" if held else "promise missed")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
