"""The statement of whoever signs an image without saying more about it.

Predicate type ``https://sigstore.dev/cosign/sign/v1`` with an empty predicate, as cosign 3 writes it for an image: the
signature itself says that the signer stands behind the digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.formats.intoto import ResourceDescriptor, Statement

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest

__all__ = ["SIGNATURE", "statement_of_signature"]

SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"


def statement_of_signature(name: str, digest: Digest) -> Statement:
    """Return the statement that its signer stands behind the artifact ``name`` with this ``digest``."""
    return Statement((ResourceDescriptor.of(name, digest),), SIGNATURE, {})
