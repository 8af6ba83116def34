"""Attacks on bundles, each named after what the attacker does; every one must be refused, and for its own reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.trust.sigstore_world import (
    ARTIFACT,
    NOON,
    SECOND,
    STATEMENT,
    SUBJECT,
    CertificateLog,
    OldLog,
    TimestampAuthority,
    World,
    as_version,
    b64,
    below,
    der,
    leaf_extensions,
    new_key,
    old_dsse,
    old_hashedrekord,
    pem_of,
    root_holder,
)
from tests.trust.test_prove import nobody, prove
from tests.trust.world import MemoryLog, log_key

from chainward.formats.bundle import LogEntry, MessageSignature, encode_bundle
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, Envelope, Signature, pae
from chainward.formats.rekor import HashedRekord, canonical_body
from chainward.keys.errors import KeyUnsupported, SignatureInvalid
from chainward.keys.local import PrivateKey
from chainward.ledger.checkpoint import CheckpointInvalid, NoteSigner
from chainward.trust.errors import (
    BundleMalformed,
    CertificateMalformed,
    CertificateOutsideWindow,
    CertificateUntrusted,
    InclusionProofInvalid,
    LogEntryMismatch,
    LogEntryMissing,
    LogKeyInvalid,
    LogPromiseInvalid,
    LogUntrusted,
    SignerUnknown,
    SigningTimeMissing,
    TimestampInvalid,
    TimestampOutsideWindow,
    TimestampPromiseInvalid,
    TimestampUntrusted,
)
from chainward.trust.identity import IdentityMatch
from chainward.trust.material import TrustedLog, TrustMaterial
from chainward.trust.prove import prove_bundle

if TYPE_CHECKING:
    from chainward.formats.bundle import Bundle


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def other() -> World:
    return World()


def entry_of(bundle: Bundle) -> LogEntry:
    return bundle.entries[0]


def with_entry(bundle: Bundle, **changes: Any) -> Bundle:
    return replace(bundle, entries=(replace(entry_of(bundle), **changes),))


def with_proof(bundle: Bundle, **changes: Any) -> Bundle:
    return with_entry(bundle, proof=replace(entry_of(bundle).proof, **changes))


def signature_of(bundle: Bundle) -> bytes:
    assert bundle.message_signature is not None
    return bundle.message_signature.signature


# -- what was signed --------------------------------------------------------------------------------------------------


def test_a_swapped_digest_is_refused(world: World) -> None:
    bundle = world.sign()
    assert bundle.message_signature is not None
    swapped = replace(bundle.message_signature, digest=hashlib.sha256(b"malware").digest())
    with pytest.raises(SignatureInvalid):
        prove(replace(bundle, message_signature=swapped), world.material)


def test_a_swapped_payload_is_refused(world: World) -> None:
    bundle = world.state()
    assert bundle.envelope is not None
    with pytest.raises(SignatureInvalid):
        prove(replace(bundle, envelope=replace(bundle.envelope, payload=b"{}")), world.material)


def test_a_payload_passed_off_as_another_type_is_refused(world: World) -> None:
    bundle = world.state(payload_type="application/vnd.example.harmless+json")
    assert bundle.envelope is not None
    with pytest.raises(SignatureInvalid):
        prove(replace(bundle, envelope=replace(bundle.envelope, payload_type=PAYLOAD_TYPE_INTOTO)), world.material)


def test_who_signs_a_file_in_the_form_of_an_envelope_has_signed_the_statement_in_it(world: World) -> None:
    """Since Rekor v2 logs both alike, nothing tells them apart: signers must not sign such files."""
    bundle = world.sign(pae(PAYLOAD_TYPE_INTOTO, STATEMENT))
    envelope = Envelope(STATEMENT, PAYLOAD_TYPE_INTOTO, (Signature(signature_of(bundle)),))
    as_statement = replace(bundle, message_signature=None, envelope=envelope)
    assert prove(bundle, world.material).signer == prove(as_statement, world.material).signer


def test_a_digest_of_another_algorithm_than_the_key_signs_is_refused(world: World) -> None:
    bundle = world.sign()
    assert bundle.message_signature is not None
    for name in ("SHA2_512", "SHA2_384", "SHA1", "HASH_ALGORITHM_UNSPECIFIED"):
        confused = replace(bundle.message_signature, digest_algorithm=name)
        with pytest.raises(BundleMalformed, match="does not sign"):
            prove(replace(bundle, message_signature=confused), world.material)


def test_the_other_value_of_an_ecdsa_signature_is_not_the_one_that_was_logged(world: World) -> None:
    """(r, n - s) verifies as well as (r, s), so the log entry must hold the very bytes."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    bundle = world.sign()
    assert bundle.message_signature is not None
    r, s = decode_dss_signature(signature_of(bundle))
    twin = replace(bundle.message_signature, signature=encode_dss_signature(r, order - s))
    with pytest.raises(LogEntryMismatch):
        prove(replace(bundle, message_signature=twin), world.material)


