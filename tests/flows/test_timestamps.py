"""Timestamps over HTTP: what openssl, the RFC 3161 client and Sigstore's JavaScript client send and get."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from tests.flows.server import serve_platform
from tests.openssl_tsa import OPENSSL, openssl

from chainward.formats.errors import TimestampRejected
from chainward.formats.rfc3161 import (
    Failure,
    TimestampRequest,
    decode_response,
    encode_request,
)
from chainward.trust.authority import AuthorityKind
from chainward.trust.material import TrustMaterial
from chainward.trust.stamped import verify_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

PATH = "/api/v1/timestamp"
QUERY = {"Content-Type": "application/timestamp-query"}
REPLY = "application/timestamp-reply"
MESSAGE = b"the bytes of a signature"
REQUEST = encode_request(
    TimestampRequest(hash_name="sha256", digest=hashlib.sha256(MESSAGE).digest(), nonce=2**63, certificates=True)
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestPlatform, str]]:
    with serve_platform(tmp_path_factory.mktemp("platform")) as served:
        yield served


@pytest.fixture(scope="module")
def url(served: tuple[TestPlatform, str]) -> str:
    return served[1]


def posted(url: str, body: bytes, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()} or QUERY
    return httpx.post(url + PATH, content=body, headers=sent, trust_env=False, timeout=30)


def chain_of(url: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(httpx.get(f"{url}{PATH}/certchain", trust_env=False).content)


def test_a_token_from_the_wire_verifies_against_the_authorities_of_the_platform(
    served: tuple[TestPlatform, str],
) -> None:
    platform, url = served
    answer = posted(url, REQUEST)
    assert (answer.status_code, answer.headers["content-type"]) == (200, REPLY)
    assert answer.headers["cache-control"] == "no-store"
    snapshot = platform.platform.services.authorities.snapshot()
    material = TrustMaterial.from_authorities(snapshot.authorities)
    proven = verify_timestamp(answer.content, MESSAGE, material.timestamp_authorities)
    assert proven.source == snapshot.active(AuthorityKind.TSA).name
    assert decode_response(answer.content).nonce == 2**63


def test_the_chain_is_leaf_first_and_tells_what_it_is_for(url: str) -> None:
    leaf, root = chain_of(url)
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    answer = httpx.get(f"{url}{PATH}/certchain", trust_env=False)
    assert answer.headers["content-type"] == "application/pem-certificate-chain"


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("nonce", [True, False], ids=["nonce", "no-nonce"])
@pytest.mark.parametrize("certificates", [True, False], ids=["cert", "no-cert"])
def test_openssl_asks_and_verifies(url: str, tmp_path: Path, digest: str, *, nonce: bool, certificates: bool) -> None:
    data, query, reply, leaf, root = (tmp_path / name for name in ("data", "q", "r", "leaf.pem", "root.pem"))
    data.write_bytes(MESSAGE)
    asked = [*([] if nonce else ["-no_nonce"]), *(["-cert"] if certificates else [])]
    assert openssl("ts", "-query", "-data", data, f"-{digest}", *asked, "-out", query).returncode == 0
    answer = posted(url, query.read_bytes())
    reply.write_bytes(answer.content)
    chain = httpx.get(f"{url}{PATH}/certchain", trust_env=False).content.partition(b"-----END CERTIFICATE-----\n")
    leaf.write_bytes(chain[0] + chain[1])
    root.write_bytes(chain[2])
    given: list[str | Path] = [] if certificates else ["-untrusted", leaf]
    for option, about in (("-queryfile", query), ("-data", data)):
        verified = openssl("ts", "-verify", "-in", reply, option, about, "-CAfile", root, *given)
        assert verified.returncode == 0, verified.stderr
        assert b"Verification: OK" in verified.stdout
    told = openssl("ts", "-reply", "-in", reply, "-text").stdout.decode()
    assert "Status: Granted." in told
    assert "Policy OID: 1.3.6.1.4.1.57264.2" in told
    assert "Accuracy: 0x01 seconds" in told
    assert ("Nonce: unspecified" in told) is not nonce


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
def test_openssl_does_not_verify_our_token_over_other_bytes(url: str, tmp_path: Path) -> None:
    data, reply, root = (tmp_path / name for name in ("data", "r", "root.pem"))
    data.write_bytes(MESSAGE + b"!")
    reply.write_bytes(posted(url, REQUEST).content)
    root.write_bytes(httpx.get(f"{url}{PATH}/certchain", trust_env=False).content)
    assert openssl("ts", "-verify", "-in", reply, "-data", data, "-CAfile", root).returncode != 0


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
@pytest.mark.parametrize(
    ("asked", "reason"),
    [(["-sha1"], "unrecognized or unsupported algorithm"), (["-sha256", "-tspolicy", "1.2.3"], "policy is not")],
)
def test_openssl_reads_why_it_was_refused(url: str, tmp_path: Path, asked: list[str], reason: str) -> None:
    data, query, reply = (tmp_path / name for name in ("data", "q", "r"))
    data.write_bytes(MESSAGE)
    assert openssl("ts", "-query", "-data", data, *asked, "-out", query).returncode == 0
    answer = posted(url, query.read_bytes())
    assert (answer.status_code, answer.headers["content-type"]) == (400, REPLY)
    reply.write_bytes(answer.content)
    told = openssl("ts", "-reply", "-in", reply, "-text").stdout.decode()
    assert "Status: Rejected." in told
    assert reason in told


@pytest.mark.parametrize("algorithm", [HashAlgorithm.SHA256, HashAlgorithm.SHA512])
@pytest.mark.parametrize("certificates", [True, False], ids=["cert", "no-cert"])
def test_the_rfc3161_client_asks_and_verifies(url: str, algorithm: HashAlgorithm, *, certificates: bool) -> None:
    request = (
        TimestampRequestBuilder()
        .data(MESSAGE)
        .hash_algorithm(algorithm)
        .nonce(nonce=True)
        .cert_request(cert_request=certificates)
        .build()
    )
    response = decode_timestamp_response(posted(url, request.as_bytes()).content)
    leaf, root = chain_of(url)
    verifier = VerifierBuilder.from_request(request).tsa_certificate(leaf).add_root_certificate(root).build()
    assert verifier.verify_message(response, MESSAGE)


def in_json(**changes: Any) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.sha256(MESSAGE).digest()).decode()
    return {"artifactHash": digest, "hashAlgorithm": "sha256", "certificates": True, "nonce": 77, **changes}


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
def test_json_is_answered_in_der(url: str, media_type: str) -> None:
    answer = httpx.post(url + PATH, json=in_json(), headers={"Content-Type": media_type}, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, REPLY)
    token = decode_response(answer.content)
    assert (token.nonce, len(token.certificates)) == (77, 2)


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"hashAlgorithm": "sha1"}, Failure.BAD_ALGORITHM),
        ({"artifactHash": "AAAA"}, Failure.BAD_DATA_FORMAT),
        ({"tsaPolicyOID": "1.2.3"}, Failure.UNACCEPTED_POLICY),
        ({"nonce": int("9" * 400)}, Failure.BAD_DATA_FORMAT),
    ],
    ids=["sha1", "short", "policy", "a-long-nonce"],
)
def test_json_that_is_refused_is_answered_with_a_problem(url: str, changes: dict[str, Any], failure: Failure) -> None:
    answer = httpx.post(url + PATH, json=in_json(**changes), trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["code"] == "timestamp-request-invalid"
    assert answer.json()["failInfo"] == int(failure)


def test_der_that_is_refused_is_answered_with_a_reply_that_says_why(url: str) -> None:
    answer = posted(url, b"no request")
    assert (answer.status_code, answer.headers["content-type"]) == (400, REPLY)
    with pytest.raises(TimestampRejected) as rejected:
        decode_response(answer.content)
    assert rejected.value.details == {"failInfo": [int(Failure.BAD_DATA_FORMAT)]}


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/application/json",
        "application/timestamp-query-application/json",
        "application/jsonx",
        "",
    ],
)
def test_a_media_type_that_only_looks_like_one_is_refused(url: str, media_type: str) -> None:
    answer = posted(url, REQUEST, Content_Type=media_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-unsupported")


def test_der_under_the_name_of_json_is_refused_and_the_other_way_round(url: str) -> None:
    assert posted(url, REQUEST, Content_Type="application/json").status_code == 400
    assert posted(url, b'{"artifactHash": ""}').status_code == 400


def test_a_request_beyond_one_kibibyte_is_refused(url: str) -> None:
    answer = posted(url, REQUEST + bytes(1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_the_authority_needs_no_token_and_takes_no_notice_of_a_wrong_one(url: str) -> None:
    answer = posted(url, REQUEST, Content_Type=QUERY["Content-Type"], Authorization="Bearer chw_wrong")
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_asks_for_a_timestamp(url: str, method: str) -> None:
    answer = httpx.request(method, url + PATH, trust_env=False)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_token_is_not_given_while_the_clock_is_behind_the_ledger(
    served: tuple[TestPlatform, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets the clock of a server back does not get old dates from it."""
    from datetime import UTC, datetime

    from tests.timestamps import SetClock

    platform, url = served
    timestamps = platform.platform.services.timestamps
    monkeypatch.setattr(timestamps, "_clock", SetClock(datetime(2020, 1, 1, tzinfo=UTC)))
    answer = posted(url, REQUEST)
    assert (answer.status_code, answer.headers["content-type"]) == (503, REPLY)
    with pytest.raises(TimestampRejected) as rejected:
        decode_response(answer.content)
    assert rejected.value.details == {"failInfo": [int(Failure.TIME_NOT_AVAILABLE)]}
    in_words = httpx.post(url + PATH, json=in_json(), trust_env=False)
    assert (in_words.status_code, in_words.json()["code"]) == (503, "timestamp-unavailable")
