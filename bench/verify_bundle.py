"""How much CPU it costs to believe a bundle, beside sigstore-python on the very same bytes, and where it goes.

    python bench/verify_bundle.py [--json FILE]

Four hundred bundles, each with a key, a certificate (P-256), a timestamp and a place in the log of its own, so that no
cache of keys or checkpoints helps; what stays warm is the chain of the authorities, for both verifiers. Each gets the
bytes of the bundle and the digest of the file. Then one file is verified by a fresh process of each.

The promises: 1,000 such bundles a second for each core; a one-shot ``chainward verify`` for at most 0.4 of the CPU of
``python -m sigstore verify``; 0.5 ms for an attestation that a trusted key signed. When one is broken the exit status
is 1. Where the machine is shared, the time of its own P-256 verification, printed beside, says how fast it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sigstore.hashes import Hashed
from sigstore.models import Bundle as TheirBundle
from sigstore.models import TrustedRoot as TheirRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as TheirPolicy
from sigstore_models.common.v1 import HashAlgorithm
from tests.trust.sigstore_world import ARTIFACT, ISSUER, SUBJECT, World
from tests.trust.world import IMAGE, SHOP, MemoryLog, bundle_of, key, log_key, root_of, statement

from chainward.formats.bundle import decode_bundle, encode_bundle
from chainward.formats.intoto import CYCLONEDX
from chainward.formats.trusted_root import encode_trusted_root
from chainward.trust.chain import issued_by
from chainward.trust.errors import SignerUnknown
from chainward.trust.identity import IdentityMatch
from chainward.trust.material import load_certificate
from chainward.trust.prove import prove_bundle
from chainward.trust.proven import MessageDigest, ProvenCertificate
from chainward.trust.sct import verify_sct
from chainward.trust.stamped import verify_timestamp
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.keys.model import PublicKey

PROMISE_PER_SECOND = 1_000
PROMISE_ONE_SHOT = 0.4
PROMISE_KEY = 0.5e-3
BUNDLES, SERIES = 400, 11
THEIR_BUNDLES, THEIR_SERIES = 100, 11
ROUNDS, CALLS = 25, 100
SHOTS = 7
LEAVES = 1000
COMPONENTS = 500
DIGEST = hashlib.sha256(ARTIFACT).digest()
WANTED = IdentityMatch(subject=SUBJECT, issuer=ISSUER)


def main() -> int:
    """Measure, print, and return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World()
        root = Path(folder) / "trusted_root.json"
        root.write_bytes(encode_trusted_root(world.trusted_root))
        result = _rates(world, root) | _one_shot(world, Path(folder), root)
    result["key_us"] = _platform() * 1e6
    kept = {
        "per second": result["ours_per_second"] >= PROMISE_PER_SECOND,
        "one shot": result["one_shot_ratio"] <= PROMISE_ONE_SHOT,
        "attestation by a key": result["key_us"] <= PROMISE_KEY * 1e6,
    }
    print("promises: " + ", ".join(f"{name}: {'kept' if held else 'BROKEN'}" for name, held in kept.items()))
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if all(kept.values()) else 1


def _rates(world: World, root: Path) -> dict[str, float]:
    """Verify the same bundles with both, and tell our parts."""
    bundles = [encode_bundle(world.sign()) for _ in range(BUNDLES)]
    theirs = Verifier(trusted_root=TheirRoot.from_file(str(root)))
    policy = TheirPolicy(identity=SUBJECT, issuer=ISSUER)
    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=DIGEST)

    def ours(data: bytes) -> None:
        proven = prove_bundle(data, world.material, find_key=_nobody)
        assert isinstance(proven.signer, ProvenCertificate)
        assert proven.payload == MessageDigest("sha256", DIGEST)
        assert WANTED.matches(proven.signer.identity)

    own = _per_item(ours, bundles, SERIES)
    other = _per_item(
        lambda data: theirs.verify_artifact(hashed, TheirBundle.from_json(data), policy),
        bundles[:THEIR_BUNDLES],
        THEIR_SERIES,
    )
    _line(f"verify a file by identity, {len(bundles[0]):,} bytes of bundle", own)
    _line("the same by sigstore-python", other)
    print(f"{'':62} {1 / own:7.0f} and {1 / other:.0f} bundles/s for each core: {other / own:.1f} times as many")
    for name, call in _keyless_parts(world, bundles[0]):
        _shown(f"  of it: {name}", call)
    return {"ours_per_second": 1 / own, "theirs_per_second": 1 / other}


