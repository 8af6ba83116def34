"""Sigstore bundles: a signature, whose it is, and the proof that a log has it, in one file.

Follows sigstore protobuf-specs (sigstore_bundle.proto, sigstore_rekor.proto) in their JSON mapping; reads bundles v0.1
to v0.3, writes v0.3. In: the bytes of a bundle. Out: a :class:`Bundle` of bytes and integers, nothing of it verified.
Unknown members are skipped. Log entries have an inclusion proof with a checkpoint, but for bundles v0.1: there the
promise of the log may stand alone, which is another value (:class:`PromisedEntry`), because it proves less.
"""

from __future__ import annotations

from binascii import b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from chainward.formats.codec import decode_json, deterministic_json, encode_base64, without_empty
from chainward.formats.dsse import Envelope, WireEnvelope, envelope_members
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.protojson import Int64, natural, raw, raw_members

__all__ = [
    "BUNDLE_V01",
    "BUNDLE_V02",
    "BUNDLE_V03",
    "MAX_BUNDLE",
    "MAX_LOG_ENTRY",
    "Bundle",
    "InclusionProof",
    "LogEntry",
    "MessageSignature",
    "PromisedEntry",
    "decode_bundle",
    "decode_log_entry",
    "encode_bundle",
    "encode_log_entry",
]

BUNDLE_V01: Final = "application/vnd.dev.sigstore.bundle+json;version=0.1"
BUNDLE_V02: Final = "application/vnd.dev.sigstore.bundle+json;version=0.2"
BUNDLE_V03: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_BUNDLE_V03_OLD_SPELLING: Final = "application/vnd.dev.sigstore.bundle+json;version=0.3"
_KNOWN: Final = frozenset({BUNDLE_V01, BUNDLE_V02, BUNDLE_V03, _BUNDLE_V03_OLD_SPELLING})

MAX_BUNDLE: Final = 34 * 1024 * 1024  # the largest statement, in base64, and room for proofs
MAX_LOG_ENTRY: Final = 1024 * 1024
_MAX_ENTRIES: Final = 32
_MAX_CERTIFICATES: Final = 10
_MAX_TIMESTAMPS: Final = 32
_MAX_PROOF: Final = 63
_HASH_SIZE: Final = 32
_LOW: Final = 4  # the hashes of a proof that are written anew for each entry
_WHAT: Final = "sigstore bundle"
_ENTRY: Final = "log entry"


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Hashes from a leaf to the root of a tree, and the checkpoint (a signed note) that commits to the root."""

    log_index: int
    tree_size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a signature log; ``body`` is the leaf, ``promise`` the log's signed timestamp of old (v1)."""

    log_index: int
    log_id: bytes
    kind: str
    version: str
    integrated_time: int
    proof: InclusionProof
    body: bytes
    promise: bytes = b""


