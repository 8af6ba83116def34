"""Signatures and attestations as cosign up to version 2 left them beside images. Read only: nothing here makes any.

In: a layer and the digest of the image. Out: what a bundle of today would give, or the first failed check. The log of
that time answered with a promise and no proof, so here, and only here, the signed promise of a trusted log suffices.

A signature is over a payload that names the image, so two digests are checked: that the signature is over this very
payload, and that the payload names the digest of the manifest in question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.formats.cosign import bundle_of_layer, decode_simple_signing
from chainward.formats.errors import Malformed, TooLarge
from chainward.kernel.digest import Digest, InvalidDigest
from chainward.trust.errors import BundleMalformed, SubjectMismatch
from chainward.trust.prove import Thresholds
from chainward.trust.verify import verify_artifact, verify_bundle

if TYPE_CHECKING:
    from chainward.formats.cosign import LegacyLayer
    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import TrustRoot, VerifiedArtifact, VerifiedStatement

__all__ = ["verify_legacy"]

_PROMISES: Final = Thresholds(promise_suffices=True)


def verify_legacy(
    layer: LegacyLayer, root: TrustRoot, *, image: Digest, repository: RepositoryName | None
) -> VerifiedArtifact | VerifiedStatement:
    """Return who signed ``image``, or what was stated about it, in one layer of a legacy tag.

    Raises:
        Problem: the first failed check: the layer cannot be read (``bundle-malformed``), what
            :mod:`chainward.trust.verify` checks, or another image was signed (``subject-mismatch``).
    """
    try:
        bundle = bundle_of_layer(layer)
    except (Malformed, TooLarge) as problem:
        raise BundleMalformed(problem.message) from None
    if not layer.is_signature:
        return verify_bundle(bundle, root, subject=image, repository=repository, thresholds=_PROMISES)
    payload = Digest.of(layer.content)
    found = verify_artifact(bundle, root, digest=payload, repository=repository, thresholds=_PROMISES)
    named = _named(layer.content)
    if named != image:
        raise SubjectMismatch(
            f"the signature is over an image with digest {named}, not over {image}",
            details={"expected": str(image), "subjects": [str(named)]},
        )
    return found


def _named(payload: bytes) -> Digest:
    try:
        return decode_simple_signing(payload)
    except (Malformed, TooLarge, InvalidDigest) as problem:
        raise BundleMalformed(problem.message) from None
