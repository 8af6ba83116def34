"""The client of any Sigstore instance, against scripted services: what is sent, what is believed, what is told."""

from __future__ import annotations

import base64
import hashlib
import json
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.loopback import Asked, Reply, served
from tests.tokens import NOW, jwt_of
from tests.trust.instance import MemoryInstance, MemoryStamps, token_of
from tests.trust.world import MemoryLog

from chainward.adapters.exchange import Exchange, ServiceAnswerUnexpected, ServiceUnreachable
from chainward.adapters.sigstore import (
    CertificateAuthority,
    CertificateRefused,
    Instance,
    LogEntryRefused,
    Possession,
    ServiceMissing,
    SigstoreLog,
    StampRefused,
    TimestampAuthority,
    log_at,
    platform_services,
)
from chainward.adapters.system import SystemEntropy
from chainward.formats.bundle import encode_log_entry
from chainward.formats.rekor import HashedRekord, decode_entry_request
from chainward.formats.signing_config import Service, SigningConfig
from chainward.formats.timestamp_request import decode_request
from chainward.kernel.problem import Kind, Problem
from chainward.keys.local import generate
from chainward.keys.model import PublicKey, Scheme
from chainward.trust.ambient import IdentityToken
from chainward.trust.material import TrustMaterial

if TYPE_CHECKING:
    from collections.abc import Callable

STAMP: Final = {"Content-Type": "application/timestamp-reply"}
KEY: Final = generate(Scheme.ECDSA_P256_SHA256)
ENTRY: Final = HashedRekord(hashlib.sha256(b"x").digest(), KEY.sign(b"x"), KEY.public_key.der)


def exchange() -> Exchange:
    return Exchange(seconds=10, pause=lambda _: None)


def certified(instance: MemoryInstance, member: str = "signedCertificateEmbeddedSct") -> bytes:
    chain = instance.certificates.certify(token_of(), KEY)
    pems = [x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode() for der in chain]
    return json.dumps({member: {"chain": {"certificates": pems}}}).encode()


def certify(url: str, possession: Possession = Possession.REQUEST, token: IdentityToken | None = None) -> Any:
    with exchange() as client:
        return CertificateAuthority(client, f"{url}/", possession).certify(token or token_of(), KEY)


def submit(url: str, secret: str | None = None) -> Any:
    with exchange() as client:
        return SigstoreLog(client, url, MemoryLog().log, secret=secret).submit(ENTRY)


def stamp(url: str, stamps: MemoryStamps | None = None) -> bytes:
    with exchange() as client:
        known = (stamps or MemoryStamps()).authorities
        return TimestampAuthority(client, f"{url}/stamp", known, SystemEntropy()).stamp(b"signature")


# -- certificates -----------------------------------------------------------------------------------------------------


def test_a_certificate_is_asked_for_with_a_signed_request_and_comes_leaf_first() -> None:
    instance = MemoryInstance()
    with served((200, {}, certified(instance))) as (url, script):
        chain = certify(url)
    assert PublicKey.from_certificate(chain[0]) == KEY.public_key
    assert tuple(chain[1:]) == instance.certificates.certificates
    [asked] = script.asked
    body = json.loads(asked.body)
    request = x509.load_pem_x509_csr(base64.b64decode(body["certificateSigningRequest"]))
    assert request.is_signature_valid
    assert (asked.path, asked.method) == ("/api/v2/signingCert", "POST")
    assert IdentityToken.parse(body["credentials"]["oidcIdentityToken"]).email == "jane@example.org"


@pytest.mark.parametrize(
    ("token", "challenge"),
    [(token_of(), "jane@example.org"), (token_of("repo:shop/web", email=False), "repo:shop/web")],
    ids=["email", "sub"],
)
def test_an_authority_that_wants_a_challenge_gets_the_name_signed(token: IdentityToken, challenge: str) -> None:
    with served((201, {}, certified(MemoryInstance()))) as (url, script):
        certify(url, Possession.CHALLENGE, token)
    asked = json.loads(script.asked[0].body)["publicKeyRequest"]
    PublicKey.from_pem(asked["publicKey"]["content"].encode()).verify(
        challenge.encode(), base64.b64decode(asked["proofOfPossession"])
    )
    assert asked["publicKey"]["algorithm"] == "ECDSA"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"signedCertificateEmbeddedSct":{"chain":{"certificates":[]}}}',
        b'{"signedCertificateEmbeddedSct":{"chain":{"certificates":["no PEM"]}}}',
        b'{"signedCertificateEmbeddedSct":{"chain":{"certificates":["\\u0430"]}}}',
        b'{"signedCertificateEmbeddedSct":{"chain":{"certificates":' + json.dumps(["x"] * 11).encode() + b"}}}",
        b"x" * 300_000,
    ],
    ids=["empty", "list", "nothing", "no certificate", "no PEM", "no ASCII", "too many", "oversized"],
)
def test_an_answer_that_is_no_certificate_is_told_as_that(body: bytes) -> None:
    with served((200, {}, body)) as (url, _), pytest.raises(ServiceAnswerUnexpected):
        certify(url)


