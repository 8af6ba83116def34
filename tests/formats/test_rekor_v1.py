"""Entries of Rekor v1."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.formats.rekor_v1 import MAX_BODY, V1_KINDS, LoggedSignature, decode_v1_body, promised_bytes

DIGEST = hashlib.sha256(b"content")
NUMBERS = st.integers(0, 2**53 - 1)
PEM = b"-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def hash_of(value: str | None = None, algorithm: str = "sha256") -> dict[str, str]:
    return {"algorithm": algorithm, "value": DIGEST.hexdigest() if value is None else value}


def hashedrekord(verifier: bytes = PEM, **changes: Any) -> dict[str, Any]:
    spec = {
        "data": {"hash": hash_of()},
        "signature": {"content": b64(b"signature"), "publicKey": {"content": b64(verifier)}},
    }
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec | changes}


def dsse(count: int = 1, **changes: Any) -> dict[str, Any]:
    signatures = [{"signature": b64(b"signature"), "verifier": b64(PEM)}] * count
    spec = {"envelopeHash": hash_of(), "payloadHash": hash_of(), "signatures": signatures}
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec | changes}


def intoto(count: int = 1, sig: str | None = None, **changes: Any) -> dict[str, Any]:
    twice = b64(b64(b"signature").encode()) if sig is None else sig
    signatures = [{"publicKey": b64(PEM), "sig": twice}] * count
    envelope = {"payloadType": "application/vnd.in-toto+json", "signatures": signatures}
    content = {"envelope": envelope, "hash": hash_of(), "payloadHash": hash_of()}
    return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content} | changes}


def read(document: object) -> tuple[tuple[str, str], LoggedSignature]:
    return decode_v1_body(json.dumps(document).encode())


@pytest.mark.parametrize("document", [hashedrekord(), dsse(), intoto()], ids=lambda document: document["kind"])
def test_every_kind_of_old_entry_is_read_alike(document: dict[str, Any]) -> None:
    kind, logged = read(document)
    assert kind == (document["kind"], document["apiVersion"])
    assert kind in V1_KINDS
    assert logged == LoggedSignature("sha256", DIGEST.digest(), b"signature", b"\x01\x02\x03", is_certificate=False)


def test_members_that_are_not_compared_are_passed_over() -> None:
    document = dsse()
    document["spec"]["proposedContent"] = {"envelope": "{}"}
    assert read(document)[1].signature == b"signature"


def test_a_certificate_is_told_from_a_key() -> None:
    pem = PEM.replace(b"PUBLIC KEY", b"CERTIFICATE")
    assert read(hashedrekord(pem))[1].is_certificate


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_longer_hashes_are_read(algorithm: str) -> None:
    value = hashlib.new(algorithm, b"content").hexdigest()
    assert read(hashedrekord(data={"hash": hash_of(value, algorithm)}))[1].hash_name == algorithm


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"AQID",
        PEM * 2,
        PEM.replace(b"BEGIN PUBLIC", b"BEGIN RSA PUBLIC"),
        PEM.replace(b"END PUBLIC KEY", b"END CERTIFICATE"),
        PEM.replace(b"AQID", b"AQI"),
        PEM.replace(b"AQID", b"===="),
        b"comment\n" + PEM,
        PEM + b"comment",
    ],
)
def test_a_verifier_that_is_not_exactly_one_pem_block_is_refused(pem: bytes) -> None:
    with pytest.raises(Malformed):
        read(hashedrekord(pem))


@pytest.mark.parametrize(
    "digest",
    [hash_of(algorithm="sha1"), hash_of(algorithm="sha512"), hash_of("0" * 63), hash_of("x" * 64), hash_of("")],
)
def test_a_digest_that_is_none_is_refused(digest: dict[str, str]) -> None:
    for document in (hashedrekord(data={"hash": digest}), dsse(payloadHash=digest)):
        with pytest.raises(Malformed):
            read(document)


@pytest.mark.parametrize("count", [0, 2])
def test_an_entry_with_several_signatures_is_refused(count: int) -> None:
    for document in (dsse(count), intoto(count)):
        with pytest.raises(Malformed, match="not one"):
            read(document)


@pytest.mark.parametrize("sig", ["", "*", b64(b"signature"), b64("ß".encode())])
def test_a_signature_that_is_not_in_base64_twice_is_refused_in_an_intoto_entry(sig: str) -> None:
    if not sig:
        assert read(intoto(sig=sig))[1].signature == b""
        return
    with pytest.raises(Malformed):
        read(intoto(sig=sig))


@pytest.mark.parametrize(
    ("kind", "version"), [("hashedrekord", "0.0.2"), ("intoto", "0.0.1"), ("rekord", "0.0.1"), ("", "")]
)
def test_an_entry_of_another_kind_or_version_is_not_read(kind: str, version: str) -> None:
    with pytest.raises(Unsupported):
        read(hashedrekord() | {"kind": kind, "apiVersion": version})


@pytest.mark.parametrize("document", [[], {}, {"kind": "dsse"}, hashedrekord() | {"spec": []}, "text", None])
def test_what_is_no_entry_is_refused(document: object) -> None:
    with pytest.raises(Malformed):
        read(document)


def test_a_body_beyond_the_limit_is_not_decoded() -> None:
    with pytest.raises(TooLarge):
        decode_v1_body(b" " * (MAX_BODY + 1))


@given(
    st.binary(max_size=60), st.integers(0, 2**53 - 1), st.binary(min_size=32, max_size=32), st.integers(0, 2**53 - 1)
)
def test_a_promise_is_over_the_canonical_form_of_its_four_members(
    body: bytes, time: int, log: bytes, index: int
) -> None:
    told = {"body": b64(body), "integratedTime": time, "logID": log.hex(), "logIndex": index}
    assert promised_bytes(body, time, log, index) == json.dumps(told, separators=(",", ":"), sort_keys=True).encode()
