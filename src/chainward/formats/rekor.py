"""Entries of the signature log: hashedrekord 0.0.2, the one kind that Rekor v2 still takes.

Follows the rekor-tiles protocol (hashedrekord.proto, CLIENTS.md): a digest, a signature over it, and who can verify it.
Two documents: the *request* of a client (camelCase and snake_case, unknown members refused) and the canonical *body*,
which is the RFC 8785 form of its protobuf-JSON and the leaf of the log. A body has exactly one spelling, because
verifiers rebuild it from a bundle and compare hashes. DSSE envelopes are logged by the digest of their PAE; the older
request that carries a whole envelope (``dsseRequestV002``, which rekor-tiles no longer takes but clients still send) is
read as what its successor would have said.

Nothing here verifies a signature.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chainward.formats.codec import canonical_json, check_size, convert, decode_json, encode_base64
from chainward.formats.dsse import pae
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.protojson import RawBytes, raw, raw_members

__all__ = [
    "ECDSA_P256_SHA256",
    "ENTRY_KIND",
    "ENTRY_VERSION",
    "MAX_BODY",
    "MAX_ENVELOPE_REQUEST",
    "MAX_REQUEST",
    "HashedRekord",
    "canonical_body",
    "decode_entry_request",
    "encode_entry_request",
    "parse_body",
]

ENTRY_KIND: Final = "hashedrekord"
ENTRY_VERSION: Final = "0.0.2"
ECDSA_P256_SHA256: Final = "PKIX_ECDSA_P256_SHA_256"

MAX_REQUEST: Final = 32 * 1024
MAX_ENVELOPE_REQUEST: Final = 4 * 1024 * 1024  # a request that carries a statement, where others carry its digest
MAX_BODY: Final = 2**16 - 1  # an entry bundle counts the bytes of an entry in 16 bits
_BODY: Final = "hashedrekord body"
_REQUEST: Final = "log entry request"
_MAX_MEMBERS: Final = 64  # a dozen is what a request can have
_MAX_NAME: Final = 64
_REQUEST_DEPTH: Final = 8
_WORD_BREAK: Final = re.compile(r"_([a-z0-9])")

# The digest that each kind of key signs, and its length; pure Ed25519 signs no digest, so it is not here.
_SHA256: Final = ("SHA2_256", 32)
_SHA384: Final = ("SHA2_384", 48)
_SHA512: Final = ("SHA2_512", 64)
_DIGEST_OF_KEY: Final = {
    ECDSA_P256_SHA256: _SHA256,
    "PKIX_ECDSA_P384_SHA_384": _SHA384,
    "PKIX_ECDSA_P521_SHA_512": _SHA512,
    "PKIX_RSA_PKCS1V15_2048_SHA256": _SHA256,
    "PKIX_RSA_PKCS1V15_3072_SHA256": _SHA256,
    "PKIX_RSA_PKCS1V15_4096_SHA256": _SHA256,
    "PKIX_ED25519_PH": _SHA512,
}


@dataclass(frozen=True, slots=True)
class HashedRekord:
    """A digest, the signature over it, and the verifier: a public key (SPKI) or a certificate, never both."""

    digest: bytes
    signature: bytes
    public_key_der: bytes
    key_details: str = ECDSA_P256_SHA256
    certificate_der: bytes = b""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    pass


class _Verifier(_Strict, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    key_details: str
    public_key: RawBytes | None = None
    x509_certificate: RawBytes | None = None


class _Signature(_Strict, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    content: str
    verifier: _Verifier


class _Data(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    algorithm: str
    digest: str


class _HashedRekordV002(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data: _Data
    signature: _Signature


class _Spec(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hashed_rekord: _HashedRekordV002 = msgspec.field(name="hashedRekordV002")


class _Body(_Strict, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    api_version: str
    kind: str
    spec: msgspec.Raw


class _HashedRekordRequest(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    digest: str
    signature: _Signature


class _WireEnvelopeSignature(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sig: str
    keyid: str = ""


class _WireEnvelope(_Strict, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    payload: str
    payload_type: str
    signatures: tuple[_WireEnvelopeSignature, ...]


class _DsseRequest(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    envelope: _WireEnvelope
    verifiers: tuple[_Verifier, ...]


class _Request(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hashed_rekord: _HashedRekordRequest | None = msgspec.field(name="hashedRekordRequestV002", default=None)
    dsse: _DsseRequest | None = msgspec.field(name="dsseRequestV002", default=None)


_DECODER: Final = msgspec.json.Decoder(_Request)
# The canonical form, written out: every value is a fixed name or base64, so nothing needs to be escaped or sorted.
_TEMPLATE: Final = (
    b'{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"%b","digest":"%b"},'
    b'"signature":{"content":"%b","verifier":{"keyDetails":"%b","%b":{"rawBytes":"%b"}}}}}}'
)


def canonical_body(entry: HashedRekord) -> bytes:
    """Write the leaf of the log for ``entry``; equal entries give equal bytes.

    Raises:
        Unwritable: both or neither of key and certificate, a digest of the wrong length, more than 65,535 bytes.
        Unsupported: a kind of key that the log does not know.
    """
    algorithm, _ = _digest_of_key(entry.key_details, entry.digest, Unwritable, _BODY)
    _check_complete(entry)
    verifier = (
        (b"publicKey", entry.public_key_der) if entry.public_key_der else (b"x509Certificate", entry.certificate_der)
    )
    body = _TEMPLATE % (
        algorithm.encode(),
        b64encode(entry.digest),
        b64encode(entry.signature),
        entry.key_details.encode(),
        verifier[0],
        b64encode(verifier[1]),
    )
    if len(body) > MAX_BODY:
        raise Unwritable(_BODY, f"an entry of {len(body)} bytes does not fit into the log")
    return body


def parse_body(data: bytes) -> HashedRekord:
    """Read a leaf of the log.

    Raises:
        TooLarge: more than 65,535 bytes.
        Unsupported: an entry of another kind or version, or with another kind of key.
        Malformed: anything that :func:`canonical_body` would not have written byte for byte.
    """
    body = decode_json(data, _Body, limit=MAX_BODY, what=_BODY, depth=None)
    if (body.kind, body.api_version) != (ENTRY_KIND, ENTRY_VERSION):
        raise Unsupported(_BODY, f"{body.kind[:40]} {body.api_version[:40]} is not {ENTRY_KIND} {ENTRY_VERSION}")
    spec = decode_json(bytes(body.spec), _Spec, limit=MAX_BODY, what=_BODY, depth=None).hashed_rekord
    entry = _entry(spec.data.digest, spec.signature, _BODY)
    if canonical_body(entry) != data:
        raise Malformed(_BODY, "is not in canonical form")
    return entry


def decode_entry_request(data: bytes) -> HashedRekord:
    """Read what a client sends to the log: camelCase or snake_case, nothing unknown.

    A request with a DSSE envelope gives the entry over its PAE: one signature, and one verifier whose kind of key says
    how the PAE is hashed.

    Raises:
        TooLarge: more than 32 KiB, or 4 MiB with an envelope.
        Unsupported: a kind of key that the log does not know.
        Malformed: anything else.
    """
    request = _read(data)
    match request:
        case _Request(hashed_rekord=_HashedRekordRequest() as hashed, dsse=None):
            check_size(data, limit=MAX_REQUEST, what=_REQUEST)
            return _entry(hashed.digest, hashed.signature, _REQUEST)
        case _Request(hashed_rekord=None, dsse=_DsseRequest() as dsse):
            return _entry_over_pae(dsse)
        case _:
            raise Malformed(_REQUEST, "needs either hashedRekordRequestV002 or dsseRequestV002")


def _read(data: bytes) -> _Request:
    check_size(data, limit=MAX_ENVELOPE_REQUEST, what=_REQUEST)
    try:
        return _DECODER.decode(data)
    except ValueError:  # in snake_case, perhaps; else this gives the reason
        return convert(_in_camel_case(_few_members(data)), _Request, what=_REQUEST)


def _few_members(data: bytes) -> dict[str, Any]:
    """Return a request without its type, if it is small enough for names to be changed one by one."""
    if data.count(b",") > _MAX_MEMBERS:  # the text of a request has hardly any
        raise Malformed(_REQUEST, "has more members than any request")
    shape = dict[str, Any]
    return decode_json(data, shape, limit=MAX_ENVELOPE_REQUEST, what=_REQUEST, depth=_REQUEST_DEPTH)


def _entry_over_pae(request: _DsseRequest) -> HashedRekord:
    if len(request.envelope.signatures) != 1 or len(request.verifiers) != 1:
        raise Malformed(_REQUEST, "needs exactly one signature and exactly one verifier for it")
    (verifier,), (signature,) = request.verifiers, request.envelope.signatures
    if verifier.key_details not in _DIGEST_OF_KEY:
        raise Unsupported(_REQUEST, f"{verifier.key_details[:60]!r} is not a kind of key that signs digests")
    payload = raw(request.envelope.payload, what=f"{_REQUEST}: payload")
    if not request.envelope.payload_type:
        raise Malformed(_REQUEST, "payloadType is empty")
    hash_name = _DIGEST_OF_KEY[verifier.key_details][0].replace("SHA2_", "sha")
    digest = hashlib.new(hash_name, pae(request.envelope.payload_type, payload)).digest()
    return _entry(encode_base64(digest), _Signature(content=signature.sig, verifier=verifier), _REQUEST)


def encode_entry_request(entry: HashedRekord) -> bytes:
    """Write what a client sends to the log; raises Unwritable as :func:`canonical_body` does."""
    _digest_of_key(entry.key_details, entry.digest, Unwritable, _REQUEST)
    request = {"digest": encode_base64(entry.digest), "signature": _signature_members(entry)}
    return canonical_json({"hashedRekordRequestV002": request})


def _entry(digest_text: str, signature: _Signature, what: str) -> HashedRekord:
    verifier = signature.verifier
    if (verifier.public_key is None) == (verifier.x509_certificate is None):
        raise Malformed(what, "needs either publicKey or x509Certificate")
    digest = raw(digest_text, what=f"{what}: digest")
    _digest_of_key(verifier.key_details, digest, Malformed, what)
    entry = HashedRekord(
        digest,
        raw(signature.content, what=f"{what}: signature"),
        raw(verifier.public_key.raw_bytes, what=f"{what}: publicKey") if verifier.public_key else b"",
        verifier.key_details,
        raw(verifier.x509_certificate.raw_bytes, what=f"{what}: certificate") if verifier.x509_certificate else b"",
    )
    if not entry.signature or not (entry.public_key_der or entry.certificate_der):
        raise Malformed(what, "signature or verifier is empty")
    return entry


def _check_complete(entry: HashedRekord) -> None:
    if bool(entry.public_key_der) == bool(entry.certificate_der) or not entry.signature:
        raise Unwritable(_BODY, "needs a signature and either a public key or a certificate")


def _signature_members(entry: HashedRekord) -> dict[str, Any]:
    _check_complete(entry)
    verifier: dict[str, Any] = {"keyDetails": entry.key_details}
    if entry.public_key_der:
        verifier["publicKey"] = raw_members(entry.public_key_der)
    else:
        verifier["x509Certificate"] = raw_members(entry.certificate_der)
    return {"content": encode_base64(entry.signature), "verifier": verifier}


def _digest_of_key(details: str, digest: bytes, problem: type[Malformed | Unwritable], what: str) -> tuple[str, int]:
    if details not in _DIGEST_OF_KEY:
        raise Unsupported(what, f"{details[:60]!r} is not a kind of key that signs digests")
    algorithm, size = _DIGEST_OF_KEY[details]
    if len(digest) != size:
        raise problem(what, f"the digest has {len(digest)} bytes; {details} signs {size}")
    return algorithm, size


def _in_camel_case(value: Any) -> Any:  # noqa: ANN401 - a JSON value of any shape
    if isinstance(value, list):
        return [_in_camel_case(member) for member in value]
    if not isinstance(value, dict):
        return value
    renamed = {_camel(name): _in_camel_case(member) for name, member in value.items()}
    if len(renamed) != len(value):
        raise Malformed(_REQUEST, "gives a member in both spellings")
    return renamed


def _camel(name: str) -> str:
    if len(name) > _MAX_NAME:
        return name
    return _WORD_BREAK.sub(lambda match: match[1].upper(), name)
