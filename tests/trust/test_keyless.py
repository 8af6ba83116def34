"""Signing without a key of one's own: what is proven, and what happens when one of the services lies."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from tests.trust.instance import ISSUER, JANE, MemoryAuthority, MemoryInstance, MemoryStamps, token_of
from tests.trust.world import IMAGE, MemoryLog, key, statement

from chainward.formats.bundle import decode_bundle
from chainward.formats.fulcio import SUBJECT
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.problem import Problem
from chainward.keys.errors import KeyUnsupported
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.errors import (
    CertificateForeign,
    CertificateMalformed,
    CertificateUntrusted,
    LogEntryMismatch,
    LogUntrusted,
)
from chainward.trust.identity import IdentityKind
from chainward.trust.keyless import CertifiedSigner, certified_signer
from chainward.trust.prove import prove_bundle
from chainward.trust.proven import MessageDigest, ProvenCertificate, StatementPayload
from chainward.trust.sign import Signing, sign_digest, sign_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.trust.ambient import IdentityToken
    from chainward.trust.material import TrustedLog
    from chainward.trust.proven import Proven

FILE = Digest.of(b"a release tarball")
URI = x509.UniformResourceIdentifier("https://ci.example/shop/.github/workflows/release.yml@refs/heads/main")


def nobody(_: str) -> None:
    return None


def signer_at(instance: MemoryInstance, token: IdentityToken | None = None) -> CertifiedSigner:
    return certified_signer(token or token_of(), instance.certificates, instance.material)


def signing(instance: MemoryInstance) -> Signing:
    return Signing(signer_at(instance), instance.log, instance.stamps, instance.material)


def proven(instance: MemoryInstance, bundle: bytes) -> Proven:
    return prove_bundle(bundle, instance.material, find_key=nobody)


# -- what comes out ---------------------------------------------------------------------------------------------------


def test_a_keyless_bundle_proves_who_signed_what_and_when() -> None:
    instance = MemoryInstance()
    found = proven(instance, signing(instance).digest(FILE))
    assert found.payload == MessageDigest("sha256", FILE.raw)
    assert isinstance(found.signer, ProvenCertificate)
    assert (found.signer.identity.subject, found.signer.identity.issuer) == (JANE, ISSUER)
    assert found.signer.identity.kind is IdentityKind.EMAIL
    assert [time.source for time in found.times] == ["stamps"]
    assert found.log_index == 3


def test_a_keyless_statement_is_a_v03_bundle_with_one_certificate_one_entry_and_one_timestamp() -> None:
    instance = MemoryInstance()
    bundle = signing(instance).statement(statement())
    found = proven(instance, bundle)
    assert isinstance(found.payload, StatementPayload)
    assert IMAGE.hex in found.payload.payload.decode()
    document = json.loads(bundle)
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    material = document["verificationMaterial"]
    assert set(material) == {"certificate", "tlogEntries", "timestampVerificationData"}
    assert len(material["tlogEntries"]) == len(material["timestampVerificationData"]["rfc3161Timestamps"]) == 1
    logged = json.loads(decode_bundle(bundle).entries[0].body)["spec"]["hashedRekordV002"]["signature"]["verifier"]
    assert logged["x509Certificate"]["rawBytes"] == material["certificate"]["rawBytes"]


def test_the_timestamp_is_over_the_signature() -> None:
    instance = MemoryInstance()
    bundle = decode_bundle(signing(instance).digest(FILE))
    assert bundle.message_signature is not None
    assert instance.stamps.stamped == [bundle.message_signature.signature]


def test_a_workload_signs_under_the_uri_that_the_authority_gives_it() -> None:
    authority = MemoryAuthority(instead_name=URI, claims={SUBJECT: "repo:shop/web:ref:refs/heads/main"})
    signer = signer_at(MemoryInstance(authority), token_of("repo:shop/web:ref:refs/heads/main", email=False))
    assert signer.identity.subject == URI.value


def test_one_certificate_serves_several_signatures() -> None:
    instance = MemoryInstance()
    desk = signing(instance)
    one, two = desk.digest(FILE), desk.statement(statement())
    assert proven(instance, one).signer == proven(instance, two).signer
    assert instance.certificates.certified == [JANE]


def test_every_signer_has_a_key_of_its_own_that_shows_itself_nowhere() -> None:
    instance = MemoryInstance()
    one, two = signer_at(instance), signer_at(instance)
    assert one.public_key != two.public_key
    assert "_key" not in repr(one)
    with pytest.raises(TypeError):
        pickle.dumps(one)


def test_a_key_that_verifiers_know_may_be_stamped_too() -> None:
    instance = MemoryInstance()
    release = key("release")
    bundle = sign_statement(statement(), release, instance.log, stamps=instance.stamps)
    found = prove_bundle(bundle, instance.material, find_key={release.public_key.fingerprint: release.public_key}.get)
    assert found.signed_at is not None


@pytest.mark.parametrize(
    ("scheme", "algorithm"),
    [(Scheme.ECDSA_P521_SHA512, Algorithm.SHA512), (Scheme.RSA_2048, Algorithm.SHA256)],
)
def test_a_key_signs_the_digest_by_its_own_hash(scheme: Scheme, algorithm: Algorithm) -> None:
    signer = generate(scheme)
    digest = Digest.of(b"a release tarball", algorithm)
    bundle = decode_bundle(sign_digest(digest, signer, MemoryLog()))
    assert bundle.message_signature is not None
    assert bundle.message_signature.digest == digest.raw
    other = Algorithm.SHA256 if algorithm is Algorithm.SHA512 else Algorithm.SHA512
    log = MemoryLog()
    with pytest.raises(KeyUnsupported):
        sign_digest(Digest.of(b"x", other), signer, log)
    assert len(log.leaves) == 3


def test_a_p384_key_signs_statements_by_its_own_hash() -> None:
    signer = generate(Scheme.ECDSA_P384_SHA384)
    bundle = sign_statement(statement(), signer, MemoryLog())
    assert (
        json.loads(decode_bundle(bundle).entries[0].body)["spec"]["hashedRekordV002"]["data"]["algorithm"] == "SHA2_384"
    )


# -- an authority that lies -------------------------------------------------------------------------------------------


def refused(authority: MemoryAuthority, token: IdentityToken | None = None) -> Problem:
    """How a lying authority is refused; nothing is signed or logged then."""
    instance = MemoryInstance(authority)
    with pytest.raises(Problem) as caught:
        signing_with(instance, token)
    assert len(instance.log.leaves) == 3
    assert not instance.stamps.stamped
    return caught.value


def signing_with(instance: MemoryInstance, token: IdentityToken | None) -> bytes:
    signer = signer_at(instance, token)
    return Signing(signer, instance.log, instance.stamps, instance.material).digest(FILE)


def test_a_certificate_for_another_key_is_not_signed_under() -> None:
    problem = refused(MemoryAuthority(instead_key=generate(Scheme.ECDSA_P256_SHA256)))
    assert isinstance(problem, CertificateForeign)
    assert "another key" in problem.message


@pytest.mark.parametrize("name", ["mallory@example.org", "JANE@example.org", "jane@example.org.evil.test"])
def test_a_certificate_about_another_person_is_not_signed_under(name: str) -> None:
    problem = refused(MemoryAuthority(instead_name=x509.RFC822Name(name)))
    assert isinstance(problem, CertificateForeign)
    assert problem.details == {"certified": name, "token": JANE}


def test_a_certificate_about_another_workload_is_not_signed_under() -> None:
    authority = MemoryAuthority(instead_name=URI, claims={SUBJECT: "repo:mallory/web:ref:refs/heads/main"})
    problem = refused(authority, token_of("repo:shop/web:ref:refs/heads/main", email=False))
    assert isinstance(problem, CertificateForeign)


def test_a_certificate_that_turns_a_workload_into_a_person_is_not_signed_under() -> None:
    authority = MemoryAuthority(instead_name=x509.RFC822Name("repo@shop.example"))
    assert isinstance(refused(authority, token_of("repo:shop/web", email=False)), CertificateForeign)


def test_a_certificate_under_another_issuer_is_not_signed_under() -> None:
    problem = refused(MemoryAuthority(instead_issuer="https://issuer.example.evil.test"))
    assert isinstance(problem, CertificateForeign)
    assert problem.details["token"] == ISSUER


def test_the_issuer_behind_a_federation_is_an_issuer_of_the_token() -> None:
    token = token_of()
    token._claims["federated_claims"] = {"connector_id": "https://accounts.example"}
    instance = MemoryInstance(MemoryAuthority(instead_issuer="https://accounts.example"))
    assert signer_at(instance, token).identity.issuer == "https://accounts.example"


def test_a_certificate_of_an_authority_that_is_not_believed_here_is_not_signed_under() -> None:
    instance = MemoryInstance()
    stranger = MemoryInstance(MemoryAuthority(name="example"))
    with pytest.raises(CertificateUntrusted):
        certified_signer(token_of(), stranger.certificates, instance.material)


def test_a_certificate_that_was_not_logged_is_not_signed_under() -> None:
    assert refused(MemoryAuthority(logs_certificates=False)).code == "certificate-not-logged"


def test_a_certificate_of_a_log_that_is_not_believed_here_is_not_signed_under() -> None:
    instance = MemoryInstance()
    material = replace(instance.material, ct_logs=(MemoryAuthority().ct_log,))
    with pytest.raises(Problem) as caught:
        certified_signer(token_of(), instance.certificates, material)
    assert caught.value.code == "certificate-not-logged"


@pytest.mark.parametrize("chain", [[], [b"x"] * 11], ids=["none", "too many"])
def test_an_answer_with_no_fit_number_of_certificates_is_refused(chain: list[bytes]) -> None:
    assert isinstance(refused(MemoryAuthority(chain=chain)), CertificateForeign)


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x00", b"x" * 70_000])
def test_an_answer_that_is_no_certificate_is_refused(der: bytes) -> None:
    assert isinstance(refused(MemoryAuthority(chain=[der])), CertificateForeign | CertificateMalformed)


# -- a log that lies --------------------------------------------------------------------------------------------------


@dataclass
class LyingLog:
    """A log that logs, or answers, something else."""

    honest: MemoryLog
    swap: Callable[[HashedRekord], HashedRekord]

    @property
    def log(self) -> TrustedLog:
        return self.honest.log

    def submit(self, entry: HashedRekord) -> LogEntry:
        return self.honest.submit(self.swap(entry))


def under_another_key(entry: HashedRekord) -> HashedRekord:
    return replace(entry, certificate_der=b"", public_key_der=key("mallory").public_key.der)


def under_another_certificate(entry: HashedRekord) -> HashedRekord:
    other = signer_at(MemoryInstance(), token_of("mallory@example.org"))
    return replace(entry, certificate_der=other.certificate)


@pytest.mark.parametrize(
    "swap",
    [
        under_another_key,
        under_another_certificate,
        lambda entry: replace(entry, signature=key("mallory").sign(b"x")),
        lambda entry: replace(entry, digest=bytes(32)),
    ],
    ids=["another key", "another certificate", "another signature", "another digest"],
)
def test_a_log_that_returns_the_entry_of_something_else_is_found_out(
    swap: Callable[[HashedRekord], HashedRekord],
) -> None:
    instance = MemoryInstance()
    desk = replace(signing(instance), log=LyingLog(instance.log, swap))
    with pytest.raises(LogEntryMismatch):
        desk.digest(FILE)


def test_a_log_that_vouches_for_itself_is_not_believed() -> None:
    instance = MemoryInstance()
    desk = replace(signing(instance), log=MemoryLog("log.evil.test", "evil"))
    with pytest.raises(LogUntrusted):
        desk.statement(statement())


# -- a timestamp authority that lies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamps", "code"),
    [
        (MemoryStamps(instead=b"other bytes"), "timestamp-invalid"),
        (MemoryStamps(late=timedelta(hours=1)), "certificate-outside-window"),
        (MemoryStamps(late=timedelta(hours=-1)), "certificate-outside-window"),
    ],
    ids=["token over other bytes", "token from later", "token from earlier"],
)
def test_a_timestamp_that_proves_nothing_about_this_signature_is_not_handed_out(
    stamps: MemoryStamps, code: str
) -> None:
    instance = MemoryInstance(stamps=stamps)
    with pytest.raises(Problem) as caught:
        signing(instance).digest(FILE)
    assert caught.value.code == code


def test_a_timestamp_of_a_stranger_proves_no_time() -> None:
    instance = MemoryInstance()
    with pytest.raises(Problem) as caught:
        replace(signing(instance), stamps=MemoryStamps()).digest(FILE)
    assert caught.value.code in {"timestamp-untrusted", "signing-time-missing", "timestamp-invalid"}


def test_without_a_timestamp_nothing_that_was_signed_keyless_is_handed_out() -> None:
    with pytest.raises(Problem) as caught:
        replace(signing(MemoryInstance()), stamps=None).digest(FILE)
    assert caught.value.code == "signing-time-missing"
