"""Entries of the signature log: requests and canonical bodies."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats import rekor
from chainward.formats.codec import encode_base64
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.rekor import HashedRekord, canonical_body, decode_entry_request, encode_entry_request, parse_body
from chainward.kernel.problem import Problem

DIGEST = bytes(range(32))
ENTRY = HashedRekord(DIGEST, b"signature", b"public key")
CERTIFIED = HashedRekord(DIGEST, b"signature", b"", certificate_der=b"certificate")

data = st.binary(min_size=1, max_size=40)
some_entries = st.one_of(
    st.builds(HashedRekord, st.binary(min_size=32, max_size=32), data, data),
    st.builds(HashedRekord, st.binary(min_size=32, max_size=32), data, st.just(b""), certificate_der=data),
    st.builds(HashedRekord, st.binary(min_size=48, max_size=48), data, data, st.just("PKIX_ECDSA_P384_SHA_384")),
)


def in_snake_case(document: str) -> bytes:
    return re.sub(r'"(\w+)":', lambda key: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key[0]).lower(), document).encode()


def changed(document: bytes, path: str, value: object) -> bytes:
    """Set the member at ``path``; ``absent`` removes it."""
    whole = json.loads(document)
    *parents, last = path.split(".")
    target: dict[str, Any] = whole
    for parent in parents:
        target = target[parent]
    target[last] = value
    if value == "absent":
        del target[last]
    return json.dumps(whole).encode()


@given(some_entries)
def test_an_entry_reads_back_from_its_body_and_from_its_request(entry: HashedRekord) -> None:
    assert parse_body(canonical_body(entry)) == entry
    assert decode_entry_request(encode_entry_request(entry)) == entry


@given(some_entries)
def test_a_body_is_what_rfc_8785_says(entry: HashedRekord) -> None:
    body = canonical_body(entry)
    assert rfc8785.dumps(json.loads(body)) == body


def test_a_body_holds_what_the_log_needs_and_nothing_else() -> None:
    expected = (
        '{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"'
        + encode_base64(DIGEST)
        + '"},"signature":{"content":"c2lnbmF0dXJl","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":'
        '{"rawBytes":"cHVibGljIGtleQ=="}}}}}}'
    )
    assert canonical_body(ENTRY) == expected.encode()
    verifier = json.loads(canonical_body(CERTIFIED))["spec"]["hashedRekordV002"]["signature"]["verifier"]
    assert verifier == {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": {"rawBytes": encode_base64(b"certificate")},
    }


@pytest.mark.parametrize("entry", [ENTRY, CERTIFIED])
def test_a_request_in_snake_case_is_the_same_request(entry: HashedRekord) -> None:
    snake = in_snake_case(encode_entry_request(entry).decode())
    assert b'"hashed_rekord_request_v002":' in snake
    assert b'"key_details":' in snake
    assert decode_entry_request(snake) == entry


REQUEST = "hashedRekordRequestV002"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("unknown", 1),
        (f"{REQUEST}.unknown", 1),
        (f"{REQUEST}.signature.unknown", None),
        (f"{REQUEST}.signature.verifier.unknown", 1),
        (f"{REQUEST}.signature.verifier.publicKey.unknown", 1),
        (f"{REQUEST}.signature.verifier.key_details", "PKIX_ECDSA_P256_SHA_256"),
        (f"{REQUEST}.signature.verifier.x509Certificate", {"rawBytes": "aGk="}),
        (f"{REQUEST}.signature.verifier.publicKey", "absent"),
        (f"{REQUEST}.signature.verifier.publicKey", {"rawBytes": ""}),
        (f"{REQUEST}.signature.verifier.publicKey", {"rawBytes": "*"}),
        (f"{REQUEST}.signature.verifier.keyDetails", 5),
        (f"{REQUEST}.signature.content", ""),
        (f"{REQUEST}.signature.content", "c2lnbmF0dXJ"),
        (f"{REQUEST}.digest", encode_base64(DIGEST[:31])),
        (f"{REQUEST}.digest", "absent"),
        (f"{REQUEST}.digest", [encode_base64(DIGEST)]),
        (REQUEST, "absent"),
        (REQUEST, None),
    ],
)
def test_a_request_with_anything_unknown_missing_or_wrong_is_malformed(path: str, value: object) -> None:
    with pytest.raises(Malformed, match="log entry request"):
        decode_entry_request(changed(encode_entry_request(ENTRY), path, value))


@pytest.mark.parametrize("details", ["PKIX_ED25519", "PKCS1_RSA_PKCS1V5", "", "pkix_ecdsa_p256_sha_256"])
def test_a_kind_of_key_that_signs_no_digest_is_unsupported(details: str) -> None:
    with pytest.raises(Unsupported):
        decode_entry_request(changed(encode_entry_request(ENTRY), f"{REQUEST}.signature.verifier.keyDetails", details))
    with pytest.raises(Unsupported):
        canonical_body(HashedRekord(DIGEST, b"s", b"k", details))


def test_a_request_above_its_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        decode_entry_request(encode_entry_request(ENTRY) + b" " * rekor.MAX_REQUEST)
    with pytest.raises(TooLarge):
        decode_entry_request(b" " * (rekor.MAX_ENVELOPE_REQUEST + 1))
    with pytest.raises(TooLarge):
        parse_body(b" " * (rekor.MAX_BODY + 1))


def test_every_request_that_is_accepted_fits_into_the_log() -> None:
    room = rekor.MAX_REQUEST - len(encode_entry_request(HashedRekord(DIGEST, b"s", b"k")))
    largest = HashedRekord(DIGEST, b"s", b"k" * (room // 4 * 3))
    assert len(canonical_body(decode_entry_request(encode_entry_request(largest)))) <= rekor.MAX_BODY


def test_a_body_in_any_other_spelling_is_malformed() -> None:
    body = canonical_body(ENTRY)
    url_safe = canonical_body(HashedRekord(DIGEST, b"\xff\xef", b"k")).replace(b'"/+8="', b'"_-8="')
    for other in (b" " + body, body + b"\n", json.dumps(json.loads(body)).encode(), url_safe):
        with pytest.raises(Malformed, match="canonical"):
            parse_body(other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kind", "dsse"),
        ("apiVersion", "0.0.1"),
        ("spec.hashedRekordV002.signature.verifier.keyDetails", "PKIX_ED25519"),
    ],
)
def test_an_entry_of_another_kind_or_version_is_unsupported(path: str, value: object) -> None:
    with pytest.raises(Unsupported):
        parse_body(changed(canonical_body(ENTRY), path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("unknown", 1),
        ("spec.unknown", 1),
        ("spec.hashedRekordV002.data.algorithm", "SHA2_512"),
        ("spec.hashedRekordV002.data.algorithm", "absent"),
        ("spec", None),
    ],
)
def test_a_body_with_anything_unknown_or_wrong_is_malformed(path: str, value: object) -> None:
    with pytest.raises(Malformed):
        parse_body(changed(canonical_body(ENTRY), path, value))


@pytest.mark.parametrize(
    "entry",
    [
        HashedRekord(DIGEST, b"s", b""),
        HashedRekord(DIGEST, b"s", b"k", certificate_der=b"c"),
        HashedRekord(DIGEST, b"", b"k"),
        HashedRekord(DIGEST[1:], b"s", b"k"),
        HashedRekord(DIGEST, b"s", b"k" * 65_536),
    ],
)
def test_an_entry_that_could_not_be_read_back_is_not_written(entry: HashedRekord) -> None:
    with pytest.raises(Unwritable):
        canonical_body(entry)


def test_a_request_nested_a_hundred_times_in_snake_case_harms_nobody() -> None:
    with pytest.raises(Problem):
        decode_entry_request(b'{"a_b":' * 120 + b"1" + b"}" * 120)


def enveloped(details: str = "PKIX_ECDSA_P256_SHA_256", **changes: Any) -> bytes:
    """Return the request that clients send who log whole envelopes."""
    verifier = {"publicKey": {"rawBytes": encode_base64(b"public key")}, "keyDetails": details}
    envelope = {
        "payload": encode_base64(b"a statement"),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": encode_base64(b"signature"), "keyid": ""}],
    }
    return json.dumps({"dsseRequestV002": {"envelope": envelope, "verifiers": [verifier]} | changes}).encode()


@pytest.mark.parametrize(
    ("details", "hash_name"),
    [
        ("PKIX_ECDSA_P256_SHA_256", "sha256"),
        ("PKIX_ECDSA_P384_SHA_384", "sha384"),
        ("PKIX_ECDSA_P521_SHA_512", "sha512"),
    ],
)
def test_an_envelope_is_logged_by_the_digest_of_its_pae(details: str, hash_name: str) -> None:
    message = b"DSSEv1 28 application/vnd.in-toto+json 11 a statement"
    digest = hashlib.new(hash_name, message).digest()
    expected = HashedRekord(digest, b"signature", b"public key", details)
    assert decode_entry_request(enveloped(details)) == expected
    assert decode_entry_request(in_snake_case(enveloped(details).decode())) == expected


def test_an_envelope_may_be_larger_than_what_a_log_holds() -> None:
    envelope = json.loads(enveloped())["dsseRequestV002"]["envelope"]
    large = enveloped(envelope=envelope | {"payload": encode_base64(bytes(1_000_000))})
    assert len(canonical_body(decode_entry_request(large))) < 1000


@pytest.mark.parametrize("count", [0, 2])
def test_an_envelope_needs_exactly_one_signature_and_one_verifier(count: int) -> None:
    request = json.loads(enveloped())["dsseRequestV002"]
    with pytest.raises(Malformed, match="exactly one"):
        decode_entry_request(enveloped(verifiers=request["verifiers"] * count))
    signatures = request["envelope"]["signatures"] * count
    with pytest.raises(Malformed, match="exactly one"):
        decode_entry_request(enveloped(envelope=request["envelope"] | {"signatures": signatures}))


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"envelope": None},
        {"verifiers": None},
        {"envelope": {"payload": "", "payloadType": "", "signatures": [{"sig": "c2ln"}]}},
        {"envelope": {"payload": "*", "payloadType": "t", "signatures": [{"sig": "c2ln"}]}},
        {"envelope": {"payload": "", "payloadType": "t", "signatures": [{"sig": ""}]}},
        {"envelope": {"payload": "", "payloadType": "t", "signatures": [{"sig": "c2ln", "extra": 1}]}},
    ],
)
def test_an_envelope_with_anything_unknown_missing_or_wrong_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="log entry request"):
        decode_entry_request(enveloped(**changes))


def test_an_envelope_by_a_kind_of_key_that_signs_no_digest_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        decode_entry_request(enveloped("PKIX_ED25519"))


def test_a_request_of_both_kinds_is_none() -> None:
    both = json.loads(enveloped()) | json.loads(encode_entry_request(ENTRY))
    with pytest.raises(Malformed, match="either"):
        decode_entry_request(json.dumps(both).encode())


@pytest.mark.parametrize(
    "request_",
    [
        b"{" + b",".join(b'"a_%d_b_c_d":1' % number for number in range(1900)) + b"}",
        b'{"a_b":[' + b",".join([b"{}"] * 9000) + b"]}",
        b'{"a":' * 9 + b"1" + b"}" * 9,
    ],
    ids=["members", "objects", "depth"],
)
def test_what_is_nothing_like_a_request_is_not_renamed_member_by_member(request_: bytes) -> None:
    """Requests are read in the event loop, so one that costs thirty times as much would hold up everybody."""
    with pytest.raises(Malformed, match=r"more members|nested more"):
        decode_entry_request(request_)


def test_a_name_that_is_longer_than_any_is_unknown() -> None:
    with pytest.raises(Malformed, match="unknown"):
        decode_entry_request(b'{"' + b"a_b" * 10_000 + b'":1}')