def _keyless_parts(world: World, data: bytes) -> list[tuple[str, Callable[[], object]]]:
    bundle, issuer = decode_bundle(data), world.issuer.certificate
    leaf, message = bundle.certificates[0], bundle.message_signature
    assert message is not None
    signed = key("release").sign(b"data")
    digest = hashlib.sha256(b"data").digest()
    return [
        ("decode it", lambda: decode_bundle(data)),
        ("issuer of the certificate", lambda: issued_by(load_certificate(leaf), world.material)),
        ("certificate timestamp", lambda: verify_sct(load_certificate(leaf), issuer, world.material.ct_logs)),
        (
            "timestamp",
            lambda: verify_timestamp(bundle.timestamps[0], message.signature, world.material.timestamp_authorities),
        ),
        ("P-256 verification (four of them)", lambda: key("release").public_key.verify_prehashed(digest, signed)),
    ]


def _one_shot(world: World, folder: Path, root: Path) -> dict[str, float]:
    """Run a fresh process of each over one file."""
    (folder / "file").write_bytes(ARTIFACT)
    (folder / "bundle").write_bytes(encode_bundle(world.sign()))
    trust = folder / "trust.json"
    trust.write_text(json.dumps(_trust_config(json.loads(root.read_text()))))
    scripts = Path(sys.executable).parent
    who = ("--identity", SUBJECT, "--issuer", ISSUER)
    ours = [str(scripts / "chainward"), "verify", "file", "--bundle", "bundle", "--trusted-root", str(root), *who]
    theirs = [sys.executable, "-m", "sigstore", "--trust-config", str(trust), "verify", "identity", "--offline"]
    theirs += ["--bundle", "bundle", "--cert-identity", SUBJECT, "--cert-oidc-issuer", ISSUER, "file"]
    own, other = (_installed(words, folder) for words in (ours, theirs))
    _line("chainward verify, one process", own)
    _line("python -m sigstore verify identity --offline, one process", other)
    print(f"{'':62} {own / other:7.2f} of the CPU")
    return {"one_shot_ms": own * 1e3, "their_one_shot_ms": other * 1e3, "one_shot_ratio": own / other}


def _trust_config(root: dict[str, Any]) -> dict[str, Any]:
    """Return the document that sigstore-python reads; where services are does not matter to a verification."""
    service = {"url": "https://x.example.test", "majorApiVersion": 1, "operator": "x"}
    service["validFor"] = {"start": "2026-01-01T00:00:00Z"}
    signing = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service],
        "oidcUrls": [service],
        "rekorTlogUrls": [service],
        "tsaUrls": [service],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }
    kind = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
    return {"mediaType": kind, "trustedRoot": root, "signingConfig": signing}


def _installed(words: Sequence[str], folder: Path) -> float:
    """Return the median CPU of several processes whose modules are compiled, as those of an installed package are."""
    _process(words, folder)
    return median(_process(words, folder) for _ in range(SHOTS))


def _process(words: Sequence[str], folder: Path) -> float:
    """Return the CPU of one process, system time included."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(words, cwd=folder, stdout=quiet, stderr=quiet, env=environment)
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    assert started.returncode == 0, words
    return usage.ru_utime + usage.ru_stime


def _platform() -> float:
    """Measure what a gate does with attestations that a trusted key signed."""
    log, root = MemoryLog(leaves=[b"%d" % number for number in range(LEAVES)]), root_of()
    small, stranger = bundle_of(log=log), bundle_of(log=log, signer="stranger")
    components = [{"type": "library", "name": f"part-{number}", "version": "1.0"} for number in range(COMPONENTS)]
    large = bundle_of(statement(predicate_type=CYCLONEDX, predicate={"components": components}), log=log)

    def believe(bundle: bytes) -> object:
        return verify_bundle(bundle, root, subject=IMAGE, repository=SHOP)

    def refuse() -> None:
        try:
            believe(stranger)
        except SignerUnknown:
            return
        raise AssertionError

    whole = _shown(f"believe an attestation by a key, {len(small):,} bytes", lambda: believe(small))
    _shown(f"the same with {COMPONENTS} components, {len(large):,} bytes", lambda: believe(large))
    _shown("refuse a stranger's", refuse)
    text, noted = b"a checkpoint of the usual length" * 4, log_key().sign(b"a checkpoint of the usual length" * 4)
    _shown("  of it: Ed25519 verification", lambda: log_key().public_key.verify(text, noted))
    return whole


def _nobody(fingerprint: str) -> PublicKey | None:
    del fingerprint
    return None


def _per_item(call: Callable[[bytes], object], bundles: Sequence[bytes], series: int) -> float:
    """Return the CPU of one bundle, in the best of several series: neighbours can only make it dearer, not cheaper."""
    costs = []
    for _ in range(series):
        started = time.process_time()
        for data in bundles:
            call(data)
        costs.append((time.process_time() - started) / len(bundles))
    return min(costs)


def _shown(name: str, call: Callable[[], object]) -> float:
    costs = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            call()
        costs.append((time.process_time() - started) / CALLS)
    _line(name, median(costs))
    return median(costs)


def _line(name: str, seconds: float) -> None:
    print(f"{name:<62} {seconds * 1e6:7.1f} us CPU")


if __name__ == "__main__":
    raise SystemExit(main())
