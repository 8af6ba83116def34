"""Content digests as OCI writes them: ``algorithm:lowercase-hex`` (OCI image-spec 1.1.1, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["Algorithm", "Digest", "DigestMismatch", "InvalidDigest"]

_SHAPE = re.compile(r"(sha256|sha512):([0-9a-f]+)\Z")


class Algorithm(StrEnum):
    """The registered digest algorithms that Chainward accepts."""

    SHA256 = "sha256"
    SHA512 = "sha512"

    @property
    def hex_length(self) -> int:
        """Number of hexadecimal characters of a digest of this algorithm."""
        return 64 if self is Algorithm.SHA256 else 128

    def hasher(self) -> _Hash:
        """Return a fresh hash object."""
        return hashlib.new(self.value)


class InvalidDigest(Problem):
    """The text is not a digest."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "digest-invalid"
    hint = "Write a digest as sha256:<64 lowercase hex characters>."


class DigestMismatch(Problem):
    """The bytes do not hash to the digest that was promised."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "digest-mismatch"
    hint = "Send the bytes that the digest names, or the digest of the bytes that you send."


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A content digest; equal digests mean equal bytes.

    >>> str(Digest.of(b"hello"))
    'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    """

    algorithm: Algorithm
    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``algorithm:hex``; raises :class:`InvalidDigest` for anything else."""
        match = _SHAPE.match(text)
        if match is None or len(match[2]) != Algorithm(match[1]).hex_length:
            raise InvalidDigest(f"{text[:140]!r} is not a digest")
        return cls(Algorithm(match[1]), match[2])

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview, algorithm: Algorithm = Algorithm.SHA256) -> Self:
        """Return the digest of ``data``."""
        return cls(algorithm, hashlib.new(algorithm.value, data).hexdigest())

    @property
    def raw(self) -> bytes:
        """The digest as bytes."""
        return bytes.fromhex(self.hex)

    def verify(self, data: bytes | bytearray | memoryview) -> None:
        """Raise :class:`DigestMismatch` unless ``data`` hashes to this digest (compared in constant time)."""
        actual = hashlib.new(self.algorithm.value, data).hexdigest()
        if not hmac.compare_digest(actual, self.hex):
            raise DigestMismatch(
                f"content hashes to {self.algorithm}:{actual}, not to {self}",
                details={"expected": str(self), "actual": f"{self.algorithm}:{actual}"},
            )

    def __str__(self) -> str:
        return f"{self.algorithm.value}:{self.hex}"
