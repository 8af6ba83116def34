"""When a timestamp is believed, and every way in which somebody could have made one up."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from tests.timestamps import (
    END,
    MESSAGE,
    NOW,
    START,
    Chain,
    Forgery,
    certificate,
    chain,
    forge,
    info_of,
    key_of,
    stamp,
)

from chainward.formats import cms
from chainward.formats.rfc3161 import TokenWriter, decode_response, decode_token
from chainward.formats.timestamp_info import encode_info
from chainward.formats.trusted_root import decode_trusted_root
from chainward.kernel.problem import Problem
from chainward.keys.model import Scheme
from chainward.trust.authority import Compromise
from chainward.trust.errors import TimestampInvalid, TimestampOutsideWindow, TimestampUntrusted
from chainward.trust.material import ProvenTime, TrustedAuthority, TrustMaterial
from chainward.trust.stamped import verify_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DATA = Path(__file__).parents[1] / "data" / "timestamps"
SOUND = chain()
REPLY = stamp(SOUND)
SECOND = timedelta(seconds=1)


def pem_chain(name: str) -> TrustedAuthority:
    return TrustedAuthority(name, tuple(x509.load_pem_x509_certificates((DATA / f"{name}-chain.pem").read_bytes())))


def shipped_root(name: str) -> tuple[TrustedAuthority, ...]:
    """Return the timestamp authorities in a trusted root as sigstore-python ships it."""
    folder = f"https%3A%2F%2Ftuf-repo-cdn.{name}"
    document = resources.files("sigstore").joinpath("_store", folder, "trusted_root.json").read_bytes()
    return TrustMaterial.from_document(decode_trusted_root(document)).timestamp_authorities


def token_in(reply: bytes) -> bytes:
    """Return the token without the reply around it."""

    @asn1.sequence
    class Reply:
        status: asn1.TLV
        token: asn1.TLV

    return asn1.encode_der(asn1.decode_der(Reply, reply).token)


def test_a_timestamp_of_a_trusted_authority_proves_its_time() -> None:
    assert verify_timestamp(REPLY, MESSAGE, [SOUND.trusted()]) == ProvenTime(NOW, "tsa-1")


def test_a_token_without_the_reply_around_it_proves_the_same() -> None:
    assert verify_timestamp(token_in(REPLY), MESSAGE, [SOUND.trusted()]) == ProvenTime(NOW, "tsa-1")


def test_certificates_in_the_token_are_not_needed() -> None:
    bare = stamp(SOUND, certificates=False)
    assert decode_response(bare).certificates == ()
    assert verify_timestamp(bare, MESSAGE, [SOUND.trusted()]).instant == NOW


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("scheme", [Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384, Scheme.ECDSA_P521_SHA512])
def test_every_curve_and_every_imprint_counts(hash_name: str, scheme: Scheme) -> None:
    by = chain(leaf=key_of("leaf", scheme), root_key=key_of("root", Scheme.ECDSA_P384_SHA384))
    assert verify_timestamp(stamp(by, hash_name=hash_name), MESSAGE, [by.trusted()]).instant == NOW


def test_fractions_of_a_second_are_kept() -> None:
    instant = NOW + timedelta(milliseconds=125)
    assert verify_timestamp(stamp(SOUND, gen_time=instant), MESSAGE, [SOUND.trusted()]).instant == instant


def test_a_compromise_of_the_authority_is_handed_on_with_the_time() -> None:
    compromise = Compromise(since=NOW, checkpoints=(), reason="the key was on a lost disk")
    assert verify_timestamp(REPLY, MESSAGE, [SOUND.trusted(compromise=compromise)]).compromise is compromise


def test_of_several_authorities_the_one_that_signed_is_found() -> None:
    other = chain(leaf=key_of("other"), root_key=key_of("other root"), serial=8)
    proven = verify_timestamp(REPLY, MESSAGE, [other.trusted("tsa-0"), SOUND.trusted("tsa-2")])
    assert proven.source == "tsa-2"


def test_two_instances_with_the_names_and_serial_numbers_of_each_other_are_told_apart_by_their_keys() -> None:
    twin = chain(leaf=key_of("other"), root_key=key_of("other root"))
    assert verify_timestamp(REPLY, MESSAGE, [twin.trusted("twin"), SOUND.trusted("own")]).source == "own"


# Replay, forgery, strangers


def test_a_timestamp_over_another_signature_is_refused() -> None:
    with pytest.raises(TimestampInvalid, match="something else"):
        verify_timestamp(REPLY, MESSAGE + b"!", [SOUND.trusted()])


def test_a_timestamp_of_a_stranger_is_refused_although_it_brings_its_own_certificates() -> None:
    stranger = chain(leaf=key_of("other"), root_key=key_of("other root"), serial=8)
    with pytest.raises(TimestampUntrusted, match="serial number"):
        verify_timestamp(stamp(stranger), MESSAGE, [SOUND.trusted()])


def test_a_stranger_with_the_name_and_serial_number_of_an_authority_is_refused() -> None:
    twin = chain(leaf=key_of("other"), root_key=key_of("other root"))
    with pytest.raises(TimestampInvalid):
        verify_timestamp(stamp(twin), MESSAGE, [SOUND.trusted()])


def test_a_stranger_who_names_the_authoritys_certificate_is_refused() -> None:
    twin = Chain(SOUND.certificates, key_of("other"))
    with pytest.raises(TimestampInvalid, match="not signed by the authority tsa-1"):
        verify_timestamp(stamp(twin), MESSAGE, [SOUND.trusted()])


def test_certificates_of_strangers_in_a_sound_token_change_nothing() -> None:
    stranger = chain(leaf=key_of("other"), root_key=key_of("other root"), serial=8)
    forged = forge(SOUND, lambda parts: parts.certificates.extend(stranger.certificates))
    assert verify_timestamp(forged, MESSAGE, [SOUND.trusted()]).instant == NOW
    replaced = forge(SOUND, lambda parts: setattr(parts, "certificates", list(stranger.certificates)))
    assert verify_timestamp(replaced, MESSAGE, [SOUND.trusted()]).instant == NOW


def test_nobody_who_is_not_trusted_may_say_the_time() -> None:
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(REPLY, MESSAGE, [])


def test_the_root_itself_signs_no_timestamps() -> None:
    by = Chain((SOUND.certificates[1], SOUND.certificates[1]), key_of("root"))
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(stamp(by), MESSAGE, [by.trusted()])


def shifted(parts: Forgery) -> None:
    parts.content = encode_info(info_of(gen_time=NOW - timedelta(days=9)))


def other_type(parts: Forgery) -> None:
    parts.attributes[cms.ATTRIBUTE_CONTENT_TYPE] = [asn1.encode_der(x509.ObjectIdentifier("1.2.840.113549.1.7.1"))]


def without(oid: x509.ObjectIdentifier) -> Callable[[Forgery], object]:
    return lambda parts: parts.attributes.pop(oid)


def twice(oid: x509.ObjectIdentifier) -> Callable[[Forgery], object]:
    return lambda parts: parts.attributes.update({oid: sorted([*parts.attributes[oid], asn1.encode_der(b"x" * 32)])})


def naming(digest: bytes) -> Callable[[Forgery], object]:
    value = cms.SigningCertificateV2(certificates=[cms.CertificateIdV2(hash=digest)])
    return lambda parts: parts.attributes.update({cms.ATTRIBUTE_SIGNING_CERTIFICATE_V2: [asn1.encode_der(value)]})


def naming_serial(serial: int) -> Callable[[Forgery], object]:
    def bend(parts: Forgery) -> None:
        name = asn1.decode_der(asn1.TLV, cms.directory_name(parts.issuer))
        identifier = cms.CertificateIdV2(
            hash=hashlib.sha256(SOUND.certificates[0]).digest(),
            issuer_serial=cms.IssuerSerial(issuer=[name], serial=serial),
        )
        value = asn1.encode_der(cms.SigningCertificateV2(certificates=[identifier]))
        parts.attributes[cms.ATTRIBUTE_SIGNING_CERTIFICATE_V2] = [value]

    return bend


def setting(**parts: Any) -> Callable[[Forgery], object]:
    def bend(forgery: Forgery) -> None:
        for name, value in parts.items():
            setattr(forgery, name, value)

    return bend


FORGERIES = {
    "a-time-put-in-after-signing": shifted,
    "another-content-type": other_type,
    "another-content-type-outside": setting(content_type=x509.ObjectIdentifier("1.2.840.113549.1.7.1")),
    "no-content-type": without(cms.ATTRIBUTE_CONTENT_TYPE),
    "no-digest": without(cms.ATTRIBUTE_MESSAGE_DIGEST),
    "two-digests": twice(cms.ATTRIBUTE_MESSAGE_DIGEST),
    "two-content-types": twice(cms.ATTRIBUTE_CONTENT_TYPE),
    "no-certificate-named": without(cms.ATTRIBUTE_SIGNING_CERTIFICATE_V2),
    "another-certificate-named": naming(hashlib.sha256(SOUND.certificates[1]).digest()),
    "no-digest-of-the-certificate": naming(b""),
    "another-serial-number-named": naming_serial(8),
    "another-signer": setting(serial=8),
    "another-issuer": setting(issuer=bytes.fromhex("3000")),
    "no-signer": setting(signers=0),
    "two-signers": setting(signers=2),
    "no-signed-attributes": lambda parts: parts.attributes.clear(),
    "attributes-out-of-order": setting(sort=False),
    "an-empty-signature": setting(sign=lambda _: b""),
    "the-raw-form-of-the-signature": setting(sign=lambda _: bytes(64)),
    "a-signature-over-the-other-tag": setting(sign=lambda data: SOUND.key.sign(b"\xa0" + data[1:])),
    "a-signature-over-the-content": lambda parts: setattr(parts, "sign", lambda _: SOUND.key.sign(parts.content)),
    "an-rsa-signature-by-name": setting(signature_oid=x509.ObjectIdentifier("1.2.840.113549.1.1.11")),
    "an-unknown-signature": setting(signature_oid=x509.ObjectIdentifier("1.2.840.10045.4.1")),
    "an-unknown-digest": setting(hash_oid=x509.ObjectIdentifier("1.3.14.3.2.26")),
    "two-hashes": setting(signature_oid=cms.SIGNATURE_OIDS["sha384"]),
    "a-rejection-with-a-token": setting(status=2),
    "a-status-that-nobody-knows": setting(status=-1),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_token_that_is_wrong_in_one_part_is_refused(name: str) -> None:
    with pytest.raises((TimestampInvalid, TimestampUntrusted)):
        verify_timestamp(forge(SOUND, FORGERIES[name]), MESSAGE, [SOUND.trusted()])


def test_the_token_that_nobody_bent_is_believed() -> None:
    assert verify_timestamp(forge(SOUND, lambda _: None), MESSAGE, [SOUND.trusted()]).instant == NOW
    assert verify_timestamp(forge(SOUND, naming_serial(7)), MESSAGE, [SOUND.trusted()]).instant == NOW
    assert verify_timestamp(forge(SOUND, setting(status=1)), MESSAGE, [SOUND.trusted()]).instant == NOW


# Certificates


def key_id(key: Any) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier(hashlib.sha256(key).digest()[:20])


WEAK = hashes.SHA224()
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.999"), b"\x05\x00")
JUNK = x509.UnrecognizedExtension(ExtensionOID.EXTENDED_KEY_USAGE, b"\x05\x00")
CHAINS: dict[str, dict[str, Any]] = {
    "no-purpose": {"purposes": None},
    "another-purpose": {"purposes": [ExtendedKeyUsageOID.CODE_SIGNING]},
    "every-purpose": {"purposes": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
    "a-second-purpose": {"purposes": [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING]},
    "a-purpose-that-may-be-overlooked": {"critical": False},
    "a-leaf-that-is-an-authority": {"ca": True},
    "a-leaf-that-may-not-sign": {"usage": False},
    "a-critical-extension-that-nobody-knows": {"extra": [(UNKNOWN, True)]},
    "a-weak-hash": {"algorithm": WEAK},
    "a-purpose-that-cannot-be-read": {"purposes": None, "extra": [(JUNK, True)]},
    "a-root-that-is-no-authority": {"root": {"ca": False}},
    "a-root-that-does-not-say-what-it-is": {"root": {"ca": None}},
    "a-root-that-may-not-sign": {"root": {"usage": False}},
    "a-root-for-another-purpose": {"root": {"purposes": [ExtendedKeyUsageOID.CODE_SIGNING], "critical": False}},
    "a-root-with-a-critical-extension-that-nobody-knows": {"root": {"extra": [(UNKNOWN, True)]}},
}


@pytest.mark.parametrize("name", sorted(CHAINS))
def test_a_chain_that_is_not_one_for_timestamps_is_refused(name: str) -> None:
    by = chain(**CHAINS[name])
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(stamp(by), MESSAGE, [by.trusted()])


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": [(UNKNOWN, False)]},
        {"usage": None},
        {"ca": None},
        {"root": {"usage": None}},
        {"root": {"purposes": [ExtendedKeyUsageOID.TIME_STAMPING], "critical": False}},
        {"root": {"path_length": 0}},
    ],
    ids=["an-extension", "no-usage", "no-constraints", "no-usage-above", "a-purpose-above", "no-authority-below"],
)
def test_what_a_certificate_may_leave_out_or_add_is_no_reason_to_refuse(changes: dict[str, Any]) -> None:
    by = chain(**changes)
    assert verify_timestamp(stamp(by), MESSAGE, [by.trusted()]).instant == NOW


def test_a_leaf_with_a_key_that_is_not_used_here_is_refused() -> None:
    by = chain(leaf=key_of("ed25519 leaf", Scheme.ED25519))
    reply = TokenWriter(by.certificates, "sha256").encode_response(info_of(), by.key.sign, certificates=True)
    with pytest.raises(TimestampUntrusted, match="of no use"):
        verify_timestamp(reply, MESSAGE, [by.trusted()])


def test_a_leaf_that_the_root_did_not_sign_is_refused() -> None:
    stolen = Chain((SOUND.certificates[0], chain(root_key=key_of("other root")).certificates[1]), SOUND.key)
    with pytest.raises(TimestampUntrusted, match="not signed by the one above"):
        verify_timestamp(stamp(stolen), MESSAGE, [stolen.trusted()])


def test_a_leaf_under_another_name_than_the_roots_is_refused() -> None:
    leaf = certificate("leaf", key_of("leaf"), "somebody", key_of("root"))
    by = Chain((leaf, SOUND.certificates[1]), key_of("leaf"))
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(stamp(by), MESSAGE, [by.trusted()])


def three(**of_middle: Any) -> Chain:
    middle, top = key_of("middle"), key_of("root")
    fitting = {"ca": True, "purposes": None, "path_length": 0, **of_middle}
    return Chain(
        (
            certificate("leaf", key_of("leaf"), "middle", middle),
            certificate("middle", middle, "root", top, **fitting),
            certificate("root", top, "root", top, ca=True, purposes=None, path_length=of_middle.get("top", 1)),
        ),
        key_of("leaf"),
    )


def test_an_authority_between_leaf_and_root_is_followed() -> None:
    by = three()
    assert verify_timestamp(stamp(by), MESSAGE, [by.trusted()]).instant == NOW


def test_an_authority_more_than_the_root_allows_is_refused() -> None:
    middle, top = key_of("middle"), key_of("root")
    root = certificate("root", top, "root", top, ca=True, purposes=None, path_length=0)
    by = Chain((*three().certificates[:2], root), key_of("leaf"))
    assert certificate("x", middle, "root", top)
    with pytest.raises(TimestampUntrusted, match="has more"):
        verify_timestamp(stamp(by), MESSAGE, [by.trusted()])


def test_a_leaf_that_issues_a_leaf_is_refused() -> None:
    by = three(ca=False, path_length=None, purposes=[ExtendedKeyUsageOID.TIME_STAMPING])
    with pytest.raises(TimestampUntrusted, match="not one of a certificate authority"):
        verify_timestamp(stamp(by), MESSAGE, [by.trusted()])


# A chain without a leaf: the leaf comes with the token


def above(by: Chain) -> TrustedAuthority:
    return TrustedAuthority.of("roots-only", by.certificates[1:])


def test_a_leaf_that_comes_along_counts_if_a_trusted_chain_without_leaf_issued_it() -> None:
    assert verify_timestamp(REPLY, MESSAGE, [above(SOUND)]) == ProvenTime(NOW, "roots-only")
    by = three()
    assert verify_timestamp(stamp(by), MESSAGE, [above(by)]).source == "roots-only"


def test_without_any_leaf_nothing_counts() -> None:
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(stamp(SOUND, certificates=False), MESSAGE, [above(SOUND)])


def test_a_leaf_of_strangers_that_comes_along_is_refused() -> None:
    stranger = chain(leaf=key_of("other"), root_key=key_of("other root"))
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(stamp(stranger), MESSAGE, [above(SOUND)])


@pytest.mark.parametrize("name", sorted(name for name in CHAINS if "root" not in name))
def test_a_leaf_that_comes_along_must_be_one_for_timestamps_too(name: str) -> None:
    by = chain(**CHAINS[name])
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(stamp(by), MESSAGE, [above(by)])


def test_what_comes_along_and_is_no_certificate_is_refused() -> None:
    junk = bytes.fromhex("3003020101")

    def bend(parts: Forgery) -> None:
        parts.certificates = [junk]
        naming(hashlib.sha256(junk).digest())(parts)

    with pytest.raises(TimestampUntrusted):
        verify_timestamp(forge(SOUND, bend), MESSAGE, [above(SOUND)])


# Windows


def at(instant: datetime, **window: Any) -> ProvenTime:
    return verify_timestamp(stamp(SOUND, gen_time=instant), MESSAGE, [SOUND.trusted(**window)])


def test_the_ends_of_every_window_belong_to_it() -> None:
    assert at(START).instant == START
    assert at(END).instant == END
    assert at(NOW, start=NOW, end=NOW).instant == NOW


@pytest.mark.parametrize(
    ("instant", "window"),
    [
        (START - SECOND, {}),
        (END + SECOND, {}),
        (NOW, {"start": NOW + SECOND}),
        (NOW, {"end": NOW - SECOND}),
        (NOW + timedelta(milliseconds=1), {"end": NOW}),
    ],
    ids=["before-the-certificate", "after-the-certificate", "before-the-authority", "after-it", "a-moment-after-it"],
)
def test_a_time_outside_a_window_is_refused(instant: datetime, window: dict[str, Any]) -> None:
    with pytest.raises(TimestampOutsideWindow):
        at(instant, **window)


def test_a_time_outside_the_window_of_the_root_is_refused() -> None:
    by = chain(root={"end": NOW - SECOND})
    with pytest.raises(TimestampOutsideWindow):
        verify_timestamp(stamp(by), MESSAGE, [by.trusted()])


def test_a_retired_instance_is_passed_over_for_the_one_that_was_in_use() -> None:
    retired = SOUND.trusted("tsa-1", end=NOW - SECOND)
    assert verify_timestamp(REPLY, MESSAGE, [retired, SOUND.trusted("tsa-1b", start=NOW)]).source == "tsa-1b"


# Authorities of others


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512", "no-embedded-cert"])
def test_timestamps_of_sigstores_authority_count(hash_name: str) -> None:
    reply = (DATA / f"sigstage-{hash_name}.tsr").read_bytes()
    proven = verify_timestamp(reply, b"hello", [pem_chain("local"), pem_chain("sigstage")])
    assert (proven.source, proven.instant.year) == ("sigstage", 2025)


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512", "no-embedded-cert"])
def test_timestamps_of_sigstores_authority_count_under_the_trusted_root_that_its_clients_ship(hash_name: str) -> None:
    reply = (DATA / f"sigstage-{hash_name}.tsr").read_bytes()
    staging, production = (shipped_root(name) for name in ("sigstage.dev", "sigstore.dev"))
    assert verify_timestamp(reply, b"hello", staging).source == "https://timestamp.sigstage.dev/api/v1/timestamp"
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(reply, b"hello", production)


def test_a_bent_signature_of_sigstores_authority_is_refused() -> None:
    reply = (DATA / "sigstage-invalid-signature.tsr").read_bytes()
    with pytest.raises(TimestampInvalid):
        verify_timestamp(reply, b"hello", [pem_chain("sigstage")])


def test_certificates_that_somebody_put_into_a_token_are_strangers() -> None:
    """The unsigned part of a token is anybody's to fill."""
    reply = (DATA / "local-injected-certificates.tsr").read_bytes()
    assert verify_timestamp(reply, b"hello", [pem_chain("local")]).source == "local"
    with pytest.raises(TimestampUntrusted):
        verify_timestamp(reply, b"hello", [pem_chain("sigstage")])