@dataclass(frozen=True, slots=True)
class PromisedEntry:
    """An entry of which there is only the log's signed promise to include it (Rekor v1); members as in LogEntry."""

    log_index: int
    log_id: bytes
    kind: str
    version: str
    integrated_time: int
    body: bytes
    promise: bytes


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """A signature over the digest of an artifact that is not in the bundle."""

    digest_algorithm: str
    digest: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Either an envelope or a message signature; either a key hint or certificates, leaf first."""

    media_type: str = BUNDLE_V03
    envelope: Envelope | None = None
    message_signature: MessageSignature | None = None
    key_hint: str | None = None
    certificates: tuple[bytes, ...] = ()
    entries: tuple[LogEntry, ...] = ()
    promised: tuple[PromisedEntry, ...] = ()
    timestamps: tuple[bytes, ...] = ()


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class _WireRaw(_Wire, frozen=True, kw_only=True, rename="camel"):
    raw_bytes: str


class _WireChain(_Wire, frozen=True, kw_only=True):
    certificates: tuple[_WireRaw, ...] = ()


class _WireKey(_Wire, frozen=True, kw_only=True):
    hint: str = ""


class _WireCheckpoint(_Wire, frozen=True, kw_only=True):
    envelope: str


class _WireProof(_Wire, frozen=True, kw_only=True, rename="camel"):
    log_index: Int64 = 0
    tree_size: Int64
    root_hash: str
    hashes: tuple[str, ...] = ()
    checkpoint: _WireCheckpoint | None = None


class _WireLogId(_Wire, frozen=True, kw_only=True, rename="camel"):
    key_id: str


class _WireKind(_Wire, frozen=True, kw_only=True):
    kind: str
    version: str


class _WirePromise(_Wire, frozen=True, kw_only=True, rename="camel"):
    signed_entry_timestamp: str = ""


class _WireLogEntry(_Wire, frozen=True, kw_only=True, rename="camel"):
    log_index: Int64 = 0
    log_id: _WireLogId
    kind_version: _WireKind
    integrated_time: Int64 = 0
    inclusion_promise: _WirePromise | None = None
    inclusion_proof: _WireProof | None = None
    canonicalized_body: str

    def value(self) -> LogEntry:
        if self.inclusion_proof is None:
            raise Unsupported(_ENTRY, "has no inclusion proof", hint="Sign again with a log that gives proofs.")
        if self.inclusion_proof.checkpoint is None:
            raise Malformed(_ENTRY, "the inclusion proof has no checkpoint")
        promised = self.promised()
        return LogEntry(
            promised.log_index,
            promised.log_id,
            promised.kind,
            promised.version,
            promised.integrated_time,
            _proof(self.inclusion_proof, self.inclusion_proof.checkpoint),
            promised.body,
            promised.promise,
        )

    def promised(self) -> PromisedEntry:
        promise = self.inclusion_promise.signed_entry_timestamp if self.inclusion_promise else ""
        return PromisedEntry(
            natural(self.log_index, what=f"{_ENTRY}: logIndex"),
            raw(self.log_id.key_id, what=f"{_ENTRY}: keyId"),
            self.kind_version.kind,
            self.kind_version.version,
            natural(self.integrated_time, what=f"{_ENTRY}: integratedTime"),
            raw(self.canonicalized_body, what=f"{_ENTRY}: canonicalizedBody"),
            raw(promise, what=f"{_ENTRY}: signedEntryTimestamp"),
        )

    def is_promise_only(self) -> bool:
        """Whether this is what only bundles v0.1 may have: a promise, and no proof that leads to a checkpoint."""
        proven = self.inclusion_proof is not None and self.inclusion_proof.checkpoint is not None
        return not proven and self.inclusion_promise is not None and bool(self.inclusion_promise.signed_entry_timestamp)


class _WireTimestamp(_Wire, frozen=True, kw_only=True, rename="camel"):
    signed_timestamp: str


class _WireTimestamps(_Wire, frozen=True, kw_only=True):
    tokens: tuple[_WireTimestamp, ...] = msgspec.field(name="rfc3161Timestamps", default=())


class _WireMaterial(_Wire, frozen=True, kw_only=True, rename="camel"):
    certificate: _WireRaw | None = None
    public_key: _WireKey | None = None
    chain: _WireChain | None = msgspec.field(name="x509CertificateChain", default=None)
    tlog_entries: tuple[_WireLogEntry, ...] = ()
    timestamps: _WireTimestamps | None = msgspec.field(name="timestampVerificationData", default=None)


class _WireDigest(_Wire, frozen=True, kw_only=True):
    algorithm: str
    digest: str


class _WireMessage(_Wire, frozen=True, kw_only=True, rename="camel"):
    message_digest: _WireDigest
    signature: str


class _WireBundle(_Wire, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    verification_material: _WireMaterial
    message_signature: _WireMessage | None = None
    dsse_envelope: WireEnvelope | None = None


def decode_bundle(data: bytes, *, limit: int = MAX_BUNDLE) -> Bundle:
    """Read a bundle.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Unsupported: another media type, or a log entry without inclusion proof.
        Malformed: anything else: not exactly one content, one kind of verifier, one signature in the envelope.
    """
    wire = decode_json(data, _WireBundle, limit=limit, what=_WHAT, depth=None)
    if wire.media_type not in _KNOWN:
        raise Unsupported(_WHAT, f"{wire.media_type[:120]!r} is not a known version")
    material = wire.verification_material
    if len(material.tlog_entries) > _MAX_ENTRIES:
        raise Malformed(_WHAT, f"has more than {_MAX_ENTRIES} log entries")
    if material.chain and wire.media_type not in {BUNDLE_V01, BUNDLE_V02}:
        raise Malformed(_WHAT, "x509CertificateChain has no place in v0.3")
    hint, certificates = _verifier(material)
    envelope, message = _content(wire)
    tokens = material.timestamps.tokens if material.timestamps else ()
    if len(tokens) > _MAX_TIMESTAMPS:
        raise Malformed(_WHAT, f"has more than {_MAX_TIMESTAMPS} timestamps")
    proven, promised = _entries(wire)
    return Bundle(
        media_type=wire.media_type,
        envelope=envelope,
        message_signature=message,
        key_hint=hint,
        certificates=certificates,
        entries=proven,
        promised=promised,
        timestamps=tuple(raw(token.signed_timestamp, what=f"{_WHAT}: timestamp") for token in tokens),
    )


def encode_bundle(bundle: Bundle) -> bytes:
    """Write a bundle as v0.3, whatever it was read as; equal bundles give equal bytes.

    Raises:
        Unwritable: not exactly one content and one verifier, or a promise without proof; v0.3 has room for one
            certificate only.
    """
    if bundle.promised:
        raise Unwritable(_WHAT, "a log entry without proof has no place in v0.3")
    material: dict[str, Any] = {"tlogEntries": [_entry_members(entry) for entry in bundle.entries]}
    if bundle.key_hint is not None and not bundle.certificates:
        material["publicKey"] = {"hint": bundle.key_hint}
    elif bundle.key_hint is None and len(bundle.certificates) == 1:
        material["certificate"] = raw_members(bundle.certificates[0])
    else:
        raise Unwritable(_WHAT, "needs either a key hint or exactly one certificate")
    if bundle.timestamps:
        tokens = [{"signedTimestamp": encode_base64(token)} for token in bundle.timestamps]
        material["timestampVerificationData"] = {"rfc3161Timestamps": tokens}
    return deterministic_json(
        {
            "mediaType": BUNDLE_V03,
            "verificationMaterial": material,
            **_content_members(bundle),
        }
    )


def decode_log_entry(data: bytes) -> LogEntry:
    """Read a log's answer (protobuf-JSON ``TransparencyLogEntry``); raises TooLarge, Unsupported or Malformed."""
    return decode_json(data, _WireLogEntry, limit=MAX_LOG_ENTRY, what=_ENTRY, depth=None).value()