# -- whose key --------------------------------------------------------------------------------------------------------


def test_a_swapped_certificate_is_refused(world: World) -> None:
    with pytest.raises(SignatureInvalid):
        prove(replace(world.sign(), certificates=world.sign().certificates), world.material)


def test_another_certificate_for_the_same_key_is_refused(world: World) -> None:
    """The key is right and the certificate is genuine, but the log holds the signature under another one."""
    key = new_key()
    bundle = world.sign(key=key)
    again = world.certify(key.public_key(), leaf_extensions("https://ci.example.test/other"))
    with pytest.raises(LogEntryMismatch):
        prove(replace(bundle, certificates=(again,)), world.material)


def test_a_certificate_of_another_instance_is_refused(world: World, other: World) -> None:
    key = new_key()
    foreign = other.certify(key.public_key())
    with pytest.raises(CertificateUntrusted):
        prove(world.sign(key=key, certificate=foreign), world.material)


def test_a_whole_bundle_of_another_instance_is_refused(world: World, other: World) -> None:
    with pytest.raises(CertificateUntrusted):
        prove(other.sign(), world.material)


def test_a_certificate_without_any_trusted_authority_is_refused(world: World) -> None:
    with pytest.raises(CertificateUntrusted):
        prove(world.sign(), TrustMaterial(world.material.logs))


def test_a_root_certificate_in_the_bundle_is_refused(world: World) -> None:
    root = der(world.authorities[-1].certificate)
    with pytest.raises(BundleMalformed, match="root certificate"):
        prove(as_version(world.sign(), "0.2", root), world.material)


def test_an_authority_brought_along_in_the_bundle_is_not_believed(world: World) -> None:
    """The attacker sends his own intermediate, which nobody trusts, with the leaf that it issued."""
    own_root = root_holder("own root")
    own = below(own_root)
    key = new_key()
    leaf = world.certify(key.public_key(), issuer=own)
    with pytest.raises(CertificateUntrusted):
        prove(as_version(world.sign(key=key, certificate=leaf), "0.2", der(own.certificate)), world.material)


def test_a_certificate_authority_that_signs_artifacts_itself_is_refused(world: World) -> None:
    issuer = world.issuer
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    with pytest.raises(CertificateUntrusted, match="authority"):
        prove(world.sign(key=issuer.key, certificate=der(issuer.certificate)), world.material)


def test_a_bundle_signed_by_a_key_where_only_identities_are_asked_for_is_refused(world: World) -> None:
    with pytest.raises(SignerUnknown):
        prove(world.sign(certificate="none"), world.material)


def test_a_hint_that_points_to_somebody_elses_key_does_not_make_it_theirs(world: World) -> None:
    trusted = PrivateKey.of(new_key()).public_key
    forged = replace(world.sign(certificate="none"), key_hint=trusted.fingerprint)
    with pytest.raises(SignatureInvalid):
        prove(forged, world.material, find_key=lambda known: trusted if known == trusted.fingerprint else None)