def test_a_certificate_with_its_sct_elsewhere_is_not_taken() -> None:
    body = certified(MemoryInstance(), "signedCertificateDetachedSct")
    with served((200, {}, body)) as (url, _), pytest.raises(ServiceAnswerUnexpected, match="SCT"):
        certify(url)


def test_a_refusal_of_the_authority_is_told_in_its_own_words() -> None:
    body = b'{"code":3,"message":"There was an error processing the identity token","details":[]}'
    with served((400, {}, body)) as (url, _), pytest.raises(CertificateRefused, match="error processing") as caught:
        certify(url)
    assert caught.value.kind is Kind.UNAUTHENTICATED


def test_a_refusal_of_a_platform_keeps_its_code_and_hint() -> None:
    body = b'{"title":"no","status":403,"detail":"not you","code":"identity-refused","hint":"ask","kind":"forbidden"}'
    with served((403, {}, body)) as (url, _), pytest.raises(Problem, match="not you") as caught:
        certify(url)
    assert (caught.value.code, caught.value.hint, caught.value.kind) == ("identity-refused", "ask", Kind.FORBIDDEN)


@pytest.mark.parametrize("shape", ['{"message":"bad token %s"}', '{"code":"bad-token","detail":"%s"}', "%s"])
def test_a_token_that_the_authority_repeats_in_its_error_does_not_get_into_logs(shape: str) -> None:
    secret = jwt_of(sub="secret-subject")
    with served((401, {}, (shape % secret).encode())) as (url, _), pytest.raises(Problem) as caught:
        certify(url, token=IdentityToken.parse(secret))
    problem = caught.value
    shown = "".join(traceback.format_exception(problem)) + problem.hint + str(problem.details)
    assert secret not in shown
    assert secret.split(".")[1] not in shown


@pytest.mark.parametrize("location", ["http://127.0.0.2:1/api/v2/signingCert", "http://localhost:1/"])
def test_a_redirect_to_another_host_gets_no_identity_token(location: str) -> None:
    with served((308, {"Location": location}, b"")) as (url, script):
        with pytest.raises(ServiceAnswerUnexpected, match="elsewhere"):
            certify(url)
        assert len(script.asked) == 1


# -- log --------------------------------------------------------------------------------------------------------------


def test_a_signature_is_logged_as_hashedrekord_and_its_entry_comes_back() -> None:
    log = MemoryLog()
    expected = log.submit(ENTRY)
    with served((201, {}, encode_log_entry(expected))) as (url, script):
        assert submit(url, "cwt_token") == expected
    [asked] = script.asked
    assert decode_entry_request(asked.body) == ENTRY
    assert (asked.path, asked.headers["authorization"]) == ("/api/v2/log/entries", "Bearer cwt_token")


def test_a_log_that_takes_entries_from_everybody_gets_no_token() -> None:
    with served((200, {}, encode_log_entry(MemoryLog().submit(ENTRY)))) as (url, script):
        submit(url)
    assert "authorization" not in script.asked[0].headers


@pytest.mark.parametrize("body", [b"", b"{}", b'{"logIndex":"x"}', b"x" * 1_100_000])
def test_an_answer_that_is_no_log_entry_is_told_as_that(body: bytes) -> None:
    with served((201, {}, body)) as (url, _), pytest.raises(ServiceAnswerUnexpected):
        submit(url)


def test_a_frozen_shard_is_told_in_its_own_words() -> None:
    body = b'{"code":9,"message":"this log has been frozen"}'
    with served((405, {}, body)) as (url, _), pytest.raises(LogEntryRefused, match="frozen") as caught:
        submit(url)
    assert "signing config" in caught.value.hint


def test_a_log_that_pushes_back_is_asked_again() -> None:
    with served((503, {}, b""), (201, {}, encode_log_entry(MemoryLog().submit(ENTRY)))) as (url, script):
        submit(url)
    assert len(script.asked) == 2


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_service_in_trouble_is_not_a_refusal(status: int) -> None:
    with served((status, {}, b"trouble")) as (url, _):
        for ask in (certify, submit, stamp):
            with pytest.raises(ServiceUnreachable, match=str(status)):
                ask(url)


# -- timestamps -------------------------------------------------------------------------------------------------------


def answering(stamps: MemoryStamps, change: Callable[[bytes, int | None], tuple[bytes, int | None]]) -> Any:
    def answer(asked: Asked) -> Reply:
        request = decode_request(asked.body)
        return 200, STAMP, stamps.answer(*change(request.digest, request.nonce))

    return answer


def test_a_timestamp_is_asked_for_with_a_nonce_and_the_certificates() -> None:
    stamps = MemoryStamps()
    with served(answering(stamps, lambda digest, nonce: (digest, nonce))) as (url, script):
        first, second = stamp(url, stamps), stamp(url, stamps)
    assert first != second
    asked = [decode_request(each.body) for each in script.asked]
    assert [each.digest for each in asked] == [hashlib.sha256(b"signature").digest()] * 2
    assert asked[0].nonce != asked[1].nonce
    assert all(each.certificates for each in asked)
    assert script.asked[0].headers["content-type"] == "application/timestamp-query"
    assert script.asked[0].path == "/stamp"


