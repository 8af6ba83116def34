"""Cosign on images in our registry: what it signs stands beside the image, and we read it; what we sign, it reads."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.clients import PREDICATE, Cosign, Ours, RefusedError
from tests.goods import push_image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Instance

REPOSITORY: Final = "shop/web"


@pytest.fixture
def cosign(instance: Instance, tmp_path: Path) -> Cosign:
    """Return cosign, logged in to our registry."""
    made = Cosign(instance.documents, tmp_path / "cosign")
    reason = made.unavailable()
    if reason is not None:
        pytest.skip(reason)
    folder = made.home / ".docker"
    folder.mkdir(parents=True)
    host = instance.url.removeprefix("http://")
    auth = base64.b64encode(f"ci:{instance.token}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}), encoding="ascii")
    return made


def image_of(instance: Instance, content: bytes) -> str:
    digest = push_image(instance.platform.platform, REPOSITORY, hashlib.sha256(content).hexdigest()[:8], content)
    return f"{instance.url.removeprefix('http://')}/{REPOSITORY}@{digest}"


def ours(instance: Instance, cosign: Cosign, *arguments: str) -> str:
    client = Ours(instance.documents, cosign.home / "ours")
    return client.run(*arguments, url=instance.url, platform_token=instance.token)


def test_cosign_signs_and_verifies_an_image_in_our_registry_and_we_verify_it_too(
    instance: Instance, cosign: Cosign
) -> None:
    image, signer = image_of(instance, b"signed by cosign"), instance.signer()
    cosign.run("sign", *cosign.signing(signer), "--allow-http-registry", image)
    cosign.run("verify", *cosign.verifying(signer), "--allow-http-registry", image)
    ours(
        instance,
        cosign,
        *("verify", image, "--identity", signer.identity, "--issuer", signer.issuer),
        *("--trusted-root", str(instance.documents.trusted_root)),
    )


def test_cosign_attests_an_image_and_both_verify_the_attestation(instance: Instance, cosign: Cosign) -> None:
    image, signer = image_of(instance, b"attested by cosign!"), instance.signer()
    predicate = cosign.home / "predicate.json"
    predicate.write_text(json.dumps(PREDICATE), encoding="utf-8")
    said = ["--predicate", str(predicate), "--type", "slsaprovenance1"]
    cosign.run("attest", *cosign.signing(signer), *said, "--allow-http-registry", image)
    kind = ["--type", "slsaprovenance1"]
    cosign.run("verify-attestation", *cosign.verifying(signer), *kind, "--allow-http-registry", image)
    ours(
        instance,
        cosign,
        *("verify", image, "--identity", signer.identity, "--issuer", signer.issuer),
        *("--predicate-type", "https://slsa.dev/provenance/v1"),
        *("--trusted-root", str(instance.documents.trusted_root)),
    )


def test_cosign_verifies_an_image_that_we_signed(instance: Instance, cosign: Cosign) -> None:
    image, signer = image_of(instance, b"signed by ourselves"), instance.signer()
    client = Ours(instance.documents, cosign.home / "ours")
    client.run("sign", image, url=instance.url, platform_token=instance.token, token=signer.token)
    cosign.run("verify", *cosign.verifying(signer), "--allow-http-registry", image)


def test_an_unsigned_image_is_refused_by_both(instance: Instance, cosign: Cosign) -> None:
    image, signer = image_of(instance, b"signed by nobody at all"), instance.signer()
    with pytest.raises(RefusedError):
        cosign.run("verify", *cosign.verifying(signer), "--allow-http-registry", image)
    with pytest.raises(RefusedError):
        ours(
            instance,
            cosign,
            *("verify", image, "--identity", signer.identity, "--issuer", signer.issuer),
            *("--trusted-root", str(instance.documents.trusted_root)),
        )
