"""The certificates of the timestamp authority: what stands in them, and which are never made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.local import generate
from chainward.keys.model import PublicKey, Scheme
from chainward.trust.errors import AuthorityInvalid
from chainward.trust.timestamp_chain import random_serial, timestamping_leaf, timestamping_root

if TYPE_CHECKING:
    from chainward.keys.local import PrivateKey

START = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)
END = START + timedelta(days=3650)
ROOT_KEY = generate(Scheme.ECDSA_P384_SHA384)
LEAF_KEY = generate(Scheme.ECDSA_P256_SHA256)


class Counted:
    """Entropy whose every draw is another."""

    def __init__(self) -> None:
        self._next = count(1)

    def bytes(self, count: int) -> bytes:
        return (b"\xff" + next(self._next).to_bytes(4, "big") * count)[:count]


def root(key: PrivateKey = ROOT_KEY, organization: str = "example.test") -> bytes:
    return timestamping_root(key, organization, start=START, end=END, entropy=Counted())


def leaf(issuer: bytes, *, start: datetime = START, end: datetime = END, signer: PrivateKey = ROOT_KEY) -> bytes:
    return timestamping_leaf(
        LEAF_KEY.public_key, issuer, signer, organization="example.test", start=start, end=end, entropy=Counted()
    )


def test_the_leaf_signs_timestamps_and_nothing_else() -> None:
    made = x509.load_der_x509_certificate(leaf(root()))
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    assert list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    keys = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert (keys.critical, keys.value.digital_signature, keys.value.key_cert_sign) == (True, True, False)
    assert PublicKey.from_certificate(leaf(root())) == LEAF_KEY.public_key


def test_the_root_signs_leaves_and_no_further_authorities() -> None:
    made = x509.load_der_x509_certificate(root())
    made.verify_directly_issued_by(made)
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    with pytest.raises(x509.ExtensionNotFound):
        made.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_leaf_and_root_belong_together() -> None:
    issuer, made = x509.load_der_x509_certificate(root()), x509.load_der_x509_certificate(leaf(root()))
    made.verify_directly_issued_by(issuer)
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    named = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert own == named
    assert issuer.subject.rfc4514_string() == "CN=example.test timestamp root,O=example.test"


def test_a_window_begins_no_later_than_was_asked_for() -> None:
    made = x509.load_der_x509_certificate(leaf(root()))
    assert made.not_valid_before_utc == START.replace(microsecond=0)
    assert made.not_valid_after_utc == END.replace(microsecond=0)


def test_two_leaves_have_two_serial_numbers() -> None:
    entropy = Counted()
    serials = [random_serial(entropy) for _ in range(100)]
    assert len(set(serials)) == 100
    assert all(0 < serial < 2**159 for serial in serials)


def test_a_serial_number_is_positive_even_of_the_worst_entropy() -> None:
    class Zero:
        def bytes(self, count: int) -> bytes:
            return bytes(count)

    assert random_serial(Zero()) == 1


def test_a_leaf_is_not_signed_by_another_key_than_that_of_the_root() -> None:
    with pytest.raises(AuthorityInvalid, match="not the one"):
        leaf(root(), signer=LEAF_KEY)


def test_a_leaf_does_not_outlive_its_root() -> None:
    with pytest.raises(AuthorityInvalid, match="outlive"):
        leaf(root(), end=END + timedelta(days=1))
    with pytest.raises(AuthorityInvalid, match="outlive"):
        leaf(root(), start=START - timedelta(days=1))


def test_what_is_no_certificate_issues_nothing() -> None:
    with pytest.raises(KeyMalformed, match="not a certificate"):
        leaf(b"no certificate")


@pytest.mark.parametrize("scheme", [Scheme.ED25519, Scheme.RSA_2048])
def test_a_key_that_not_all_clients_verify_gets_no_certificate(scheme: Scheme) -> None:
    with pytest.raises(KeyUnsupported):
        root(generate(scheme))


@pytest.mark.parametrize("organization", ["", "x" * 65])
def test_an_organization_that_no_certificate_can_name_is_refused(organization: str) -> None:
    with pytest.raises(AuthorityInvalid):
        root(organization=organization)


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(AuthorityInvalid):
        timestamping_root(ROOT_KEY, "example.test", start=END, end=START, entropy=Counted())
