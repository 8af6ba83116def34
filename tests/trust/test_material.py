"""What is believed about services: read from any trusted root, or from the platform's own authorities."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.trust.sigstore_world import NOON, SECOND, START, World, new_key, spki
from tests.trust.test_prove import prove

from chainward.formats.note import ed25519_key_id
from chainward.formats.trusted_root import TrustedRoot, decode_trusted_root, encode_trusted_root
from chainward.keys.model import PublicKey, raw_ed25519
from chainward.trust.authority import Authority, AuthorityKind, Compromise
from chainward.trust.errors import CertificateMalformed, LogKeyInvalid
from chainward.trust.material import TrustedAuthority, TrustedLog, TrustMaterial, load_certificate


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_a_trusted_root_that_was_written_and_read_is_believed_like_the_instance_itself(world: World) -> None:
    read = TrustMaterial.from_document(decode_trusted_root(encode_trusted_root(world.trusted_root)))
    assert read.unusable == ()
    assert [log.key_id for log in read.logs] == [log.key_id for log in world.material.logs]
    assert prove(world.sign(), read).signed_at == NOON
    assert prove(world.sign_old(), read).signed_at == NOON


def test_the_authorities_of_the_platform_are_believed_with_their_windows_and_compromises(world: World) -> None:
    found = Compromise(since=NOON, checkpoints=(), reason="lost")
    end = NOON + timedelta(days=1)
    ca = tuple(holder.certificate for holder in world.authorities)
    authorities = (
        Authority(
            name="ca-1",
            kind=AuthorityKind.CA,
            origin="",
            public_key=PublicKey.from_der(spki(world.issuer.key)),
            certificates=tuple(load.public_bytes(_der()) for load in ca),
            start=START,
            end=end,
        ),
        Authority(
            name="tsa-1",
            kind=AuthorityKind.TSA,
            origin="",
            public_key=PublicKey.from_der(spki(world.tsa.holders[0].key)),
            certificates=world.tsa.certificates,
            start=START,
        ),
        Authority(
            name="ct-1",
            kind=AuthorityKind.CT,
            origin=world.ct.origin,
            public_key=world.ct.trusted.public_key,
            certificates=(),
            start=START,
        ),
        Authority(
            name="log-1",
            kind=AuthorityKind.LOG,
            origin=world.log.origin,
            public_key=world.log.log.public_key,
            certificates=(),
            start=START,
        ),
    )
    material = TrustMaterial.from_authorities(authorities)
    assert prove(world.sign(), material).times[0].source == "tsa-1"
    assert material.certificate_authorities[0].end == end
    assert material.logs[0].base_url == f"https://{world.log.origin}"
    marked = TrustMaterial.from_authorities(replace(each, compromise=found) for each in authorities)
    kept = (marked.logs[0], marked.ct_logs[0], marked.certificate_authorities[0], marked.timestamp_authorities[0])
    assert all(each.compromise is found for each in kept)


def _der() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def test_members_that_are_of_no_use_are_left_out_by_name_and_the_others_believed(world: World) -> None:
    root = world.trusted_root
    log, authority = root.logs[0], root.certificate_authorities[0]
    odd = TrustedRoot(
        (
            replace(log, public_key_der=b"pkcs1"),
            replace(log, key_details="PKIX_ECDSA_P256_SHA_256"),
            replace(log, key_id=bytes(32)),
            replace(log, public_key_der=spki(new_key(ec.SECP224R1()))),
            *root.logs,
        ),
        (replace(root.ct_logs[0], key_details="PKCS1_RSA_PKCS1V5"), *root.ct_logs),
        (replace(authority, certificates=(b"junk",)), *root.certificate_authorities),
        (replace(authority, certificates=(bytes(70_000),)), *root.timestamp_authorities),
    )
    material = TrustMaterial.from_document(odd)
    assert [text.partition(":")[0] for text in material.unusable] == [
        "log 0",
        "log 1",
        "log 2",
        "log 3",
        "certificate log 0",
        "certificate authority 0",
        "timestamp authority 0",
    ]
    assert prove(world.sign(), material).signed_at == NOON


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://log.example.test", "log.example.test"),
        ("https://log.example.test:3000/rekor", "log.example.test:3000/rekor"),
        ("https://log.example.test:3000/rekor", "log.example.test"),
    ],
)
def test_the_origin_of_a_foreign_log_is_the_one_to_which_its_key_id_belongs(
    world: World, base_url: str, origin: str
) -> None:
    """Clients in Go take the host alone, others what follows the scheme: the id tells which of them made it."""
    key = world.log.log.public_key
    entry = replace(
        world.trusted_root.logs[0],
        base_url=base_url,
        origin=base_url.removeprefix("https://"),
        key_id=ed25519_key_id(origin, raw_ed25519(key)),
    )
    material = TrustMaterial.from_document(TrustedRoot((entry,)))
    assert [log.origin for log in material.logs] == [origin]
    assert not material.logs[0].is_v1


def test_a_log_of_the_old_kind_is_known_by_the_bare_hash_of_its_key(world: World) -> None:
    log = world.old_log.trusted
    assert log.is_v1
    assert log.key_id == hashlib.sha256(log.public_key.der).digest()
    assert world.material.log(log.key_id) == log
    assert world.material.log(bytes(32)) is None


def test_an_id_that_belongs_to_another_origin_or_key_is_refused(world: World) -> None:
    log = world.log.log
    for origin, key_id in (("other.example.test", log.key_id), (log.origin, bytes(32)), (log.origin, log.key_id[:4])):
        with pytest.raises(LogKeyInvalid):
            TrustedLog(origin, log.public_key, key_id)


def test_one_key_id_twice_is_refused(world: World) -> None:
    log = world.log.log
    twice = (log, replace(log, end=NOON))
    with pytest.raises(LogKeyInvalid):
        TrustMaterial(logs=twice)
    with pytest.raises(LogKeyInvalid):
        TrustMaterial(ct_logs=twice)


def test_windows_include_their_ends(world: World) -> None:
    log = replace(world.log.log, start=NOON, end=NOON + SECOND)
    authority = replace(world.tsa.trusted, start=NOON, end=NOON + SECOND)
    for service in (log, authority):
        instants = (NOON - SECOND, NOON, NOON + SECOND, NOON + 2 * SECOND)
        assert [service.is_valid_at(instant) for instant in instants] == [False, True, True, False]
    assert replace(log, start=None, end=None).is_valid_at(NOON)


def test_issuers_are_found_by_key_identifier_or_all_are_tried(world: World) -> None:
    everybody = world.material.certificate_authorities
    assert world.material.issuers(None) == everybody
    assert world.material.issuers(b"unknown") == everybody


@pytest.mark.parametrize("data", [b"", b"junk", b"\x30\x03\x02\x01\x01", bytes(65_537)])
def test_bytes_that_are_no_certificate_are_refused(data: bytes) -> None:
    with pytest.raises(CertificateMalformed):
        load_certificate(data)
    with pytest.raises(CertificateMalformed):
        TrustedAuthority.of("ca", [data])


def test_the_roots_of_the_public_instances_are_read() -> None:
    sigstore = pytest.importorskip("sigstore")
    folder = Path(str(sigstore.__file__)).parent / "_store"
    found = sorted(folder.glob("*/trusted_root.json"))
    assert found, "the package sigstore ships the roots of the public instances"
    for path in found:
        material = TrustMaterial.from_document(decode_trusted_root(path.read_bytes()))
        assert material.logs
        assert material.ct_logs
        assert material.certificate_authorities
        assert material.timestamp_authorities
        assert all("not in its one encoding" in reason for reason in material.unusable), material.unusable