def test_bytes_that_are_no_certificate_are_refused(world: World) -> None:
    for junk in (b"", b"junk", b"\x30\x82", bytes(70_000)):
        with pytest.raises(CertificateMalformed):
            prove(replace(world.sign(), certificates=(junk,)), world.material)


def test_a_certificate_of_a_version_that_never_was_is_refused(world: World) -> None:
    bundle = world.sign()
    version = b"\xa0\x03\x02\x01\x02"
    for number in (b"\x03", b"\x63"):
        odd = bundle.certificates[0].replace(version, version[:-1] + number, 1)
        with pytest.raises(CertificateMalformed):
            prove(replace(bundle, certificates=(odd,)), world.material)


# -- the certificate log ----------------------------------------------------------------------------------------------


def test_a_certificate_that_was_never_logged_is_refused(world: World) -> None:
    key = new_key()
    end = NOON + timedelta(minutes=10)
    quiet = der(world.issuer.sign(x509.Name([]), key.public_key(), leaf_extensions(), start=NOON, end=end))
    with pytest.raises(TimestampPromiseInvalid):
        prove(world.sign(key=key, certificate=quiet), world.material)


def test_the_promise_for_another_certificate_is_refused(world: World) -> None:
    key, decoy = new_key(), new_key()
    promised = x509.load_der_x509_certificate(world.certify(decoy.public_key()))
    stolen = promised.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")).value
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), stolen.public_bytes())
    extensions = [*leaf_extensions(), (extension, False)]
    leaf = der(world.issuer.sign(x509.Name([]), key.public_key(), extensions, start=NOON, end=NOON + 9 * SECOND))
    with pytest.raises(TimestampPromiseInvalid):
        prove(world.sign(key=key, certificate=leaf), world.material)


def test_the_promise_of_an_untrusted_log_is_refused(world: World) -> None:
    key = new_key()
    leaf = world.certify(key.public_key(), ct=CertificateLog())
    with pytest.raises(TimestampPromiseInvalid):
        prove(world.sign(key=key, certificate=leaf), world.material)


def test_a_promise_under_the_id_of_a_trusted_log_with_another_key_is_refused(world: World) -> None:
    impostor = replace(world.ct.trusted, end=NOON - SECOND)
    with pytest.raises(TimestampPromiseInvalid):
        prove(world.sign(), replace(world.material, ct_logs=(impostor,)))
    with pytest.raises(LogKeyInvalid):
        TrustedLog(world.ct.origin, PrivateKey.of(new_key()).public_key, world.ct.trusted.key_id)


# -- the signature log ------------------------------------------------------------------------------------------------


def test_a_bundle_without_log_entry_is_refused(world: World) -> None:
    with pytest.raises(LogEntryMissing):
        prove(replace(world.sign(), entries=()), world.material)


def test_the_entry_of_another_signature_is_refused(world: World) -> None:
    key = new_key()
    leaf = world.certify(key.public_key())
    one, two = world.sign(key=key, certificate=leaf), world.sign(key=key, certificate=leaf)
    with pytest.raises(LogEntryMismatch):
        prove(replace(one, entries=two.entries), world.material)


def test_the_entry_of_another_key_is_refused(world: World) -> None:
    with pytest.raises(LogEntryMismatch):
        prove(replace(world.sign(), entries=world.sign().entries), world.material)


def test_an_entry_with_one_member_more_is_refused(world: World) -> None:
    bundle = world.sign()
    whole = json.loads(entry_of(bundle).body)
    whole["spec"]["note"] = "harmless"
    entry = world.log.append(json.dumps(whole, separators=(",", ":"), sort_keys=True).encode())
    with pytest.raises(LogEntryMismatch):
        prove(replace(bundle, entries=(entry,)), world.material)


