"""Who may state what, from the command line: identities, revocations, and what older clients left beside images."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.trust.legacy_layers import attestation, payload_about, signature, world
from tests.trust.sigstore_world import ISSUER, SUBJECT

from chainward.formats.cosign import legacy_tags
from chainward.formats.oci import OCI_MANIFEST
from chainward.formats.trusted_root import encode_trusted_root
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.command_line import Desk

    from chainward.formats.cosign import LegacyLayer

BY_IDENTITY = ("--identity", SUBJECT, "--issuer", ISSUER, "--trusted-root", "old-root.json")


def put(desk: Desk, path: str, content: bytes, media_type: str = "application/octet-stream") -> None:
    headers = {"Authorization": f"Bearer {desk.token}", "Content-Type": media_type}
    method = "PUT" if "/manifests/" in path else "POST"
    answer = httpx.request(method, f"{desk.url}/v2/{path}", content=content, headers=headers, trust_env=False)
    assert answer.status_code == 201, answer.text


def tag_layer(desk: Desk, repository: str, tag: str, layer: LegacyLayer) -> None:
    """Push what ``cosign sign`` or ``attest`` of old pushes: an image manifest with one annotated layer."""
    config = b"{}"
    for content in (config, layer.content):
        put(desk, f"{repository}/blobs/uploads/?digest=sha256:{hashlib.sha256(content).hexdigest()}", content)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [described(layer.content, layer.media_type) | {"annotations": dict(layer.annotations)}],
    }
    put(desk, f"{repository}/manifests/{tag}", json.dumps(manifest).encode(), OCI_MANIFEST)


def described(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


@pytest.fixture(scope="module")
def old_root(desk: Desk) -> Path:
    path = desk.folder / "old-root.json"
    path.write_bytes(encode_trusted_root(world().trusted_root))
    return path


@pytest.mark.usefixtures("old_root")
def test_a_signature_that_an_older_client_tagged_is_verified_by_identity(desk: Desk) -> None:
    digest = Digest.parse(desk.push(desk.image("old-image"), "old/web:1"))
    assert desk.ask("verify", "old/web:1", *BY_IDENTITY, expect=1)["statements"] == []
    tag_layer(desk, "old/web", legacy_tags(digest)[0], signature(payload_about(digest)).layer)
    answer = desk.ask("verify", "old/web:1", *BY_IDENTITY)
    (found,) = answer["statements"]
    assert (answer["verified"], found["predicate_type"]) == (True, "message-signature")
    assert (found["identity"], found["issuer"]) == (SUBJECT, ISSUER)
    other = ("--identity", f"{SUBJECT}x", *BY_IDENTITY[2:])
    assert desk.ask("verify", "old/web:1", *other, expect=1)["rejected"][0]["code"] == "signer-unknown"


@pytest.mark.usefixtures("old_root")
def test_a_signature_of_another_image_under_the_tag_of_this_one_is_refused(desk: Desk) -> None:
    digest = Digest.parse(desk.push(desk.image("swapped-image"), "old/swapped:1"))
    signatures, attestations = legacy_tags(digest)
    tag_layer(desk, "old/swapped", signatures, signature(payload_about(Digest.of(b"another"))).layer)
    tag_layer(desk, "old/swapped", attestations, attestation().layer)
    answer = desk.ask("verify", "old/swapped:1", *BY_IDENTITY, expect=1)
    assert [each["code"] for each in answer["rejected"]] == ["subject-mismatch", "subject-mismatch"]


def test_an_identity_is_trusted_shown_listed_and_distrusted_from_an_instant_on(desk: Desk) -> None:
    words = ("--identity-regex", r"https://ci\.test/.+", "--issuer", ISSUER, "--claim", "source_repository_uri=x:y")
    added = desk.ask("trust", "add", "pipeline", *words, "--repository", "ci/**", "--predicate", "a:b", "--portable")
    assert added["identity"] == {
        "subject_regex": r"https://ci\.test/.+",
        "issuer": ISSUER,
        "claims": {"source_repository_uri": "x:y"},
    }
    shown = desk.run("trust", "show", "pipeline").out
    assert r"~https://ci\.test/.+ from" in shown
    assert "source_repository_uri=x:y" in shown
    assert "in all of these repositories" in shown
    since = added["trusted_since"]
    assert desk.ask("trust", "distrust", "pipeline", "--reason", "lost", "--since", since)["since"] == since
    assert f"from {since} on" in desk.run("trust", "show", "pipeline").out
    assert desk.refused("trust", "show", "nobody", status=3) == "signer-not-found"
    for wrong in ((), ("--key", "release.pub", *words), ("--identity", "x", "--issuer", "y", "--claim", "no-value")):
        desk.run("trust", "add", "wrong", *wrong, "--repository", "x", expect=2)


def test_a_revocation_is_tried_and_then_put_in_force(desk: Desk) -> None:
    desk.run("keys", "generate", "fourth.key")
    desk.run("trust", "add", "fourth", "--key", "fourth.pub", "--repository", "fourth/**")
    desk.push(desk.image("fourth-image", "sign", key="fourth.key"), "fourth/web:1", "sign")
    revoke = ("trust", "revoke-signature", "--key", "fourth.pub", "--reason", "stolen")
    assert "would not count any more" in desk.run(*revoke, "--dry-run").out
    assert desk.ask("verify", "fourth/web:1")["verified"] is True
    assert desk.ask(*revoke)["in_force"] is True
    answer = desk.ask("verify", "fourth/web:1", expect=1)
    assert [each["code"] for each in answer["rejected"]] == ["signature-revoked"]
    assert "stolen" in desk.run("trust", "revocations").out
    desk.run("trust", "revoke-signature", "--reason", "nothing named", expect=2)
    desk.run(*revoke, "--entry", "log.test/1", expect=2)