def encode_log_entry(entry: LogEntry) -> bytes:
    """Write a log's answer; every member is present, because some clients miss those with default values."""
    if entry.promise or (entry.kind, entry.version) != ("hashedrekord", "0.0.2"):
        return deterministic_json(_entry_members(entry))
    proof = entry.proof
    hashes = _quoted_hashes(proof.hashes[:_LOW])
    if len(proof.hashes) > _LOW:
        hashes += b"," + _shared_hashes(proof.hashes[_LOW:])
    return _LOG_ENTRY % (
        _base64(entry.body),
        _quoted(proof.checkpoint),
        hashes,
        proof.log_index,
        _base64(proof.root),
        proof.tree_size,
        entry.integrated_time,
        _base64(entry.log_id),
        entry.log_index,
    )


# What a signature log answers thousands of times a second: the same bytes as those of _entry_members, written out.
_LOG_ENTRY: Final = (
    b'{"canonicalizedBody":"%b","inclusionProof":{"checkpoint":{"envelope":%b},"hashes":[%b],"logIndex":"%d",'
    b'"rootHash":"%b","treeSize":"%d"},"integratedTime":"%d","kindVersion":{"kind":"hashedrekord","version":"0.0.2"},'
    b'"logId":{"keyId":"%b"},"logIndex":"%d"}'
)


def _quoted_hashes(hashes: tuple[bytes, ...]) -> bytes:
    return b'"%b"' % b'","'.join([b2a_base64(each, newline=False) for each in hashes]) if hashes else b""


@lru_cache(maxsize=256)
def _shared_hashes(hashes: tuple[bytes, ...]) -> bytes:
    """Write the hashes that neighbours in a log share."""
    return _quoted_hashes(hashes)


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


@lru_cache(maxsize=64)
def _quoted(checkpoint: str) -> bytes:
    return deterministic_json(checkpoint)


