"""What a public key is, which keys are refused, and when a signature is believed."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chainward.kernel.problem import Kind
from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import PublicKey, Scheme, ed25519_of, raw_ed25519

if TYPE_CHECKING:
    from collections.abc import Callable

P256 = generate(Scheme.ECDSA_P256_SHA256)
OTHER = generate(Scheme.ECDSA_P256_SHA256)
ED25519 = generate(Scheme.ED25519)
BOTH = [P256, ED25519]
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# RFC 8032 §7.1, test 2
RFC8032_KEY = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC8032_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
# RFC 6979 §A.2.5, P-256 with SHA-256, message "sample"
RFC6979_POINT = bytes.fromhex(
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
)
RFC6979_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
RFC6979_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


def spki(key: Any) -> bytes:
    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def pem_of(der: bytes, label: str = "PUBLIC KEY") -> bytes:
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n".encode()


def test_signatures_of_the_rfcs_verify() -> None:
    ed25519 = PublicKey.from_der(bytes.fromhex("302a300506032b6570032100") + RFC8032_KEY)
    ed25519.verify(b"\x72", RFC8032_SIGNATURE)
    assert raw_ed25519(ed25519) == RFC8032_KEY
    p256 = PublicKey.from_der(spki(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), RFC6979_POINT)))
    signature = encode_dss_signature(RFC6979_R, RFC6979_S)
    p256.verify(b"sample", signature)
    p256.verify_prehashed(hashlib.sha256(b"sample").digest(), signature)


@pytest.mark.parametrize("key", BOTH)
def test_a_key_survives_the_way_through_pem_and_der(key: PrivateKey) -> None:
    public = key.public_key
    assert PublicKey.from_pem(public.pem) == PublicKey.from_der(public.der) == public
    assert public.fingerprint == hashlib.sha256(public.der).hexdigest()


@pytest.mark.parametrize("key", BOTH)
@given(data=st.binary(max_size=200))
def test_a_signature_verifies_over_its_data_and_over_no_other(key: PrivateKey, data: bytes) -> None:
    signature = key.sign(data)
    key.public_key.verify(data, signature)
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(data + b"\x00", signature)


@pytest.mark.parametrize("key", BOTH)
@given(noise=st.binary(max_size=120))
def test_noise_is_an_invalid_signature_and_nothing_worse(key: PrivateKey, noise: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(b"data", noise)


@pytest.mark.parametrize("key", BOTH)
def test_a_signature_of_another_key_is_refused_by_fingerprint(key: PrivateKey) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        key.public_key.verify(b"data", OTHER.sign(b"data"))
    assert refused.value.details == {"fingerprint": key.public_key.fingerprint}
    assert (refused.value.kind, refused.value.code) == (Kind.UNTRUSTED, "signature-invalid")


def malformed() -> list[tuple[str, Callable[[int, int], bytes]]]:
    def raw(r: int, s: int) -> bytes:
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def long_length(r: int, s: int) -> bytes:
        der = encode_dss_signature(r, s)
        return der[:1] + b"\x81" + der[1:]

    def padded_integer(r: int, s: int) -> bytes:
        inner = b"\x02\x22\x00\x00" + r.to_bytes(32, "big") + encode_dss_signature(1, s)[5:]
        return b"\x30" + bytes([len(inner)]) + inner

    return [
        ("the raw form of JOSE", raw),
        ("trailing bytes", lambda r, s: encode_dss_signature(r, s) + b"\x00"),
        ("a length in BER", long_length),
        ("a padded integer", padded_integer),
        ("a zero r", lambda _, s: encode_dss_signature(0, s)),
        ("a zero s", lambda r, _: encode_dss_signature(r, 0)),
        ("an r beyond the order", lambda r, s: encode_dss_signature(r + ORDER, s)),
        ("an s beyond the order", lambda r, s: encode_dss_signature(r, s + ORDER)),
        ("both at the order", lambda _r, _s: encode_dss_signature(ORDER, ORDER)),
        ("nothing", lambda _r, _s: b""),
        ("a truncated end", lambda r, s: encode_dss_signature(r, s)[:-1]),
    ]


@pytest.mark.parametrize(("name", "spell"), malformed())
def test_a_signature_in_another_encoding_is_refused(name: str, spell: Callable[[int, int], bytes]) -> None:
    r, s = decode_dss_signature(P256.sign(b"data"))
    with pytest.raises(SignatureInvalid):
        P256.public_key.verify(b"data", spell(r, s))
    with pytest.raises(SignatureInvalid):
        P256.public_key.verify_prehashed(hashlib.sha256(b"data").digest(), spell(r, s))
    assert name


@pytest.mark.parametrize("size", [0, 20, 31, 33, 48, 64])
def test_a_digest_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(SignatureInvalid, match="not a SHA-256"):
        P256.public_key.verify_prehashed(bytes(size), P256.sign(b"data"))


def test_an_ed25519_key_neither_signs_nor_verifies_digests() -> None:
    digest = hashlib.sha256(b"data").digest()
    with pytest.raises(KeyUnsupported):
        ED25519.public_key.verify_prehashed(digest, ED25519.sign(digest))
    with pytest.raises(KeyUnsupported):
        ED25519.sign_prehashed(digest)


def test_a_signed_digest_is_a_signature_over_the_data() -> None:
    P256.public_key.verify(b"data", P256.sign_prehashed(hashlib.sha256(b"data").digest()))
    with pytest.raises(KeyUnsupported):
        P256.sign_prehashed(b"data")


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.SECP224R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
        dsa.DSAParameterNumbers,
    ],
    ids=["secp256k1", "P-224", "Ed448", "X25519", "an unknown algorithm"],
)
def test_a_key_of_another_kind_is_refused_by_name(key: Any) -> None:
    unknown = bytes.fromhex("300d300706032a03040500030200ff")  # an algorithm that nobody has registered
    der = unknown if key is dsa.DSAParameterNumbers else spki(key)
    with pytest.raises(KeyUnsupported):
        PublicKey.from_der(der)
    with pytest.raises(KeyUnsupported):
        PublicKey.from_pem(pem_of(der))


def test_a_key_cannot_be_passed_off_as_one_of_another_scheme() -> None:
    with pytest.raises(KeyUnsupported):
        PublicKey(P256.public_key.der, Scheme.ED25519)
    with pytest.raises(KeyUnsupported):
        raw_ed25519(P256.public_key)


def test_one_key_has_one_encoding() -> None:
    """A second spelling of a key would have a second fingerprint, and could slip past a distrusted one."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    bits = b"\x03" + bytes([len(point) + 1]) + b"\x00" + point
    compressed = b"\x30" + bytes([len(algorithm) + len(bits)]) + algorithm + bits
    for der in (compressed, spki(key) + b"\x00", spki(key)[:-1], b"\x30\x81\x59" + spki(key)[2:]):
        with pytest.raises(KeyMalformed):
            PublicKey.from_der(der)


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    der = bytearray(P256.public_key.der)
    der[-1] ^= 1
    with pytest.raises(KeyMalformed):
        PublicKey.from_der(bytes(der))


