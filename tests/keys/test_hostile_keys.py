"""Key files that somebody bent: every one of them ends in a coded problem, none in a crash and none in another key."""

from __future__ import annotations

import base64
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from chainward.kernel.problem import Problem
from chainward.keys.errors import KeyMalformed
from chainward.keys.local import generate, load_private_key
from chainward.keys.model import PublicKey, Scheme

PASSPHRASE = b"five random words"
LABEL = b"ENCRYPTED PRIVATE KEY"


def armoured(der: bytes, label: bytes = LABEL) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, base64.encodebytes(der), label)


def bare(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-----")))


@cache
def quick_key() -> bytes:
    """A key under PBKDF2, which opens fast enough to be tried hundreds of times."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))


@cache
def own_key() -> tuple[str, bytes]:
    key = generate(Scheme.ECDSA_P256_SHA256)
    return key.public_key.fingerprint, key.encrypted_pem(PASSPHRASE)


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_a_key_file_with_any_one_byte_bent_gives_the_key_or_a_coded_problem(change: int) -> None:
    der = bare(quick_key())
    fingerprint = load_private_key(quick_key(), PASSPHRASE).public_key.fingerprint
    for place in range(len(der)):
        bent = bytearray(der)
        bent[place] ^= change
        try:
            key = load_private_key(armoured(bytes(bent)), PASSPHRASE)
        except Problem:
            continue
        assert key.public_key.fingerprint == fingerprint


def test_a_key_file_cut_at_any_byte_is_refused() -> None:
    der = bare(quick_key())
    for cut in range(len(der)):
        with pytest.raises(Problem):
            load_private_key(armoured(der[:cut]), PASSPHRASE)
    for cut in range(len(quick_key()) - 1):
        with pytest.raises(Problem):
            load_private_key(quick_key()[:cut], PASSPHRASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("02024000", "02027fff", id="a-cost-that-is-no-power-of-two"),
        pytest.param("02024000", "02020000", id="no-cost"),
        pytest.param("02024000", "02028000", id="a-negative-cost"),
        pytest.param("02024000", "02020001", id="a-cost-of-one"),
        pytest.param("020108", "020100", id="no-block"),
        pytest.param("020105", "020100", id="no-parallelism"),
        pytest.param("06092b060104", "06092b060105", id="another-derivation"),
        pytest.param("060960864801650304012a", "0609608648016503040102", id="another-cipher"),
    ],
)
def test_bent_parameters_of_the_encryption_end_in_a_coded_problem(old: str, new: str) -> None:
    der = bare(own_key()[1])
    head, found, tail = der.partition(bytes.fromhex(old))
    assert found
    with pytest.raises(Problem):
        load_private_key(armoured(head + bytes.fromhex(new) + tail), PASSPHRASE)


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda pem: pem + pem, id="two-keys"),
        pytest.param(lambda pem: pem.replace(b"ENCRYPTED ", b""), id="mislabelled"),
        pytest.param(lambda pem: pem.replace(LABEL, b"RSA PRIVATE KEY"), id="another-label"),
        pytest.param(lambda pem: b"".join(pem.splitlines()[1:]), id="no-beginning"),
        pytest.param(lambda pem: pem.replace(b"-----END", b"-----ENT"), id="no-end"),
        pytest.param(lambda pem: pem * 50, id="too-much"),
        pytest.param(lambda _: b"", id="nothing"),
    ],
)
def test_what_is_not_exactly_one_key_is_refused(wrap: object) -> None:
    with pytest.raises(Problem):
        load_private_key(wrap(own_key()[1]), PASSPHRASE)  # type: ignore[operator]  # parametrize loses the type


def test_text_around_a_key_is_no_part_of_it() -> None:
    fingerprint, pem = own_key()
    key = load_private_key(b"a remark of the operator\n" + pem + b"\n", PASSPHRASE)
    assert key.public_key.fingerprint == fingerprint


def test_a_public_key_with_any_one_byte_bent_is_another_key_or_none() -> None:
    key = generate(Scheme.ECDSA_P256_SHA256).public_key
    for place in range(len(key.der)):
        bent = bytearray(key.der)
        bent[place] ^= 1
        try:
            other = PublicKey.from_der(bytes(bent))
        except Problem:
            continue
        assert other.fingerprint != key.fingerprint
    for cut in range(len(key.der)):
        with pytest.raises(KeyMalformed):
            PublicKey.from_der(key.der[:cut])


@pytest.mark.parametrize("scheme", list(Scheme))
def test_no_bent_signature_verifies(scheme: Scheme) -> None:
    key = generate(scheme)
    signature = key.sign(b"data")
    key.public_key.verify(b"data", signature)
    for place in range(len(signature)):
        bent = bytearray(signature)
        bent[place] ^= 1
        with pytest.raises(Problem):
            key.public_key.verify(b"data", bytes(bent))
    for cut in (0, 1, len(signature) - 1):
        with pytest.raises(Problem):
            key.public_key.verify(b"data", signature[:cut])
    with pytest.raises(Problem):
        key.public_key.verify(b"data", signature + b"\0")
