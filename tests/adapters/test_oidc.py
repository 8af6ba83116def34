"""Believing identity tokens over a real network: keys that rotate, and issuers and callers that lie."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.issuer_server import WELL_KNOWN, Reply, serve_issuer
from tests.trust.identities import NOW, FakeIssuer, b64url, private_key, segment

from chainward.adapters.oidc import OidcVerifier
from chainward.adapters.oidc_fetch import IssuerDocuments
from chainward.adapters.oidc_keys import MAX_KEY_SET, KeySet, parse_keys
from chainward.formats.errors import Malformed, TooLarge
from chainward.trust.errors import IssuerInvalid, IssuerUnreachable, IssuerUntrusted, TokenInvalid, TokenMalformed
from chainward.trust.issuers import Issuer, Issuers, IssuerType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.adapters.issuer_server import IssuerServer

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@dataclass
class MovableClock:
    instant: datetime = NOW

    def now(self) -> datetime:
        return self.instant

    def wait(self, **amount: float) -> None:
        self.instant += timedelta(**amount)


@dataclass
class MemoryKeys:
    """Keys from memory; ``failure`` is raised instead."""

    current: KeySet
    asked: list[str] = field(default_factory=list)
    failure: Exception | None = None

    def keys(self, issuer: Issuer, url: str) -> KeySet:
        del issuer
        self.asked.append(url)
        if self.failure is not None:
            raise self.failure
        return self.current


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    with serve_issuer() as serving:
        yield serving


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def trusting(url: str, **more: Any) -> Issuers:
    return Issuers([Issuer(url=url, type=IssuerType.EMAIL, **more)])


def verifier(
    server: IssuerServer, clock: MovableClock | None = None, *, seconds: float = 5, **more: Any
) -> OidcVerifier:
    return OidcVerifier(trusting(server.issuer.url, **more), IssuerDocuments(seconds=seconds), clock or MovableClock())


def from_memory(fake: FakeIssuer, clock: MovableClock, url: str | None = None) -> tuple[OidcVerifier, MemoryKeys]:
    source = MemoryKeys(parse_keys(fake.key_set()))
    return OidcVerifier(trusting(url or fake.url), source, clock), source


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_believed_by_the_keys_that_its_issuer_publishes(algorithm: str) -> None:
    with serve_issuer(algorithm) as server:
        found = verifier(server).verify(server.issuer.token(sub="jane"))
        assert (found.url, found.claims["sub"]) == (server.issuer.url, "jane")
        assert server.asked == [WELL_KNOWN, "/keys"]


def test_a_token_of_an_unknown_issuer_makes_us_ask_nobody(server: IssuerServer) -> None:
    mine = OidcVerifier(trusting("https://login.example.org"), IssuerDocuments(), MovableClock())
    with pytest.raises(IssuerUntrusted):
        mine.verify(server.issuer.token())
    assert server.asked == []


def test_alg_none_makes_us_ask_nobody(server: IssuerServer) -> None:
    claims = segment({"iss": server.issuer.url, "aud": "sigstore", "sub": "root", "exp": 9999999999})
    for token in (f"{segment({'alg': 'none'})}.{claims}.", f"{segment({'alg': 'none'})}.{claims}.eA"):
        with pytest.raises(TokenMalformed):
            verifier(server).verify(token)
    assert server.asked == []


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_hs256_with_the_public_key_as_its_secret(server: IssuerServer, encoding: Encoding) -> None:
    secret = server.issuer.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    claims = segment({"iss": server.issuer.url, "aud": "sigstore", "sub": "root", "exp": 9999999999})
    signed = f"{segment({'alg': 'HS256', 'kid': 'key-1'})}.{claims}"
    forged = f"{signed}.{b64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
    with pytest.raises(TokenMalformed, match="HS256"):
        verifier(server).verify(forged)


def test_a_symmetric_key_among_the_published_ones_verifies_nothing(server: IssuerServer) -> None:
    oct_key = {"kty": "oct", "k": b64url(b"k" * 32), "kid": "key-2", "alg": "HS256"}
    server.paths["/keys"] = Reply(server.issuer.key_set(oct_key))
    with pytest.raises(TokenInvalid, match="no such key"):
        verifier(server).verify(replace(server.issuer, key_id="key-2").token())


@pytest.mark.parametrize(("really", "claimed"), [("RS256", "PS256"), ("RS256", "ES256"), ("ES256", "EdDSA")])
def test_algorithm_confusion(really: str, claimed: str) -> None:
    with serve_issuer(really) as server, pytest.raises(TokenInvalid):
        verifier(server).verify(server.issuer.token(header={"alg": claimed}))


@pytest.mark.parametrize(
    "key_id", ["../../etc/passwd", "key-1'--", "http://127.0.0.1/keys", "key-1\x00", "key-10", "KEY-1", "*", "key-1 "]
)
def test_kid_injection(server: IssuerServer, key_id: str) -> None:
    mine = verifier(server)
    with pytest.raises(TokenInvalid, match="no such key"):
        mine.verify(server.issuer.token(header={"kid": key_id}))
    assert set(server.asked) == {WELL_KNOWN, "/keys"}


def test_a_key_that_a_token_brings_along_is_not_looked_at(server: IssuerServer) -> None:
    attacker = replace(server.issuer, name="attacker")
    headers: list[dict[str, Any]] = [
        {"jwk": attacker.jwk()},
        {"jku": f"{server.issuer.url}/evil"},
        {"x5u": f"{server.issuer.url}/evil"},
        {"x5c": [base64.b64encode(b"certificate").decode()]},
    ]
    server.paths["/evil"] = Reply(attacker.key_set())
    for header in headers:
        with pytest.raises(TokenInvalid, match="not signed by its issuer"):
            verifier(server).verify(attacker.token(header=header))
    assert "/evil" not in server.asked


def test_a_changed_token_is_refused(server: IssuerServer) -> None:
    mine, token = verifier(server), server.issuer.token(sub="jane")
    head, _, signature = token.split(".")
    claims = segment({"iss": server.issuer.url, "aud": "sigstore", "sub": "root", "exp": 9999999999})
    with pytest.raises(TokenInvalid):
        mine.verify(f"{head}.{claims}.{signature}")
    mine.verify(token)


def test_a_token_for_others_or_for_yesterday_is_refused(server: IssuerServer, clock: MovableClock) -> None:
    mine = verifier(server, clock)
    with pytest.raises(TokenInvalid, match="not for sigstore"):
        mine.verify(server.issuer.token(aud="https://sts.example.org"))
    token = server.issuer.token()
    mine.verify(token)
    clock.wait(minutes=6)
    with pytest.raises(TokenInvalid, match="expired"):
        mine.verify(token)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", [WELL_KNOWN, "/keys"])
def test_jwks_redirect(server: IssuerServer, status: int, path: str) -> None:
    with serve_issuer() as evil:
        evil.publish(replace(server.issuer, name="attacker"))
        server.paths[path] = Reply(b"", status, {"Location": f"{evil.issuer.url}{path}"})
        with pytest.raises(IssuerUnreachable, match=str(status)) as caught:
            verifier(server).verify(replace(server.issuer, name="attacker").token())
        assert "Redirects" in caught.value.hint
        assert evil.asked == []


@pytest.mark.parametrize(
    "place",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:1/keys",
        "https://evil.test/keys",
        "https://127.0.0.1/keys",
        "file:///etc/passwd",
        "//evil.test/keys",
        "/keys",
        "http://user@127.0.0.1/keys",
        "https://[::1",
        "https://127.0.0.1:99999/keys",
        "gopher://127.0.0.1/",
    ],
)
def test_ssrf_by_the_place_of_the_keys(server: IssuerServer, place: str) -> None:
    server.paths[WELL_KNOWN] = Reply(server.issuer.discovery(place))
    with pytest.raises(IssuerUnreachable):
        verifier(server).verify(server.issuer.token())
    assert server.asked == [WELL_KNOWN]


def test_keys_on_another_host_are_fetched_only_if_it_is_configured_and_only_over_tls(server: IssuerServer) -> None:
    server.paths[WELL_KNOWN] = Reply(server.issuer.discovery("https://localhost:9/keys"))
    with pytest.raises(IssuerUnreachable, match="not its own"):
        verifier(server).verify(server.issuer.token())
    with pytest.raises(IssuerUnreachable, match="does not answer"):
        verifier(server, key_hosts=("localhost:9",)).verify(server.issuer.token())
    server.paths[WELL_KNOWN] = Reply(server.issuer.discovery("http://localhost:9/keys"))
    with pytest.raises(IssuerUnreachable, match="not its own"):
        verifier(server, key_hosts=("localhost:9",)).verify(server.issuer.token())


@pytest.mark.parametrize("other", ["https://login.example.org", "", None, 7])
def test_a_discovery_document_of_another_issuer_is_refused(server: IssuerServer, other: object) -> None:
    server.paths[WELL_KNOWN] = Reply(json.dumps({"issuer": other, "jwks_uri": f"{server.issuer.url}/keys"}).encode())
    with pytest.raises(IssuerUnreachable, match="says that it is"):
        verifier(server).verify(server.issuer.token())


@pytest.mark.parametrize("path", [WELL_KNOWN, "/keys"])
def test_huge_jwks(server: IssuerServer, path: str) -> None:
    server.paths[path] = Reply(b" " * (MAX_KEY_SET + 1))
    with pytest.raises(IssuerUnreachable, match="more than"):
        verifier(server).verify(server.issuer.token())


def test_a_key_set_that_trickles_is_given_up(server: IssuerServer) -> None:
    server.paths["/keys"] = Reply(server.issuer.key_set(), pause=0.05)
    with pytest.raises(IssuerUnreachable, match="in time"):
        verifier(server, seconds=0.3).verify(server.issuer.token())


def test_a_compressed_answer_is_not_unpacked(server: IssuerServer) -> None:
    server.paths["/keys"] = Reply(b"x", headers={"Content-Encoding": "gzip"})
    with pytest.raises(IssuerUnreachable, match="compressed"):
        verifier(server).verify(server.issuer.token())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"keys":' + b"[" * 500 + b"]" * 500 + b"}"])
@pytest.mark.parametrize("path", [WELL_KNOWN, "/keys"])
def test_an_issuer_that_talks_nonsense_is_unreachable(server: IssuerServer, path: str, body: bytes) -> None:
    server.paths[path] = Reply(body)
    with pytest.raises(IssuerUnreachable):
        verifier(server).verify(server.issuer.token())


def test_an_issuer_that_is_gone_is_unreachable() -> None:
    with serve_issuer() as server:
        pass
    with pytest.raises(IssuerUnreachable, match="does not answer"):
        verifier(server).verify(server.issuer.token())


@pytest.mark.parametrize(
    "pem", ["/etc/ca.pem", "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"]
)
def test_certificates_that_cannot_be_used_are_an_error_of_the_configuration(pem: str) -> None:
    with pytest.raises(IssuerInvalid, match="ca_certificate"):
        trusting("https://login.example.org", ca_certificate=pem)


def test_keys_are_kept_and_asked_for_again_after_a_while(clock: MovableClock) -> None:
    fake = FakeIssuer(more={"exp": 9999999999})
    mine, source = from_memory(fake, clock)
    for _ in range(3):
        mine.verify(fake.token())
    assert len(source.asked) == 1
    clock.wait(minutes=5)
    mine.verify(fake.token())
    assert len(source.asked) == 2


def test_a_new_key_is_found_at_once(clock: MovableClock) -> None:
    fake = FakeIssuer(more={"exp": 9999999999})
    mine, source = from_memory(fake, clock)
    mine.verify(fake.token())
    clock.wait(seconds=31)
    turned = replace(fake, key_id="key-2", name="second")
    source.current = parse_keys(fake.key_set(turned.jwk()))
    mine.verify(turned.token())
    assert len(source.asked) == 2


def test_unknown_keys_make_us_ask_only_now_and_then(clock: MovableClock) -> None:
    fake = FakeIssuer(more={"exp": 9999999999})
    mine, source = from_memory(fake, clock)
    for number in range(50):
        with pytest.raises(TokenInvalid):
            mine.verify(fake.token(header={"kid": f"made-up-{number}"}))
    assert len(source.asked) == 1
    mine.verify(fake.token())


def test_stale_keys(clock: MovableClock) -> None:
    """A key that its issuer withdrew ceases to count, even if the issuer cannot be reached any more."""
    fake = FakeIssuer(more={"exp": 9999999999})
    mine, source = from_memory(fake, clock)
    mine.verify(fake.token())
    source.current = parse_keys(replace(fake, key_id="key-2", name="second").key_set())
    clock.wait(minutes=5)
    with pytest.raises(TokenInvalid):
        mine.verify(fake.token())


def test_keys_outlive_a_short_outage_and_no_longer_one(clock: MovableClock) -> None:
    fake = FakeIssuer(more={"exp": 9999999999})
    mine, source = from_memory(fake, clock)
    mine.verify(fake.token())
    source.failure = IssuerUnreachable("it is down")
    clock.wait(minutes=6)
    mine.verify(fake.token())
    clock.wait(minutes=5)
    with pytest.raises(IssuerUnreachable):
        mine.verify(fake.token())
    source.failure = None
    clock.wait(seconds=6)
    mine.verify(fake.token())


def test_an_issuer_that_just_failed_is_left_alone_for_a_moment(clock: MovableClock) -> None:
    fake = FakeIssuer()
    mine, source = from_memory(fake, clock)
    source.failure = IssuerUnreachable("it is down")
    for _ in range(10):
        with pytest.raises(IssuerUnreachable):
            mine.verify(fake.token())
    assert len(source.asked) == 1


def test_a_wildcard_does_not_make_us_ask_a_thousand_hosts(clock: MovableClock) -> None:
    fake = FakeIssuer(url="https://oidc.example.org/org/a")
    mine, source = from_memory(fake, clock, "https://oidc.example.org/org/*")
    mine.verify(fake.token())
    for number in range(1000):
        with pytest.raises((TokenInvalid, IssuerUnreachable)):
            mine.verify(replace(fake, url=f"https://oidc.example.org/org/{number}", name="attacker").token())
    assert len(source.asked) <= 30
    mine.verify(fake.token())
    assert all(url.startswith("https://oidc.example.org/org/") for url in source.asked)


def test_members_of_a_family_have_different_keys(clock: MovableClock) -> None:
    ours = FakeIssuer(url="https://oidc.example.org/org/ours")
    mine, source = from_memory(ours, clock, "https://oidc.example.org/org/*")
    mine.verify(ours.token())
    theirs = replace(ours, url="https://oidc.example.org/org/theirs", name="theirs")
    source.current = parse_keys(theirs.key_set())
    mine.verify(theirs.token())
    with pytest.raises(TokenInvalid):
        mine.verify(replace(theirs, url=ours.url).token())


def test_the_present_keys_answer_while_somebody_fetches_new_ones(server: IssuerServer, clock: MovableClock) -> None:
    mine = verifier(server, clock)
    token = server.issuer.token(exp=9999999999)
    mine.verify(token)
    clock.wait(minutes=6)
    server.gate.clear()
    server.held.clear()
    fetching = threading.Thread(target=mine.verify, args=(token,))
    fetching.start()
    assert server.held.wait(5)
    mine.verify(token)
    assert fetching.is_alive()
    server.gate.set()
    fetching.join()


def test_an_issuer_of_this_process_is_asked_nothing_over_the_network(clock: MovableClock) -> None:
    fake = FakeIssuer()
    source = MemoryKeys(KeySet(()), failure=IssuerUnreachable("must not be asked"))
    mine = OidcVerifier(trusting(fake.url), source, clock, local={fake.url: parse_keys(fake.key_set())})
    mine.verify(fake.token())
    assert source.asked == []


def test_a_token_without_a_key_id_is_believed_only_if_one_key_could_have_signed_it(clock: MovableClock) -> None:
    fake = FakeIssuer(key_id=None)
    mine, source = from_memory(fake, clock)
    mine.verify(fake.token())
    source.current = parse_keys(fake.key_set(replace(fake, name="second").jwk()))
    mine = OidcVerifier(trusting(fake.url), source, clock)
    with pytest.raises(TokenInvalid, match="no such key"):
        mine.verify(fake.token())


@pytest.mark.parametrize(
    "spoiled",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"alg": 7},
        {"kty": "oct"},
        {"kty": None},
        {"n": "AQAB"},
        {"n": "!!"},
        {"e": None},
        {"kid": 7},
        {"d": "AQAB"},
    ],
    ids=str,
)
def test_a_published_key_that_must_not_verify_this_is_passed_over(spoiled: dict[str, Any]) -> None:
    fake = FakeIssuer()
    good = replace(fake, key_id="key-2", name="second")
    keys = parse_keys(json.dumps({"keys": [fake.jwk(**spoiled), 7, None, good.jwk()]}).encode())
    clock = MovableClock()
    mine = OidcVerifier(trusting(fake.url), MemoryKeys(keys), clock)
    with pytest.raises(TokenInvalid):
        mine.verify(fake.token())
    mine.verify(good.token())


def test_a_short_rsa_key_of_an_issuer_is_passed_over() -> None:
    long = private_key("RS256").public_key()
    assert isinstance(long, rsa.RSAPublicKey)
    modulus = (long.public_numbers().n >> 1024) | 1
    short = {"kty": "RSA", "kid": "key-1", "n": b64url(modulus.to_bytes(128, "big")), "e": "AQAB"}
    assert parse_keys(json.dumps({"keys": [short]}).encode()).keys == ()


def test_no_more_keys_are_read_than_an_issuer_can_need() -> None:
    fake = FakeIssuer(algorithm="ES256")
    assert len(parse_keys(json.dumps({"keys": [fake.jwk(kid=str(n)) for n in range(500)]}).encode()).keys) == 64


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_set_or_malformed(data: bytes) -> None:
    try:
        parse_keys(data)
    except (Malformed, TooLarge):
        return
    assert isinstance(json.loads(data), dict)


def tls_context(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return a server's context for 127.0.0.1, and the certificate (PEM) that a client must trust for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, pem.decode()


def test_an_issuer_over_tls_is_believed_by_its_own_certificates_and_no_others(tmp_path: Path) -> None:
    context, pem = tls_context(tmp_path)
    _, other = tls_context(tmp_path)
    with serve_issuer("ES256", context) as server:
        token = server.issuer.token(sub="jane")
        assert verifier(server, ca_certificate=pem).verify(token).claims["sub"] == "jane"
        for wrong in (other, ""):
            with pytest.raises(IssuerUnreachable, match="certificate verify failed"):
                verifier(server, ca_certificate=wrong).verify(token)


def test_many_callers_at_once_ask_the_issuer_once(server: IssuerServer) -> None:
    mine, token = verifier(server), server.issuer.token()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(mine.verify, [token] * 40))
    assert {each.url for each in found} == {server.issuer.url}
    assert server.asked == [WELL_KNOWN, "/keys"]


def test_an_issuer_that_hangs_does_not_hold_every_thread(server: IssuerServer, clock: MovableClock) -> None:
    """Tokens cost nothing to make: one for each thread would stop the platform while an issuer is slow."""
    mine = OidcVerifier(trusting(server.issuer.url), IssuerDocuments(), clock, crowd=2)
    token = server.issuer.token()
    server.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(mine.verify, token) for _ in range(2)]
        assert server.held.wait(5)
        while mine._crowd._value:
            threading.Event().wait(0.001)
        with pytest.raises(IssuerUnreachable, match="too many"):
            mine.verify(token)
        server.gate.set()
        assert {each.result().url for each in waiting} == {server.issuer.url}
    mine.verify(token)


def test_known_keys_answer_though_too_many_wait_for_another_issuer(server: IssuerServer, clock: MovableClock) -> None:
    mine = OidcVerifier(trusting(server.issuer.url), IssuerDocuments(), clock, crowd=1)
    token = server.issuer.token(exp=9999999999)
    mine.verify(token)
    clock.wait(minutes=6)
    assert mine._crowd.acquire(blocking=False)
    mine.verify(token)
    clock.wait(minutes=5)
    with pytest.raises(IssuerUnreachable, match="too many"):
        mine.verify(token)
