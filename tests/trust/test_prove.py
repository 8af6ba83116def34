"""What a bundle proves, in every form in which Sigstore's clients have written bundles."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.trust.sigstore_world import (
    ARTIFACT,
    ISSUER,
    NOON,
    SECOND,
    START,
    STATEMENT,
    SUBJECT,
    TimestampAuthority,
    World,
    as_version,
    leaf_extensions,
    new_key,
)

from chainward.formats.bundle import Bundle, encode_bundle
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO
from chainward.kernel.digest import Digest
from chainward.keys.local import PrivateKey
from chainward.trust.errors import (
    AuthorityRetired,
    BundleMalformed,
    LogEntryMissing,
    SignerUnknown,
    SigningTimeMissing,
)
from chainward.trust.identity import IdentityKind
from chainward.trust.prove import Thresholds, prove_bundle
from chainward.trust.proven import MessageDigest, Proven, ProvenCertificate, ProvenKey, StatementPayload

if TYPE_CHECKING:
    from chainward.keys.model import PublicKey
    from chainward.trust.material import TrustMaterial


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def nobody(fingerprint: str) -> PublicKey | None:
    del fingerprint
    return None


def prove(bundle: Bundle | bytes, material: TrustMaterial, **options: Any) -> Proven:
    data = bundle if isinstance(bundle, bytes) else encode_bundle(bundle)
    return prove_bundle(data, material, **({"find_key": nobody} | options))


def identity_in(proven: Proven) -> tuple[str, str]:
    assert isinstance(proven.signer, ProvenCertificate)
    return proven.signer.identity.subject, proven.signer.identity.issuer


def test_a_signed_file_is_proven_with_signer_log_and_time(world: World) -> None:
    bundle = world.sign()
    proven = prove(bundle, world.material)
    assert proven.payload == MessageDigest("sha256", hashlib.sha256(ARTIFACT).digest())
    assert isinstance(proven.signer, ProvenCertificate)
    assert proven.signer.identity.kind is IdentityKind.URI
    assert identity_in(proven) == (SUBJECT, ISSUER)
    assert proven.signer.fingerprint == hashlib.sha256(bundle.certificates[0]).hexdigest()
    assert proven.signer.authority == "https://ca.example.test"
    assert (proven.log.origin, proven.log_index) == (world.log.origin, bundle.entries[0].log_index)
    assert [(time.instant, time.source) for time in proven.times] == [(NOON, world.tsa.name)]
    assert proven.signed_at == NOON
    assert proven.bundle_digest == Digest.of(encode_bundle(bundle))


def test_a_statement_is_proven_as_the_bytes_that_were_signed(world: World) -> None:
    proven = prove(world.state(), world.material)
    assert proven.payload == StatementPayload(STATEMENT, PAYLOAD_TYPE_INTOTO)


def test_a_payload_of_any_type_is_proven_and_not_interpreted(world: World) -> None:
    proven = prove(world.state(b"\x00 anything", payload_type="text/plain"), world.material)
    assert proven.payload == StatementPayload(b"\x00 anything", "text/plain")


def test_a_bundle_signed_by_a_key_needs_no_time(world: World) -> None:
    key = new_key()
    own = PrivateKey.of(key).public_key
    proven = prove(world.sign(key=key, certificate="none", stamps=0), world.material, find_key=lambda _: own)
    assert proven.signer == ProvenKey(own)
    assert (proven.times, proven.signed_at) == ((), None)


def test_a_timestamp_on_a_bundle_signed_by_a_key_counts_too(world: World) -> None:
    key = new_key()
    own = PrivateKey.of(key).public_key
    proven = prove(world.sign(key=key, certificate="none"), world.material, find_key=lambda _: own)
    assert proven.signed_at == NOON


def test_a_timestamp_of_a_stranger_takes_nothing_from_a_bundle_signed_by_a_key(world: World) -> None:
    key = new_key()
    own = PrivateKey.of(key).public_key
    bundle = world.sign(key=key, certificate="none", stamps=0)
    assert bundle.message_signature is not None
    token = TimestampAuthority.new().stamp(bundle.message_signature.signature)
    assert prove(replace(bundle, timestamps=(token,)), world.material, find_key=lambda _: own).times == ()


def test_a_key_that_nobody_knows_is_a_strangers(world: World) -> None:
    with pytest.raises(SignerUnknown):
        prove(world.sign(certificate="none"), world.material)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
@pytest.mark.parametrize("form", ["sign", "state"])
def test_keys_on_every_usual_curve_sign(world: World, curve: ec.EllipticCurve, form: str) -> None:
    assert identity_in(prove(getattr(world, form)(key=new_key(curve)), world.material)) == (SUBJECT, ISSUER)


def test_rsa_keys_sign(world: World) -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert identity_in(prove(world.sign(key=key), world.material)) == (SUBJECT, ISSUER)
    assert identity_in(prove(world.state(key=key), world.material)) == (SUBJECT, ISSUER)


@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_bundles_of_all_versions_are_read(world: World, version: str) -> None:
    bundle = world.sign()
    data = as_version(bundle, version) if version != "0.3" else encode_bundle(bundle)
    assert identity_in(prove(data, world.material)) == (SUBJECT, ISSUER)


def test_a_chain_in_an_older_bundle_is_tolerated_and_not_used(world: World) -> None:
    intermediate = world.material.certificate_authorities[0].certificates[0]
    from cryptography.hazmat.primitives.serialization import Encoding

    data = as_version(world.sign(), "0.2", intermediate.public_bytes(Encoding.DER))
    assert identity_in(prove(data, world.material)) == (SUBJECT, ISSUER)


@pytest.mark.parametrize("kind", ["hashedrekord", "dsse", "intoto"])
@pytest.mark.parametrize("version", ["0.1", "0.2", "0.3"])
def test_entries_of_rekor_v1_are_believed_with_the_time_that_the_log_signed(
    world: World, kind: Literal["hashedrekord", "dsse", "intoto"], version: str
) -> None:
    bundle = world.sign_old(kind, at=NOON + timedelta(minutes=3))
    proven = prove(as_version(bundle, version) if version != "0.3" else encode_bundle(bundle), world.material)
    assert identity_in(proven) == (SUBJECT, ISSUER)
    assert [(time.instant, time.source) for time in proven.times] == [(NOON + timedelta(minutes=3), world.old_log.host)]
    assert proven.log_index == bundle.entries[0].log_index
    assert proven.log_index != bundle.entries[0].proof.log_index  # v1 counts over all its trees


@pytest.mark.parametrize("kind", ["hashedrekord", "dsse", "intoto"])
def test_a_bare_key_in_rekor_v1_is_believed(world: World, kind: Literal["hashedrekord", "dsse", "intoto"]) -> None:
    key = new_key()
    own = PrivateKey.of(key).public_key
    bundle = world.sign_old(kind, key=key, with_certificate=False)
    assert prove(bundle, world.material, find_key=lambda _: own).signer == ProvenKey(own)
    unhinted = replace(bundle, key_hint="")
    found = prove(unhinted, world.material, find_key=lambda known: own if known == own.fingerprint else None)
    assert found.signer == ProvenKey(own)


def test_a_promise_alone_proves_nothing_unless_the_caller_says_so(world: World) -> None:
    whole = json.loads(as_version(world.sign_old(), "0.1"))
    del whole["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    data = json.dumps(whole).encode()
    with pytest.raises(LogEntryMissing, match="no inclusion proof"):
        prove(data, world.material)
    believed = prove(data, world.material, thresholds=Thresholds(promise_suffices=True))
    assert believed.signed_at == NOON


def test_both_sources_of_time_are_told(world: World) -> None:
    old = world.sign_old()
    assert old.message_signature is not None
    token = world.tsa.stamp(old.message_signature.signature, NOON + SECOND)
    proven = prove(replace(old, timestamps=(token,)), world.material)
    assert [time.instant for time in proven.times] == [NOON, NOON + SECOND]
    assert proven.signed_at == NOON


def test_two_sources_of_time_can_be_demanded(world: World) -> None:
    old = world.sign_old()
    assert old.message_signature is not None
    both = replace(old, timestamps=(world.tsa.stamp(old.message_signature.signature),))
    demanding = Thresholds(times=2)
    assert len(prove(both, world.material, thresholds=demanding).times) == 2
    with pytest.raises(SigningTimeMissing):
        prove(old, world.material, thresholds=demanding)


def test_one_source_that_speaks_twice_is_still_one(world: World) -> None:
    bundle = world.sign(stamps=2)
    with pytest.raises(SigningTimeMissing):
        prove(bundle, world.material, thresholds=Thresholds(times=2))


@pytest.mark.parametrize("offset", [timedelta(), timedelta(minutes=10)])
def test_the_window_of_a_certificate_includes_its_ends(world: World, offset: timedelta) -> None:
    key = new_key()
    leaf = world.certify(key.public_key(), at=NOON)
    bundle = world.sign(key=key, certificate=leaf, at=NOON + offset)
    assert prove(bundle, world.material).signed_at == NOON + offset


def test_the_window_of_every_authority_includes_its_ends(world: World) -> None:
    bundle, material = world.sign(), world.material
    at_once = replace(
        material,
        logs=tuple(replace(log, start=NOON, end=NOON) for log in material.logs),
        ct_logs=tuple(replace(log, start=NOON, end=NOON) for log in material.ct_logs),
        certificate_authorities=tuple(replace(ca, start=NOON, end=NOON) for ca in material.certificate_authorities),
        timestamp_authorities=tuple(replace(tsa, start=NOON, end=NOON) for tsa in material.timestamp_authorities),
    )
    assert prove(bundle, at_once).signed_at == NOON


@pytest.mark.parametrize("window", [{"end": NOON - SECOND}, {"start": NOON + SECOND}])
def test_what_was_signed_while_its_log_was_not_in_use_is_refused(world: World, window: dict[str, Any]) -> None:
    logs = tuple(replace(log, **{"start": START} | window) for log in world.material.logs)
    with pytest.raises(AuthorityRetired):
        prove(world.sign(), replace(world.material, logs=logs))
    with pytest.raises(AuthorityRetired):
        prove(world.sign_old(), replace(world.material, logs=logs))


def test_what_was_signed_before_its_log_retired_is_still_believed(world: World) -> None:
    logs = tuple(replace(log, end=NOON) for log in world.material.logs)
    assert prove(world.sign(), replace(world.material, logs=logs)).signed_at == NOON
    assert prove(world.sign_old(), replace(world.material, logs=logs)).signed_at == NOON


def test_an_email_is_an_identity_too(world: World) -> None:
    key = new_key()
    leaf = world.certify(key.public_key(), leaf_extensions("jane@example.test", kind="email", claims={24: "1234"}))
    proven = prove(world.sign(key=key, certificate=leaf), world.material)
    assert isinstance(proven.signer, ProvenCertificate)
    assert proven.signer.identity.kind is IdentityKind.EMAIL
    assert proven.signer.identity.claims["token_subject"] == "1234"


def test_an_authority_may_be_one_root_alone() -> None:
    from tests.trust.sigstore_world import root_holder

    small = World(authorities=(root_holder("only"),))
    assert identity_in(prove(small.sign(), small.material)) == (SUBJECT, ISSUER)


def test_of_two_authorities_with_one_name_the_one_that_signed_is_found() -> None:
    one, two = World(), World()
    both = replace(
        one.material,
        ct_logs=(*two.material.ct_logs, *one.material.ct_logs),
        certificate_authorities=(*two.material.certificate_authorities, *one.material.certificate_authorities),
        timestamp_authorities=(*two.material.timestamp_authorities, *one.material.timestamp_authorities),
    )
    assert identity_in(prove(one.sign(), both)) == (SUBJECT, ISSUER)


def test_only_proving_makes_proven_values(world: World) -> None:
    again: Any = replace
    with pytest.raises(TypeError):
        again(prove(world.sign(), world.material), log_index=1, seal=object())


def test_a_bundle_beyond_the_limit_is_not_even_decoded(world: World) -> None:
    from chainward.formats.bundle import MAX_BUNDLE
    from chainward.formats.errors import TooLarge

    with pytest.raises(TooLarge):
        prove(b" " * (MAX_BUNDLE + 1), world.material)


@pytest.mark.parametrize("count", [0, 2])
def test_a_bundle_has_exactly_one_log_entry(world: World, count: int) -> None:
    bundle = world.sign()
    with pytest.raises((LogEntryMissing, BundleMalformed)):
        prove(replace(bundle, entries=bundle.entries * count), world.material)