def test_an_entry_of_a_kind_that_hides_what_it_holds_is_refused(world: World) -> None:
    for kind, version in (("rekord", "0.0.1"), ("hashedrekord", "0.0.3"), ("dsse", "0.0.2"), ("", "")):
        with pytest.raises(LogEntryMismatch):
            prove(with_entry(world.sign(), kind=kind, version=version), world.material)


def test_an_entry_passed_off_as_one_of_the_other_generation_is_refused(world: World) -> None:
    with pytest.raises(LogEntryMismatch):
        prove(with_entry(world.sign(), version="0.0.1"), world.material)
    with pytest.raises(LogEntryMismatch):
        prove(with_entry(world.sign_old(), version="0.0.2"), world.material)


def test_an_entry_of_an_untrusted_log_is_refused(world: World) -> None:
    elsewhere = replace(world, log=MemoryLog("log.evil.test", "evil"))
    with pytest.raises(LogUntrusted):
        prove(elsewhere.sign(), world.material)


def test_an_entry_that_borrows_the_id_of_a_trusted_log_is_refused(world: World) -> None:
    elsewhere = replace(world, log=MemoryLog("log.evil.test", "evil"))
    with pytest.raises(CheckpointInvalid):
        prove(with_entry(elsewhere.sign(), log_id=world.log.log.key_id), world.material)


def test_a_proof_of_another_tree_is_refused(world: World) -> None:
    """A genuine checkpoint of the same log, with the proof of an older tree."""
    bundle = world.sign()
    world.log.append(b"one more")
    newer = world.log.entry(entry_of(bundle).log_index).proof
    with pytest.raises(InclusionProofInvalid):
        prove(with_proof(bundle, checkpoint=newer.checkpoint), world.material)
    mixed = with_proof(bundle, checkpoint=newer.checkpoint, tree_size=newer.tree_size, root=newer.root)
    with pytest.raises(InclusionProofInvalid):
        prove(mixed, world.material)


def test_a_proof_of_another_leaf_is_refused(world: World) -> None:
    bundle = world.sign()
    beside = world.log.entry(entry_of(bundle).log_index - 1)
    with pytest.raises(InclusionProofInvalid):
        prove(replace(bundle, entries=(replace(beside, body=entry_of(bundle).body),)), world.material)


def test_the_first_entry_of_a_log_is_never_a_signature(world: World) -> None:
    bundle = world.sign()
    log = MemoryLog(leaves=[entry_of(bundle).body, b"second"])
    with pytest.raises(LogEntryMismatch, match="index 0"):
        prove(replace(bundle, entries=(log.entry(0),)), world.material)


def test_an_entry_and_a_proof_of_different_indices_are_refused(world: World) -> None:
    bundle = world.sign()
    with pytest.raises(LogEntryMismatch, match="different indices"):
        prove(with_entry(bundle, log_index=entry_of(bundle).log_index + 1), world.material)


def cosigner_line(checkpoint: str, name: str = "witness.example.test") -> str:
    """A line by a key that nobody here knows, over the same text."""
    text = checkpoint.split("\n\n", maxsplit=1)[0] + "\n"
    stranger = NoteSigner(name, PrivateKey.of(Ed25519PrivateKey.generate()))
    return f"\u2014 {name} {b64(stranger.key_id[:4] + stranger.signer.sign(text.encode()))}\n"


def test_a_checkpoint_by_a_cosigner_only_is_refused(world: World) -> None:
    bundle = world.sign()
    text = entry_of(bundle).proof.checkpoint.split("\n\n")[0]
    alone = f"{text}\n\n{cosigner_line(entry_of(bundle).proof.checkpoint)}"
    with pytest.raises(CheckpointInvalid):
        prove(with_proof(bundle, checkpoint=alone), world.material)


def test_cosigners_beside_the_log_take_nothing_away(world: World) -> None:
    bundle = world.sign()
    checkpoint = entry_of(bundle).proof.checkpoint
    text, lines = checkpoint.split("\n\n")
    for more in (f"{cosigner_line(checkpoint)}{lines}", f"{lines}{cosigner_line(checkpoint, world.log.origin)}"):
        assert prove(with_proof(bundle, checkpoint=f"{text}\n\n{more}"), world.material).signed_at == NOON


