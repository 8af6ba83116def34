"""Requests for a timestamp, in DER and JSON, and the replies that say no."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from hypothesis import given
from hypothesis import strategies as st
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from chainward.formats.der import SEQUENCE, element
from chainward.formats.errors import TimestampRejected, TimestampRequestInvalid, TooLarge, Unwritable
from chainward.formats.rfc3161 import (
    Failure,
    TimestampRequest,
    decode_request,
    decode_request_json,
    decode_response,
    encode_rejection,
    encode_request,
)
from chainward.kernel.problem import Problem

DATA = Path(__file__).parents[1] / "data" / "timestamps"
DIGEST = hashlib.sha256(b"data").digest()
SHA256 = "0609608648016503040201"
SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}


@st.composite
def requests(draw: st.DrawFn) -> TimestampRequest:
    hash_name = draw(st.sampled_from(sorted(SIZES)))
    return TimestampRequest(
        hash_name=hash_name,
        digest=draw(st.binary(min_size=SIZES[hash_name], max_size=SIZES[hash_name])),
        nonce=draw(st.none() | st.integers(-(2**512) + 1, 2**512 - 1)),
        policy=draw(st.none() | st.sampled_from(["1.3.6.1.4.1.57264.2", "0.4.0.2023.1.1", "2.999.1"])),
        certificates=draw(st.booleans()),
    )


def in_json(request: TimestampRequest) -> dict[str, Any]:
    members = {
        "artifactHash": base64.b64encode(request.digest).decode(),
        "hashAlgorithm": request.hash_name,
        "certificates": request.certificates,
        "nonce": request.nonce,
        "tsaPolicyOID": request.policy,
    }
    return {name: value for name, value in members.items() if value is not None}


@given(requests())
def test_a_request_survives_the_way_through_der_and_json(request_: TimestampRequest) -> None:
    assert decode_request(encode_request(request_)) == request_
    assert decode_request_json(json.dumps(in_json(request_)).encode()) == request_


def test_a_request_of_another_implementation_is_read() -> None:
    request = decode_request((DATA / "request.tsq").read_bytes())
    assert request.hash_name == "sha512"
    assert request.digest == hashlib.sha512(b"hello").digest()
    assert (request.nonce, request.policy, request.certificates) == (3805446618602722037, None, True)


@pytest.mark.parametrize(("algorithm", "name"), [(HashAlgorithm.SHA256, "sha256"), (HashAlgorithm.SHA512, "sha512")])
def test_requests_of_the_rfc3161_client_are_read_and_written_alike(algorithm: HashAlgorithm, name: str) -> None:
    theirs = TimestampRequestBuilder().data(b"hello").hash_algorithm(algorithm).build()
    ours = decode_request(theirs.as_bytes())
    assert (ours.hash_name, ours.nonce, ours.certificates) == (name, theirs.nonce, True)
    assert encode_request(ours) == theirs.as_bytes()


def test_what_the_javascript_client_sends_is_read() -> None:
    sent = {"artifactHash": base64.b64encode(DIGEST).decode(), "hashAlgorithm": "sha256", "certificates": True}
    request = decode_request_json(json.dumps({**sent, "nonce": 281474976710655}).encode())
    expected = TimestampRequest(hash_name="sha256", digest=DIGEST, nonce=281474976710655, certificates=True)
    assert request == expected


@pytest.mark.parametrize(
    ("hash_name", "digest"), [("sha1", bytes(20)), ("sha256", bytes(20)), ("sha512", DIGEST), ("md5", bytes(16))]
)
def test_a_request_that_no_authority_would_take_is_not_written(hash_name: str, digest: bytes) -> None:
    with pytest.raises(Unwritable):
        encode_request(TimestampRequest(hash_name=hash_name, digest=digest))


# Refusals, each with the failure that RFC 3161 has for it


def der(
    *, version: str = "020101", oid: str = SHA256, parameters: str = "0500", digest: bytes = DIGEST, tail: str = ""
) -> bytes:
    algorithm = element(SEQUENCE, bytes.fromhex(oid), bytes.fromhex(parameters))
    imprint = element(SEQUENCE, algorithm, asn1.encode_der(digest))
    return element(SEQUENCE, bytes.fromhex(version), imprint, bytes.fromhex(tail))


SHA1 = "06052b0e03021a"
REFUSED: dict[str, tuple[bytes, Failure]] = {
    "sha1": (der(oid=SHA1, digest=bytes(20)), Failure.BAD_ALGORITHM),
    "sha224": (der(oid="0609608648016503040204", digest=bytes(28)), Failure.BAD_ALGORITHM),
    "sha3-256": (der(oid="0609608648016503040208"), Failure.BAD_ALGORITHM),
    "a-short-digest": (der(digest=bytes(31)), Failure.BAD_DATA_FORMAT),
    "a-digest-of-another-hash": (der(digest=bytes(48)), Failure.BAD_DATA_FORMAT),
    "no-digest": (der(digest=b""), Failure.BAD_DATA_FORMAT),
    "version-2": (der(version="020102"), Failure.BAD_REQUEST),
    "version-0": (der(version="020100"), Failure.BAD_REQUEST),
    "a-huge-version": (element(SEQUENCE, asn1.encode_der(2**800), der()[5:]), Failure.BAD_REQUEST),
    "an-extension": (der(tail="a00a300806022a0304020500"), Failure.UNACCEPTED_EXTENSION),
    "a-critical-extension": (der(tail="a00d300b06022a030101ff04020500"), Failure.UNACCEPTED_EXTENSION),
    "an-empty-list-of-extensions": (der(tail="a000"), Failure.UNACCEPTED_EXTENSION),
    "a-huge-nonce": (der(tail=asn1.encode_der(2**512).hex()), Failure.BAD_REQUEST),
    "a-huge-negative-nonce": (der(tail=asn1.encode_der(-(2**512)).hex()), Failure.BAD_REQUEST),
    "a-long-nonce-in-ber": (der(tail="02020001"), Failure.BAD_DATA_FORMAT),
    "an-empty-nonce": (der(tail="0200"), Failure.BAD_DATA_FORMAT),
    "a-true-in-ber": (der(tail="010101"), Failure.BAD_DATA_FORMAT),
    "a-false-that-should-not-be-there": (der(tail="010100"), Failure.BAD_DATA_FORMAT),
    "members-out-of-order": (der(tail="0101ff020105"), Failure.BAD_DATA_FORMAT),
    "a-member-too-many": (der(tail="0101ff0500"), Failure.BAD_DATA_FORMAT),
    "parameters-that-nobody-knows": (der(parameters="3000"), Failure.BAD_DATA_FORMAT),
    "a-length-in-ber": (b"\x30\x81" + der()[1:], Failure.BAD_DATA_FORMAT),
    "a-length-without-an-end": (b"\x30\x80" + der()[2:] + b"\0\0", Failure.BAD_DATA_FORMAT),
    "bytes-behind-it": (der() + b"\0", Failure.BAD_DATA_FORMAT),
    "a-set": (b"\x31" + der()[1:], Failure.BAD_DATA_FORMAT),
    "nothing": (b"", Failure.BAD_DATA_FORMAT),
    "json": (b'{"artifactHash": ""}', Failure.BAD_DATA_FORMAT),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_request_that_is_wrong_in_one_way_is_refused_with_the_failure_of_the_rfc(name: str) -> None:
    body, failure = REFUSED[name]
    with pytest.raises(TimestampRequestInvalid) as refused:
        decode_request(body)
    assert refused.value.failure == failure
    assert refused.value.details == {"failInfo": int(failure)}


def test_the_request_that_is_right_shows_that_the_refusals_are_not_accidents() -> None:
    assert decode_request(der()) == TimestampRequest(hash_name="sha256", digest=DIGEST)
    assert decode_request(der(parameters="")) == TimestampRequest(hash_name="sha256", digest=DIGEST)
    full = der(tail="06022a03" + "020105" + "0101ff")
    assert decode_request(full) == TimestampRequest(
        hash_name="sha256", digest=DIGEST, nonce=5, policy="1.2.3", certificates=True
    )


JSON = in_json(TimestampRequest(hash_name="sha256", digest=DIGEST, nonce=5))
REFUSED_JSON: dict[str, tuple[bytes, Failure]] = {
    "sha1": (json.dumps({**JSON, "hashAlgorithm": "sha1"}).encode(), Failure.BAD_ALGORITHM),
    "no-hash": (json.dumps({**JSON, "hashAlgorithm": ""}).encode(), Failure.BAD_ALGORITHM),
    "a-hash-that-is-a-number": (json.dumps({**JSON, "hashAlgorithm": 256}).encode(), Failure.BAD_DATA_FORMAT),
    "a-short-digest": (json.dumps({**JSON, "artifactHash": "AAAA"}).encode(), Failure.BAD_DATA_FORMAT),
    "no-base64": (json.dumps({**JSON, "artifactHash": "?"}).encode(), Failure.BAD_DATA_FORMAT),
    "no-digest": (b'{"hashAlgorithm":"sha256"}', Failure.BAD_DATA_FORMAT),
    "a-fraction-as-nonce": (json.dumps({**JSON, "nonce": 1.5}).encode(), Failure.BAD_DATA_FORMAT),
    "an-exponent-as-nonce": (
        json.dumps(JSON).replace('"nonce": 5', '"nonce": 1e400').encode(),
        Failure.BAD_DATA_FORMAT,
    ),
    "a-text-as-nonce": (json.dumps({**JSON, "nonce": "5"}).encode(), Failure.BAD_DATA_FORMAT),
    "a-list-as-nonce": (json.dumps({**JSON, "nonce": [5]}).encode(), Failure.BAD_DATA_FORMAT),
    "a-nonce-of-513-bits": (json.dumps({**JSON, "nonce": 2**512}).encode(), Failure.BAD_REQUEST),
    "a-nonce-of-900-digits": (json.dumps({**JSON, "nonce": int("9" * 800)}).encode(), Failure.BAD_DATA_FORMAT),
    "a-policy-that-is-none": (json.dumps({**JSON, "tsaPolicyOID": "sigstore"}).encode(), Failure.BAD_DATA_FORMAT),
    "a-policy-that-cannot-be": (json.dumps({**JSON, "tsaPolicyOID": "1.99.5"}).encode(), Failure.BAD_DATA_FORMAT),
    "certificates-as-text": (json.dumps({**JSON, "certificates": "yes"}).encode(), Failure.BAD_DATA_FORMAT),
    "a-list": (b"[]", Failure.BAD_DATA_FORMAT),
    "nothing": (b"", Failure.BAD_DATA_FORMAT),
    "der": (der(), Failure.BAD_DATA_FORMAT),
}


@pytest.mark.parametrize("name", sorted(REFUSED_JSON))
def test_a_request_in_json_that_is_wrong_in_one_way_is_refused(name: str) -> None:
    body, failure = REFUSED_JSON[name]
    with pytest.raises(TimestampRequestInvalid) as refused:
        decode_request_json(body)
    assert refused.value.failure == failure


def test_a_nonce_of_a_million_digits_costs_nothing() -> None:
    """Reading a long number costs the square of its length: so its length is looked at first."""
    body = json.dumps(JSON).replace('"nonce": 5', '"nonce": ' + "9" * 1_000_000).encode()
    started = time.process_time()
    with pytest.raises(TooLarge):
        decode_request_json(body)
    assert time.process_time() - started < 0.1


def test_a_request_beyond_one_kibibyte_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TooLarge):
        decode_request(der() + bytes(1024))


def test_a_request_cut_at_any_byte_is_refused() -> None:
    whole = encode_request(
        TimestampRequest(hash_name="sha256", digest=DIGEST, nonce=2**63, policy="1.2.3", certificates=True)
    )
    for cut in range(len(whole)):
        with pytest.raises(TimestampRequestInvalid):
            decode_request(whole[:cut])


@given(requests(), st.data())
def test_a_bent_request_is_a_request_or_a_coded_problem(request_: TimestampRequest, data: st.DataObject) -> None:
    for whole, read in (
        (encode_request(request_), decode_request),
        (json.dumps(in_json(request_)).encode(), decode_request_json),
    ):
        bent = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(bent) - 1))
            bent[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
            if not bent:
                break
        try:
            found = read(bytes(bent))
        except Problem:
            continue
        assert len(found.digest) == SIZES[found.hash_name]


@given(st.binary(max_size=1200))
def test_noise_is_a_coded_problem(noise: bytes) -> None:
    for read in (decode_request, decode_request_json):
        with pytest.raises(Problem):
            read(noise)


@given(st.sampled_from(Failure), st.text(max_size=80).filter(lambda text: text.isprintable()))
def test_a_rejection_says_why_to_whoever_reads_it(failure: Failure, text: str) -> None:
    with pytest.raises(TimestampRejected) as rejected:
        decode_response(encode_rejection(failure, text))
    assert rejected.value.details == {"failInfo": [int(failure)]}
    assert text in rejected.value.message


def test_the_bits_of_a_rejection_stand_where_the_rfc_has_them() -> None:
    """BIT STRING with the bits numbered from the left, and no zero bits at the end (X.690 §11.2.2)."""
    reply = encode_rejection(Failure.UNACCEPTED_POLICY, "no")
    assert bytes.fromhex("0303000001") in reply
    assert bytes.fromhex("03020780") in encode_rejection(Failure.BAD_ALGORITHM, "no")
    assert bytes.fromhex("0305060000" + "0040") in encode_rejection(Failure.SYSTEM_FAILURE, "no")


def test_a_policy_is_an_object_identifier() -> None:
    policy = x509.ObjectIdentifier("1.3.6.1.4.1.57264.2").dotted_string
    assert decode_request(encode_request(TimestampRequest(hash_name="sha256", digest=DIGEST, policy=policy))).policy
