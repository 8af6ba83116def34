"""Private keys at rest: what protects them, what opens them, and what never leaves the process."""

from __future__ import annotations

import base64
import copy
import pickle
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from chainward.kernel.problem import Kind
from chainward.keys.errors import (
    KeyMalformed,
    KeyReferenceInvalid,
    KeyUnencrypted,
    KeyUnsupported,
    PassphraseWeak,
    PassphraseWrong,
)
from chainward.keys.local import PrivateKey, generate, load_private_key
from chainward.keys.model import Scheme
from chainward.keys.uri import KeyReference

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = b"correct horse battery"
KEY = generate(Scheme.ECDSA_P256_SHA256)
ENCRYPTED = KEY.encrypted_pem(PASSPHRASE)  # once: it takes a fifth of a second, on purpose
OPENSSL = shutil.which("openssl")


def clear_pem(key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    made = key or ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_an_encrypted_key_opens_with_its_passphrase_and_signs_as_before() -> None:
    opened = load_private_key(ENCRYPTED, PASSPHRASE)
    assert opened.public_key == KEY.public_key
    KEY.public_key.verify(b"data", opened.sign(b"data"))


def test_an_ed25519_key_survives_the_way_through_its_file() -> None:
    key = generate(Scheme.ED25519)
    assert load_private_key(key.encrypted_pem(PASSPHRASE), PASSPHRASE).public_key == key.public_key


@pytest.mark.parametrize("passphrase", [b"correct horse batterz", b"", None, PASSPHRASE + b"\n", PASSPHRASE[:8]])
def test_any_other_passphrase_is_refused(passphrase: bytes | None) -> None:
    with pytest.raises(PassphraseWrong) as refused:
        load_private_key(ENCRYPTED, passphrase)
    assert (refused.value.kind, refused.value.code) == (Kind.UNAUTHENTICATED, "key-passphrase-wrong")


@pytest.mark.parametrize("size", [0, 1, 7, 1025])
def test_a_passphrase_that_protects_nothing_is_refused(size: int) -> None:
    with pytest.raises(PassphraseWeak):
        KEY.encrypted_pem(b"x" * size)


def test_the_key_is_wrapped_with_scrypt_and_aes_and_a_fresh_salt() -> None:
    der = base64.b64decode(b"".join(ENCRYPTED.splitlines()[1:-1]))
    assert bytes.fromhex("060b2b06010401da47040b") not in der  # a mistyped identifier would be found by openssl too
    assert bytes.fromhex("06092b06010401da47040b") in der  # scrypt
    assert bytes.fromhex("060960864801650304012a") in der  # aes-256-cbc
    assert bytes.fromhex("0202400002010802010502") in der  # N = 16384, r = 8, p = 5
    assert KEY.encrypted_pem(PASSPHRASE) != ENCRYPTED


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
def test_openssl_opens_what_is_written_and_writes_what_opens(tmp_path: Path) -> None:
    file = tmp_path / "release.key"
    file.write_bytes(ENCRYPTED)
    command = [str(OPENSSL), "pkey", "-in", str(file), "-passin", f"pass:{PASSPHRASE.decode()}", "-pubout"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == KEY.public_key.pem
    command = [*command[:-1], "-aes-256-cbc", "-passout", "pass:another passphrase"]
    theirs = subprocess.run(command, capture_output=True, check=True).stdout
    assert load_private_key(theirs, b"another passphrase").public_key == KEY.public_key


def test_a_key_that_cryptography_encrypted_opens_as_well() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
    assert load_private_key(pem, PASSPHRASE).public_key.scheme is Scheme.ECDSA_P256_SHA256


def test_a_key_in_the_clear_is_refused_unless_that_was_asked_for() -> None:
    pem = clear_pem()
    with pytest.raises(KeyUnencrypted) as refused:
        load_private_key(pem, PASSPHRASE)
    assert "openssl pkcs8 -topk8 -scrypt" in refused.value.hint
    assert load_private_key(pem, None, allow_unencrypted=True).public_key.scheme is Scheme.ECDSA_P256_SHA256


def test_a_key_of_another_kind_is_refused_after_it_was_opened() -> None:
    for key in (rsa.generate_private_key(3, 2048), ec.generate_private_key(ec.SECP256K1())):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
        with pytest.raises(KeyUnsupported):
            load_private_key(pem, PASSPHRASE)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        ENCRYPTED + ENCRYPTED,
        ENCRYPTED + clear_pem(),
        ENCRYPTED.replace(b"ENCRYPTED PRIVATE KEY", b"EC PRIVATE KEY"),
        ENCRYPTED[:-120] + ENCRYPTED[-36:],
        ENCRYPTED.replace(b"\n", b"!\n", 2),
        KEY.public_key.pem,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"A" * 20_000,
    ],
    ids=["empty", "text", "two", "mixed", "old label", "truncated", "not base64", "public", "nothing inside", "large"],
)
def test_what_is_no_key_is_malformed_and_not_a_wrong_passphrase(pem: bytes) -> None:
    with pytest.raises(KeyMalformed):
        load_private_key(pem, PASSPHRASE, allow_unencrypted=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_key_file_gives_a_problem_and_never_another_key(place: int, flip: int) -> None:
    der = bytearray(base64.b64decode(b"".join(ENCRYPTED.splitlines()[1:-1])))
    place = 60 + place % (len(der) - 60)  # before that stand the cost parameters, which may ask for a gigabyte
    der[place] ^= flip
    pem = (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    try:
        opened = load_private_key(pem, PASSPHRASE)
    except (PassphraseWrong, KeyMalformed, KeyUnsupported):
        return
    assert opened.public_key == KEY.public_key


def test_a_private_key_is_neither_shown_nor_pickled_nor_copied_into_text() -> None:
    assert repr(KEY) == str(KEY) == f"<private key of sha256:{KEY.public_key.fingerprint}>"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            leave(KEY)


def test_a_foreign_object_is_not_taken_for_a_key() -> None:
    with pytest.raises(KeyUnsupported):
        PrivateKey.of("a string")


@pytest.mark.parametrize(
    ("text", "scheme", "place"),
    [
        ("file:release.key", "file", "release.key"),
        ("release.key", "file", "release.key"),
        ("file:/etc/keys/a:b.pem", "file", "/etc/keys/a:b.pem"),
        ("./a:b.pem", "file", "./a:b.pem"),
        ("awskms:alias/release", "awskms", "alias/release"),
        ("pkcs11:token=release;object=key", "pkcs11", "token=release;object=key"),
    ],
)
def test_a_key_reference_has_a_scheme_and_a_place(text: str, scheme: str, place: str) -> None:
    reference = KeyReference.parse(text)
    assert (reference.scheme, reference.place) == (scheme, place)
    assert KeyReference.parse(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "file:", "a\x00b", "x" * 5000])
def test_a_reference_that_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(KeyReferenceInvalid):
        KeyReference.parse(text)
