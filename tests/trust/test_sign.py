"""Signing: what is handed out is logged and would be accepted by ourselves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from tests.trust.world import IMAGE, MemoryLog, b64, bundle_of, key, root_of, statement

from chainward.formats.bundle import decode_bundle
from chainward.formats.errors import Unwritable
from chainward.formats.intoto import SLSA_PROVENANCE, Statement
from chainward.kernel.problem import Problem
from chainward.keys.errors import KeyUnsupported, SignatureInvalid
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.errors import InclusionProofInvalid, LogEntryMismatch, LogUntrusted
from chainward.trust.sign import key_hint, sign_statement
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.keys.model import PublicKey
    from chainward.trust.model import TrustedLog


@dataclass
class LyingLog:
    """A log that answers something else than what it did."""

    lie: Callable[[LogEntry], LogEntry]
    honest: MemoryLog

    @property
    def log(self) -> TrustedLog:
        return self.honest.log

    def submit(self, entry: HashedRekord) -> LogEntry:
        return self.lie(self.honest.submit(entry))


@dataclass
class BrokenSigner:
    """A signer whose signatures are those of another key."""

    public_key: PublicKey = key("release").public_key

    def sign(self, data: bytes) -> bytes:
        return key("another").sign(data)


class ClosedLog(MemoryLog):
    """A log that cannot be reached."""

    def submit(self, entry: HashedRekord) -> LogEntry:
        raise Problem(f"no route to the log for {len(entry.signature)} bytes")


def test_a_signed_statement_is_a_v03_bundle_that_names_its_key_as_cosign_does() -> None:
    document = json.loads(bundle_of())
    fingerprint = bytes.fromhex(key("release").public_key.fingerprint)
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert document["verificationMaterial"]["publicKey"] == {"hint": b64(fingerprint)}
    assert document["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert len(document["dsseEnvelope"]["signatures"]) == 1
    [entry] = document["verificationMaterial"]["tlogEntries"]
    assert entry["integratedTime"] == "0"
    assert entry["inclusionProof"]["logIndex"] == entry["logIndex"] == "3"


def test_what_is_logged_is_the_digest_of_the_pae_and_the_bare_key() -> None:
    bundle = decode_bundle(bundle_of())
    assert bundle.envelope is not None
    spec = json.loads(bundle.entries[0].body)["spec"]["hashedRekordV002"]
    assert spec["data"]["digest"] == b64(hashlib.sha256(bundle.envelope.pae()).digest())
    assert spec["signature"]["verifier"] == {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "publicKey": {"rawBytes": b64(key("release").public_key.der)},
    }


def test_nothing_is_handed_out_when_the_log_cannot_be_reached() -> None:
    with pytest.raises(Problem, match="no route"):
        sign_statement(statement(), key("release"), ClosedLog())


@pytest.mark.parametrize(
    ("lie", "refusal"),
    [
        (lambda entry: replace(entry, body=entry.body + b" "), LogEntryMismatch),
        (lambda entry: replace(entry, log_index=7), LogEntryMismatch),
        (lambda entry: replace(entry, log_id=bytes(32)), LogUntrusted),
        (lambda entry: replace(entry, proof=replace(entry.proof, hashes=())), InclusionProofInvalid),
    ],
    ids=["another body", "another index", "another log", "no proof"],
)
def test_nothing_is_handed_out_when_the_log_lies(lie: Callable[[LogEntry], LogEntry], refusal: type[Problem]) -> None:
    with pytest.raises(refusal):
        sign_statement(statement(), key("release"), LyingLog(lie, MemoryLog()))


def test_nothing_is_handed_out_when_the_signer_signed_with_another_key() -> None:
    with pytest.raises(SignatureInvalid):
        sign_statement(statement(), BrokenSigner(), MemoryLog())


def test_a_key_that_the_log_does_not_take_is_refused_before_anything_is_signed_or_logged() -> None:
    log = MemoryLog()
    with pytest.raises(KeyUnsupported):
        sign_statement(statement(), generate(Scheme.ED25519), log)
    assert len(log.leaves) == 3


def test_a_statement_about_nothing_cannot_be_signed() -> None:
    log = MemoryLog()
    with pytest.raises(Unwritable):
        sign_statement(Statement((), SLSA_PROVENANCE, {"a": 1}), key("release"), log)
    assert len(log.leaves) == 3


def test_signing_the_same_statement_twice_gives_two_bundles_of_the_same_payload() -> None:
    log = MemoryLog()
    one, two = (sign_statement(statement(), key("release"), log) for _ in range(2))
    found = [verify_bundle(bundle, root_of(), subject=IMAGE, repository=None) for bundle in (one, two)]
    assert found[0].statement == found[1].statement
    assert [each.log_index for each in found] == [3, 4]
    assert one != two


def test_the_key_hint_is_the_fingerprint() -> None:
    public = key("release").public_key
    assert key_hint(public) == b64(bytes.fromhex(public.fingerprint))
