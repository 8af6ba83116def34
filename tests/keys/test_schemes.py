"""Every scheme: what it signs, what it believes, and the forgeries that live on a difference between two of them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from chainward.kernel.problem import Problem
from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid
from chainward.keys.local import PrivateKey, generate, load_private_key
from chainward.keys.model import PublicKey, Scheme, verify_certified
from chainward.keys.modulus import rsa_scheme

if TYPE_CHECKING:
    from collections.abc import Callable

PASSPHRASE = b"five random words"
CURVES = {
    Scheme.ECDSA_P256_SHA256: ec.SECP256R1(),
    Scheme.ECDSA_P384_SHA384: ec.SECP384R1(),
    Scheme.ECDSA_P521_SHA512: ec.SECP521R1(),
}
RSA = (Scheme.RSA_2048, Scheme.RSA_3072, Scheme.RSA_4096)
SHA1 = hashes.SHA1()  # noqa: S303 - to see it refused
DIGESTING = [scheme for scheme in Scheme if scheme is not Scheme.ED25519]

# RFC 6979 §A.2.6 and §A.2.7: P-384 with SHA-384 and P-521 with SHA-512, message "sample"
VECTORS = {
    Scheme.ECDSA_P384_SHA384: (
        (
            "04EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13"
            "8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720"
        ),
        0x94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46,
        0x99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8,
    ),
    Scheme.ECDSA_P521_SHA512: (
        (
            "0401894550D0785932E00EAA23B694F213F8C3121F86DC97A04E5A7167DB4E5BCD371123D46E45DB6B5D5370A7F20FB633155D38FFA16D"
            "2BD761DCAC474B9A2F5023A400493101C962CD4D2FDDF782285E64584139C2F91B47F87FF82354D6630F746A28A0DB25741B5B34A82800"
            "8B22ACC23F924FAAFBD4D33F81EA66956DFEAA2BFDFCF5"
        ),
        0x00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA,
        0x00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A,
    ),
}


@asn1.sequence
class Algorithm:
    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class KeyInfo:
    algorithm: Algorithm
    key: asn1.BitString


@asn1.sequence
class RsaKey:
    modulus: int
    exponent: int


@cache
def key_of(scheme: Scheme) -> PrivateKey:
    return generate(scheme)


def spki(key: Any) -> bytes:
    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def raw(key: PrivateKey) -> Any:
    """The key of ``cryptography`` beneath ours, to sign with what ours refuses."""
    return load_der_private_key(key.sealed(lambda der: der), None)


def rsa_info(modulus: int, exponent: int, oid: str = "1.2.840.113549.1.1.1") -> bytes:
    inner = asn1.encode_der(RsaKey(modulus=modulus, exponent=exponent))
    algorithm = Algorithm(algorithm=x509.ObjectIdentifier(oid), parameters=asn1.Null())
    return asn1.encode_der(KeyInfo(algorithm=algorithm, key=asn1.BitString(inner, 0)))


@pytest.mark.parametrize("scheme", list(VECTORS))
def test_signatures_of_rfc_6979_verify(scheme: Scheme) -> None:
    point, r, s = VECTORS[scheme]
    key = PublicKey.from_der(spki(ec.EllipticCurvePublicKey.from_encoded_point(CURVES[scheme], bytes.fromhex(point))))
    assert key.scheme is scheme
    key.verify(b"sample", encode_dss_signature(r, s))
    key.verify_prehashed(hashlib.new(key.hash_name, b"sample").digest(), encode_dss_signature(r, s))
    with pytest.raises(SignatureInvalid):
        key.verify(b"Sample", encode_dss_signature(r, s))


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_key_of_every_scheme_survives_the_way_through_its_files(scheme: Scheme) -> None:
    key = key_of(scheme)
    public = key.public_key
    assert public.scheme is scheme
    assert PublicKey.from_pem(public.pem) == PublicKey.from_der(public.der) == public
    opened = load_private_key(key.encrypted_pem(PASSPHRASE), PASSPHRASE)
    public.verify(b"data", opened.sign(b"data"))


@pytest.mark.parametrize("scheme", DIGESTING)
@given(data=st.binary(max_size=200))
def test_signing_data_and_signing_its_digest_are_one_thing(scheme: Scheme, data: bytes) -> None:
    key = key_of(scheme)
    digest = hashlib.new(scheme.hash_name, data).digest()
    key.public_key.verify(data, key.sign_prehashed(digest))
    signature = key.sign(data)
    key.public_key.verify_prehashed(digest, signature)
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(data + b"\0", signature)


@pytest.mark.parametrize("scheme", list(Scheme))
@given(noise=st.binary(max_size=600))
def test_noise_is_an_invalid_signature_under_every_scheme(scheme: Scheme, noise: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        key_of(scheme).public_key.verify(b"data", noise)


@pytest.mark.parametrize("scheme", DIGESTING)
@pytest.mark.parametrize("size", [0, 20, 28, 31, 33, 65])
def test_a_digest_of_no_hash_is_neither_signed_nor_believed(scheme: Scheme, size: int) -> None:
    key = key_of(scheme)
    with pytest.raises(KeyUnsupported):
        key.sign_prehashed(bytes(size))
    with pytest.raises(SignatureInvalid):
        key.public_key.verify_prehashed(bytes(size), key.sign(b"data"))


@pytest.mark.parametrize("scheme", DIGESTING)
@pytest.mark.parametrize("size", [32, 48, 64])
def test_a_digest_of_another_schemes_hash_is_refused(scheme: Scheme, size: int) -> None:
    """Who may choose the hash chooses the weakest."""
    if size == hashlib.new(scheme.hash_name).digest_size:
        key_of(scheme).public_key.verify_prehashed(bytes(size), key_of(scheme).sign_prehashed(bytes(size)))
        return
    with pytest.raises(KeyUnsupported):
        key_of(scheme).sign_prehashed(bytes(size))
    with pytest.raises(SignatureInvalid, match="are not a SHA"):
        key_of(scheme).public_key.verify_prehashed(bytes(size), key_of(scheme).sign(b"data"))


WRONG_HASHES = [
    (scheme, algorithm)
    for scheme in CURVES
    for algorithm in (SHA1, hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
    if algorithm.name != scheme.hash_name
]


@pytest.mark.parametrize(("scheme", "algorithm"), WRONG_HASHES)
def test_an_ecdsa_signature_over_the_wrong_hash_is_refused(scheme: Scheme, algorithm: hashes.HashAlgorithm) -> None:
    signature = raw(key_of(scheme)).sign(b"data", ec.ECDSA(algorithm))
    with pytest.raises(SignatureInvalid):
        key_of(scheme).public_key.verify(b"data", signature)


@pytest.mark.parametrize("scheme", RSA)
@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA384(), hashes.SHA512()])
def test_an_rsa_signature_over_the_wrong_hash_is_refused(scheme: Scheme, algorithm: hashes.HashAlgorithm) -> None:
    key = key_of(scheme)
    signature = raw(key).sign(b"data", padding.PKCS1v15(), algorithm)
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(b"data", signature)


def test_an_rsa_signature_with_pss_padding_is_another_scheme() -> None:
    key = key_of(Scheme.RSA_2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(b"data", raw(key).sign(b"data", pss, hashes.SHA256()))


@dataclass
class Spelling:
    """A wrong way to write the signature (r, s) of a curve of this order."""

    name: str
    write: Callable[[int, int, int], bytes]


def sequence(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return b"\x30" + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body


def integer(value: int, *, pad: int = 0) -> bytes:
    body = bytes(pad) + value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return b"\x02" + bytes([len(body)]) + body


SPELLINGS = [
    Spelling("a zero r", lambda _r, s, _n: encode_dss_signature(0, s)),
    Spelling("a zero s", lambda r, _s, _n: encode_dss_signature(r, 0)),
    Spelling("both zero", lambda _r, _s, _n: encode_dss_signature(0, 0)),
    Spelling("both one", lambda _r, _s, _n: encode_dss_signature(1, 1)),
    Spelling("r at the order", lambda _r, s, n: encode_dss_signature(n, s)),
    Spelling("r beyond the order", lambda r, s, n: encode_dss_signature(r + n, s)),
    Spelling("s beyond the order", lambda r, s, n: encode_dss_signature(r, s + n)),
    Spelling("r and s exchanged", lambda r, s, _n: encode_dss_signature(s, r)),
    Spelling("a negative r", lambda r, s, n: sequence(integer(r - n), integer(s))),
    Spelling("a padded r", lambda r, s, _n: sequence(integer(r, pad=1), integer(s))),
    Spelling("a padded s", lambda r, s, _n: sequence(integer(r), integer(s, pad=2))),
    Spelling("a third number", lambda r, s, _n: sequence(integer(r), integer(s), integer(1))),
    Spelling("no s", lambda r, _s, _n: sequence(integer(r))),
    Spelling("bytes behind it", lambda r, s, _n: encode_dss_signature(r, s) + b"\0"),
    Spelling("a set", lambda r, s, _n: b"\x31" + encode_dss_signature(r, s)[1:]),
    Spelling("a length without an end", lambda r, s, _n: b"\x30\x80" + sequence(integer(r), integer(s))[2:] + b"\0\0"),
    Spelling("a long length", lambda r, s, _n: b"\x30\x82\x00" + encode_dss_signature(r, s)[-2:]),
    Spelling("the raw form", lambda r, s, n: b"".join(v.to_bytes((n.bit_length() + 7) // 8, "big") for v in (r, s))),
]
ORDERS = {
    Scheme.ECDSA_P256_SHA256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    Scheme.ECDSA_P384_SHA384: int("F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    Scheme.ECDSA_P521_SHA512: int(
        "01" + "F" * 64 + "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16
    ),
}


@pytest.mark.parametrize("scheme", list(CURVES))
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.name)
def test_a_signature_in_another_spelling_is_refused_on_every_curve(scheme: Scheme, spelling: Spelling) -> None:
    key = key_of(scheme)
    r, s = decode_dss_signature(key.sign(b"data"))
    forged = spelling.write(r, s, ORDERS[scheme])
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(b"data", forged)
    with pytest.raises(SignatureInvalid):
        key.public_key.verify_prehashed(hashlib.new(scheme.hash_name, b"data").digest(), forged)


@pytest.mark.parametrize("signing", list(Scheme))
@pytest.mark.parametrize("verifying", list(Scheme))
def test_a_signature_of_one_scheme_is_none_of_another(signing: Scheme, verifying: Scheme) -> None:
    signature = key_of(signing).sign(b"data")
    if signing is verifying:
        key_of(verifying).public_key.verify(b"data", signature)
        return
    with pytest.raises(SignatureInvalid):
        key_of(verifying).public_key.verify(b"data", signature)


def test_a_point_of_one_curve_under_the_name_of_another_is_refused() -> None:
    for scheme, other in (
        (Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384),
        (Scheme.ECDSA_P384_SHA384, Scheme.ECDSA_P521_SHA512),
        (Scheme.ECDSA_P521_SHA512, Scheme.ECDSA_P256_SHA256),
    ):
        own = asn1.decode_der(Loose, key_of(scheme).public_key.der)
        named = asn1.decode_der(Loose, key_of(other).public_key.der)
        with pytest.raises(KeyMalformed):
            PublicKey.from_der(asn1.encode_der(Loose(algorithm=named.algorithm, key=own.key)))


@asn1.sequence
class Loose:
    algorithm: asn1.TLV
    key: asn1.BitString


def test_an_rsa_signature_that_another_encoder_shortened_or_lengthened_is_refused() -> None:
    key = key_of(Scheme.RSA_2048)
    signature = key.sign(b"data")
    modulus = raw(key).public_key().public_numbers().n
    longer = (int.from_bytes(signature, "big") + modulus).to_bytes(257, "big")
    for forged in (b"\0" + signature, signature + b"\0", signature[1:], longer, longer[-256:], bytes(256), b"\0\1"):
        with pytest.raises(SignatureInvalid):
            key.public_key.verify(b"data", forged)


RSA_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(lambda h: b"\0\1" + b"\xff" * 8 + b"\0" + RSA_INFO + h + b"\0" * 194, id="short-padding"),
        pytest.param(lambda h: b"\0\2" + b"\xff" * 202 + b"\0" + RSA_INFO + h, id="padding-of-encryption"),
        pytest.param(lambda h: b"\0\1" + b"\xff" * 201 + b"\x00\x00" + RSA_INFO + h, id="a-zero-too-many"),
        pytest.param(lambda h: b"\0\1" + b"\xfe" * 202 + b"\0" + RSA_INFO + h, id="padding-of-other-bytes"),
        pytest.param(lambda h: b"\0\1" + b"\xff" * 221 + b"\0" + h, id="no-algorithm"),
        pytest.param(
            lambda h: b"\0\1" + b"\xff" * 200 + b"\0" + bytes.fromhex("3033300f0609608648016503040201050002000420") + h,
            id="parameters-that-nobody-knows",
        ),
    ],
)
def test_a_padding_that_the_private_key_itself_signed_is_refused_all_the_same(block: Callable[[bytes], bytes]) -> None:
    """What made forgeries possible where verifiers parsed the block in place of comparing it (CVE-2006-4339)."""
    key = key_of(Scheme.RSA_2048)
    numbers = raw(key).private_numbers()
    modulus = numbers.public_numbers.n
    padded = block(hashlib.sha256(b"data").digest())[:256]
    signature = pow(int.from_bytes(padded, "big"), numbers.d, modulus).to_bytes(256, "big")
    assert pow(int.from_bytes(signature, "big"), 65537, modulus) == int.from_bytes(padded, "big")
    with pytest.raises(SignatureInvalid):
        key.public_key.verify(b"data", signature)


@pytest.mark.parametrize("exponent", [-65537, 0, 1, 2, 3, 17, 65536, 65539, 2**64 + 1])
def test_an_rsa_key_with_another_exponent_is_refused(exponent: int) -> None:
    """Under the exponent 1 every message signs itself."""
    modulus = raw(key_of(Scheme.RSA_2048)).public_key().public_numbers().n
    with pytest.raises((KeyMalformed, KeyUnsupported)):
        PublicKey.from_der(rsa_info(modulus, exponent))


@pytest.mark.parametrize("size", [1024, 2047, 2049, 2056, 3071, 4095, 4097, 8192])
def test_an_rsa_key_of_an_odd_size_is_refused(size: int) -> None:
    modulus = (1 << size) - 159
    with pytest.raises((KeyMalformed, KeyUnsupported)):
        PublicKey.from_der(rsa_info(modulus, 65537))


def test_the_rsa_key_that_is_accepted_shows_that_the_refusals_are_not_accidents() -> None:
    numbers = raw(key_of(Scheme.RSA_2048)).public_key().public_numbers()
    assert PublicKey.from_der(rsa_info(numbers.n, 65537)) == key_of(Scheme.RSA_2048).public_key


def test_an_rsa_key_of_the_pss_kind_is_refused() -> None:
    numbers = raw(key_of(Scheme.RSA_2048)).public_key().public_numbers()
    with pytest.raises((KeyMalformed, KeyUnsupported)):
        PublicKey.from_der(rsa_info(numbers.n, 65537, "1.2.840.113549.1.1.10"))


def odd_primes(limit: int) -> list[int]:
    return [n for n in range(3, limit) if all(n % divisor for divisor in range(2, math.isqrt(n) + 1))]


def has_small_factor(modulus: int) -> bool:
    return any(modulus % prime == 0 for prime in [2, *odd_primes(752)])


def test_a_modulus_with_a_small_factor_is_refused() -> None:
    modulus = (1 << 2047) + 1
    while modulus % 751 or has_small_factor(modulus // 751):
        modulus += 2
    with pytest.raises(KeyUnsupported, match="can be broken"):
        rsa_scheme(rsa.RSAPublicNumbers(65537, modulus).public_key())


@pytest.mark.parametrize("distance", [0, 2, 2**20 * 2])
def test_a_modulus_of_two_neighbours_is_refused(distance: int) -> None:
    """Fermat knew how to factor it."""
    near = 3 * 2**1022 + 1
    while has_small_factor(near * (near + distance)):
        near += 2
    with pytest.raises(KeyUnsupported, match="can be broken"):
        rsa_scheme(rsa.RSAPublicNumbers(65537, near * (near + distance)).public_key())


def test_a_modulus_of_the_faulty_smart_cards_is_refused() -> None:
    """CVE-2017-15361: the modulus is a power of 65537 modulo the product of the first primes."""
    product = math.prod([2, *odd_primes(168)])
    power = pow(65537, 12345, product)
    modulus = (3 << 2046) // product * product + power
    while has_small_factor(modulus):
        modulus += product
    assert modulus.bit_length() == 2048
    with pytest.raises(KeyUnsupported, match="can be broken"):
        rsa_scheme(rsa.RSAPublicNumbers(65537, modulus).public_key())
    sound = modulus + 2 * product // 11  # 65537 has two powers modulo 11
    while has_small_factor(sound) or sound % 11 in {1, 10}:
        sound += 2 * product // 11
    assert rsa_scheme(rsa.RSAPublicNumbers(65537, sound).public_key()) is Scheme.RSA_2048


def certificate(key: Any) -> bytes:
    issuer = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key).serial_number(7)
    builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2027))
    return builder.sign(issuer, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_certificate_tells_its_key(scheme: Scheme) -> None:
    assert PublicKey.from_certificate(certificate(raw(key_of(scheme)).public_key())) == key_of(scheme).public_key


@pytest.mark.parametrize("scheme", DIGESTING)
def test_the_short_way_over_a_certificate_believes_what_the_long_one_does(scheme: Scheme) -> None:
    key = key_of(scheme)
    der = certificate(raw(key).public_key())
    digest = hashlib.new(scheme.hash_name, b"data").digest()
    signature = key.sign(b"data")
    assert verify_certified(der, digest, signature) is scheme
    for forged in (signature[:-1], signature + b"\0", key.sign(b"date"), b""):
        with pytest.raises(SignatureInvalid):
            verify_certified(der, digest, forged)
    for cut in (digest[:-1], digest[:20], b""):
        with pytest.raises(SignatureInvalid):
            verify_certified(der, cut, signature)
    with pytest.raises(KeyMalformed):
        verify_certified(der[:-1], digest, signature)


def test_the_short_way_over_a_certificate_refuses_ed25519() -> None:
    key = key_of(Scheme.ED25519)
    with pytest.raises(KeyUnsupported):
        verify_certified(certificate(raw(key).public_key()), bytes(32), key.sign(bytes(32)))


def test_a_certificate_about_a_key_that_is_not_used_here_is_refused() -> None:
    for key in (ed448.Ed448PrivateKey.generate().public_key(), ec.generate_private_key(ec.SECP256K1()).public_key()):
        with pytest.raises(KeyUnsupported):
            PublicKey.from_certificate(certificate(key))


@given(noise=st.binary(max_size=300))
def test_noise_is_no_certificate(noise: bytes) -> None:
    with pytest.raises(KeyMalformed):
        PublicKey.from_certificate(noise)


def test_a_certificate_with_any_one_byte_bent_gives_a_key_or_a_coded_problem() -> None:
    der = certificate(raw(key_of(Scheme.ECDSA_P384_SHA384)).public_key())
    for place in range(len(der)):
        bent = bytearray(der)
        bent[place] ^= 1
        try:
            PublicKey.from_certificate(bytes(bent))
        except Problem:
            continue
    for cut in range(len(der)):
        with pytest.raises(KeyMalformed):
            PublicKey.from_certificate(der[:cut])


def test_a_certificate_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(KeyMalformed, match="too many"):
        PublicKey.from_certificate(b"0" * 70_000)


def test_each_scheme_says_its_hash_and_ed25519_has_none() -> None:
    assert {scheme: scheme.hash_name for scheme in CURVES} == dict(
        zip(CURVES, ("sha256", "sha384", "sha512"), strict=True)
    )
    assert {scheme.hash_name for scheme in RSA} == {"sha256"}
    assert key_of(Scheme.ECDSA_P384_SHA384).public_key.hash_name == "sha384"
    with pytest.raises(KeyUnsupported):
        _ = key_of(Scheme.ED25519).public_key.hash_name