@pytest.mark.parametrize(
    "change",
    [
        lambda _, nonce: (hashlib.sha256(b"other bytes").digest(), nonce),
        lambda digest, _: (digest, None),
        lambda digest, nonce: (digest, nonce + 1),
    ],
    ids=["token over other bytes", "token without the nonce", "replayed token"],
)
def test_a_timestamp_over_something_else_is_refused(
    change: Callable[[bytes, int | None], tuple[bytes, int | None]],
) -> None:
    with served(answering(MemoryStamps(), change)) as (url, _), pytest.raises(StampRefused, match="something else"):
        stamp(url)


@pytest.mark.parametrize("body", [b"", b"\x30\x03\x02\x01\x02", b"\x30\x80", b"<html>"])
def test_an_answer_that_is_no_timestamp_is_refused(body: bytes) -> None:
    with served((200, STAMP, body)) as (url, _), pytest.raises(StampRefused):
        stamp(url)


def test_an_answer_of_another_media_type_is_not_read_as_a_timestamp() -> None:
    with (
        served((200, {"Content-Type": "text/html"}, b"")) as (url, _),
        pytest.raises(ServiceAnswerUnexpected, match="text/html"),
    ):
        stamp(url)
    with served((200, STAMP, b"x" * 70_000)) as (url, _), pytest.raises(ServiceAnswerUnexpected, match="more than"):
        stamp(url)


# -- which services ---------------------------------------------------------------------------------------------------


def service(url: str, *, version: int = 1, start: int = -10, end: int | None = None) -> Service:
    until = None if end is None else NOW + timedelta(days=end)
    return Service(url=url, version=version, start=NOW + timedelta(days=start), end=until, operator="o")


def instance(config: SigningConfig, material: TrustMaterial | None = None) -> Instance:
    known = material or MemoryInstance().material
    return Instance(config, known, exchange(), now=NOW, entropy=SystemEntropy())


def test_the_newest_service_that_is_valid_now_is_taken() -> None:
    candidates = (
        service("http://127.0.0.1:1/old"),
        service("http://127.0.0.1:1/newest", start=-1),
        service("http://127.0.0.1:1/older", start=-5),
        service("http://127.0.0.1:1/future", start=1),
        service("http://127.0.0.1:1/past", start=-1, end=-1),
        service("http://127.0.0.1:1/next-api", version=3, start=0),
    )
    logs = tuple(replace(each, version=each.version + 1) for each in candidates)
    found = instance(SigningConfig(ca=candidates, logs=logs, tsas=candidates))
    assert found.certificates._url == "http://127.0.0.1:1/newest/api/v2/signingCert"
    assert found.log._url == "http://127.0.0.1:1/newest/api/v2/log/entries"
    assert found.stamps._url == "http://127.0.0.1:1/newest"


def test_the_ends_of_a_window_belong_to_it() -> None:
    found = instance(SigningConfig(ca=(service("http://127.0.0.1:1", start=0, end=0),)))
    assert found.certificates._url == "http://127.0.0.1:1/api/v2/signingCert"


def test_a_config_without_a_service_is_only_a_problem_for_whoever_needs_it() -> None:
    found = instance(SigningConfig(logs=(service("http://127.0.0.1:1", version=2),)))
    assert found.log._url == "http://127.0.0.1:1/api/v2/log/entries"
    assert not found.has_stamps
    for missing in ("certificates", "stamps"):
        with pytest.raises(ServiceMissing, match="authority"):
            getattr(found, missing)


def test_a_rekor_v1_log_is_not_spoken_to() -> None:
    with pytest.raises(ServiceMissing, match="signature log of version 2"):
        _ = instance(SigningConfig(logs=(service("http://127.0.0.1:1", version=1),))).log


def test_the_log_at_an_address_is_the_one_of_that_name_else_the_newest_that_is_valid() -> None:
    now = datetime.now(UTC)
    old, new = MemoryLog("old.example.test", "old").log, MemoryLog("new.example.test", "new").log
    old = replace(old, base_url="https://old.example.test", start=now - timedelta(days=9))
    new = replace(new, base_url="https://new.example.test", start=now - timedelta(days=1))
    ended = replace(MemoryLog("end.example.test", "end").log, end=now - timedelta(days=1))
    material = TrustMaterial((old, new, ended))
    assert log_at("https://old.example.test/api", material, now) is old
    assert log_at("http://127.0.0.1:8420", material, now) is new
    with pytest.raises(ServiceMissing, match="no log"):
        log_at("https://end.example.test", TrustMaterial((ended,)), now)


def test_a_platform_has_all_its_services_below_its_own_address() -> None:
    found = instance(platform_services("http://127.0.0.1:8420/"))
    assert found.certificates._url == "http://127.0.0.1:8420/api/v2/signingCert"
    assert found.log._url == "http://127.0.0.1:8420/api/v2/log/entries"
    assert found.stamps._url == "http://127.0.0.1:8420/api/v1/timestamp"
