"""The log's side of a signature: what it refuses, and what stock clients rely on in its answers."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.databases import CONTEXT, SIGNATURES, SIGNATURES_ORIGIN, sqlite_platform
from tests.trust.world import IMAGE, key, log_key, root_of, statement, trusted

from chainward.adapters.sql.trust import WRITES, SqlTrustStore
from chainward.formats.bundle import decode_bundle, encode_log_entry
from chainward.formats.rekor import HashedRekord
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Kind
from chainward.keys.errors import KeyMalformed
from chainward.ledger.model import Receipt
from chainward.trust.errors import EntryUnsupported, LogGenesisMissing, SignerInvalid
from chainward.trust.model import TrustedLog
from chainward.trust.rekor import Rekor
from chainward.trust.sign import sign_digest, sign_statement
from chainward.trust.signers import Signers
from chainward.trust.verify import verify_artifact, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.databases import PlatformDatabase

    from chainward.kernel.identity import Context
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody

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
    return Rekor(ledger, LOG)


def p384() -> bytes:
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        pytest.param(HashedRekord(DIGEST, b"s", b"", certificate_der=b"c"), EntryUnsupported, id="a certificate"),
        pytest.param(HashedRekord(bytes(48), b"s", b"k", "PKIX_ECDSA_P384_SHA_384"), EntryUnsupported, id="P-384"),
        pytest.param(HashedRekord(bytes(64), b"s", b"k", "PKIX_ED25519_PH"), EntryUnsupported, id="Ed25519ph"),
        pytest.param(HashedRekord(DIGEST, b"s", log_key().public_key.der), EntryUnsupported, id="Ed25519 as P-256"),
        pytest.param(HashedRekord(DIGEST, b"s", p384()), EntryUnsupported, id="P-384 as P-256"),
        pytest.param(HashedRekord(DIGEST, b"s", b"not a key"), KeyMalformed, id="no key"),
    ],
)
def test_an_entry_that_nobody_could_verify_is_refused(
    rekor: Rekor, ledger: Ledger, request_: HashedRekord, refusal: type[Exception]
) -> None:
    size = ledger.inclusion(SIGNATURES_ORIGIN, 0).size
    with pytest.raises(refusal):
        rekor.log_signature(request_, context=CONTEXT)
    assert ledger.inclusion(SIGNATURES_ORIGIN, 0).size == size


def test_the_answer_has_every_member_that_strict_clients_demand(rekor: Rekor) -> None:
    request = HashedRekord(DIGEST, key("release").sign(b"an artifact"), key("release").public_key.der)
    answer = json.loads(encode_log_entry(rekor.log_signature(request, context=CONTEXT)))
    assert answer["logIndex"] == answer["inclusionProof"]["logIndex"] == "1"
    assert answer["inclusionProof"]["treeSize"] == "2"
    assert len(answer["inclusionProof"]["hashes"]) == 1
    assert answer["integratedTime"] == "0"
    assert answer["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}
    assert "inclusionPromise" not in answer


def test_what_the_platform_signs_itself_goes_through_the_same_log(rekor: Rekor) -> None:
    own = rekor.on_behalf_of(CONTEXT)
    root = root_of(trusted(), logs=[LOG])
    bundle = sign_statement(statement(), key("release"), own)
    assert verify_bundle(bundle, root, subject=IMAGE, repository=None).log_index == 1
    assert decode_bundle(bundle).entries[0].proof.tree_size == 2
    assert verify_artifact(sign_digest(IMAGE, key("release"), own), root, digest=IMAGE, repository=None).log_index == 2


class _Headless:
    """A ledger whose signature log was never started: what is appended first becomes leaf 0."""

    @contextmanager
    def view(self) -> Iterator[_Headless]:
        yield self

    def position_of(self, origin: str, entry: bytes) -> int | None:
        del origin, entry
        return None

    def commit(self, facts: Sequence[FactBody], *, context: Context, entries: Sequence[tuple[str, bytes]]) -> Receipt:
        del context
        return Receipt(tuple(range(len(facts))), tuple(range(len(entries))), trusted().trusted_since)


def test_index_zero_is_never_handed_out() -> None:
    rekor = Rekor(_Headless(), LOG)  # type: ignore[arg-type]  # the three methods that are asked here
    request = HashedRekord(DIGEST, key("release").sign(b"an artifact"), key("release").public_key.der)
    with pytest.raises(LogGenesisMissing) as refused:
        rekor.log_signature(request, context=CONTEXT)
    assert refused.value.kind is Kind.INTERNAL


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
