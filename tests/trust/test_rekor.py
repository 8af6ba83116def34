"""The log's side of a signature: what it refuses, and what stock clients rely on in its answers."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from tests.databases import CONTEXT, SIGNATURES, SIGNATURES_ORIGIN, sqlite_platform
from tests.trust.world import IMAGE, key, log_key, root_of, statement, trusted

from chainward.adapters.sql.trust import WRITES, SqlTrustStore
from chainward.formats.bundle import decode_bundle, encode_log_entry
from chainward.formats.rekor import HashedRekord, canonical_body, parse_body
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Kind
from chainward.keys.errors import KeyMalformed, SignatureInvalid
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.checkpoint import NoteSigner
from chainward.ledger.errors import LogFrozen
from chainward.ledger.logs import FreezeLog, OpenLog, genesis_entry
from chainward.ledger.model import Receipt
from chainward.ledger.proofs import leaf_hash, verify_inclusion
from chainward.trust.errors import EntryUnsupported, LogGenesisMissing, SignerInvalid
from chainward.trust.model import TrustedLog
from chainward.trust.rekor import Rekor, Submission
from chainward.trust.sign import sign_digest, sign_statement
from chainward.trust.signers import Signers
from chainward.trust.verify import verify_artifact, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import PlatformDatabase

    from chainward.kernel.problem import Problem
    from chainward.ledger.commit import Ledger

LOG = TrustedLog.of(SIGNATURES_ORIGIN, SIGNATURES.signer.public_key)
DIGEST = hashlib.sha256(b"an artifact").digest()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformDatabase]:
    with sqlite_platform(tmp_path) as made:
        yield made


@pytest.fixture
def ledger(platform: PlatformDatabase) -> Ledger:
    return platform.open_ledger(WRITES)


@pytest.fixture
def rekor(ledger: Ledger) -> Rekor:
    return Rekor(ledger, lambda: LOG)


def der_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


SIGNERS = {
    "PKIX_ECDSA_P256_SHA_256": generate(Scheme.ECDSA_P256_SHA256),
    "PKIX_ECDSA_P384_SHA_384": generate(Scheme.ECDSA_P384_SHA384),
    "PKIX_ECDSA_P521_SHA_512": generate(Scheme.ECDSA_P521_SHA512),
    "PKIX_RSA_PKCS1V15_2048_SHA256": generate(Scheme.RSA_2048),
    "PKIX_RSA_PKCS1V15_3072_SHA256": generate(Scheme.RSA_3072),
    "PKIX_RSA_PKCS1V15_4096_SHA256": generate(Scheme.RSA_4096),
}


def request_of(details: str, content: bytes = b"an artifact") -> HashedRekord:
    signer = SIGNERS[details]
    digest = hashlib.new(signer.public_key.hash_name, content).digest()
    return HashedRekord(digest, signer.sign(content), signer.public_key.der, details)


def certificate(subject: ec.EllipticCurvePublicKey | Ed25519PublicKey) -> bytes:
    """Return a certificate that nobody should trust: expired, of an unknown issuer, for no purpose."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    start = datetime(2001, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, subject, 1, start, start + timedelta(days=1))
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("details", list(SIGNERS))
def test_every_kind_of_key_that_sigstore_knows_is_logged(rekor: Rekor, details: str) -> None:
    request = request_of(details)
    entry = rekor.log_signature(request)
    assert parse_body(entry.body) == request
    root = entry.proof.root
    verify_inclusion(entry.log_index, entry.proof.tree_size, leaf_hash(entry.body), entry.proof.hashes, root)
    with pytest.raises(SignatureInvalid):
        rekor.log_signature(replace(request, signature=request_of(details, b"another").signature))


def test_a_certificate_is_logged_whether_it_is_trusted_or_not(rekor: Rekor) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(b"an artifact", ec.ECDSA(SHA256()))
    request = HashedRekord(DIGEST, signature, b"", certificate_der=certificate(key.public_key()))
    assert parse_body(rekor.log_signature(request).body) == request
    with pytest.raises(SignatureInvalid):
        rekor.log_signature(
            replace(request, certificate_der=certificate(ec.generate_private_key(ec.SECP256R1()).public_key()))
        )


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        pytest.param(HashedRekord(DIGEST, b"s", b"", certificate_der=b"c"), KeyMalformed, id="no certificate"),
        pytest.param(
            HashedRekord(DIGEST, b"s", b"", certificate_der=certificate(Ed25519PrivateKey.generate().public_key())),
            EntryUnsupported,
            id="a certificate of an Ed25519 key",
        ),
        pytest.param(HashedRekord(bytes(64), b"s", b"k", "PKIX_ED25519_PH"), KeyMalformed, id="Ed25519ph, no key"),
        pytest.param(
            HashedRekord(bytes(64), b"s", log_key().public_key.der, "PKIX_ED25519_PH"), EntryUnsupported, id="Ed25519ph"
        ),
        pytest.param(HashedRekord(DIGEST, b"s", log_key().public_key.der), EntryUnsupported, id="Ed25519 as P-256"),
        pytest.param(
            HashedRekord(DIGEST, b"s", der_of(ec.generate_private_key(ec.SECP384R1()))), EntryUnsupported, id="P-384"
        ),
        pytest.param(
            HashedRekord(DIGEST, b"s", der_of(ec.generate_private_key(ec.SECP256K1()))),
            EntryUnsupported,
            id="secp256k1",
        ),
        pytest.param(
            replace(request_of("PKIX_RSA_PKCS1V15_2048_SHA256"), key_details="PKIX_RSA_PKCS1V15_3072_SHA256"),
            EntryUnsupported,
            id="RSA of another size than it says",
        ),
        pytest.param(HashedRekord(DIGEST, b"s", b"not a key"), KeyMalformed, id="no key"),
    ],
)
def test_an_entry_that_nobody_could_verify_is_refused(
    rekor: Rekor, ledger: Ledger, request_: HashedRekord, refusal: type[Exception]
) -> None:
    size = ledger.inclusion(SIGNATURES_ORIGIN, 0).size
    with pytest.raises(refusal):
        rekor.log_signature(request_)
    assert ledger.inclusion(SIGNATURES_ORIGIN, 0).size == size