def test_no_byte_of_a_token_can_be_changed_without_notice() -> None:
    """What may differ is only what nobody signed: the certificates, the status text, spare versions."""
    bare = stamp(SOUND, certificates=False)
    trusted = [SOUND.trusted()]
    survived = []
    for place in range(len(bare)):
        bent = bytearray(bare)
        bent[place] ^= 1
        try:
            proven = verify_timestamp(bytes(bent), MESSAGE, trusted)
        except (TimestampInvalid, TimestampUntrusted, TimestampOutsideWindow):
            continue
        survived.append(place)
        assert proven == ProvenTime(NOW, "tsa-1")
    signed = decode_response(bare)
    start = bare.index(signed.signed_attributes[1:])
    content = encode_info(info_of())
    inside = bare.index(content)
    for place in survived:
        assert not start <= place < start + len(signed.signed_attributes)
        assert not inside <= place < inside + len(content)


def test_a_token_cut_at_any_byte_is_refused() -> None:
    for data in (REPLY, token_in(REPLY)):
        for cut in range(len(data)):
            with pytest.raises(TimestampInvalid):
                verify_timestamp(data[:cut], MESSAGE, [SOUND.trusted()])
        with pytest.raises(TimestampInvalid):
            verify_timestamp(data + b"\0", MESSAGE, [SOUND.trusted()])


def test_a_token_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(TimestampInvalid, match="more than"):
        verify_timestamp(REPLY + bytes(70_000), MESSAGE, [SOUND.trusted()])


def test_a_reply_and_its_token_are_one() -> None:
    assert decode_token(token_in(REPLY)) == decode_response(REPLY)


def test_the_writer_refuses_what_is_no_certificate() -> None:
    with pytest.raises(Problem):
        TokenWriter([b"no certificate"], "sha256")
