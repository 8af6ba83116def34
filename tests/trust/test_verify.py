"""Verification of bundles that hold a statement: what passes, and every attack with the reason it is refused for."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.trust.sigstore_world import World
from tests.trust.world import (
    IMAGE,
    ORIGIN,
    OTHER_IMAGE,
    SHOP,
    THEN,
    MemoryLog,
    b64,
    bundle_of,
    closed,
    key,
    log_key,
    opened,
    root_of,
    statement,
    the_entry,
    tree_path,
    tree_root,
    trusted,
)

from chainward.formats.bundle import Bundle, LogEntry, decode_bundle, encode_bundle, encode_log_entry
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, Envelope, Signature, pae
from chainward.formats.errors import TooLarge
from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, VSA, ResourceDescriptor, Statement, encode_statement
from chainward.formats.rekor import HashedRekord
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Kind
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.checkpoint import CheckpointInvalid, NoteSigner
from chainward.trust.errors import (
    BundleMalformed,
    CertificateMalformed,
    CertificateUntrusted,
    InclusionProofInvalid,
    LogEntryMismatch,
    LogEntryMissing,
    LogUntrusted,
    SignerDistrusted,
    SignerNotAllowed,
    SignerUnknown,
    SubjectMismatch,
)
from chainward.trust.model import TrustMaterial, TrustRoot, VerifiedStatement
from chainward.trust.sign import key_hint, sign_digest
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from chainward.keys.local import PrivateKey


def verify(bundle: bytes, root: TrustRoot | None = None, *, subject: Digest | None = IMAGE) -> VerifiedStatement:
    return verify_bundle(bundle, root or root_of(), subject=subject, repository=SHOP)


def signed(
    payload: bytes,
    *,
    payload_type: str = PAYLOAD_TYPE_INTOTO,
    by: PrivateKey | None = None,
    log: MemoryLog | None = None,
    keyid: str = "",
    hint: str | None = None,
) -> Bundle:
    """A bundle over any payload, put together without the checks of sign_statement."""
    signer = by or key("release")
    message = pae(payload_type, payload)
    signature = signer.sign(message)
    entry = (log or MemoryLog()).submit(
        HashedRekord(hashlib.sha256(message).digest(), signature, signer.public_key.der)
    )
    envelope = Envelope(payload, payload_type, (Signature(signature, keyid),))
    return Bundle(envelope=envelope, key_hint=key_hint(signer.public_key) if hint is None else hint, entries=(entry,))


def with_entry(bundle: bytes, entry: LogEntry) -> bytes:
    document = opened(bundle)
    document["verificationMaterial"]["tlogEntries"] = [json.loads(encode_log_entry(entry))]
    return closed(document)


def entry_of(bundle: bytes) -> LogEntry:
    return decode_bundle(bundle).entries[0]


# What passes


def test_a_valid_bundle_gives_its_statement_signer_and_place_in_the_log() -> None:
    bundle = bundle_of()
    found = verify(bundle)
    assert found.statement == statement()
    assert (found.predicate_type, found.signer, found.subjects) == (SLSA_PROVENANCE, "release", (IMAGE,))
    assert found.fingerprint == key("release").public_key.fingerprint
    assert (found.log_origin, found.log_index) == (ORIGIN, 3)
    assert found.bundle_digest == Digest.of(bundle)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8, 9, 17, 64])
def test_a_bundle_verifies_wherever_in_the_log_its_entry_stands(size: int) -> None:
    log = MemoryLog(leaves=[b"%d" % number for number in range(size - 1)])
    bundle = bundle_of(log=log)
    log.append(b"something later")
    index = size - 1
    assert verify(bundle).log_index == index
    assert verify(with_entry(bundle, log.entry(index))).log_index == index  # proven in the grown tree as well


@pytest.mark.parametrize("form", ["v0.1", "v0.2"])
def test_older_forms_of_bundles_verify_when_they_carry_the_same_proof(form: str) -> None:
    document = opened(bundle_of())
    document["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={form[1:]}"
    assert verify(closed(document)).signer == "release"


def test_a_v01_bundle_with_a_promise_instead_of_a_proof_is_refused() -> None:
    document = opened(bundle_of())
    document["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.1"
    entry = the_entry(document)
    del entry["inclusionProof"]
    entry["inclusionPromise"] = {"signedEntryTimestamp": b64(b"we will log this, promised")}
    with pytest.raises(LogEntryMissing, match="no inclusion proof"):
        verify(closed(document))


def test_a_bundle_signed_with_a_certificate_is_refused_while_no_authority_is_trusted() -> None:
    with pytest.raises(CertificateUntrusted):
        verify(encode_bundle(World().state()))


@pytest.mark.parametrize(
    "material",
    [
        {"certificate": {"rawBytes": b64(b"a leaf")}},
        {"x509CertificateChain": {"certificates": [{"rawBytes": b64(b"a leaf")}, {"rawBytes": b64(b"a root")}]}},
    ],
)
def test_a_bundle_signed_with_what_is_no_certificate_is_refused(material: dict[str, Any]) -> None:
    document = opened(bundle_of())
    del document["verificationMaterial"]["publicKey"]
    document["verificationMaterial"] |= material
    if "certificate" not in material:
        document["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    with pytest.raises(CertificateMalformed):
        verify(closed(document))


@pytest.mark.parametrize("hint", ["", "my-release-key", "AAAA", "sha256:short"])
def test_without_a_usable_hint_the_key_in_the_log_entry_selects_the_signer(hint: str) -> None:
    assert verify(encode_bundle(signed(encode_statement(statement()), hint=hint))).signer == "release"


def test_a_hint_in_hex_selects_the_signer() -> None:
    fingerprint = key("release").public_key.fingerprint
    for hint in (fingerprint, f"sha256:{fingerprint}"):
        assert verify(encode_bundle(signed(encode_statement(statement()), hint=hint))).signer == "release"


def test_the_keyid_and_the_integrated_time_are_not_believed_and_change_nothing() -> None:
    document = opened(bundle_of())
    document["dsseEnvelope"]["signatures"][0]["keyid"] = "the-root-of-all-trust"
    the_entry(document)["integratedTime"] = "4102444800"
    assert replace_digest(verify(closed(document))) == replace_digest(verify(bundle_of_same(document)))


def bundle_of_same(document: dict[str, Any]) -> bytes:
    clean = json.loads(json.dumps(document))
    del clean["dsseEnvelope"]["signatures"][0]["keyid"]
    the_entry(clean)["integratedTime"] = "0"
    return closed(clean)


def replace_digest(found: VerifiedStatement) -> tuple[object, ...]:
    return (found.statement, found.signer, found.fingerprint, found.subjects, found.log_origin, found.log_index)


def test_cosignatures_of_witnesses_beside_the_logs_own_are_left_alone() -> None:
    bundle = bundle_of()
    entry = entry_of(bundle)
    line = f"\u2014 witness.example.test {b64(b'wxyz' + bytes(72))}\n"
    text, signatures = entry.proof.checkpoint.split("\n\n")
    cosigned = replace(entry.proof, checkpoint=f"{text}\n\n{line}{signatures}")
    assert verify(with_entry(bundle, replace(entry, proof=cosigned))).signer == "release"


def test_a_statement_with_two_subjects_counts_for_each_of_them_and_for_no_other() -> None:
    both = Statement(
        (ResourceDescriptor.of("web", IMAGE), ResourceDescriptor.of("api", OTHER_IMAGE)), SLSA_PROVENANCE, {"a": 1}
    )
    bundle = bundle_of(both)
    assert (
        verify(bundle, subject=IMAGE).subjects == verify(bundle, subject=OTHER_IMAGE).subjects == (IMAGE, OTHER_IMAGE)
    )
    with pytest.raises(SubjectMismatch):
        verify(bundle, subject=Digest.of(b"a third image"))


# Who signed it


def test_a_bundle_signed_by_a_stranger_is_refused_with_the_strangers_key_and_the_next_step() -> None:
    with pytest.raises(SignerUnknown) as refused:
        verify(bundle_of(signer="stranger"))
    fingerprint = key("stranger").public_key.fingerprint
    assert f"signed by a stranger: key sha256:{fingerprint}" in refused.value.message
    assert "chainward trust add" in refused.value.hint
    assert (refused.value.kind, refused.value.code) == (Kind.UNTRUSTED, "signer-unknown")


def test_a_strangers_bundle_whose_hint_points_to_a_trusted_key_is_refused() -> None:
    forged = signed(encode_statement(statement()), by=key("stranger"), hint=key_hint(key("release").public_key))
    with pytest.raises(SignatureInvalid):
        verify(encode_bundle(forged))


def test_a_trusted_signers_bundle_whose_hint_points_to_a_strangers_key_is_refused() -> None:
    confused = signed(encode_statement(statement()), hint=key_hint(key("stranger").public_key))
    with pytest.raises(SignerUnknown):
        verify(encode_bundle(confused))


def test_a_bundle_whose_hint_points_to_another_trusted_key_is_refused() -> None:
    confused = signed(encode_statement(statement()), hint=key_hint(key("nightly").public_key))
    with pytest.raises(SignatureInvalid):
        verify(encode_bundle(confused), root_of(trusted(), trusted("nightly")))


def test_what_a_distrusted_signer_signed_is_refused_by_name_and_not_as_a_strangers() -> None:
    with pytest.raises(SignerDistrusted, match="release"):
        verify(bundle_of(), root_of(trusted(distrusted_at=THEN)))


def test_a_key_allowed_for_another_repository_is_refused_here() -> None:
    root = root_of(trusted(repositories=("bank/**", "shop/api")))
    with pytest.raises(SignerNotAllowed, match="shop/web"):
        verify(bundle_of(), root)
    found = verify_bundle(bundle_of(), root, subject=IMAGE, repository=RepositoryName("bank/core"))
    assert found.signer == "release"


def test_a_key_allowed_for_sboms_may_not_state_provenance() -> None:
    root = root_of(trusted(predicates=(CYCLONEDX, VSA)))
    with pytest.raises(SignerNotAllowed, match="slsa"):
        verify(bundle_of(), root)
    assert verify(bundle_of(statement(predicate_type=CYCLONEDX)), root).predicate_type == CYCLONEDX


def test_a_root_that_trusts_nobody_refuses_everything() -> None:
    with pytest.raises(SignerUnknown):
        verify(bundle_of(), TrustRoot((), TrustMaterial((MemoryLog().log,))))


# What was signed


def test_a_valid_bundle_replayed_on_another_digest_is_refused() -> None:
    with pytest.raises(SubjectMismatch) as refused:
        verify(bundle_of(), subject=OTHER_IMAGE)
    assert str(IMAGE) in refused.value.message
    assert str(OTHER_IMAGE) in refused.value.message


def test_a_statement_that_names_its_subject_only_by_sha512_does_not_count_for_a_sha256() -> None:
    long = Digest.of(b"an image manifest", Algorithm.SHA512)
    bundle = bundle_of(statement(long))
    with pytest.raises(SubjectMismatch, match="sha512"):
        verify(bundle)
    assert verify(bundle, subject=long).subjects == (long,)


def test_a_statement_that_names_its_subject_only_by_commit_counts_for_no_digest() -> None:
    commit = Statement((ResourceDescriptor("web", {"gitCommit": IMAGE.hex}),), SLSA_PROVENANCE, {"a": 1})
    with pytest.raises(SubjectMismatch, match="no sha256 or sha512"):
        verify(bundle_of(commit))


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("no subjects", []),
        ("a subject without digest", [{"name": "web"}]),
        ("a second subject without digest", [{"name": "web", "digest": {"sha256": IMAGE.hex}}, {"name": "api"}]),
        ("an empty digest set", [{"name": "web", "digest": {}}]),
        ("an uppercase digest", [{"name": "web", "digest": {"sha256": IMAGE.hex.upper()}}]),
    ],
)
def test_a_signed_statement_that_does_not_say_what_it_is_about_is_refused(name: str, subject: list[Any]) -> None:
    payload = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": SLSA_PROVENANCE,
        "predicate": {"case": name},
    }
    with pytest.raises(BundleMalformed):
        verify(encode_bundle(signed(json.dumps(payload).encode())))


@pytest.mark.parametrize("payload_type", ["application/json", "", "application/vnd.in-toto+json ", "text/plain"])
def test_a_payload_signed_as_another_type_does_not_pass_as_a_statement(payload_type: str) -> None:
    payload = encode_statement(statement())
    with pytest.raises(BundleMalformed):
        verify(encode_bundle(signed(payload, payload_type=payload_type)))


def test_the_payload_type_cannot_be_changed_after_signing() -> None:
    document = opened(encode_bundle(signed(encode_statement(statement()), payload_type="application/json")))
    document["dsseEnvelope"]["payloadType"] = PAYLOAD_TYPE_INTOTO
    with pytest.raises(SignatureInvalid):
        verify(closed(document))


def test_a_signature_over_the_bare_payload_is_no_signature_over_the_envelope() -> None:
    payload = encode_statement(statement())
    signer = key("release")
    signature = signer.sign(payload)
    entry = MemoryLog().submit(HashedRekord(hashlib.sha256(payload).digest(), signature, signer.public_key.der))
    envelope = Envelope(payload, PAYLOAD_TYPE_INTOTO, (Signature(signature),))
    bundle = Bundle(envelope=envelope, key_hint=key_hint(signer.public_key), entries=(entry,))
    with pytest.raises(SignatureInvalid):
        verify(encode_bundle(bundle))


def test_a_changed_payload_is_refused() -> None:
    document = opened(bundle_of())
    document["dsseEnvelope"]["payload"] = b64(encode_statement(statement(OTHER_IMAGE)))
    with pytest.raises(SignatureInvalid):
        verify(closed(document), subject=OTHER_IMAGE)


def test_an_envelope_with_two_signatures_is_refused_even_if_both_are_good() -> None:
    document = opened(bundle_of())
    document["dsseEnvelope"]["signatures"] *= 2
    with pytest.raises(BundleMalformed, match="2 signatures"):
        verify(closed(document))


def test_an_envelope_without_signature_is_refused() -> None:
    document = opened(bundle_of())
    document["dsseEnvelope"]["signatures"] = []
    with pytest.raises(BundleMalformed):
        verify(closed(document))


def test_a_bundle_that_signs_a_file_does_not_pass_as_a_statement() -> None:
    with pytest.raises(BundleMalformed, match="no statement"):
        verify(sign_digest(IMAGE, key("release"), MemoryLog()))


def test_what_a_stranger_signed_is_never_parsed() -> None:
    with pytest.raises(SignerUnknown):
        verify(encode_bundle(signed(b"{" * 100_000, by=key("stranger"))))
    with pytest.raises(BundleMalformed):
        verify(encode_bundle(signed(b"{" * 100_000)))


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b"\xff", b'{"mediaType": "x"}', b"[" * 500])
def test_what_is_no_bundle_is_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(BundleMalformed):
        verify(data)


def test_a_bundle_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TooLarge):
        verify(b" " * (34 * 1024 * 1024 + 1))


# Whether a trusted log holds it


def test_a_bundle_without_log_entry_is_refused() -> None:
    document = opened(bundle_of())
    document["verificationMaterial"]["tlogEntries"] = []
    with pytest.raises(LogEntryMissing):
        verify(closed(document))


def test_a_bundle_with_two_log_entries_is_refused() -> None:
    document = opened(bundle_of())
    document["verificationMaterial"]["tlogEntries"] *= 2
    with pytest.raises(BundleMalformed, match="2 log entries"):
        verify(closed(document))


def test_a_log_entry_swapped_for_that_of_another_bundle_is_refused() -> None:
    log = MemoryLog()
    mine, other = bundle_of(log=log), bundle_of(statement(OTHER_IMAGE), log=log)
    with pytest.raises(LogEntryMismatch):
        verify(with_entry(mine, entry_of(other)))


def test_the_proof_of_another_leaf_is_refused() -> None:
    log = MemoryLog()
    mine, other = bundle_of(log=log), bundle_of(statement(OTHER_IMAGE), log=log)
    entry = replace(log.entry(4), body=entry_of(mine).body)
    assert entry.body != entry_of(other).body
    with pytest.raises(InclusionProofInvalid):
        verify(with_entry(mine, entry))


def test_a_proof_for_another_index_is_refused() -> None:
    log = MemoryLog()
    bundle = bundle_of(log=log)
    log.append(b"later")
    entry = log.entry(3)
    moved = replace(entry, log_index=2, proof=replace(entry.proof, log_index=2))
    with pytest.raises(InclusionProofInvalid):
        verify(with_entry(bundle, moved))


def test_an_index_that_differs_between_entry_and_proof_is_refused() -> None:
    entry = entry_of(bundle := bundle_of())
    with pytest.raises(LogEntryMismatch, match="different indices"):
        verify(with_entry(bundle, replace(entry, log_index=entry.log_index + 1)))


def test_an_entry_at_index_zero_is_refused() -> None:
    with pytest.raises(LogEntryMismatch, match="index 0"):
        verify(encode_bundle(signed(encode_statement(statement()), log=MemoryLog(leaves=[]))))


def test_one_extra_member_in_the_canonical_body_is_refused_though_the_log_holds_it() -> None:
    bundle = bundle_of()
    body = json.loads(entry_of(bundle).body)
    body["spec"]["hashedRekordV002"]["note"] = "trust me"
    spaced = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(LogEntryMismatch):
        verify(with_entry(bundle, MemoryLog().append(spaced)))


def test_a_body_with_the_same_members_in_another_spelling_is_refused_though_the_log_holds_it() -> None:
    bundle = bundle_of()
    spaced = json.dumps(json.loads(entry_of(bundle).body), sort_keys=True).encode()
    for hint in (key_hint(key("release").public_key), ""):
        document = opened(with_entry(bundle, MemoryLog().append(spaced)))
        document["verificationMaterial"]["publicKey"]["hint"] = hint
        with pytest.raises(LogEntryMismatch):
            verify(closed(document))


def test_an_entry_of_another_kind_is_refused() -> None:
    entry = entry_of(bundle := bundle_of())
    for changed in (replace(entry, kind="dsse"), replace(entry, version="0.0.1")):
        with pytest.raises(LogEntryMismatch, match="hashedrekord"):
            verify(with_entry(bundle, changed))


def test_an_entry_in_a_log_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(LogUntrusted) as refused:
        verify(bundle_of(log=MemoryLog(origin="elsewhere.example.test")))
    assert refused.value.details["trusted"] == [ORIGIN]


def test_an_untrusted_logs_entry_under_the_id_of_a_trusted_log_is_refused() -> None:
    bundle = bundle_of(log=MemoryLog(name="other key"))
    entry = replace(entry_of(bundle), log_id=MemoryLog().log.key_id)
    with pytest.raises(CheckpointInvalid):
        verify(with_entry(bundle, entry))


def test_a_log_id_of_four_bytes_is_not_enough() -> None:
    entry = entry_of(bundle := bundle_of())
    with pytest.raises(LogUntrusted):
        verify(with_entry(bundle, replace(entry, log_id=entry.log_id[:4])))


def test_the_checkpoint_of_another_trusted_log_is_refused() -> None:
    other = MemoryLog(origin="log2.example.test", name="log2")
    log = MemoryLog()
    bundle = bundle_of(log=log)
    other.leaves = list(log.leaves)
    entry = entry_of(bundle)
    swapped = replace(entry, proof=replace(entry.proof, checkpoint=other.entry(3).proof.checkpoint))
    with pytest.raises(CheckpointInvalid):
        verify(with_entry(bundle, swapped), root_of(logs=[log.log, other.log]))


def test_a_checkpoint_of_another_origin_signed_with_the_logs_own_name_and_key_is_refused() -> None:
    log = MemoryLog()
    bundle = bundle_of(log=log)
    entry = entry_of(bundle)
    text = entry.proof.checkpoint.split("\n\n")[0].replace(ORIGIN, "other.example.test") + "\n"
    signature = NoteSigner(ORIGIN, log_key()).key_id[:4] + log_key().sign(text.encode())
    note = f"{text}\n\u2014 {ORIGIN} {b64(signature)}\n"
    with pytest.raises(CheckpointInvalid):
        verify(with_entry(bundle, replace(entry, proof=replace(entry.proof, checkpoint=note))))


def tamper_root(note: str) -> str:
    origin, size, _, *rest = note.split("\n")
    return "\n".join([origin, size, b64(hashlib.sha256(b"another tree").digest()), *rest])


def tamper_size(note: str) -> str:
    origin, _, *rest = note.split("\n")
    return "\n".join([origin, "40", *rest])


def drop_signature(note: str) -> str:
    return note.split("\n\n", maxsplit=1)[0] + "\n\n"


def double_signature(note: str) -> str:
    return note + note.split("\n\n")[1]


def foreign_signature(note: str) -> str:
    return note.replace(f"\u2014 {ORIGIN} ", "\u2014 elsewhere.example.test ")


def add_extension(note: str) -> str:
    return note.replace("\n\n", "\nwe promise more\n\n")


@pytest.mark.parametrize(
    "tamper",
    [
        tamper_root,
        tamper_size,
        drop_signature,
        double_signature,
        foreign_signature,
        add_extension,
        str.upper,
        str.strip,
    ],
)
def test_a_checkpoint_that_is_not_exactly_what_the_log_signed_is_refused(tamper: Any) -> None:
    entry = entry_of(bundle := bundle_of())
    changed = replace(entry, proof=replace(entry.proof, checkpoint=tamper(entry.proof.checkpoint)))
    with pytest.raises(CheckpointInvalid):
        verify(with_entry(bundle, changed))


def test_a_proof_for_another_tree_than_its_checkpoint_is_refused() -> None:
    entry = entry_of(bundle := bundle_of())
    for proof in (
        replace(entry.proof, root=hashlib.sha256(b"another tree").digest()),
        replace(entry.proof, tree_size=entry.proof.tree_size + 1),
        replace(entry.proof, hashes=entry.proof.hashes[:-1]),
        replace(entry.proof, hashes=(*entry.proof.hashes, bytes(32))),
        replace(entry.proof, hashes=()),
    ):
        with pytest.raises(InclusionProofInvalid):
            verify(with_entry(bundle, replace(entry, proof=proof)))


def test_an_entry_beyond_the_end_of_the_tree_is_refused() -> None:
    entry = entry_of(bundle := bundle_of())
    beyond = replace(entry, log_index=99, proof=replace(entry.proof, log_index=99))
    with pytest.raises(InclusionProofInvalid):
        verify(with_entry(bundle, beyond))


def test_a_forged_tree_with_a_valid_proof_but_without_the_logs_signature_is_refused() -> None:
    bundle = bundle_of()
    leaves = [b"genesis", entry_of(bundle).body]
    note = NoteSigner(ORIGIN, log_key("forger")).sign(2, tree_root(leaves)).decode()
    entry = entry_of(bundle)
    proof = replace(
        entry.proof,
        log_index=1,
        tree_size=2,
        root=tree_root(leaves),
        hashes=tuple(tree_path(1, leaves)),
        checkpoint=note,
    )
    with pytest.raises(CheckpointInvalid):
        verify(with_entry(bundle, replace(entry, log_index=1, proof=proof)))


# Which reason wins


def test_the_first_failed_check_is_the_answer_in_the_documented_order() -> None:
    stranger = opened(bundle_of(signer="stranger", log=MemoryLog(origin="elsewhere.example.test")))
    with pytest.raises(SignerUnknown):
        verify(closed(stranger), subject=OTHER_IMAGE)
    elsewhere = opened(bundle_of(log=MemoryLog(origin="elsewhere.example.test")))
    with pytest.raises(LogUntrusted):
        verify(closed(elsewhere), root_of(trusted(predicates=(VSA,))), subject=OTHER_IMAGE)
    with pytest.raises(SubjectMismatch):
        verify(bundle_of(), root_of(trusted(predicates=(VSA,))), subject=OTHER_IMAGE)
    elsewhere["dsseEnvelope"]["payload"] = base64.b64encode(b"{}").decode()
    with pytest.raises(SignatureInvalid):
        verify(closed(elsewhere))
