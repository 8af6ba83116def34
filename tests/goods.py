"""Small goods for tests of the faces: images pushed and evidence attached through the platform's own verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.platforms import CONTEXT

from chainward.attest.attach import bundle_artifact
from chainward.attest.signature import statement_of_signature
from chainward.delivery.local import LocalRegistry
from chainward.delivery.referrer import put_artifact
from chainward.formats.oci import OCI_MANIFEST, Descriptor, Manifest, encode_manifest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.sign import sign_statement

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.keys.local import PrivateKey
    from chainward.wiring import Platform

__all__ = ["push_image", "sign_image", "trusted_key"]

_CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def push_image(
    platform: Platform, repository: str, tag: str, content: bytes = b"layer", annotation: str | None = None
) -> Digest:
    """Push an image of one layer and return its digest."""
    name, client = RepositoryName(repository), LocalRegistry(platform.registry, CONTEXT)
    config, layer = Descriptor.of(_CONFIG, "application/vnd.oci.image.config.v1+json"), Descriptor.of(content, _LAYER)
    for descriptor, data in ((config, _CONFIG), (layer, content)):
        client.put_blob(name, descriptor.digest, descriptor.size, [data])
    annotations = {} if annotation is None else {"org.example.note": annotation}
    manifest = Manifest(media_type=OCI_MANIFEST, config=config, layers=(layer,), annotations=annotations)
    return client.put_manifest(name, tag, OCI_MANIFEST, encode_manifest(manifest))


def trusted_key(platform: Platform, name: str, pattern: str = "**") -> PrivateKey:
    """Make a key that the platform trusts for everything in the repositories of ``pattern``."""
    key = generate(Scheme.ECDSA_P256_SHA256)
    platform.signers.add(name, key.public_key, [RepositoryPattern(pattern)], ["*"], context=CONTEXT)
    return key


def sign_image(platform: Platform, repository: str, digest: Digest, key: PrivateKey) -> None:
    """Sign an image with ``key``, log the signature, and attach the bundle."""
    statement = statement_of_signature(repository, digest)
    bundle = sign_statement(statement, key, platform.rekor)
    stored = platform.registry.manifest(RepositoryName(repository), digest)
    subject = Descriptor(stored.media_type, digest, stored.size)
    client = LocalRegistry(platform.registry, CONTEXT)
    put_artifact(client, RepositoryName(repository), bundle_artifact(bundle, statement.predicate_type, subject))