def test_a_cosigner_that_takes_the_name_of_the_log_is_not_the_log(world: World) -> None:
    bundle = world.sign()
    text = entry_of(bundle).proof.checkpoint.split("\n\n")[0]
    alone = f"{text}\n\n{cosigner_line(entry_of(bundle).proof.checkpoint, world.log.origin)}"
    with pytest.raises(CheckpointInvalid):
        prove(with_proof(bundle, checkpoint=alone), world.material)


def test_a_checkpoint_of_another_log_with_the_same_key_is_refused(world: World) -> None:
    bundle = world.sign()
    proof = entry_of(bundle).proof
    borrowed = NoteSigner("other.example.test", world.log.signer.signer).sign(proof.tree_size, proof.root).decode()
    with pytest.raises(CheckpointInvalid):
        prove(with_proof(bundle, checkpoint=borrowed), world.material)


def test_a_checkpoint_of_another_log_below_the_signature_line_of_this_one_is_refused(world: World) -> None:
    """Whoever gets a log's key to sign for another log has not made an entry of this one."""
    bundle = world.sign()
    text = entry_of(bundle).proof.checkpoint.partition("\n\n")[0].replace(world.log.origin, "log.evil.test", 1) + "\n"
    line = world.log.log.key_id[:4] + log_key(world.log.name).sign(text.encode())
    with pytest.raises(CheckpointInvalid):
        prove(with_proof(bundle, checkpoint=f"{text}\n\u2014 {world.log.origin} {b64(line)}\n"), world.material)


def test_two_logs_with_one_key_id_are_not_believed_in_some_order(world: World) -> None:
    log = world.material.logs[0]
    with pytest.raises(LogKeyInvalid, match="one key id"):
        replace(world.material, logs=(log, replace(log, end=NOON - SECOND)))
    with pytest.raises(LogKeyInvalid, match="one key id"):
        replace(world.material, ct_logs=(world.ct.trusted, world.ct.trusted))


def test_a_log_with_a_bare_key_id_of_old_is_not_one_of_the_new_kind(world: World) -> None:
    """An Ed25519 log known by the bare hash of its key: lines of signed notes carry another id."""
    key = world.log.log.public_key
    bare = TrustedLog(world.log.origin, key, hashlib.sha256(key.der).digest())
    entry = replace(entry_of(bundle := world.sign()), log_id=bare.key_id)
    with pytest.raises(CheckpointInvalid):
        prove(replace(bundle, entries=(entry,)), replace(world.material, logs=(bare,)))


# -- Rekor v1 ---------------------------------------------------------------------------------------------------------

Kind = Literal["hashedrekord", "dsse", "intoto"]
KINDS: tuple[Kind, ...] = ("hashedrekord", "dsse", "intoto")


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_entry_of_another_signature_is_refused(world: World, kind: Kind) -> None:
    with pytest.raises(LogEntryMismatch):
        prove(replace(world.sign_old(kind), entries=world.sign_old(kind).entries), world.material)


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_entry_whose_body_was_changed_is_not_in_the_log(world: World, kind: Kind) -> None:
    bundle = world.sign_old(kind)
    spaced = entry_of(bundle).body.replace(b'"kind"', b' "kind"')
    with pytest.raises((InclusionProofInvalid, LogPromiseInvalid)):
        prove(with_entry(bundle, body=spaced), world.material)


def test_an_old_entry_over_another_file_is_refused(world: World) -> None:
    wrong = hashlib.sha256(b"malware").hexdigest().encode()
    right = hashlib.sha256(ARTIFACT).hexdigest().encode()
    with pytest.raises(LogEntryMismatch):
        prove(world.sign_old(alter=lambda body: body.replace(right, wrong)), world.material)