def test_the_answer_has_every_member_that_strict_clients_demand(rekor: Rekor) -> None:
    request = HashedRekord(DIGEST, key("release").sign(b"an artifact"), key("release").public_key.der)
    answer = json.loads(encode_log_entry(rekor.log_signature(request)))
    assert answer["logIndex"] == answer["inclusionProof"]["logIndex"] == "1"
    assert answer["inclusionProof"]["treeSize"] == "2"
    assert len(answer["inclusionProof"]["hashes"]) == 1
    assert answer["integratedTime"] == "0"
    assert answer["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}
    assert "inclusionPromise" not in answer


def test_what_the_platform_signs_itself_goes_through_the_same_log(rekor: Rekor) -> None:
    own = rekor
    root = root_of(trusted(), logs=[LOG])
    bundle = sign_statement(statement(), key("release"), own)
    assert verify_bundle(bundle, root, subject=IMAGE, repository=None).log_index == 1
    assert decode_bundle(bundle).entries[0].proof.tree_size == 2
    assert verify_artifact(sign_digest(IMAGE, key("release"), own), root, digest=IMAGE, repository=None).log_index == 2


def test_index_zero_is_never_handed_out(rekor: Rekor) -> None:
    """Not even to who submits the log's own entry once more."""
    submission = Submission(LOG, genesis_entry(SIGNATURES_ORIGIN))
    answered: Future[Receipt | Problem] = Future()
    rekor.begin(submission, answered.set_result)
    receipt = answered.result(10)
    assert isinstance(receipt, Receipt)
    with pytest.raises(LogGenesisMissing) as refused:
        rekor.finish(submission, receipt)
    assert refused.value.kind is Kind.INTERNAL


def test_a_signature_that_meets_a_rotation_goes_into_the_next_shard(ledger: Ledger) -> None:
    following = NoteSigner("next.test", generate(Scheme.ED25519))
    shards = [LOG]
    rekor = Rekor(ledger, lambda: shards[-1])
    first = rekor.log_signature(request_of("PKIX_ECDSA_P256_SHA_256", b"before"))
    ledger.commit(writes=[OpenLog("next.test", following), FreezeLog(LOG.origin)], context=CONTEXT)
    shards.append(TrustedLog.of("next.test", following.signer.public_key))
    other = Rekor(ledger, lambda: shards[-1])
    other._known = LOG
    assert other.active() == shards[-1]  # readers see it at once
    second = rekor.log_signature(request_of("PKIX_ECDSA_P256_SHA_256", b"after"))
    assert (first.log_id, second.log_id) == (LOG.key_id, shards[-1].key_id)
    assert following.open(second.proof.checkpoint.encode()).size == 2
    with pytest.raises(LogFrozen):
        rekor.log_signature(request_of("PKIX_ECDSA_P256_SHA_256", b"late"), shard=LOG)
    again = ledger.inclusion(LOG.origin, first.log_index)
    verify_inclusion(again.index, again.size, leaf_hash(first.body), again.hashes, again.root)


def test_an_entry_that_is_there_is_answered_as_it_stands_among_others_of_its_batch(rekor: Rekor) -> None:
    request = request_of("PKIX_ECDSA_P256_SHA_256")
    body = canonical_body(request)
    waiting: list[Future[Receipt | Problem]] = [Future() for _ in range(20)]
    for future in waiting:
        rekor.begin(Submission(LOG, body), future.set_result)
    receipts = [future.result(10) for future in waiting]
    entries = [rekor.finish(Submission(LOG, body), receipt) for receipt in receipts if isinstance(receipt, Receipt)]
    assert [entry.log_index for entry in entries] == [1] * 20


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "two\nlines", "a\x1b[31mred herring"])
def test_distrust_needs_a_reason_that_can_be_read_in_one_line(
    platform: PlatformDatabase, ledger: Ledger, reason: str
) -> None:
    from tests.databases import ManualClock

    signers = Signers(ledger, SqlTrustStore(platform.database, [LOG]), ManualClock())
    signers.add("release", key("release").public_key, [RepositoryPattern("**")], ["*"], context=CONTEXT)
    with pytest.raises(SignerInvalid):
        signers.distrust("release", reason, context=CONTEXT)
    assert [signer.distrusted_at for signer in signers.listed()] == [None]


def test_the_scope_of_a_signer_is_stored_once_and_in_order(platform: PlatformDatabase, ledger: Ledger) -> None:
    from tests.databases import ManualClock

    store = SqlTrustStore(platform.database, [LOG])
    patterns = [RepositoryPattern("shop/**"), RepositoryPattern("bank/**"), RepositoryPattern("shop/**")]
    added = Signers(ledger, store, ManualClock()).add(
        "release", key("release").public_key, patterns, ["b:b", "a:a", "b:b"], context=CONTEXT
    )
    assert added.repositories == (RepositoryPattern("bank/**"), RepositoryPattern("shop/**"))
    assert added.predicates == ("a:a", "b:b")
    assert store.snapshot().root.signers == (added,)
