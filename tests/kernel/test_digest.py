"""Digests: one spelling for each, and a promise about bytes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import digests

from chainward.kernel.digest import Algorithm, Digest, DigestMismatch, InvalidDigest

SHA256 = "a" * 64
SHA512 = "b" * 128


@given(digests())
def test_a_digest_reads_back_as_itself(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest
    assert digest.raw.hex() == digest.hex


@given(st.binary(max_size=100), st.sampled_from(Algorithm))
def test_a_digest_is_what_hashlib_says(data: bytes, algorithm: Algorithm) -> None:
    digest = Digest.of(data, algorithm)
    assert digest.hex == hashlib.new(algorithm.value, data).hexdigest()
    assert len(digest.hex) == algorithm.hex_length
    digest.verify(data)
    digest.verify(memoryview(data))
    digest.verify(bytearray(data))


@given(st.binary(max_size=50), st.binary(max_size=50), st.sampled_from(Algorithm))
def test_other_bytes_than_those_promised_are_refused_with_both_digests(
    data: bytes, other: bytes, algorithm: Algorithm
) -> None:
    digest = Digest.of(data, algorithm)
    if data == other:
        digest.verify(other)
        return
    with pytest.raises(DigestMismatch) as caught:
        digest.verify(other)
    assert caught.value.details == {"expected": str(digest), "actual": str(Digest.of(other, algorithm))}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        f"sha256:{SHA256[:-1]}",
        f"sha256:{SHA256}a",
        f"sha256:{SHA256.upper()}",
        f"SHA256:{SHA256}",
        f"sha256:{SHA256}\n",
        f" sha256:{SHA256}",
        f"sha256:{SHA512}",
        f"sha512:{SHA256}",
        f"sha384:{'a' * 96}",
        f"md5:{'a' * 32}",
        f"sha256+b64:{SHA256}",
        f"sha256:sha256:{SHA256}",
        f"sha256:{'٣' * 64}",
        f"sha256:../../{SHA256}",
        f"sha256:{SHA256[:-1]}g",
    ],
)
def test_a_digest_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest):
        Digest.parse(text)


def test_a_digest_of_another_algorithm_is_another_digest() -> None:
    one, other = (Digest.of(b"x", algorithm) for algorithm in Algorithm)
    assert one != other
    assert sorted([other, one]) == [one, other]


def test_a_hash_object_gives_the_same_digest_piece_by_piece() -> None:
    hasher = Algorithm.SHA256.hasher()
    hasher.update(b"hel")
    hasher.update(b"lo")
    assert hasher.hexdigest() == Digest.of(b"hello").hex