@pytest.mark.parametrize("kind", ["dsse", "intoto"])
def test_an_old_entry_over_another_payload_is_refused(world: World, kind: Kind) -> None:
    right, wrong = (hashlib.sha256(each).hexdigest().encode() for each in (STATEMENT, b"{}"))
    with pytest.raises(LogEntryMismatch):
        prove(world.sign_old(kind, alter=lambda body: body.replace(right, wrong)), world.material)


def test_an_old_entry_with_the_key_of_the_certificate_in_its_place_is_refused(world: World) -> None:
    key = new_key()
    bundle = world.sign_old(key=key)
    body = old_hashedrekord(ARTIFACT, signature_of(bundle), PrivateKey.of(key).public_key.pem)
    bare = world.old_log.append(body, "hashedrekord", "0.0.1", NOON)
    with pytest.raises(LogEntryMismatch):
        prove(replace(bundle, entries=(bare,)), world.material)


def test_a_file_is_not_vouched_for_by_an_old_entry_about_a_payload(world: World) -> None:
    """The digest in a dsse entry is that of a payload; it must not stand for the digest of a signed file."""
    key = new_key()
    bundle = world.sign_old(key=key)
    body = old_dsse(ARTIFACT, signature_of(bundle), pem_of(bundle.certificates[0]))
    entry = world.old_log.append(body, "dsse", "0.0.1", NOON)
    with pytest.raises(LogEntryMismatch):
        prove(replace(bundle, entries=(entry,)), world.material)


@pytest.mark.parametrize("change", [{"integrated_time": 1}, {"log_index": 5}, {"promise": b"forged"}])
def test_a_forged_promise_is_refused(world: World, change: dict[str, Any]) -> None:
    with pytest.raises(LogPromiseInvalid):
        prove(with_entry(world.sign_old(), **change), world.material)


@pytest.mark.parametrize("time", [0, 2**60, 253_402_300_800])
def test_a_time_that_is_none_is_refused_even_if_the_log_signed_it(world: World, time: int) -> None:
    bundle = world.sign_old()
    entry = entry_of(bundle)
    promise = world.old_log.promise(entry.body, time, entry.log_index)
    with pytest.raises(LogPromiseInvalid):
        prove(with_entry(bundle, integrated_time=time, promise=promise), world.material)


def test_an_integrated_time_without_promise_is_no_time(world: World) -> None:
    with pytest.raises(SigningTimeMissing):
        prove(with_entry(world.sign_old(), promise=b""), world.material)


def test_a_promise_on_an_entry_of_the_new_kind_is_no_time(world: World) -> None:
    """Rekor v2 promises nothing; what stands there was put there by somebody else."""
    bundle = world.sign(stamps=0)
    entry = entry_of(bundle)
    promise = world.old_log.promise(entry.body, int(NOON.timestamp()), entry.log_index)
    with pytest.raises(SigningTimeMissing):
        prove(with_entry(bundle, promise=promise, integrated_time=int(NOON.timestamp())), world.material)


def test_the_promise_of_another_old_log_is_refused(world: World) -> None:
    evil = OldLog()
    bundle = replace(world, old_log=evil).sign_old()
    with pytest.raises(LogUntrusted):
        prove(bundle, world.material)
    with pytest.raises(LogPromiseInvalid):
        prove(with_entry(bundle, log_id=world.old_log.trusted.key_id), world.material)


def test_a_checkpoint_of_old_that_names_itself_otherwise_than_its_signature_is_refused(world: World) -> None:
    bundle = world.sign_old()
    checkpoint = entry_of(bundle).proof.checkpoint.replace("\u2014 rekor.example.test", "\u2014 other.example.test")
    with pytest.raises(CheckpointInvalid):
        prove(with_proof(bundle, checkpoint=checkpoint), world.material)


def test_a_checkpoint_of_old_over_another_text_is_refused(world: World) -> None:
    bundle = world.sign_old()
    checkpoint = entry_of(bundle).proof.checkpoint.replace(" - 1193", " - 2193")
    with pytest.raises(CheckpointInvalid):
        prove(with_proof(bundle, checkpoint=checkpoint), world.material)


