"""The certificate authority over a real ledger: what is in a certificate, what is in its log, and what fails."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.access.standins import CountingEntropy, StoppedClock
from tests.platforms import CONTEXT, open_test_platform
from tests.trust.certification import (
    MemoryAuthorities,
    SubjectKey,
    TokenDesk,
    challenge_proof,
    fresh_key,
    request_pem,
    request_proof,
)
from tests.trust.identities import GITHUB, GITHUB_CLAIMS, NOW

from chainward.formats.fulcio import decode_claims
from chainward.formats.sct import SCT_LIST, merkle_leaf, precert_tbs, scts_of
from chainward.keys.model import Scheme
from chainward.ledger.checkpoint import NoteSigner
from chainward.ledger.errors import CommitUncertain, LogFrozen
from chainward.ledger.proofs import leaf_hash, verify_inclusion
from chainward.trust.certify import LIFETIME, Certifier
from chainward.trust.errors import CertificatesUnavailable, PossessionUnproven, TokenInvalid
from chainward.trust.issuers import Issuer, IssuerType
from chainward.trust.material import TrustedLog
from chainward.trust.possession import RequestProof
from chainward.trust.providers import ready_providers
from chainward.trust.sct import issuer_key_hash, verify_sct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainward.kernel.problem import Problem
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody, Receipt
    from chainward.wiring import Platform

JANE = {"sub": "1234", "email": "jane@example.org", "email_verified": True}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with open_test_platform(tmp_path_factory.mktemp("certify") / "platform") as opened:
        yield opened.platform


@dataclass
class World:
    """A certifier and all that it stands on."""

    ledger: Ledger
    authorities: MemoryAuthorities
    tokens: TokenDesk
    clock: StoppedClock
    entropy: CountingEntropy

    @property
    def certifier(self) -> Certifier:
        return Certifier(self.ledger, self.authorities, self.tokens, self.clock, self.entropy)

    def issue(self, key: SubjectKey | None = None) -> x509.Certificate:
        chain = self.certifier.certify("token", request_proof(key or fresh_key()), context=CONTEXT)
        assert chain[1:] == self.authorities.found["ca-1"].certificates
        return x509.load_der_x509_certificate(chain[0])

    @property
    def issuer(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.authorities.found["ca-1"].certificates[0])


@pytest.fixture
def world(platform: Platform) -> World:
    origin = platform.logs["certificates"].origin
    return World(platform.ledger, MemoryAuthorities([origin]), TokenDesk(JANE), StoppedClock(NOW), CountingEntropy())


def entries(ledger: Ledger, origin: str) -> Sequence[bytes]:
    with ledger.view() as view:
        return view.entries(origin, 0, view.head(origin).size)


def test_the_profile_of_a_certificate(world: World) -> None:
    key = fresh_key()
    found = world.issue(key)
    assert found.version is x509.Version.v3
    assert list(found.subject) == []
    assert found.issuer == world.issuer.subject
    assert 0 < found.serial_number < 1 << 159
    assert found.not_valid_after_utc - found.not_valid_before_utc == LIFETIME == timedelta(minutes=10)
    assert found.public_key() == key.public_key()
    seen = {extension.oid.dotted_string: extension.critical for extension in found.extensions}
    fulcio = "1.3.6.1.4.1.57264.1."
    assert list(seen.items()) == [
        ("2.5.29.15", True),
        ("2.5.29.37", False),
        ("2.5.29.14", False),
        ("2.5.29.35", False),
        ("2.5.29.17", True),
        (fulcio + "1", False),
        (fulcio + "8", False),
        (fulcio + "24", False),
        (SCT_LIST.dotted_string, False),
    ]


def test_a_certificate_signs_code_and_nothing_else(world: World) -> None:
    extensions = world.issue().extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not any((usage.key_cert_sign, usage.crl_sign, usage.content_commitment, usage.key_encipherment))
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CODE_SIGNING]


def test_a_certificate_names_who_asked_once_and_who_vouched(world: World) -> None:
    extensions = world.issue().extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.RFC822Name("jane@example.org")]
    assert decode_claims(extensions) == {"issuer": "https://login.example.org", "token_subject": "1234"}


def test_a_certificate_points_at_its_issuer_and_the_chain_verifies(world: World) -> None:
    found = world.issue()
    own = world.issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    pointed = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert pointed.key_identifier == own.digest
    assert (pointed.authority_cert_issuer, pointed.authority_cert_serial_number) == (None, None)
    found.verify_directly_issued_by(world.issuer)


def test_a_ci_job_gets_all_its_extensions(world: World) -> None:
    issuer = Issuer(url=GITHUB, type=IssuerType.CI_PROVIDER, provider=ready_providers()["github"])
    world.tokens = TokenDesk(GITHUB_CLAIMS, issuer)
    claims = decode_claims(world.issue().extensions)
    assert len(claims) == 21
    assert claims["source_repository_uri"] == "https://github.com/acme/shop"
    assert claims["token_subject"] == GITHUB_CLAIMS["sub"]


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "Ed25519", "RSA-2048"])
def test_every_kind_of_key_that_clients_verify_is_certified(world: World, kind: str) -> None:
    key = fresh_key(kind)
    found = world.issue(key)
    encoded = [each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for each in (found, key)]
    assert encoded[0] == encoded[1]


def test_a_signed_challenge_is_as_good_as_a_request(world: World) -> None:
    key = fresh_key()
    chain = world.certifier.certify("token", challenge_proof(key, "jane@example.org"), context=CONTEXT)
    assert x509.load_der_x509_certificate(chain[0]).public_key() == key.public_key()
    with pytest.raises(PossessionUnproven):
        world.certifier.certify("token", challenge_proof(key, "1234"), context=CONTEXT)


def test_what_a_request_asks_for_beside_its_key_is_ignored(world: World) -> None:
    greedy = (
        x509.SubjectAlternativeName([x509.RFC822Name("root@example.org")]),
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
    )
    pem = request_pem(fresh_key(), *greedy, common_name="root@example.org")
    found = x509.load_der_x509_certificate(world.certifier.certify("token", RequestProof(pem), context=CONTEXT)[0])
    assert list(found.subject) == []
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.RFC822Name("jane@example.org")]
    with pytest.raises(x509.ExtensionNotFound):
        found.extensions.get_extension_for_class(x509.BasicConstraints)


def test_the_promise_inside_is_kept_before_anybody_sees_the_certificate(world: World, platform: Platform) -> None:
    found = world.issue()
    log = world.authorities.found["ct-1"]
    trusted = TrustedLog(log.origin, log.public_key, log.log_id)
    assert verify_sct(found, world.issuer, [trusted]) == NOW
    der = found.public_bytes(Encoding.DER)
    [sct] = scts_of(der)
    leaf = merkle_leaf(sct.timestamp, issuer_key_hash(world.issuer), precert_tbs(der))
    present = entries(world.ledger, log.origin)
    assert present[-1] == leaf
    proof = world.ledger.inclusion(log.origin, len(present) - 1)
    verify_inclusion(proof.index, proof.size, leaf_hash(leaf), proof.hashes, proof.root)
    signer = NoteSigner(log.origin, platform.services.authorities.signer("ct-1"))
    assert signer.open(proof.checkpoint).size == len(present)


def test_a_fact_says_which_certificate_was_issued_to_whom(world: World) -> None:
    found = world.issue()
    der = found.public_bytes(Encoding.DER)
    [fact] = world.ledger.facts(
        world.ledger.logs()[0].size - 10_000, 10_000, frozenset({"trust.certificate-issued/1"})
    )[-1:]
    assert fact.body is not None
    assert fact.body["certificate"] == hashlib.sha256(der).hexdigest()
    assert fact.body["serial"] == f"{found.serial_number:x}"
    leaf = entries(world.ledger, world.authorities.found["ct-1"].origin)[-1]
    assert fact.body["leaf"] == leaf_hash(leaf).hex()
    assert {"identity:jane@example.org", f"certificate:sha256:{hashlib.sha256(der).hexdigest()}"} <= set(fact.subjects)


def test_one_certificate_costs_one_signature_of_the_authority_and_one_of_the_log(world: World) -> None:
    world.issue()
    assert (world.authorities.signers["ca-1"].count, world.authorities.signers["ct-1"].count) == (1, 1)


@pytest.mark.parametrize("scheme", [Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384])
def test_any_holder_of_a_key_can_issue(world: World, scheme: Scheme) -> None:
    world.authorities = MemoryAuthorities(world.authorities.logs, scheme)
    found = world.issue()
    public = world.issuer.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    found.verify_directly_issued_by(world.issuer)
    log = world.authorities.found["ct-1"]
    assert verify_sct(found, world.issuer, [TrustedLog(log.origin, log.public_key, log.log_id)]) == NOW


def test_a_certificate_begins_a_moment_ago_for_clocks_that_are_behind(world: World) -> None:
    world.clock.instant = NOW.replace(microsecond=999_999)
    found = world.issue()
    assert found.not_valid_before_utc == NOW - timedelta(seconds=5)


def test_a_certificate_never_begins_before_its_issuer(world: World) -> None:
    world.authorities = MemoryAuthorities(world.authorities.logs, start=NOW - timedelta(seconds=2))
    assert world.issue().not_valid_before_utc == world.issuer.not_valid_before_utc


@pytest.mark.parametrize("left", [timedelta(seconds=-1), timedelta(minutes=9)])
def test_an_authority_that_is_about_to_end_issues_nothing_that_would_outlive_it(world: World, left: timedelta) -> None:
    before = entries(world.ledger, world.authorities.logs[0])
    world.authorities = MemoryAuthorities(world.authorities.logs, end=NOW + left)
    with pytest.raises(CertificatesUnavailable):
        world.issue()
    assert entries(world.ledger, world.authorities.logs[0]) == before


def test_serial_numbers_are_random_and_differ(world: World) -> None:
    serials = {world.issue().serial_number for _ in range(5)}
    assert len(serials) == 5
    assert all(serial.bit_length() > 100 for serial in serials)


@pytest.mark.parametrize("content", [bytes(20), b"\x80" + bytes(19), b"\xff" * 20])
def test_a_serial_number_is_positive_and_short_whatever_chance_brings(world: World, content: bytes) -> None:
    class Fixed(CountingEntropy):
        def bytes(self, count: int) -> bytes:
            return content if count == 20 else super().bytes(count)

    world.entropy = Fixed()
    assert 0 < world.issue().serial_number < 1 << 159


@pytest.mark.parametrize("failure", [TokenInvalid("forged"), PossessionUnproven("stolen")])
def test_who_is_refused_leaves_nothing_in_the_log(world: World, failure: Problem) -> None:
    before = entries(world.ledger, world.authorities.logs[0])
    world.tokens.failure = failure
    with pytest.raises(type(failure)):
        world.issue()
    assert entries(world.ledger, world.authorities.logs[0]) == before
    assert world.authorities.signers["ca-1"].count == 0


class FailingLedger:
    """A ledger that says no, before or after it has written."""

    def __init__(self, ledger: Ledger, failures: list[Problem], *, after: bool = False) -> None:
        self.ledger = ledger
        self.failures = failures
        self.after = after
        self.origins: list[str] = []

    def commit(self, facts: Sequence[FactBody] = (), **more: Any) -> Receipt:
        self.origins += [origin for origin, _ in more["entries"]]
        if self.failures and not self.after:
            raise self.failures.pop()
        receipt = self.ledger.commit(facts, **more)
        if self.failures:
            raise self.failures.pop()
        return receipt


@pytest.mark.parametrize("after", [False, True])
def test_a_certificate_whose_log_entry_is_not_known_to_be_durable_is_not_given_out(world: World, after: bool) -> None:  # noqa: FBT001 - the two times of a fault
    ledger = FailingLedger(world.ledger, [CommitUncertain("the disk is gone")], after=after)
    with pytest.raises(CommitUncertain):
        replace(world, ledger=cast("Ledger", ledger)).issue()
    assert len(ledger.origins) == 1


def test_a_log_that_is_frozen_in_this_moment_is_replaced_by_its_successor(world: World) -> None:
    authorities = MemoryAuthorities(["ct.gone.test", world.authorities.logs[0]])

    class Rotating(FailingLedger):
        def commit(self, facts: Sequence[FactBody] = (), **more: Any) -> Receipt:
            authorities.active_log = 2
            return super().commit(facts, **more)

    ledger = Rotating(world.ledger, [LogFrozen("ct.gone.test is frozen")])
    found = replace(world, ledger=cast("Ledger", ledger), authorities=authorities).issue()
    assert ledger.origins == ["ct.gone.test", world.authorities.logs[0]]
    log = authorities.found["ct-2"]
    issuer = x509.load_der_x509_certificate(authorities.found["ca-1"].certificates[0])
    assert verify_sct(found, issuer, [TrustedLog(log.origin, log.public_key, log.log_id)]) == NOW


def test_a_log_that_stays_frozen_is_an_error(world: World) -> None:
    ledger = FailingLedger(world.ledger, [LogFrozen("frozen"), LogFrozen("frozen")])
    with pytest.raises(LogFrozen):
        replace(world, ledger=cast("Ledger", ledger)).issue()


def test_the_next_authority_issues_within_a_second(world: World) -> None:
    certifier = world.certifier
    first = certifier.certify("token", request_proof(fresh_key()), context=CONTEXT)
    other = MemoryAuthorities(world.authorities.logs)
    world.authorities.found["ca-1"] = replace(other.found["ca-1"], name="ca-2")
    world.authorities.signers["ca-2"] = other.signers["ca-1"]
    world.clock.instant += timedelta(seconds=1)
    second = certifier.certify("token", request_proof(fresh_key()), context=CONTEXT)
    assert first[1:] != second[1:]
    x509.load_der_x509_certificate(second[0]).verify_directly_issued_by(x509.load_der_x509_certificate(second[1]))


def test_the_time_of_a_promise_is_the_time_of_issue(world: World) -> None:
    moment = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=NOW.tzinfo)
    world.clock.instant = moment
    [sct] = scts_of(world.issue().public_bytes(Encoding.DER))
    assert sct.timestamp == moment.replace(microsecond=123_000)
