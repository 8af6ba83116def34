"""What a timestamp says: this digest existed at this instant (TSTInfo, RFC 3161 §2.4.2).

In: DER from inside a token. Out: a :class:`TimestampInfo`, and back. Hashes are SHA-256, SHA-384 and SHA-512; a time
may have fractions of a second down to microseconds, which is what a datetime holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from cryptography import x509
from cryptography.hazmat import asn1

from chainward.formats.cms import HASH_OIDS, HASHES, AlgorithmIdentifier
from chainward.formats.der import GENERALIZED_TIME, OCTETS, SEQUENCE, element, integer
from chainward.formats.errors import Malformed, Unsupported, Unwritable

__all__ = [
    "DIGEST_SIZES",
    "TST_INFO",
    "Accuracy",
    "MessageImprint",
    "TimestampInfo",
    "decode_info",
    "digits_of",
    "encode_info",
]

TST_INFO: Final = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
DIGEST_SIZES: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
_WHAT: Final = "timestamp"
_VERSION: Final = 1
_THOUSAND: Final = 1000
_MAX_SECONDS: Final = 10**9
_MAX_SERIAL: Final = 1 << 320  # RFC 3161 asks verifiers for 160 bits; some authorities use more
_PUNCTUATION: Final = str.maketrans("", "", "-:T")
_ALGORITHMS: Final = {
    name: asn1.encode_der(AlgorithmIdentifier(algorithm=oid, parameters=asn1.Null())) for name, oid in HASH_OIDS.items()
}


@asn1.sequence
class MessageImprint:
    """RFC 3161 §2.4.1."""

    algorithm: AlgorithmIdentifier
    digest: bytes


@asn1.sequence
class _Accuracy:
    seconds: int | None = None
    millis: Annotated[int | None, asn1.Implicit(0)] = None
    micros: Annotated[int | None, asn1.Implicit(1)] = None


@asn1.sequence
class _Extension:
    type: x509.ObjectIdentifier
    critical: Annotated[bool, asn1.Default(value=False)] = False
    value: bytes


@asn1.sequence
class _TstInfo:
    version: int
    policy: x509.ObjectIdentifier
    imprint: MessageImprint
    serial: int
    time: asn1.GeneralizedTime
    accuracy: _Accuracy | None = None
    ordering: Annotated[bool, asn1.Default(value=False)] = False
    nonce: int | None = None
    tsa: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)] = None
    extensions: Annotated[list[_Extension] | None, asn1.Implicit(1)] = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far the time may be off, to both sides."""

    seconds: int = 0
    millis: int = 0
    micros: int = 0

    @property
    def span(self) -> timedelta:
        """The accuracy as a duration."""
        return timedelta(seconds=self.seconds, milliseconds=self.millis, microseconds=self.micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampInfo:
    """That the bytes whose ``hash_name`` is ``digest`` existed at ``gen_time``, in the words of an authority."""

    hash_name: str
    digest: bytes
    gen_time: datetime
    serial: int
    policy: str
    nonce: int | None = None
    accuracy: Accuracy | None = None


def encode_info(info: TimestampInfo) -> bytes:
    """Write the content of a token; raises Unwritable for an unknown hash or a digest of another length."""
    algorithm = _ALGORITHMS.get(info.hash_name)
    if algorithm is None or len(info.digest) != DIGEST_SIZES[info.hash_name]:
        raise Unwritable(_WHAT, f"{len(info.digest)} bytes are not a {info.hash_name} digest")
    return element(
        SEQUENCE,
        integer(_VERSION),
        _policy(info.policy),
        element(SEQUENCE, algorithm, element(OCTETS, info.digest)),
        integer(info.serial),
        _time(info.gen_time),
        b"" if info.accuracy is None else _encoded(info.accuracy),
        b"" if info.nonce is None else integer(info.nonce),
    )


def digits_of(instant: datetime) -> bytes:
    """Return an instant as the digits of a GeneralizedTime in UTC: with fractions only if it has any (X.690 §11.7)."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat().translate(_PUNCTUATION)
    return (text.rstrip("0") if instant.microsecond else text).encode("ascii")


def decode_info(der: bytes) -> TimestampInfo:
    """Read the content of a token.

    Raises:
        Malformed: not a TSTInfo in DER.
        Unsupported: another version, another hash, or a critical extension.
    """
    try:
        found = asn1.decode_der(_TstInfo, der)
        gen_time = found.time.as_datetime()
    except ValueError as error:
        raise Malformed(_WHAT, f"not a TSTInfo in DER: {error}") from None
    if found.version != _VERSION or any(each.critical for each in found.extensions or ()):
        raise Unsupported(_WHAT, "a timestamp of another version, or with an extension that must not be overlooked")
    hash_name = HASHES.get(found.imprint.algorithm.algorithm)
    if hash_name is None:
        raise Unsupported(_WHAT, f"a timestamp over a digest of {found.imprint.algorithm.algorithm.dotted_string}")
    if len(found.imprint.digest) != DIGEST_SIZES[hash_name] or not abs(found.serial) < _MAX_SERIAL:
        raise Malformed(_WHAT, "the digest is not one of its hash, or the serial number is too long")
    return TimestampInfo(
        hash_name=hash_name,
        digest=found.imprint.digest,
        gen_time=gen_time,
        serial=found.serial,
        policy=found.policy.dotted_string,
        nonce=found.nonce,
        accuracy=_accuracy(found.accuracy),
    )


@lru_cache(maxsize=16)  # within a second it is always the same
def _time(instant: datetime) -> bytes:
    return element(GENERALIZED_TIME, digits_of(instant), b"Z")


@lru_cache(maxsize=16)
def _policy(policy: str) -> bytes:
    return asn1.encode_der(x509.ObjectIdentifier(policy))


@lru_cache(maxsize=16)
def _encoded(accuracy: Accuracy) -> bytes:
    parts = _Accuracy(seconds=accuracy.seconds or None, millis=accuracy.millis or None, micros=accuracy.micros or None)
    return asn1.encode_der(parts)


def _accuracy(found: _Accuracy | None) -> Accuracy | None:
    if found is None:
        return None
    seconds, millis, micros = found.seconds or 0, found.millis or 0, found.micros or 0
    if not (0 <= seconds <= _MAX_SECONDS and 0 <= millis < _THOUSAND and 0 <= micros < _THOUSAND):
        raise Malformed(_WHAT, "the accuracy is out of range")
    return Accuracy(seconds, millis, micros)
