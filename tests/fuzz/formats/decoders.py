"""Every decoder of the room with valid documents to start from; a harness of another kind can take the same list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from chainward.formats import (
    admission,
    bundle,
    certificate_leaf,
    checkpoint,
    codec,
    cosign,
    cosignature,
    dsse,
    fulcio,
    image_config,
    intoto,
    layout,
    note,
    oci,
    rekor,
    rekor_v1,
    rfc3161,
    sct,
    signing_config,
    slsa,
    testresult,
    tile,
    timestamp_info,
    timestamp_request,
    trusted_root,
    vsa,
    witness,
)
from chainward.formats.errors import TimestampRejected
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable

REVIEWS = Path(__file__).parents[2] / "data" / "admission-reviews"
TIMESTAMPS = Path(__file__).parents[2] / "data" / "timestamps"
HASH = bytes(range(32))
DIGEST = Digest.of(b"web")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Decoder:
    """A decoder that takes bytes, and documents that it reads."""

    name: str
    decode: Callable[[bytes], object]
    seeds: tuple[bytes, ...]

    def __repr__(self) -> str:
        return self.name


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """Feed bytes to a decoder of text; the note around it has already refused what is not UTF-8."""
    return lambda data: parse(data.decode(errors="replace"))


def _predicate(decode: Callable[[dict[str, Any]], object]) -> Callable[[bytes], object]:
    return lambda data: decode(codec.decode_object(data, limit=1_000_000, what="predicate"))


RESOURCE = intoto.ResourceDescriptor.of("web", DIGEST)
PROVENANCE = slsa.Provenance(
    build_type="https://example.com/build/v1",
    external_parameters={"command": ["make"]},
    builder_id="https://example.com/builder",
    resolved_dependencies=(RESOURCE,),
    started_on=NOON,
    byproducts=(RESOURCE,),
).to_predicate()
SUMMARY = vsa.VerificationSummary(
    verifier_id="https://example.com/gate",
    time_verified=NOON,
    resource_uri="oci://example.com/web",
    policy_uri="https://example.com/policy",
    policy_digest=DIGEST,
    result=vsa.VerificationResult.PASSED,
    verified_levels=("SLSA_BUILD_LEVEL_2",),
    input_attestations=(RESOURCE,),
).to_predicate()
RESULT = testresult.TestResult(
    result=testresult.Outcome.PASSED, configuration=(RESOURCE,), passed=("a",)
).to_predicate()
STATEMENT = intoto.encode_statement(intoto.Statement((RESOURCE,), intoto.SLSA_PROVENANCE, PROVENANCE))
ENVELOPE = dsse.Envelope(STATEMENT, dsse.PAYLOAD_TYPE_INTOTO, (dsse.Signature(b"signature", "key"),))
REKORD = rekor.HashedRekord(HASH, b"signature", b"key")
ENTRY = bundle.LogEntry(
    7,
    HASH,
    "hashedrekord",
    "0.0.2",
    0,
    bundle.InclusionProof(7, 12, HASH, (HASH,), "log.example\n12\n"),
    rekor.canonical_body(REKORD),
    b"promise",
)
OLD_VERIFIER = codec.encode_base64(b"-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n")
OLD_HASH = {"algorithm": "sha256", "value": HASH.hex()}
OLD_ENTRIES = tuple(
    codec.canonical_json({"apiVersion": version, "kind": kind, "spec": spec})
    for kind, version, spec in (
        (
            "hashedrekord",
            "0.0.1",
            {"data": {"hash": OLD_HASH}, "signature": {"content": "AQID", "publicKey": {"content": OLD_VERIFIER}}},
        ),
        (
            "dsse",
            "0.0.1",
            {"payloadHash": OLD_HASH, "signatures": [{"signature": "AQID", "verifier": OLD_VERIFIER}]},
        ),
        (
            "intoto",
            "0.0.2",
            {
                "content": {
                    "envelope": {"signatures": [{"sig": "QVFJRA==", "publicKey": OLD_VERIFIER}]},
                    "payloadHash": OLD_HASH,
                }
            },
        ),
    )
)
MESSAGE = bundle.MessageSignature("SHA2_256", HASH, b"signature")
SERVICE = signing_config.Service(url="https://trust.example", version=1, start=NOON, end=NOON, operator="example")
SIGNING_CONFIG = signing_config.SigningConfig((SERVICE,), (SERVICE,), (SERVICE,), (SERVICE,))
LOG_KEY = trusted_root.LogKey(
    origin="log.example",
    base_url="https://log.example",
    public_key_der=b"key",
    key_details="PKIX_ED25519",
    key_id=HASH,
    start=NOON,
    end=NOON,
)
DESCRIPTOR = oci.Descriptor(
    oci.OCI_LAYER_GZIP,
    Digest.of(b"layer"),
    5,
    {"a": "b"},
    data=b"layer",
    urls=("https://example.com/layer",),
    platform=oci.Platform(architecture="arm64", os="linux", variant="v8", os_features=("x",)),
)
IMAGE = oci.Manifest(media_type=oci.OCI_MANIFEST, config=DESCRIPTOR, layers=(DESCRIPTOR,), subject=DESCRIPTOR)
INDEX = oci.Manifest(media_type=oci.OCI_INDEX, manifests=(DESCRIPTOR,), annotations={"a": "b"})
IMAGE_CONFIG = oci.ImageConfig(
    architecture="amd64",
    os="linux",
    diff_ids=(DIGEST,),
    entrypoint=("/web",),
    exposed_ports=("80/tcp",),
    history=(oci.History(created_by="x"),),
)
CHECKPOINT = checkpoint.Checkpoint("log.example", 12, HASH, ("extension",)).text()
NOTE = note.format_note(note.Note(CHECKPOINT, (note.NoteSignature("log.example", b"1234", b"signature"),)))


def _claims(data: bytes) -> object:
    value = x509.UnrecognizedExtension(fulcio.CLAIMS["build_signer_uri"], data)
    return fulcio.decode_claims([x509.Extension(value.oid, critical=False, value=value)])


def _username(data: bytes) -> object:
    return fulcio.decode_username(x509.OtherName(fulcio.USERNAME, data))


def _response(data: bytes) -> object:
    try:
        return rfc3161.decode_response(data)
    except TimestampRejected as rejected:  # a well-formed no, as some seeds are
        return rejected


REQUEST = timestamp_request.TimestampRequest(hash_name="sha256", digest=HASH, nonce=5, policy="1.2.3")
INFO = timestamp_info.TimestampInfo(
    hash_name="sha256", digest=HASH, gen_time=NOON, serial=7, policy="1.2.3", accuracy=timestamp_info.Accuracy(1)
)
REPLIES = tuple(path.read_bytes() for path in sorted(TIMESTAMPS.glob("*.tsr")))
SCT = sct.SignedCertificateTimestamp(HASH, NOON, b"", b"signature")

SIMPLE_SIGNING = codec.canonical_json(
    {
        "critical": {
            "identity": {"docker-reference": "registry.example/shop/web"},
            "image": {"docker-manifest-digest": str(DIGEST)},
            "type": "cosign container image signature",
        },
        "optional": {},
    }
)
LEGACY_ENTRY = codec.canonical_json(
    {
        "SignedEntryTimestamp": "AA==",
        "Payload": {
            "body": codec.encode_base64(OLD_ENTRIES[0]),
            "integratedTime": 1,
            "logIndex": 2,
            "logID": HASH.hex(),
        },
    }
)
LEGACY_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def _legacy(annotation: str) -> Callable[[bytes], object]:
    """Read an annotation of a legacy layer."""

    def decode(data: bytes) -> bytes:
        text = data.decode("utf-8", "replace")
        annotations = {"dev.cosignproject.cosign/signature": "AA==", f"dev.sigstore.cosign/{annotation}": text}
        return cosign.bundle_of_layer(cosign.LegacyLayer(cosign.SIMPLE_SIGNING, b"{}", annotations))

    return decode


DECODERS = (
    Decoder("timestamp response", _response, (*REPLIES, timestamp_request.encode_rejection(2, "no"))),
    Decoder("timestamp token", rfc3161.decode_token, tuple(reply[reply.index(b"\x30\x82", 4) :] for reply in REPLIES)),
    Decoder("timestamp info", timestamp_info.decode_info, (timestamp_info.encode_info(INFO),)),
    Decoder("timestamp request", timestamp_request.decode_request, (timestamp_request.encode_request(REQUEST),)),
    Decoder(
        "timestamp request in json",
        timestamp_request.decode_request_json,
        (b'{"artifactHash":"%b","hashAlgorithm":"sha256","nonce":5}' % codec.encode_base64(HASH).encode(),),
    ),
    Decoder("sct list", sct.decode_sct_list, (sct.encode_sct_list([SCT, SCT]),)),
    Decoder("fulcio claim", _claims, (b"\x0c\x05https",)),
    Decoder("fulcio user name", _username, (fulcio.encode_username("root!example.org").value,)),
    Decoder("object", lambda data: codec.decode_object(data, limit=1_000_000, what="object"), (b'{"a":[1,"b",{}]}',)),
    Decoder("oci manifest", lambda data: oci.decode_manifest(data, oci.OCI_MANIFEST), (oci.encode_manifest(IMAGE),)),
    Decoder("oci index", lambda data: oci.decode_manifest(data, oci.OCI_INDEX), (oci.encode_manifest(INDEX),)),
    Decoder("image config", image_config.decode_image_config, (oci.encode_image_config(IMAGE_CONFIG),)),
    Decoder("layout marker", layout.check_marker, (layout.encode_marker(),)),
    Decoder("layout index", layout.decode_layout_index, (layout.encode_layout_index([DESCRIPTOR]),)),
    Decoder("dsse", dsse.decode_envelope, (dsse.encode_envelope(ENVELOPE),)),
    Decoder("statement", intoto.decode_statement, (STATEMENT,)),
    Decoder("provenance", _predicate(slsa.decode_provenance), (codec.canonical_json(PROVENANCE),)),
    Decoder("summary", _predicate(vsa.decode_summary), (codec.canonical_json(SUMMARY),)),
    Decoder("test result", _predicate(testresult.decode_test_result), (codec.canonical_json(RESULT),)),
    Decoder(
        "bundle",
        bundle.decode_bundle,
        (
            bundle.encode_bundle(bundle.Bundle(envelope=ENVELOPE, key_hint="key", entries=(ENTRY,))),
            bundle.encode_bundle(
                bundle.Bundle(message_signature=MESSAGE, certificates=(b"leaf",), timestamps=(b"token",))
            ),
        ),
    ),
    Decoder("simple signing", cosign.decode_simple_signing, (SIMPLE_SIGNING,)),
    Decoder("legacy log entry", _legacy("bundle"), (LEGACY_ENTRY,)),
    Decoder("legacy certificate", _legacy("certificate"), (LEGACY_CERTIFICATE,)),
    Decoder("legacy timestamp", _legacy("rfc3161timestamp"), (b'{"SignedRFC3161Timestamp":"AA=="}',)),
    Decoder("log entry", bundle.decode_log_entry, (bundle.encode_log_entry(ENTRY),)),
    Decoder("rekor body", rekor.parse_body, (rekor.canonical_body(REKORD),)),
    Decoder("rekor v1 body", rekor_v1.decode_v1_body, OLD_ENTRIES),
    Decoder("rekor request", rekor.decode_entry_request, (rekor.encode_entry_request(REKORD),)),
    Decoder(
        "trusted root",
        trusted_root.decode_trusted_root,
        (trusted_root.encode_trusted_root(trusted_root.TrustedRoot((LOG_KEY,))),),
    ),
    Decoder(
        "signing config", signing_config.decode_signing_config, (signing_config.encode_signing_config(SIGNING_CONFIG),)
    ),
    Decoder(
        "client trust config",
        signing_config.decode_client_trust_config,
        (
            signing_config.encode_client_trust_config(
                signing_config.ClientTrustConfig(trusted_root.TrustedRoot((LOG_KEY,)), SIGNING_CONFIG)
            ),
        ),
    ),
    Decoder("note", note.parse_note, (NOTE,)),
    Decoder("verifier key", _text(note.parse_verifier_key), (note.verifier_key("log.example", HASH).encode(),)),
    Decoder("signature lines", note.parse_signatures, (note.format_signatures(note.parse_note(NOTE).signatures),)),
    Decoder(
        "cosignature",
        cosignature.decode_cosignature,
        (cosignature.encode_cosignature(cosignature.Cosignature(1, bytes(64))),),
    ),
    Decoder(
        "witness request",
        witness.parse_add_checkpoint,
        (witness.format_add_checkpoint(witness.AddCheckpoint(7, (HASH, HASH), NOTE)),),
    ),
    Decoder("witness size", witness.parse_size, (witness.format_size(7),)),
    Decoder(
        "certificate leaf",
        certificate_leaf.decode_certificate_leaf,
        (sct.merkle_leaf(NOON, HASH, b"\x30\x05\x02\x01\x07\x30\x00"),),
    ),
    Decoder("checkpoint", _text(checkpoint.parse_checkpoint), (CHECKPOINT.encode(),)),
    Decoder("tile", lambda data: tile.decode_tile(data, 2), (tile.encode_tile([HASH, HASH]),)),
    Decoder("tile path", _text(tile.parse_tile_path), (b"0/x001/067.p/5",)),
    Decoder("entries path", _text(tile.parse_entries_path), (b"x001/x234/067",)),
    Decoder("entry bundle", lambda data: tile.decode_entries(data, 2), (tile.encode_entries([b"one", b""]),)),
    Decoder(
        "admission review",
        admission.decode_review,
        tuple(path.read_bytes().splitlines()[0] for path in sorted(REVIEWS.glob("*.jsonl"))),
    ),
)
