"""Sigstore bundles and log entries."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.strategies import bundles, log_entries

from chainward.formats import bundle as formats
from chainward.formats.bundle import (
    BUNDLE_V01,
    BUNDLE_V02,
    BUNDLE_V03,
    Bundle,
    LogEntry,
    MessageSignature,
    PromisedEntry,
    decode_bundle,
    decode_log_entry,
    encode_bundle,
    encode_log_entry,
)
from chainward.formats.codec import encode_base64
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, Envelope, Signature
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable

HASH = bytes(range(32))
PROOF = formats.InclusionProof(7, 12, HASH, (HASH, HASH), "log.example\n12\n…\n")
ENTRY = LogEntry(7, HASH, "hashedrekord", "0.0.2", 0, PROOF, b"{}")
ENVELOPE = Envelope(b"payload", PAYLOAD_TYPE_INTOTO, (Signature(b"signature"),))
SIGNED = Bundle(envelope=ENVELOPE, key_hint="hint", entries=(ENTRY,))


def changed(document: bytes, path: str, value: object) -> bytes:
    """Set the member at ``path`` (numbers are list indexes); ``absent`` removes it."""
    whole = json.loads(document)
    *parents, last = path.split(".")
    target: Any = whole
    for parent in parents:
        target = target[int(parent) if parent.isdigit() else parent]
    if value == "absent":
        del target[last]
    else:
        target[last] = value
    return json.dumps(whole).encode()


def with_verifier(media_type: str, **members: object) -> bytes:
    whole = json.loads(encode_bundle(SIGNED)) | {"mediaType": media_type}
    del whole["verificationMaterial"]["publicKey"]
    whole["verificationMaterial"] |= members
    return json.dumps(whole).encode()


@given(bundles())
def test_a_bundle_reads_back_as_it_was_written(bundle: Bundle) -> None:
    data = encode_bundle(bundle)
    assert decode_bundle(data) == bundle
    assert encode_bundle(decode_bundle(data)) == data


@given(log_entries())
def test_a_log_entry_reads_back_as_it_was_written(entry: LogEntry) -> None:
    assert decode_log_entry(encode_log_entry(entry)) == entry


def test_a_log_entry_is_written_with_every_member_that_clients_look_for() -> None:
    first = replace(ENTRY, log_index=0, proof=replace(PROOF, log_index=0, hashes=()))
    assert json.loads(encode_log_entry(first)) == {
        "logIndex": "0",
        "logId": {"keyId": encode_base64(HASH)},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
        "integratedTime": "0",
        "inclusionProof": {
            "logIndex": "0",
            "treeSize": "12",
            "rootHash": encode_base64(HASH),
            "hashes": [],
            "checkpoint": {"envelope": PROOF.checkpoint},
        },
        "canonicalizedBody": "e30=",
    }


def test_members_with_default_values_may_be_left_out_and_integers_may_be_numbers() -> None:
    data = encode_log_entry(replace(ENTRY, log_index=0, proof=replace(PROOF, log_index=0, hashes=())))
    for path in ("logIndex", "integratedTime", "inclusionProof.logIndex", "inclusionProof.hashes"):
        data = changed(data, path, "absent")
    data = changed(data, "inclusionProof.treeSize", 12)
    data = changed(data, "inclusionPromise", None)
    assert decode_log_entry(data) == replace(ENTRY, log_index=0, proof=replace(PROOF, log_index=0, hashes=()))


def test_a_log_entry_with_a_mere_promise_is_unsupported() -> None:
    promise = {"signedEntryTimestamp": "c2V0"}
    data = changed(changed(encode_log_entry(ENTRY), "inclusionPromise", promise), "inclusionProof", "absent")
    with pytest.raises(Unsupported, match="inclusion proof"):
        decode_log_entry(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("logIndex", "-1"),
        ("logIndex", -7),
        ("logIndex", "01"),
        ("logIndex", "1.0"),
        ("logIndex", "9223372036854775808"),
        ("logIndex", 2**64),
        ("logIndex", True),
        ("logId", {}),
        ("kindVersion", "absent"),
        ("inclusionProof.treeSize", "absent"),
        ("inclusionProof.rootHash", encode_base64(HASH[:31])),
        ("inclusionProof.hashes", [encode_base64(HASH + b"x")]),
        ("inclusionProof.hashes", [encode_base64(HASH)] * 64),
        ("inclusionProof.checkpoint", "absent"),
        ("canonicalizedBody", "*"),
    ],
)
def test_a_log_entry_with_a_wrong_part_is_malformed(path: str, value: object) -> None:
    with pytest.raises(Malformed):
        decode_log_entry(changed(encode_log_entry(ENTRY), path, value))


@pytest.mark.parametrize("media_type", [formats.BUNDLE_V01, formats.BUNDLE_V02])
def test_older_bundles_with_a_certificate_chain_are_read(media_type: str) -> None:
    chain = {"certificates": [{"rawBytes": "bGVhZg=="}, {"rawBytes": "cm9vdA=="}]}
    bundle = decode_bundle(with_verifier(media_type, x509CertificateChain=chain))
    assert bundle.media_type == media_type
    assert bundle.certificates == (b"leaf", b"root")
    with pytest.raises(Unwritable, match="one certificate"):
        encode_bundle(bundle)
    written = encode_bundle(replace(bundle, certificates=bundle.certificates[:1]))
    assert decode_bundle(written).media_type == formats.BUNDLE_V03


def test_a_bundle_of_version_0_3_has_no_certificate_chain() -> None:
    chain = {"certificates": [{"rawBytes": "bGVhZg=="}]}
    with pytest.raises(Malformed, match="x509CertificateChain"):
        decode_bundle(with_verifier(formats.BUNDLE_V03, x509CertificateChain=chain))
    bundle = decode_bundle(with_verifier(formats.BUNDLE_V03, certificate={"rawBytes": "bGVhZg=="}))
    assert bundle.certificates == (b"leaf",)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"certificate": {"rawBytes": "bGVhZg=="}, "publicKey": {"hint": "x"}},
        {"certificate": {"rawBytes": "bGVhZg=="}, "x509CertificateChain": {"certificates": [{"rawBytes": "bGVhZg=="}]}},
        {"x509CertificateChain": {"certificates": []}},
        {"certificate": {"rawBytes": "bGVhZg"}},
    ],
)
def test_a_bundle_must_say_in_exactly_one_way_who_signed(members: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        decode_bundle(with_verifier(formats.BUNDLE_V01, **members))


def test_a_bundle_of_an_unknown_version_is_unsupported() -> None:
    for media_type in ("application/vnd.dev.sigstore.bundle.v0.4+json", "application/json", ""):
        with pytest.raises(Unsupported):
            decode_bundle(changed(encode_bundle(SIGNED), "mediaType", media_type))


def test_a_bundle_has_exactly_one_content() -> None:
    message = {"messageDigest": {"algorithm": "SHA2_256", "digest": "aGk="}, "signature": "c2ln"}
    data = encode_bundle(SIGNED)
    both, neither = changed(data, "messageSignature", message), changed(data, "dsseEnvelope", "absent")
    for broken in (both, neither):
        with pytest.raises(Malformed, match="either"):
            decode_bundle(broken)
    only = decode_bundle(changed(both, "dsseEnvelope", "absent"))
    assert only.message_signature == MessageSignature("SHA2_256", b"hi", b"sig")


def test_a_second_signature_in_the_envelope_cannot_hide_behind_the_first() -> None:
    signature = {"sig": "c2ln"}
    with pytest.raises(Malformed, match="2 signatures"):
        decode_bundle(changed(encode_bundle(SIGNED), "dsseEnvelope.signatures", [signature, signature]))


def test_unknown_members_of_others_bundles_are_skipped() -> None:
    data = changed(encode_bundle(SIGNED), "verificationMaterial.newThing", {"a": [1]})
    assert decode_bundle(changed(data, "newThing", 1)) == SIGNED


def test_a_bundle_with_too_many_entries_or_bytes_is_refused() -> None:
    assert decode_bundle(encode_bundle(replace(SIGNED, entries=(ENTRY,) * 32))).entries == (ENTRY,) * 32
    with pytest.raises(Malformed, match="32"):
        decode_bundle(encode_bundle(replace(SIGNED, entries=(ENTRY,) * 33)))
    with pytest.raises(TooLarge):
        decode_bundle(encode_bundle(SIGNED), limit=100)
    with pytest.raises(TooLarge):
        decode_log_entry(b" " * (formats.MAX_LOG_ENTRY + 1))


@pytest.mark.parametrize(
    "bundle",
    [
        Bundle(envelope=ENVELOPE),
        Bundle(key_hint="hint"),
        Bundle(envelope=ENVELOPE, key_hint="hint", certificates=(b"leaf",)),
        Bundle(envelope=ENVELOPE, message_signature=MessageSignature("SHA2_256", HASH, b"s"), key_hint=""),
        Bundle(envelope=replace(ENVELOPE, signatures=ENVELOPE.signatures * 2), key_hint=""),
    ],
)
def test_a_bundle_that_could_not_be_read_back_is_not_written(bundle: Bundle) -> None:
    with pytest.raises(Unwritable):
        encode_bundle(bundle)


def old(media_type: str, *gone: str) -> bytes:
    """Return a bundle as Rekor v1 filled it, without the members ``gone`` of its log entry."""
    entry = replace(ENTRY, version="0.0.1", integrated_time=1_700_000_000, promise=b"promise")
    whole = json.loads(encode_bundle(replace(SIGNED, entries=(entry,)))) | {"mediaType": media_type}
    for member in gone:
        del whole["verificationMaterial"]["tlogEntries"][0][member]
    return json.dumps(whole).encode()


def test_a_bundle_of_the_first_version_may_have_the_promise_of_the_log_alone() -> None:
    bundle = decode_bundle(old(BUNDLE_V01, "inclusionProof"))
    assert bundle.entries == ()
    assert bundle.promised == (PromisedEntry(7, HASH, "hashedrekord", "0.0.1", 1_700_000_000, b"{}", b"promise"),)


def test_a_promise_beside_a_proof_is_part_of_the_entry() -> None:
    bundle = decode_bundle(old(BUNDLE_V01))
    assert bundle.promised == ()
    assert (bundle.entries[0].promise, bundle.entries[0].proof) == (b"promise", PROOF)


@pytest.mark.parametrize(
    ("media_type", "gone"),
    [
        (BUNDLE_V02, ["inclusionProof"]),
        (BUNDLE_V03, ["inclusionProof"]),
        (BUNDLE_V01, ["inclusionProof", "inclusionPromise"]),
    ],
)
def test_an_entry_without_proof_is_refused_in_every_other_bundle(media_type: str, gone: list[str]) -> None:
    with pytest.raises(Unsupported, match="inclusion proof"):
        decode_bundle(old(media_type, *gone))


def test_a_bundle_with_a_bare_promise_is_not_written() -> None:
    with pytest.raises(Unwritable):
        encode_bundle(decode_bundle(old(BUNDLE_V01, "inclusionProof")))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("x509CertificateChain", {"certificates": [{"rawBytes": ""}] * 11}),
        ("timestampVerificationData", {"rfc3161Timestamps": [{"signedTimestamp": ""}] * 33}),
    ],
)
def test_a_bundle_with_more_parts_than_any_signer_writes_is_refused(member: str, value: object) -> None:
    with pytest.raises(Malformed, match="more than"):
        decode_bundle(
            with_verifier(BUNDLE_V02, **{"x509CertificateChain": {"certificates": [{"rawBytes": ""}]}, member: value})
        )
