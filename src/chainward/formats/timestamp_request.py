"""Requests for a timestamp, and the replies that say no (RFC 3161 §2.4).

In: DER, or the JSON that Sigstore's authorities take beside it (``artifactHash``, ``hashAlgorithm``, ``nonce``,
``certificates``, ``tsaPolicyOID``), of at most 1 KiB: numbers in JSON have no length, and a long one would cost its
square to read. Out: a :class:`TimestampRequest`. A refusal carries the failure information of RFC 3161, so that a reply
can be made of it.

Extensions are refused, critical or not: §2.4.1 forbids a token for a request with one that the server does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final

import msgspec
from cryptography import x509
from cryptography.hazmat import asn1

from chainward.formats.cms import HASH_OIDS, HASHES, AlgorithmIdentifier
from chainward.formats.codec import check_size, decode_base64, decode_json
from chainward.formats.errors import Malformed, TimestampRequestInvalid, Unwritable
from chainward.formats.timestamp_info import DIGEST_SIZES, MessageImprint

__all__ = [
    "MAX_REQUEST",
    "Failure",
    "TimestampRequest",
    "decode_request",
    "decode_request_json",
    "encode_rejection",
    "encode_request",
]

_WHAT: Final = "timestamp request"
MAX_REQUEST: Final = 1024
_VERSION: Final = 1
_REJECTION: Final = 2
_MAX_NONCE: Final = 1 << 512
_NONCE: Final = re.compile(rb"-?[0-9]{1,155}\Z")


class Failure(IntEnum):
    """PKIFailureInfo of RFC 3161 §2.4.2: the number is the bit."""

    BAD_ALGORITHM = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampRequest:
    """Please say that the bytes whose ``hash_name`` is ``digest`` exist now.

    ``certificates`` asks for the authority's certificates in the reply.
    """

    hash_name: str
    digest: bytes
    nonce: int | None = None
    policy: str | None = None
    certificates: bool = False


@asn1.sequence
class _Request:
    version: int
    imprint: MessageImprint
    policy: x509.ObjectIdentifier | None = None
    nonce: int | None = None
    certificates: Annotated[bool, asn1.Default(value=False)] = False
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)] = None


@asn1.sequence
class _Status:
    status: int
    texts: list[str] | None = None
    failure: asn1.BitString | None = None


@asn1.sequence
class _Rejection:
    status: _Status


class _JsonRequest(msgspec.Struct, frozen=True, rename="camel"):
    artifact_hash: str
    hash_algorithm: str
    nonce: msgspec.Raw = msgspec.Raw(b"null")
    certificates: bool = False
    policy: str | None = msgspec.field(name="tsaPolicyOID", default=None)


def encode_request(request: TimestampRequest) -> bytes:
    """Write a request in DER; raises Unwritable for an unknown hash or a digest of another length."""
    algorithm = HASH_OIDS.get(request.hash_name)
    if algorithm is None or len(request.digest) != DIGEST_SIZES[request.hash_name]:
        raise Unwritable(_WHAT, f"{len(request.digest)} bytes are not a {request.hash_name} digest")
    identifier = AlgorithmIdentifier(algorithm=algorithm, parameters=asn1.Null())
    return asn1.encode_der(
        _Request(
            version=_VERSION,
            imprint=MessageImprint(algorithm=identifier, digest=request.digest),
            policy=None if request.policy is None else x509.ObjectIdentifier(request.policy),
            nonce=request.nonce,
            certificates=request.certificates,
        )
    )


def decode_request(der: bytes) -> TimestampRequest:
    """Read a request in DER.

    Raises:
        TooLarge: more than 1 KiB.
        TimestampRequestInvalid: not a request in DER, or one that asks for what no authority here gives.
    """
    check_size(der, limit=MAX_REQUEST, what=_WHAT)
    try:
        found = asn1.decode_der(_Request, der)
    except ValueError:
        raise TimestampRequestInvalid("the body is not a timestamp request in DER", Failure.BAD_DATA_FORMAT) from None
    if found.version != _VERSION:
        raise TimestampRequestInvalid(f"there are no requests of version {found.version % 1000}", Failure.BAD_REQUEST)
    if found.extensions is not None:
        raise TimestampRequestInvalid("requests with extensions are not answered", Failure.UNACCEPTED_EXTENSION)
    oid = found.imprint.algorithm.algorithm
    return _checked(
        TimestampRequest(
            hash_name=HASHES.get(oid, oid.dotted_string),
            digest=found.imprint.digest,
            nonce=found.nonce,
            policy=None if found.policy is None else found.policy.dotted_string,
            certificates=found.certificates,
        )
    )


def decode_request_json(data: bytes) -> TimestampRequest:
    """Read a request in JSON.

    Raises:
        TooLarge: more than 1 KiB.
        TimestampRequestInvalid: not a request, or one that asks for what no authority here gives.
    """
    try:
        found = decode_json(data, _JsonRequest, limit=MAX_REQUEST, what=_WHAT)
        digest = decode_base64(found.artifact_hash, what=_WHAT)
    except Malformed as malformed:
        raise TimestampRequestInvalid(malformed.message, Failure.BAD_DATA_FORMAT) from None
    return _checked(
        TimestampRequest(
            hash_name=found.hash_algorithm.lower(),
            digest=digest,
            nonce=_nonce(bytes(found.nonce)),
            policy=None if found.policy is None else _policy(found.policy),
            certificates=found.certificates,
        )
    )


def encode_rejection(failure: int, text: str) -> bytes:
    """Write the reply that says no, and why: ``failure`` is one of :class:`Failure`."""
    bits = bytearray(failure // 8 + 1)
    bits[failure // 8] = 0x80 >> failure % 8
    padding = 7 - failure % 8
    status = _Status(status=_REJECTION, texts=[text], failure=asn1.BitString(bytes(bits), padding))
    return asn1.encode_der(_Rejection(status=status))


def _policy(text: str) -> str:
    try:
        return x509.ObjectIdentifier(text).dotted_string
    except ValueError:
        raise TimestampRequestInvalid("tsaPolicyOID is not an object identifier", Failure.BAD_DATA_FORMAT) from None


def _nonce(text: bytes) -> int | None:
    if text == b"null":
        return None
    if _NONCE.match(text) is None:
        raise TimestampRequestInvalid("the nonce is not a whole number of at most 512 bits", Failure.BAD_DATA_FORMAT)
    return int(text)


def _checked(request: TimestampRequest) -> TimestampRequest:
    hash_name, nonce = request.hash_name, request.nonce
    if hash_name not in DIGEST_SIZES:
        raise TimestampRequestInvalid(f"digests of {hash_name[:60]} are not stamped", Failure.BAD_ALGORITHM)
    if len(request.digest) != DIGEST_SIZES[hash_name]:
        raise TimestampRequestInvalid(
            f"{len(request.digest)} bytes are not a {hash_name} digest", Failure.BAD_DATA_FORMAT
        )
    if nonce is not None and abs(nonce) >= _MAX_NONCE:
        raise TimestampRequestInvalid("the nonce is longer than 512 bits", Failure.BAD_REQUEST)
    return request
