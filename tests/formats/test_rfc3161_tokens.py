"""Replies and tokens: ours as others read them, those of others as we read them, and bytes that are neither."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from hypothesis import example, given
from hypothesis import strategies as st
from rfc3161_client import VerifierBuilder, decode_timestamp_response
from tests.openssl_tsa import OPENSSL, authority_of
from tests.timestamps import MESSAGE, NOW, chain, info_of, key_of, stamp

from chainward.formats import cms
from chainward.formats.der import CONTEXT_0, SEQUENCE, element
from chainward.formats.errors import Malformed, TimestampRejected, TooLarge, Unsupported, Unwritable
from chainward.formats.rfc3161 import (
    Accuracy,
    TimestampInfo,
    TokenWriter,
    decode_response,
    decode_token,
    issuer_of,
)
from chainward.formats.timestamp_info import decode_info, encode_info
from chainward.kernel.problem import Problem
from chainward.keys.model import Scheme
from chainward.trust.material import TrustedAuthority
from chainward.trust.stamped import verify_timestamp

DATA = Path(__file__).parents[1] / "data" / "timestamps"
BY = chain()
REPLY = stamp(BY)
TOKENS = {path.stem: path.read_bytes() for path in sorted(DATA.glob("*.tsr"))}


@st.composite
def infos(draw: st.DrawFn, *, fractions: bool = True, least: int = -(2**64)) -> TimestampInfo:
    hash_name = draw(st.sampled_from(["sha256", "sha384", "sha512"]))
    instant = draw(st.datetimes(datetime(1970, 1, 1), datetime(2049, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - the strategy adds the zone
    return info_of(
        draw(st.binary(max_size=64)),
        hash_name=hash_name,
        gen_time=instant if fractions else instant.replace(microsecond=0),
        serial=draw(st.integers(1, 2**159)),
        nonce=draw(st.none() | st.integers(least, 2**128)),
        accuracy=draw(st.none() | st.builds(Accuracy, st.integers(1, 10**9), st.integers(0, 999), st.integers(0, 999))),
    )


@given(infos())
def test_what_a_token_says_survives_the_way_through_der(info: TimestampInfo) -> None:
    assert decode_info(encode_info(info)) == info


@given(info=infos(), certificates=st.booleans())
def test_a_reply_says_what_was_put_into_it(info: TimestampInfo, *, certificates: bool) -> None:
    writer = TokenWriter(BY.certificates, "sha256")
    token = decode_response(writer.encode_response(info, BY.key.sign, certificates=certificates))
    for name in ("hash_name", "digest", "gen_time", "serial", "policy", "nonce", "accuracy"):
        assert getattr(token, name) == getattr(info, name), name
    assert token.certificates == (tuple(sorted(BY.certificates)) if certificates else ())  # SET OF, X.690 §11.6
    assert (token.signature_family, token.signature_hash) == ("ecdsa", "sha256")
    assert (token.signer_issuer, token.signer_serial) == (issuer_of(BY.certificates[0]), 7)
    assert token.certificate_id.digest == hashlib.sha256(BY.certificates[0]).digest()
    assert (token.certificate_id.issuer, token.certificate_id.serial) == (token.signer_issuer, 7)
    BY.key.public_key.verify(token.signed_attributes, token.signature)


@pytest.mark.parametrize("scheme", [Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384])
@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("certificates", [True, False])
def test_the_rfc3161_client_verifies_our_tokens(scheme: Scheme, hash_name: str, *, certificates: bool) -> None:
    now = datetime.now(UTC)
    by = chain(leaf=key_of("leaf", scheme), start=now - timedelta(days=1), root={"start": now - timedelta(days=1)})
    reply = stamp(by, hash_name=hash_name, certificates=certificates, gen_time=now.replace(microsecond=0))
    leaf, root = (x509.load_der_x509_certificate(each) for each in by.certificates)
    verifier = VerifierBuilder().tsa_certificate(leaf).add_root_certificate(root).nonce(99).build()
    assert verifier.verify_message(decode_timestamp_response(reply), MESSAGE)


@given(infos(fractions=False, least=0))
def test_the_rfc3161_client_reads_our_tokens_as_we_do(info: TimestampInfo) -> None:
    theirs = decode_timestamp_response(
        TokenWriter(BY.certificates, "sha256").encode_response(info, BY.key.sign, certificates=True)
    ).tst_info
    assert theirs.gen_time == info.gen_time
    assert theirs.serial_number == info.serial
    assert theirs.nonce == info.nonce
    assert theirs.message_imprint.message == info.digest
    assert theirs.policy.dotted_string == info.policy


def test_certificates_stand_in_the_order_of_der_whichever_that_is() -> None:
    """X.690 section 11.6: some clients insist, and which of two certificates comes first there depends on them."""
    more = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(100))
    for extra in ([(more, False)], []):
        by = chain(extra=extra, root={"extra": [] if extra else [(more, False)]})
        reply = TokenWriter(by.certificates, "sha256").encode_response(info_of(MESSAGE), by.key.sign, certificates=True)
        decode_timestamp_response(reply)
        assert decode_response(reply).certificates == tuple(sorted(by.certificates))


@pytest.mark.parametrize(
    ("hash_name", "digest"), [("sha1", bytes(20)), ("sha256", bytes(31)), ("sha384", bytes(64)), ("", b"")]
)
def test_a_digest_of_no_hash_is_not_stamped(hash_name: str, digest: bytes) -> None:
    info = TimestampInfo(hash_name=hash_name, digest=digest, gen_time=NOW, serial=1, policy="1.2.3")
    with pytest.raises(Unwritable):
        TokenWriter(BY.certificates, "sha256").encode_response(info, BY.key.sign, certificates=False)


# Tokens of other authorities


@pytest.mark.parametrize(
    ("name", "hash_name", "family", "year"),
    [
        ("sigstage-sha256", "sha256", "ecdsa", 2025),
        ("sigstage-sha384", "sha384", "ecdsa", 2025),
        ("sigstage-sha512", "sha512", "ecdsa", 2025),
        ("sigstage-no-embedded-cert", "sha256", "ecdsa", 2025),
        ("local", "sha512", "ecdsa", 2024),
        ("identrust", "sha512", "rsa", 2025),
    ],
)
def test_tokens_of_other_authorities_are_read(name: str, hash_name: str, family: str, year: int) -> None:
    token = decode_response(TOKENS[name])
    assert (token.hash_name, token.signature_family, token.gen_time.year) == (hash_name, family, year)
    theirs = decode_timestamp_response(TOKENS[name]).tst_info
    assert (token.serial, token.nonce, token.policy) == (
        theirs.serial_number,
        theirs.nonce,
        theirs.policy.dotted_string,
    )


def test_a_commercial_token_names_its_certificate_by_sha1_and_says_nothing_of_its_accuracy() -> None:
    token = decode_response(TOKENS["identrust"])
    assert (token.certificate_id.hash_name, token.accuracy) == ("sha1", None)
    leaf = next(
        each
        for each in token.certificates
        if hashlib.sha1(each, usedforsecurity=False).digest() == token.certificate_id.digest
    )
    assert x509.load_der_x509_certificate(leaf).serial_number == token.signer_serial


SIGNERS = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"]


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
@pytest.mark.parametrize("signer", SIGNERS)
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_tokens_of_openssl_verify_with_every_signer_and_hash(tmp_path: Path, signer: str, digest: str) -> None:
    authority = authority_of(tmp_path, signer)
    reply = authority.reply(MESSAGE, imprint=digest, signer_digest=digest)
    token = decode_response(reply)
    assert (token.hash_name, token.signature_hash) == (digest, digest)
    trusted = TrustedAuthority.of("openssl", authority.chain)
    assert verify_timestamp(reply, MESSAGE, [trusted]).instant == token.gen_time


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
@pytest.mark.parametrize("named_by", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("certificates", [True, False])
def test_tokens_of_openssl_verify_whichever_way_they_name_their_certificate(
    tmp_path: Path, named_by: str, *, certificates: bool
) -> None:
    authority = authority_of(tmp_path, "p256")
    reply = authority.reply(MESSAGE, named_by=named_by, certificates=certificates)
    token = decode_response(reply)
    assert token.certificate_id.hash_name == named_by
    assert bool(token.certificates) is certificates
    trusted = TrustedAuthority.of("openssl", authority.chain)
    assert verify_timestamp(reply, MESSAGE, [trusted]).source == "openssl"


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
@pytest.mark.parametrize("digits", [0, 1, 3, 6])
def test_fractions_of_a_second_and_the_accuracy_are_read(tmp_path: Path, digits: int) -> None:
    authority = authority_of(tmp_path, "p256")
    reply = authority.reply(MESSAGE, digits=digits, accuracy="secs:2, millisecs:500, microsecs:100", ordering=True)
    token = decode_response(reply)
    assert token.accuracy == Accuracy(2, 500, 100)
    assert token.accuracy.span == timedelta(seconds=2, milliseconds=500, microseconds=100)
    assert token.gen_time.microsecond % 10 ** (6 - digits) == 0
    assert verify_timestamp(reply, MESSAGE, [TrustedAuthority.of("openssl", authority.chain)]).instant == token.gen_time


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
def test_a_token_of_openssl_whose_signature_is_over_sha1_is_refused(tmp_path: Path) -> None:
    reply = authority_of(tmp_path, "rsa2048").reply(MESSAGE, signer_digest="sha1")
    with pytest.raises(Unsupported):
        decode_response(reply)


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
def test_a_token_of_openssl_over_a_sha1_digest_is_refused(tmp_path: Path) -> None:
    reply = authority_of(tmp_path, "p256").reply(MESSAGE, imprint="sha1")
    with pytest.raises(Unsupported):
        decode_response(reply)


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
def test_a_rejection_of_openssl_is_one_here(tmp_path: Path) -> None:
    reply = authority_of(tmp_path, "p256").reply(MESSAGE, imprint="md5")
    with pytest.raises(TimestampRejected) as rejected:
        decode_response(reply)
    assert rejected.value.details == {"failInfo": [0]}


# Bytes that are no tokens


@pytest.mark.parametrize("name", sorted(TOKENS))
def test_a_reply_cut_at_any_byte_is_malformed(name: str) -> None:
    whole = TOKENS[name]
    for cut in range(len(whole)):
        with pytest.raises((Malformed, TimestampRejected)):
            decode_response(whole[:cut])
    with pytest.raises(Malformed):
        decode_response(whole + b"\0")


def test_a_reply_with_any_one_byte_bent_is_a_token_or_a_coded_problem() -> None:
    for whole in (REPLY, TOKENS["identrust"], TOKENS["local-injected-certificates"]):
        for place in range(0, len(whole), 1 if whole is REPLY else 3):
            for change in (0x01, 0x80, 0xFF):
                bent = bytearray(whole)
                bent[place] ^= change
                try:
                    decode_response(bytes(bent))
                except Problem:
                    continue


@given(st.sampled_from(sorted(TOKENS)), st.data())
def test_a_reply_bent_in_many_places_is_a_token_or_a_coded_problem(name: str, data: st.DataObject) -> None:
    bent = bytearray(TOKENS[name])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(bent) - 1))
        bent[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    for read in (decode_response, decode_token):
        try:
            read(bytes(bent))
        except Problem:
            continue


@given(st.binary(max_size=400))
@example(b"\x30\x80\x00\x00")
@example(b"\x30\x84\xff\xff\xff\xff")
@example(b"\x30" * 400)
def test_noise_is_a_coded_problem(noise: bytes) -> None:
    for read in (decode_response, decode_token, decode_info, issuer_of):
        with pytest.raises(Problem):
            read(noise)


def test_a_reply_nested_without_end_is_refused_and_breaks_nothing() -> None:
    nested = b""
    while len(nested) < 60_000:
        nested = element(SEQUENCE, nested)
    with pytest.raises(Malformed):
        decode_response(nested)


def test_a_reply_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    for read in (decode_response, decode_token):
        with pytest.raises(TooLarge):
            read(bytes(65 * 1024))


def test_a_grant_without_a_token_is_malformed() -> None:
    with pytest.raises(Malformed, match="sent none"):
        decode_response(bytes.fromhex("30053003020100"))


def test_a_rejection_without_a_reason_is_one_all_the_same() -> None:
    with pytest.raises(TimestampRejected, match="without a reason"):
        decode_response(bytes.fromhex("30053003020102"))


def test_seventeen_certificates_are_too_many() -> None:
    by = chain()
    writer = TokenWriter((by.certificates[0], *[by.certificates[1]] * 16), "sha256")
    with pytest.raises(Malformed, match="too many"):
        decode_response(writer.encode_response(info_of(), by.key.sign, certificates=True))


# TSTInfo, member by member


def tst_info(**parts: Any) -> bytes:
    said = {
        "version": asn1.encode_der(1),
        "policy": asn1.encode_der(x509.ObjectIdentifier("1.2.3")),
        "imprint": element(
            SEQUENCE, element(SEQUENCE, asn1.encode_der(cms.HASH_OIDS["sha256"])), asn1.encode_der(bytes(32))
        ),
        "serial": asn1.encode_der(5),
        "time": element(0x18, b"20261123093000Z"),
        "tail": b"",
        **parts,
    }
    return element(SEQUENCE, *said.values())


def test_the_timestamp_that_is_right_shows_that_the_refusals_are_not_accidents() -> None:
    assert decode_info(tst_info()).gen_time == NOW


@pytest.mark.parametrize(
    "parts",
    [
        {"version": asn1.encode_der(2)},
        {"serial": asn1.encode_der(2**320)},
        {"serial": b""},
        {"time": element(0x18, b"202611230930Z")},
        {"time": element(0x18, b"20261123093000")},
        {"time": element(0x18, b"20261123093000+0100")},
        {"time": element(0x18, b"20261123093000.10Z")},
        {"time": element(0x18, b"20261123093000.1234567Z")},
        {"time": element(0x18, b"00000101000000Z")},
        {"time": element(0x18, b"20260230000000Z")},
        {"time": element(0x17, b"261123093000Z")},
        {"tail": element(SEQUENCE, asn1.encode_der(-1))},
        {"tail": element(SEQUENCE, asn1.encode_der(10**12))},
        {"tail": element(SEQUENCE, bytes.fromhex("800203e8"))},
        {"tail": bytes.fromhex("010100")},
        {"tail": bytes.fromhex("0101ff0101ff")},
        {"tail": element(0xA1, element(SEQUENCE, bytes.fromhex("06022a030101ff0400")))},
        {"imprint": element(SEQUENCE, element(SEQUENCE, bytes.fromhex("06052b0e03021a")), asn1.encode_der(bytes(20)))},
        {
            "imprint": element(
                SEQUENCE, element(SEQUENCE, asn1.encode_der(cms.HASH_OIDS["sha512"])), asn1.encode_der(bytes(32))
            )
        },
    ],
    ids=lambda parts: "-".join(f"{name}-{hashlib.sha256(value).hexdigest()[:8]}" for name, value in parts.items()),
)
def test_a_timestamp_that_is_wrong_in_one_member_is_refused(parts: dict[str, bytes]) -> None:
    with pytest.raises((Malformed, Unsupported)):
        decode_info(tst_info(**parts))


@pytest.mark.parametrize(
    "tail",
    [
        element(0xA1, element(SEQUENCE, bytes.fromhex("06022a030400"))),
        element(CONTEXT_0, element(0xA4, element(SEQUENCE))),
        bytes.fromhex("0101ff"),
        asn1.encode_der(-5),
    ],
    ids=["an-extension", "the-name-of-the-authority", "ordering", "a-negative-nonce"],
)
def test_members_that_change_nothing_are_passed_over(tail: bytes) -> None:
    assert decode_info(tst_info(tail=tail)).gen_time == NOW