# -- time -------------------------------------------------------------------------------------------------------------


def test_a_certificate_without_any_time_is_refused(world: World) -> None:
    with pytest.raises(SigningTimeMissing):
        prove(world.sign(stamps=0), world.material)


def test_a_timestamp_over_another_signature_is_refused(world: World) -> None:
    with pytest.raises(TimestampInvalid):
        prove(replace(world.sign(), timestamps=(world.tsa.stamp(b"another signature"),)), world.material)


def test_a_timestamp_over_the_file_instead_of_the_signature_is_refused(world: World) -> None:
    with pytest.raises(TimestampInvalid):
        prove(replace(world.sign(), timestamps=(world.tsa.stamp(ARTIFACT),)), world.material)


@pytest.mark.parametrize("certificates", [True, False])
def test_a_timestamp_of_an_untrusted_authority_is_refused_whatever_it_brings_along(
    world: World, *, certificates: bool
) -> None:
    bundle = world.sign()
    token = TimestampAuthority.new().stamp(signature_of(bundle), certificates=certificates)
    with pytest.raises((TimestampUntrusted, TimestampInvalid)):
        prove(replace(bundle, timestamps=(token,)), world.material)


@pytest.mark.parametrize("at", [NOON - SECOND, NOON + timedelta(minutes=10) + SECOND])
def test_a_signature_made_outside_the_window_of_its_certificate_is_refused(world: World, at: Any) -> None:
    key = new_key()
    leaf = world.certify(key.public_key(), at=NOON)
    with pytest.raises(CertificateOutsideWindow):
        prove(world.sign(key=key, certificate=leaf, at=at), world.material)
    old = world.sign_old(key=key, at=at)
    body = old_hashedrekord(ARTIFACT, signature_of(old), pem_of(leaf))
    entry = world.old_log.append(body, "hashedrekord", "0.0.1", at)
    with pytest.raises(CertificateOutsideWindow):
        prove(replace(old, certificates=(leaf,), entries=(entry,)), world.material)


def test_one_good_time_does_not_hide_one_outside_the_window(world: World) -> None:
    old = world.sign_old()
    late = world.tsa.stamp(signature_of(old), NOON + timedelta(hours=1))
    with pytest.raises(CertificateOutsideWindow):
        prove(replace(old, timestamps=(late,)), world.material)


def test_a_certificate_of_an_authority_whose_own_certificates_had_expired_is_refused() -> None:
    root = root_holder(end=NOON - SECOND)
    expired = World(authorities=(below(root), root))
    with pytest.raises(CertificateOutsideWindow):
        prove(expired.sign(), expired.material)
    good = root_holder()
    late = World(authorities=(below(good, end=NOON - SECOND), good))
    with pytest.raises(CertificateOutsideWindow):
        prove(late.sign(), late.material)


@pytest.mark.parametrize("window", [{"end": NOON - SECOND}, {"start": NOON + SECOND}])
def test_a_certificate_of_an_authority_outside_its_window_is_refused(world: World, window: dict[str, Any]) -> None:
    with pytest.raises(CertificateOutsideWindow):
        prove(world.sign(), replace(world.material, certificate_authorities=(world.trusted_ca(**window),)))


@pytest.mark.parametrize("window", [{"end": NOON - SECOND}, {"start": NOON + SECOND}])
def test_a_timestamp_of_an_authority_outside_its_window_is_refused(world: World, window: dict[str, Any]) -> None:
    tsa = replace(world.tsa.trusted, **window)
    with pytest.raises(TimestampOutsideWindow):
        prove(world.sign(), replace(world.material, timestamp_authorities=(tsa,)))


def test_a_certificate_for_code_does_not_sign_timestamps() -> None:
    tsa = TimestampAuthority.new(purposes=[ExtendedKeyUsageOID.CODE_SIGNING])
    world = World(tsa=tsa)
    with pytest.raises((TimestampUntrusted, TimestampInvalid)):
        prove(world.sign(), world.material)