@given(st.binary(max_size=200))
def test_noise_is_a_malformed_key_and_nothing_worse(noise: bytes) -> None:
    with pytest.raises((KeyMalformed, KeyUnsupported)):
        PublicKey.from_der(noise)
    with pytest.raises((KeyMalformed, KeyUnsupported)):
        PublicKey.from_pem(pem_of(noise))
    with pytest.raises(KeyMalformed):
        PublicKey.from_pem(noise)


def test_two_keys_in_one_file_are_refused() -> None:
    with pytest.raises(KeyMalformed, match="exactly one"):
        PublicKey.from_pem(P256.public_key.pem + OTHER.public_key.pem)


def test_a_private_key_in_place_of_a_public_one_is_refused() -> None:
    with pytest.raises(KeyMalformed, match="exactly one"):
        PublicKey.from_pem(P256.encrypted_pem(b"correct horse"))


@pytest.mark.parametrize("read", [PublicKey.from_der, PublicKey.from_pem])
def test_a_key_beyond_the_limit_is_refused_before_it_is_decoded(read: Callable[[bytes], PublicKey]) -> None:
    with pytest.raises(KeyMalformed, match="too many"):
        read(b"0" * 20_000)


def test_the_digest_that_is_signed_is_that_of_sha256() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = PublicKey.from_der(spki(key.public_key()))
    with pytest.raises(SignatureInvalid):
        public.verify(b"data", key.sign(b"data", ec.ECDSA(hashes.SHA384())))


def test_an_ed25519_key_survives_the_way_through_its_raw_bytes() -> None:
    assert ed25519_of(raw_ed25519(ED25519.public_key)) == ED25519.public_key
    for size in (0, 31, 33, 64):
        with pytest.raises(KeyMalformed):
            ed25519_of(bytes(size))
