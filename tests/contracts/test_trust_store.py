"""The contract of signers, epochs and the signature log, over every store."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from tests.databases import CONTEXT, SIGNATURES, SIGNATURES_ORIGIN, ManualClock
from tests.trust.world import IMAGE, SHOP, key, statement

from chainward.adapters.sql import publications
from chainward.adapters.sql.trust import WRITES, SqlTrustStore
from chainward.delivery.publication import NotePublication
from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.formats.rekor import HashedRekord, canonical_body
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.model import FactBody
from chainward.ledger.proofs import leaf_hash, verify_inclusion
from chainward.trust.errors import SignerDistrusted, SignerExists, SignerInvalid, SignerNotFound, SignerUnknown
from chainward.trust.identity import IdentityMatch
from chainward.trust.match import members_of
from chainward.trust.model import TrustedLog
from chainward.trust.rekor import Rekor
from chainward.trust.revocations import RevokedBy, SignatureRevocations
from chainward.trust.sign import sign_statement
from chainward.trust.signers import Signers
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from tests.databases import PlatformDatabase

    from chainward.formats.bundle import LogEntry
    from chainward.kernel.problem import Problem
    from chainward.ledger.commit import Ledger


class Noted(FactBody, frozen=True, kw_only=True):
    """Something happened."""

    schema: ClassVar[str] = "test.noted/1"

    text: str


LOG = TrustedLog.of(SIGNATURES_ORIGIN, SIGNATURES.signer.public_key)
EVERYWHERE = [RepositoryPattern("**")]


@pytest.fixture
def ledger(platform_database: PlatformDatabase) -> Ledger:
    return platform_database.open_ledger(WRITES)


@pytest.fixture
def store(platform_database: PlatformDatabase) -> SqlTrustStore:
    return SqlTrustStore(platform_database.database, [LOG])


@pytest.fixture
def signers(ledger: Ledger, store: SqlTrustStore) -> Signers:
    return Signers(ledger, store, ManualClock())


@pytest.fixture
def rekor(ledger: Ledger) -> Rekor:
    return Rekor(ledger, lambda: LOG)


def add(signers: Signers, name: str, of: str | None = None) -> None:
    signers.add(name, key(of or name).public_key, EVERYWHERE, ["*"], context=CONTEXT)


def request_over(content: bytes, signer: str = "release") -> HashedRekord:
    digest = hashlib.sha256(content).digest()
    return HashedRekord(digest, key(signer).sign(content), key(signer).public_key.der)


def check(entry: LogEntry) -> None:
    proof = entry.proof
    checkpoint = SIGNATURES.open(proof.checkpoint.encode())
    assert (checkpoint.size, checkpoint.root) == (proof.tree_size, proof.root)
    verify_inclusion(entry.log_index, checkpoint.size, leaf_hash(entry.body), proof.hashes, checkpoint.root)


# Signers and epochs


def test_before_anybody_is_trusted_the_root_has_the_logs_alone(store: SqlTrustStore) -> None:
    snapshot = store.snapshot()
    assert (snapshot.epoch, snapshot.root.signers, snapshot.root.logs) == (0, (), (LOG,))


def test_a_signer_reads_back_as_it_was_added(signers: Signers, store: SqlTrustStore) -> None:
    patterns = [RepositoryPattern("shop/**"), RepositoryPattern("bank/core")]
    added = signers.add("release", key("release").public_key, patterns, [SLSA_PROVENANCE, "x:y"], context=CONTEXT)
    assert store.snapshot().root.signers == (added,)
    assert added.repositories == tuple(sorted(patterns))
    assert signers.listed() == [added]


def test_every_change_of_signers_moves_the_epoch_by_one(signers: Signers, store: SqlTrustStore) -> None:
    epochs = [store.snapshot().epoch]
    for name in ("release", "nightly"):
        add(signers, name)
        epochs.append(store.snapshot().epoch)
    signers.distrust("nightly", "retired", context=CONTEXT)
    epochs.append(store.snapshot().epoch)
    assert epochs == [0, 1, 2, 3]


def test_while_nothing_changes_the_root_is_not_read_again(signers: Signers, store: SqlTrustStore) -> None:
    add(signers, "release")
    assert store.snapshot() is store.snapshot()


def test_a_change_by_another_process_is_in_the_next_snapshot(
    platform_database: PlatformDatabase, signers: Signers, store: SqlTrustStore
) -> None:
    other = SqlTrustStore(platform_database.reopen(), [LOG])
    assert other.snapshot().root.signers == ()
    add(signers, "release")
    assert other.snapshot() == store.snapshot()
    signers.distrust("release", "lost", context=CONTEXT)
    [signer] = other.snapshot().root.signers
    assert signer.distrusted_at is not None


def test_a_decision_reads_the_root_of_its_own_snapshot(
    platform_database: PlatformDatabase, signers: Signers, store: SqlTrustStore
) -> None:
    add(signers, "release")
    with platform_database.database.read() as connection:
        before = store.snapshot(connection)
        signers.distrust("release", "lost", context=CONTEXT)
        now = store.snapshot()
        assert store.snapshot(connection) == before
        assert (before.epoch, now.epoch) == (1, 2)
    assert store.snapshot() is now


def test_a_name_that_is_taken_is_refused_and_nothing_is_written(
    signers: Signers, store: SqlTrustStore, ledger: Ledger
) -> None:
    add(signers, "release")
    facts = len(ledger.facts())
    with pytest.raises(SignerExists, match="somebody else is trusted as release"):
        add(signers, "release", of="impostor")
    assert store.snapshot().epoch == 1
    assert len(ledger.facts()) == facts


def test_a_key_that_is_trusted_under_another_name_is_refused(signers: Signers) -> None:
    add(signers, "release")
    with pytest.raises(SignerExists, match="trusted already, as release"):
        add(signers, "again", of="release")


def test_a_distrusted_key_is_never_trusted_again_but_its_name_may_be_given_to_a_new_key(signers: Signers) -> None:
    add(signers, "release")
    signers.distrust("release", "the laptop was stolen", context=CONTEXT)
    with pytest.raises(SignerExists, match="was distrusted as release") as refused:
        add(signers, "other", of="release")
    assert "never trusted again" in refused.value.hint
    add(signers, "release", of="release-2027")
    assert [signer.distrusted_at is None for signer in signers.listed()] == [False, True]


def test_distrusting_twice_or_a_stranger_is_refused(signers: Signers, store: SqlTrustStore) -> None:
    add(signers, "release")
    signers.distrust("release", "lost", context=CONTEXT)
    for name in ("release", "nobody"):
        with pytest.raises(SignerNotFound):
            signers.distrust(name, "lost", context=CONTEXT)
    assert store.snapshot().epoch == 2


def test_a_race_of_distrusts_is_decided_in_the_transaction(signers: Signers, store: SqlTrustStore) -> None:
    add(signers, "release")

    def attempt(_: int) -> str:
        try:
            signers.distrust("release", "lost", context=CONTEXT)
        except SignerNotFound:
            return "refused"
        return "done"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(attempt, range(8)))
    assert outcomes == ["done", *["refused"] * 7]
    assert store.snapshot().epoch == 2


def test_a_race_for_one_name_has_one_winner(signers: Signers, store: SqlTrustStore) -> None:
    def attempt(number: int) -> Problem | None:
        try:
            add(signers, "release", of=f"candidate {number}")
        except SignerExists as problem:
            return problem
        return None

    with ThreadPoolExecutor(8) as pool:
        refusals = [problem for problem in pool.map(attempt, range(8)) if problem is not None]
    assert len(refusals) == 7
    assert len(store.snapshot().root.signers) == 1


def test_trust_and_distrust_are_facts_about_the_signer_and_its_key(signers: Signers, ledger: Ledger) -> None:
    add(signers, "release")
    signers.distrust("release", "the laptop was stolen", context=CONTEXT)
    fingerprint = key("release").public_key.fingerprint
    trusted, distrusted = ledger.facts(schemas=frozenset({"trust.signer-trusted/1", "trust.signer-distrusted/1"}))
    assert trusted.subjects == distrusted.subjects == ("signer:release", f"key:sha256:{fingerprint}")
    who = {"id": fingerprint, "name": "release", "fingerprint": fingerprint, "match": None}
    assert trusted.body == {**who, "repositories": ["**"], "predicates": ["*"], "portable": False}
    assert distrusted.body == {**who, "since": None, "reason": "the laptop was stolen"}


# Identities


CI = IdentityMatch(subject="https://ci.test/shop", issuer_regex="https://.*", claims=(("b", "2"), ("a", "1")))


def test_an_identity_reads_back_as_it_was_added(signers: Signers, store: SqlTrustStore, ledger: Ledger) -> None:
    added = signers.add("ci", CI, [RepositoryPattern("shop/**")], [SLSA_PROVENANCE], portable=True, context=CONTEXT)
    (read,) = store.snapshot().root.signers
    assert (read.id, read.name, read.public_key, read.portable) == (added.id, "ci", None, True)
    assert read.match is not None
    assert members_of(read.match) == members_of(CI)
    (fact,) = ledger.facts(schemas=frozenset({"trust.signer-trusted/1"}))
    assert fact.subjects == ("signer:ci", "identity:https://ci.test/shop")
    assert fact.body is not None
    assert (fact.body["id"], fact.body["match"], fact.body["fingerprint"]) == (added.id, members_of(CI), "")


def test_an_identity_may_be_trusted_under_several_names_and_again_after_distrust(
    signers: Signers, store: SqlTrustStore
) -> None:
    for name in ("ci", "team"):
        signers.add(name, CI, EVERYWHERE, ["*"], context=CONTEXT)
    signers.distrust("ci", "the runner was taken over", context=CONTEXT)
    signers.add("ci", CI, EVERYWHERE, ["*"], context=CONTEXT)
    assert [(each.name, each.distrusted_at is None) for each in signers.listed()] == [
        ("ci", False),
        ("ci", True),
        ("team", True),
    ]
    assert len({each.id for each in store.snapshot().root.signers}) == 3
    assert [each.distrusted_at is None for each in signers.named("ci")] == [False, True]
    with pytest.raises(SignerNotFound):
        signers.named("nobody")


def test_distrust_since_an_instant_reads_back_and_cannot_lie_ahead(signers: Signers, store: SqlTrustStore) -> None:
    added = signers.add("ci", CI, EVERYWHERE, ["*"], context=CONTEXT)
    with pytest.raises(SignerInvalid, match="to come"):
        signers.distrust("ci", "lost", since=added.trusted_since + timedelta(days=1000), context=CONTEXT)
    signers.distrust("ci", "lost", since=added.trusted_since, context=CONTEXT)
    (read,) = store.snapshot().root.signers
    assert read.distrusted_since == added.trusted_since


# Revocations of signatures


def test_a_revocation_of_signatures_reads_back_and_moves_the_epoch(
    platform_database: PlatformDatabase, ledger: Ledger, store: SqlTrustStore
) -> None:
    clock = ManualClock()
    revocations = SignatureRevocations(ledger, store, clock)
    since, until = clock.now(), clock.now()
    drafted = [
        revocations.draft(RevokedBy.KEY, "a" * 64, since=since, reason="lost"),
        revocations.draft(RevokedBy.IDENTITY, "", match=CI, since=since, until=until, reason="taken over"),
        revocations.draft(RevokedBy.ENTRY, "log.test/7", reason="a mistake"),
        revocations.draft(RevokedBy.CERTIFICATE, f"sha256:{'b' * 64}", reason="leaked"),
    ]
    assert store.snapshot().epoch == 0
    for number, each in enumerate(drafted, 1):
        revocations.revoke(each, context=CONTEXT)
        assert store.snapshot().epoch == number
    other = SqlTrustStore(platform_database.reopen(), [LOG]).snapshot().root.revocations
    for read in (revocations.listed(), other):
        assert [(each.by, each.target, each.since, each.until, each.reason) for each in read] == [
            (each.by, each.target, each.since, each.until, each.reason) for each in drafted
        ]
        assert [each.match is None for each in read] == [True, False, True, True]
    subjects = [fact.subjects for fact in ledger.facts(schemas=frozenset({"trust.signatures-revoked/1"}))]
    assert subjects == [
        (f"key:sha256:{'a' * 64}",),
        ("identity:https://ci.test/shop",),
        ("entry:log.test/7",),
        (f"certificate:sha256:{'b' * 64}",),
    ]


# Where signatures came in


def test_where_a_signature_came_in_first_stays_first(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger({**WRITES, **publications.WRITES})
    record = publications.SqlPublications(platform_database.database)
    signature, other = Digest.of(b"one"), Digest.of(b"two")
    assert record.publications(signature) == []
    for repository in ("shop/web", "shop/web", "bank/core", "shop/api", "bank/core"):
        note = NotePublication(signature, RepositoryName(repository))
        ledger.commit([Noted(text="x")], [note], context=CONTEXT)
    ledger.commit([Noted(text="x")], [NotePublication(other, RepositoryName("shop/api"))], context=CONTEXT)
    found = record.publications(signature)
    assert [str(each.repository) for each in found] == ["shop/web", "bank/core", "shop/api"]
    assert [each.fact_index for each in found] == sorted(each.fact_index for each in found)
    assert len(record.publications(other)) == 1


# The signature log


def test_a_logged_signature_is_answered_with_a_proof_at_a_checkpoint_that_covers_it(rekor: Rekor) -> None:
    request = request_over(b"an artifact")
    entry = rekor.log_signature(request)
    check(entry)
    assert entry.body == canonical_body(request)
    assert (entry.log_index, entry.log_id, entry.integrated_time) == (1, LOG.key_id, 0)
    assert (entry.kind, entry.version) == ("hashedrekord", "0.0.2")
    assert entry.proof.checkpoint.startswith(f"{SIGNATURES_ORIGIN}\n2\n")


def test_the_same_entry_is_logged_once_and_answered_with_its_place(rekor: Rekor, ledger: Ledger) -> None:
    request = request_over(b"an artifact")
    first = rekor.log_signature(request)
    rekor.log_signature(request_over(b"another"))
    again = rekor.log_signature(request)
    check(again)
    assert again.log_index == first.log_index
    assert again.proof.tree_size == 3
    assert len(ledger.facts()) == 1  # the log itself is what is remembered of a signature


def test_two_signatures_over_one_digest_are_two_entries(rekor: Rekor) -> None:
    entries = [rekor.log_signature(request_over(b"an artifact")) for _ in range(2)]
    assert [entry.log_index for entry in entries] == [1, 2]


def test_concurrent_submissions_are_each_proven(rekor: Rekor) -> None:
    requests = [request_over(b"artifact %d" % number) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(rekor.log_signature, requests))
    for entry in entries:
        check(entry)
    assert sorted(entry.log_index for entry in entries) == list(range(1, 41))


def test_a_signature_that_does_not_verify_never_reaches_the_log(rekor: Rekor, ledger: Ledger) -> None:
    request = request_over(b"an artifact")
    forged = replace(request, digest=hashlib.sha256(b"another artifact").digest())
    with pytest.raises(SignatureInvalid):
        rekor.log_signature(forged)
    assert rekor.log_signature(request).log_index == 1
    assert ledger.inclusion(SIGNATURES_ORIGIN, 1).size == 2


# The walk through the room


def test_a_bundle_is_believed_from_trust_until_distrust(rekor: Rekor, signers: Signers, store: SqlTrustStore) -> None:
    bundle = sign_statement(statement(), key("release"), rekor)

    def verify() -> str:
        return verify_bundle(bundle, store.snapshot().root, subject=IMAGE, repository=SHOP).signer

    with pytest.raises(SignerUnknown):
        verify()
    add(signers, "release")
    assert verify() == "release"
    signers.distrust("release", "the laptop was stolen", context=CONTEXT)
    with pytest.raises(SignerDistrusted):
        verify()
