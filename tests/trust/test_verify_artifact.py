"""Message signatures: a trusted signer signed this very file, and a trusted log holds that."""

from __future__ import annotations

import json

import pytest
from tests.trust.world import (
    IMAGE,
    ORIGIN,
    SHOP,
    MemoryLog,
    b64,
    bundle_of,
    closed,
    key,
    opened,
    root_of,
    the_entry,
    trusted,
)

from chainward.formats.bundle import decode_bundle
from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.name import RepositoryName
from chainward.keys.errors import KeyUnsupported, SignatureInvalid
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.errors import (
    BundleMalformed,
    LogEntryMismatch,
    SignerNotAllowed,
    SignerUnknown,
    SubjectMismatch,
)
from chainward.trust.model import MESSAGE_SIGNATURE
from chainward.trust.sign import sign_digest
from chainward.trust.verify import verify_artifact

FILE = Digest.of(b"a release tarball")
OTHER_FILE = Digest.of(b"another tarball")


def signed(digest: Digest = FILE, signer: str = "release", log: MemoryLog | None = None) -> bytes:
    return sign_digest(digest, key(signer), log or MemoryLog())


def test_a_signed_file_gives_its_signer_and_its_place_in_the_log() -> None:
    bundle = signed()
    found = verify_artifact(bundle, root_of(), digest=FILE, repository=None)
    assert (found.digest, found.signer, found.log_origin, found.log_index) == (FILE, "release", ORIGIN, 3)
    assert found.fingerprint == key("release").public_key.fingerprint
    assert found.bundle_digest == Digest.of(bundle)


def test_the_signature_in_the_bundle_is_one_over_the_file() -> None:
    message = decode_bundle(signed()).message_signature
    assert message is not None
    key("release").public_key.verify(b"a release tarball", message.signature)


def test_a_bundle_replayed_on_another_file_is_refused() -> None:
    with pytest.raises(SubjectMismatch, match=FILE.hex):
        verify_artifact(signed(), root_of(), digest=OTHER_FILE, repository=None)


def test_the_digest_in_the_bundle_cannot_be_exchanged() -> None:
    document = opened(signed())
    document["messageSignature"]["messageDigest"]["digest"] = b64(OTHER_FILE.raw)
    with pytest.raises(SignatureInvalid):
        verify_artifact(closed(document), root_of(), digest=OTHER_FILE, repository=None)


def test_the_signature_and_entry_of_another_file_cannot_be_put_in() -> None:
    log = MemoryLog()
    mine, other = opened(signed(log=log)), opened(signed(OTHER_FILE, log=log))
    mine["messageSignature"]["signature"] = other["messageSignature"]["signature"]
    with pytest.raises(SignatureInvalid):
        verify_artifact(closed(mine), root_of(), digest=FILE, repository=None)
    mine = opened(signed(log=log))
    the_entry(mine).update(the_entry(other))
    with pytest.raises(LogEntryMismatch):
        verify_artifact(closed(mine), root_of(), digest=FILE, repository=None)


@pytest.mark.parametrize("algorithm", ["SHA2_512", "SHA2_384", "sha256", ""])
def test_a_digest_of_another_algorithm_is_refused(algorithm: str) -> None:
    document = opened(signed())
    document["messageSignature"]["messageDigest"]["algorithm"] = algorithm
    with pytest.raises(BundleMalformed):
        verify_artifact(closed(document), root_of(), digest=FILE, repository=None)


def test_a_digest_of_another_length_is_refused() -> None:
    document = opened(signed())
    document["messageSignature"]["messageDigest"]["digest"] = b64(FILE.raw + FILE.raw)
    with pytest.raises(SignatureInvalid):
        verify_artifact(closed(document), root_of(), digest=FILE, repository=None)


def test_a_sha512_of_the_file_does_not_match_a_signature_over_its_sha256() -> None:
    with pytest.raises(SubjectMismatch):
        verify_artifact(signed(), root_of(), digest=Digest.of(b"a release tarball", Algorithm.SHA512), repository=None)


def test_a_statement_about_the_digest_is_not_a_signature_of_the_file() -> None:
    with pytest.raises(BundleMalformed, match="does not sign a file"):
        verify_artifact(bundle_of(), root_of(), digest=IMAGE, repository=None)


def test_a_file_signed_by_a_stranger_is_refused() -> None:
    with pytest.raises(SignerUnknown):
        verify_artifact(signed(signer="stranger"), root_of(), digest=FILE, repository=None)


def test_a_key_that_may_only_state_provenance_may_not_sign_files() -> None:
    root = root_of(trusted(predicates=(SLSA_PROVENANCE,)))
    with pytest.raises(SignerNotAllowed, match=MESSAGE_SIGNATURE):
        verify_artifact(signed(), root, digest=FILE, repository=None)
    root = root_of(trusted(predicates=(SLSA_PROVENANCE, MESSAGE_SIGNATURE)))
    assert verify_artifact(signed(), root, digest=FILE, repository=SHOP).digest == FILE


def test_a_key_of_another_repository_is_refused_where_a_repository_is_given() -> None:
    with pytest.raises(SignerNotAllowed):
        verify_artifact(signed(), root_of(), digest=FILE, repository=RepositoryName("bank/core"))


def test_only_a_sha256_can_be_signed_and_only_with_a_key_that_signs_digests() -> None:
    with pytest.raises(KeyUnsupported):
        sign_digest(Digest.of(b"x", Algorithm.SHA512), key("release"), MemoryLog())
    with pytest.raises(KeyUnsupported):
        sign_digest(FILE, generate(Scheme.ED25519), MemoryLog())


def test_the_bundle_of_a_file_has_the_members_that_stock_clients_read() -> None:
    document = json.loads(signed())
    assert document["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert document["messageSignature"]["messageDigest"] == {"algorithm": "SHA2_256", "digest": b64(FILE.raw)}
    assert set(document["verificationMaterial"]) == {"publicKey", "tlogEntries"}
