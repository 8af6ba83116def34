"""How much CPU it costs to believe a bundle, and where it goes. The promise is 0.5 ms for one attestation.

    python bench/verify_bundle.py

One verification holds one P-256 and one Ed25519 verification, which nobody can make faster here; the rest is ours. The
log has a thousand entries, so the inclusion proof has ten hashes.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.trust.world import IMAGE, SHOP, MemoryLog, bundle_of, key, log_key, root_of, statement

from chainward.formats.bundle import decode_bundle
from chainward.formats.intoto import CYCLONEDX
from chainward.trust.errors import SignerUnknown
from chainward.trust.sign import sign_statement
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

PROMISE = 0.5e-3
ROUNDS, CALLS = 25, 100
LEAVES = 1000
COMPONENTS = 500


def main() -> int:
    """Measure, print, and return 1 when the promise is broken."""
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

    whole = _shown(f"verify a bundle of {len(small):,} bytes", lambda: believe(small))
    _shown(f"verify a bundle of {len(large):,} bytes, {COMPONENTS} components", lambda: believe(large))
    _shown("refuse a stranger's bundle", refuse)
    parts = sum(_shown(f"  of it: {name}", call) for name, call in _parts(small))
    print(f"{'  of it: everything else':<62} {(whole - parts) * 1e6:7.1f} us CPU")
    signing = MemoryLog()
    _shown("sign, log in memory, verify", lambda: sign_statement(statement(), key("release"), signing), calls=1)
    print(f"promise: {PROMISE * 1e6:.0f} us: {'kept' if whole <= PROMISE else 'BROKEN'}")
    return 0 if whole <= PROMISE else 1


def _parts(bundle: bytes) -> list[tuple[str, Callable[[], object]]]:
    digest, text = hashlib.sha256(b"data").digest(), b"a checkpoint of the usual length" * 4
    signed, noted = key("release").sign(b"data"), log_key().sign(text)
    return [
        ("decode it", lambda: decode_bundle(bundle)),
        ("P-256 verification", lambda: key("release").public_key.verify_prehashed(digest, signed)),
        ("Ed25519 verification", lambda: log_key().public_key.verify(text, noted)),
    ]


def _shown(name: str, call: Callable[[], object], calls: int = CALLS) -> float:
    cost = median(_round(call, calls) for _ in range(ROUNDS))
    print(f"{name:<62} {cost * 1e6:7.1f} us CPU")
    return cost


def _round(call: Callable[[], object], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls


if __name__ == "__main__":
    raise SystemExit(main())
