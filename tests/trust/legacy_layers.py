"""Layers as older clients tagged them beside images, made by hand: a payload or an envelope, logged in Rekor v1."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding
from tests.trust.sigstore_world import (
    ARTIFACT,
    NOON,
    STATEMENT,
    World,
    b64,
    new_key,
    old_dsse,
    old_hashedrekord,
    old_intoto,
    pem_of,
)

from chainward.formats.cosign import SIMPLE_SIGNING, LegacyLayer
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, pae
from chainward.kernel.digest import Digest
from chainward.keys.local import PrivateKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

IMAGE = Digest.of(ARTIFACT)
DSSE = "application/vnd.dsse.envelope.v1+json"


@cache
def world() -> World:
    return World()


@dataclass(frozen=True)
class Made:
    layer: LegacyLayer
    key: PrivateKey


def payload_about(digest: Digest, **changes: Any) -> bytes:
    critical = {
        "identity": {"docker-reference": "registry.example.test/whatever/it/says"},
        "image": {"docker-manifest-digest": str(digest)},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": {**critical, **changes}, "optional": None}).encode()


def signature(payload: bytes | None = None, *, certified: bool = True) -> Made:
    """A layer of a ``.sig`` tag: over a payload, logged in Rekor v1, of which only the promise was kept."""
    content = payload or payload_about(IMAGE)
    raw: ec.EllipticCurvePrivateKey = new_key()
    key = PrivateKey.of(raw)
    made = key.sign(content)
    certificate = pem_of(world().certify(raw.public_key())) if certified else b""
    body = old_hashedrekord(content, made, certificate or key.public_key.pem)
    annotations = {
        "dev.cosignproject.cosign/signature": b64(made),
        "dev.sigstore.cosign/bundle": promised(body, "hashedrekord", "0.0.1"),
    }
    if certified:
        issuer = pem_of(world().material.certificate_authorities[0].certificates[0].public_bytes(Encoding.DER))
        annotations |= {
            "dev.sigstore.cosign/certificate": certificate.decode(),
            "dev.sigstore.cosign/chain": issuer.decode(),
        }
    return Made(LegacyLayer(SIMPLE_SIGNING, content, annotations), key)


def attestation(kind: str = "intoto") -> Made:
    """A layer of an ``.att`` tag: an envelope."""
    raw = new_key()
    key = PrivateKey.of(raw)
    made = key.sign(pae(PAYLOAD_TYPE_INTOTO, STATEMENT))
    certificate = pem_of(world().certify(raw.public_key()))
    make, version = {"intoto": (old_intoto, "0.0.2"), "dsse": (old_dsse, "0.0.1")}[kind]
    envelope = {
        "payload": b64(STATEMENT),
        "payloadType": PAYLOAD_TYPE_INTOTO,
        "signatures": [{"keyid": "", "sig": b64(made)}],
    }
    annotations = {
        "dev.cosignproject.cosign/signature": "",
        "predicateType": "https://example.test/what-it-says-it-is",
        "dev.sigstore.cosign/bundle": promised(make(STATEMENT, made, certificate), kind, version),
        "dev.sigstore.cosign/certificate": certificate.decode(),
    }
    return Made(LegacyLayer(DSSE, json.dumps(envelope).encode(), annotations), key)


def promised(body: bytes, kind: str, version: str) -> str:
    entry = world().old_log.append(body, kind, version, NOON)
    told = {
        "body": base64.b64encode(body).decode(),
        "integratedTime": entry.integrated_time,
        "logIndex": entry.log_index,
        "logID": entry.log_id.hex(),
    }
    return json.dumps({"SignedEntryTimestamp": b64(entry.promise), "Payload": told})