# -- identities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        "https://evil.test/?x=https://ci.example.test/shop/web/build.yml@refs/heads/main",
        "https://ci.example.test/shop/web/build.yml@refs/heads/main-evil",
        "https://ci.example.test/shop/web/build.yml@refs/heads/main%0Aevil",
        "https://ciXexample.test/shop/web/build.yml@refs/heads/main",
    ],
)
def test_a_subject_that_only_contains_the_expected_one_is_not_it(world: World, subject: str) -> None:
    key = new_key()
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject)])
    found = [
        (names if isinstance(extension, x509.SubjectAlternativeName) else extension, critical)
        for extension, critical in leaf_extensions()
    ]
    bundle = world.sign(key=key, certificate=world.certify(key.public_key(), found))
    proven: Any = prove(bundle, world.material)
    for match in (
        IdentityMatch(subject=SUBJECT, issuer_regex=".*"),
        IdentityMatch(subject_regex=SUBJECT.replace(".", r"\."), issuer_regex=".*"),
    ):
        assert not match.matches(proven.signer.identity)


@pytest.mark.parametrize(
    "issuer", ["https://issuer.example.test.evil.test", "https://issuer.example.test/", "http://issuer.example.test"]
)
def test_an_issuer_with_a_suffix_is_another_issuer(world: World, issuer: str) -> None:
    key = new_key()
    leaf = world.certify(key.public_key(), leaf_extensions(issuer=issuer))
    proven: Any = prove(world.sign(key=key, certificate=leaf), world.material)
    assert not IdentityMatch(subject_regex=".*", issuer="https://issuer.example.test").matches(proven.signer.identity)
    pattern = IdentityMatch(subject_regex=".*", issuer_regex=r"https://issuer\.example\.test")
    assert not pattern.matches(proven.signer.identity)


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_a_bundle_stuffed_with_parts_is_refused_before_anything_is_verified(world: World) -> None:
    bundle = world.sign()
    whole = json.loads(encode_bundle(bundle))
    entry = whole["verificationMaterial"]["tlogEntries"][0]
    for material in (
        {"tlogEntries": [entry] * 33},
        {"timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}] * 33}},
    ):
        stuffed = json.dumps({**whole, "verificationMaterial": whole["verificationMaterial"] | material})
        with pytest.raises(BundleMalformed, match="more than"):
            prove_bundle(stuffed.encode(), world.material, find_key=nobody)
    chained = as_version(bundle, "0.2", *bundle.certificates * 10)
    with pytest.raises(BundleMalformed, match="more than"):
        prove_bundle(chained, world.material, find_key=nobody)


def test_a_signature_by_a_key_that_signs_no_digests_is_refused(world: World) -> None:
    """Pure Ed25519 over a file: the digest in the bundle says nothing about what was signed."""
    own = PrivateKey.of(Ed25519PrivateKey.generate())
    bundle = world.sign(certificate="none")
    signed = MessageSignature("SHA2_256", hashlib.sha256(ARTIFACT).digest(), own.sign(ARTIFACT))
    with pytest.raises(KeyUnsupported):
        prove(replace(bundle, message_signature=signed), world.material, find_key=lambda _: own.public_key)


def test_an_honest_body_under_a_dishonest_key_kind_is_refused(world: World) -> None:
    """The log entry says RSA of a P-256 key: the body is rebuilt from the key itself."""
    key = new_key()
    own = PrivateKey.of(key).public_key
    bundle = world.sign(key=key, certificate="none")
    assert bundle.message_signature is not None
    digest = bundle.message_signature.digest
    lied = HashedRekord(digest, signature_of(bundle), own.der, "PKIX_RSA_PKCS1V15_2048_SHA256")
    entry = world.log.append(canonical_body(lied))
    with pytest.raises(LogEntryMismatch):
        prove(replace(bundle, entries=(entry,)), world.material, find_key=lambda _: own)
