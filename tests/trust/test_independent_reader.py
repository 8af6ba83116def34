"""A second reader of our bundles: written from the specifications alone, it shares no code with the product.

It knows JSON, base64, SHA-256, P-256 and Ed25519, and does what DSSE v1.0.2, the Rekor v2 entry format, C2SP
tlog-checkpoint and RFC 9162 say. So an error that our encoder and our verifier make together would be seen here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tests.databases import SIGNATURES, SIGNATURES_ORIGIN, sqlite_platform
from tests.trust.world import (
    IMAGE,
    ORIGIN,
    THEN,
    MemoryLog,
    bundle_of,
    key,
    log_key,
    statement,
    tree_path,
    tree_root,
    trusted_root_json,
)

from chainward.kernel.digest import Digest
from chainward.keys.model import raw_ed25519
from chainward.trust.model import TrustedLog
from chainward.trust.rekor import Rekor
from chainward.trust.sign import sign_digest, sign_statement

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.trust.ports import SignatureLog

OPENSSL = shutil.which("openssl")


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def signed_bytes_of(bundle: dict[str, Any]) -> tuple[bytes, bytes]:
    """The PAE of the envelope and the one signature over it."""
    envelope = bundle["dsseEnvelope"]
    payload, kind = raw(envelope["payload"]), envelope["payloadType"].encode()
    pae = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])
    [signature] = envelope["signatures"]
    return pae, raw(signature["sig"])


def body_of(digest: bytes, signature: bytes, spki: bytes) -> bytes:
    """The leaf of the log, spelled out."""
    return (
        '{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256",'
        f'"digest":"{base64.b64encode(digest).decode()}"}},"signature":{{'
        f'"content":"{base64.b64encode(signature).decode()}","verifier":{{"keyDetails":"PKIX_ECDSA_P256_SHA_256",'
        f'"publicKey":{{"rawBytes":"{base64.b64encode(spki).decode()}"}}}}}}}}}}}}'
    ).encode()


def root_from_proof(index: int, size: int, leaf: bytes, hashes_: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to, by recursion over the tree (RFC 9162 §2.1.3.1 read backwards)."""
    if size == 1:
        assert not hashes_
        return leaf
    split = 1 << ((size - 1).bit_length() - 1)
    *below, sibling = hashes_
    if index < split:
        return hashlib.sha256(b"\x01" + root_from_proof(index, split, leaf, below) + sibling).digest()
    return hashlib.sha256(b"\x01" + sibling + root_from_proof(index - split, size - split, leaf, below)).digest()


def check_checkpoint(note: str, origin: str, log_raw: bytes) -> tuple[int, bytes]:
    """Size and root of a checkpoint, once its one signature holds."""
    text, _, tail = note.partition("\n\n")
    name, size, root = text.split("\n")
    assert name == origin
    dash, signer, encoded = tail.removesuffix("\n").split(" ")
    assert (dash, signer) == ("\u2014", origin)
    blob = raw(encoded)
    assert blob[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + log_raw).digest()[:4]
    Ed25519PublicKey.from_public_bytes(log_raw).verify(blob[4:], f"{text}\n".encode())
    return int(size), raw(root)


def check_logged(bundle: dict[str, Any], body: bytes, origin: str, log_raw: bytes) -> int:
    [entry] = bundle["verificationMaterial"]["tlogEntries"]
    proof = entry["inclusionProof"]
    assert raw(entry["canonicalizedBody"]) == body
    assert raw(entry["logId"]["keyId"]) == hashlib.sha256(origin.encode() + b"\n\x01" + log_raw).digest()
    size, root = check_checkpoint(proof["checkpoint"]["envelope"], origin, log_raw)
    assert (int(proof["treeSize"]), raw(proof["rootHash"])) == (size, root)
    leaf = hashlib.sha256(b"\x00" + body).digest()
    index = int(entry["logIndex"])
    assert root_from_proof(index, size, leaf, [raw(each) for each in proof["hashes"]]) == root
    return index