def _verifier(material: _WireMaterial) -> tuple[str | None, tuple[bytes, ...]]:
    match material:
        case _WireMaterial(certificate=None, chain=None, public_key=_WireKey() as key):
            return key.hint, ()
        case _WireMaterial(certificate=_WireRaw() as leaf, chain=None, public_key=None):
            certificates: tuple[_WireRaw, ...] = (leaf,)
        case _WireMaterial(certificate=None, chain=_WireChain() as chain, public_key=None) if chain.certificates:
            certificates = chain.certificates
        case _:
            raise Malformed(_WHAT, "needs exactly one of certificate, x509CertificateChain and publicKey")
    if len(certificates) > _MAX_CERTIFICATES:
        raise Malformed(_WHAT, f"has more than {_MAX_CERTIFICATES} certificates")
    return None, tuple(raw(each.raw_bytes, what=f"{_WHAT}: certificate") for each in certificates)


def _entries(wire: _WireBundle) -> tuple[tuple[LogEntry, ...], tuple[PromisedEntry, ...]]:
    entries = wire.verification_material.tlog_entries
    if wire.media_type != BUNDLE_V01:
        return tuple(entry.value() for entry in entries), ()
    return (
        tuple(entry.value() for entry in entries if not entry.is_promise_only()),
        tuple(entry.promised() for entry in entries if entry.is_promise_only()),
    )


def _content(wire: _WireBundle) -> tuple[Envelope | None, MessageSignature | None]:
    match wire:
        case _WireBundle(dsse_envelope=WireEnvelope() as enveloped, message_signature=None):
            envelope = enveloped.value()
            if len(envelope.signatures) != 1:
                raise Malformed(_WHAT, f"the envelope has {len(envelope.signatures)} signatures, not one")
            return envelope, None
        case _WireBundle(dsse_envelope=None, message_signature=_WireMessage() as message):
            digest = raw(message.message_digest.digest, what=f"{_WHAT}: digest")
            signature = raw(message.signature, what=f"{_WHAT}: signature")
            return None, MessageSignature(message.message_digest.algorithm, digest, signature)
        case _:
            raise Malformed(_WHAT, "needs either dsseEnvelope or messageSignature")


def _proof(wire: _WireProof, checkpoint: _WireCheckpoint) -> InclusionProof:
    if len(wire.hashes) > _MAX_PROOF:
        raise Malformed(_ENTRY, f"an inclusion proof has at most {_MAX_PROOF} hashes")
    return InclusionProof(
        natural(wire.log_index, what=f"{_ENTRY}: logIndex"),
        natural(wire.tree_size, what=f"{_ENTRY}: treeSize"),
        raw(wire.root_hash, what=f"{_ENTRY}: rootHash", size=_HASH_SIZE),
        tuple(raw(each, what=f"{_ENTRY}: hashes", size=_HASH_SIZE) for each in wire.hashes),
        checkpoint.envelope,
    )


def _content_members(bundle: Bundle) -> dict[str, Any]:
    match bundle:
        case Bundle(envelope=Envelope() as envelope, message_signature=None) if len(envelope.signatures) == 1:
            return {"dsseEnvelope": envelope_members(envelope)}
        case Bundle(envelope=None, message_signature=MessageSignature() as message):
            digest = {"algorithm": message.digest_algorithm, "digest": encode_base64(message.digest)}
            return {"messageSignature": {"messageDigest": digest, "signature": encode_base64(message.signature)}}
        case _:
            raise Unwritable(_WHAT, "needs either an envelope with one signature or a message signature")


def _entry_members(entry: LogEntry) -> dict[str, Any]:
    promise = {"signedEntryTimestamp": encode_base64(entry.promise)} if entry.promise else None
    return {
        "logIndex": str(entry.log_index),
        "logId": {"keyId": encode_base64(entry.log_id)},
        "kindVersion": {"kind": entry.kind, "version": entry.version},
        "integratedTime": str(entry.integrated_time),
        "inclusionProof": {
            "logIndex": str(entry.proof.log_index),
            "treeSize": str(entry.proof.tree_size),
            "rootHash": encode_base64(entry.proof.root),
            "hashes": [encode_base64(each) for each in entry.proof.hashes],
            "checkpoint": {"envelope": entry.proof.checkpoint},
        },
        "canonicalizedBody": encode_base64(entry.body),
        **without_empty({"inclusionPromise": promise}),
    }