def read_statement(data: bytes, spki: bytes, origin: str, log_raw: bytes) -> dict[str, Any]:
    bundle = json.loads(data)
    pae, signature = signed_bytes_of(bundle)
    public = load_der_public_key(spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, pae, ec.ECDSA(hashes.SHA256()))
    check_logged(bundle, body_of(hashlib.sha256(pae).digest(), signature, spki), origin, log_raw)
    said: dict[str, Any] = json.loads(raw(bundle["dsseEnvelope"]["payload"]))
    return said


def test_the_oracle_of_proofs_agrees_with_itself() -> None:
    leaves = [b"%d" % number for number in range(23)]
    for size in range(1, 24):
        for index in range(size):
            leaf = hashlib.sha256(b"\x00" + leaves[index]).digest()
            path = tree_path(index, leaves[:size])
            assert root_from_proof(index, size, leaf, path) == tree_root(leaves[:size])


def test_our_bundle_of_a_statement_says_the_same_to_a_reader_that_knows_only_the_specifications() -> None:
    said = read_statement(bundle_of(), key("release").public_key.der, ORIGIN, raw_ed25519(log_key().public_key))
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"] == [{"name": "web", "digest": {"sha256": IMAGE.hex}}]
    assert said["predicateType"] == statement().predicate_type
    assert said["predicate"] == statement().predicate


def test_that_reader_refuses_another_key() -> None:
    with pytest.raises(InvalidSignature):
        read_statement(bundle_of(), key("stranger").public_key.der, ORIGIN, raw_ed25519(log_key().public_key))
    with pytest.raises(AssertionError):
        read_statement(bundle_of(), key("release").public_key.der, ORIGIN, raw_ed25519(log_key("other").public_key))


def test_our_bundle_of_a_file_says_the_same_to_that_reader() -> None:
    content = b"a release tarball"
    bundle = json.loads(sign_digest(Digest.of(content), key("release"), MemoryLog()))
    message = bundle["messageSignature"]
    spki, signature = key("release").public_key.der, raw(message["signature"])
    public = load_der_public_key(spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    digest = raw(message["messageDigest"]["digest"])
    assert digest == hashlib.sha256(content).digest()
    check_logged(bundle, body_of(digest, signature, spki), ORIGIN, raw_ed25519(log_key().public_key))


def test_that_reader_finds_our_log_in_the_trusted_root() -> None:
    document = json.loads(trusted_root_json([MemoryLog().log], THEN))
    assert document["mediaType"] == "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
    [log] = document["tlogs"]
    log_raw = raw_ed25519(log_key().public_key)
    assert raw(log["publicKey"]["rawBytes"])[-32:] == log_raw
    assert raw(log["logId"]["keyId"]) == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + log_raw).digest()
    assert (log["baseUrl"], log["publicKey"]["keyDetails"]) == (f"https://{ORIGIN}", "PKIX_ED25519")
    assert set(document) == {"mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"}


def test_that_reader_verifies_bundles_from_the_platforms_own_log(tmp_path: Path) -> None:
    log_raw = raw_ed25519(SIGNATURES.signer.public_key)
    log = TrustedLog.of(SIGNATURES_ORIGIN, SIGNATURES.signer.public_key)
    with sqlite_platform(tmp_path) as platform:
        own: SignatureLog = Rekor(platform.open_ledger(), lambda: log)
        for number in range(5):
            said = statement(Digest.of(b"%d" % number))
            bundle = sign_statement(said, key("release"), own)
            found = read_statement(bundle, key("release").public_key.der, SIGNATURES_ORIGIN, log_raw)
            assert found["subject"][0]["digest"] == {"sha256": Digest.of(b"%d" % number).hex}


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not on this machine")
def test_openssl_verifies_the_signature_in_our_bundle(tmp_path: Path) -> None:
    pae, signature = signed_bytes_of(json.loads(bundle_of()))
    for name, content in (("pae", pae), ("sig", signature), ("pub", key("release").public_key.pem)):
        (tmp_path / name).write_bytes(content)
    command = [str(OPENSSL), "dgst", "-sha256", "-verify", "pub", "-signature", "sig", "pae"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout == b"Verified OK\n"
    (tmp_path / "pae").write_bytes(pae + b" ")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0
