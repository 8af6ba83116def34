"""The statement that a CycloneDX bill of materials is that of an artifact.

Predicate type ``https://cyclonedx.org/bom`` (in-toto attestation, spec/predicates/cyclonedx.md): the predicate is the
document itself. In: its bytes. Out: the statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.attest.errors import SbomUnfit
from chainward.formats.codec import decode_object
from chainward.formats.intoto import CYCLONEDX, ResourceDescriptor, Statement

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest

__all__ = ["MAX_SBOM", "statement_of_sbom"]

MAX_SBOM: Final = 16 * 1024 * 1024


def statement_of_sbom(name: str, digest: Digest, bom: bytes) -> Statement:
    """Return the statement that ``bom`` lists what is in the artifact ``name`` with this ``digest``.

    Whether the document is valid and complete is the business of those who make and judge it; here it must only say
    what it is.

    Raises:
        TooLarge: more than 16 MiB.
        Malformed: not a JSON object.
        SbomUnfit: not a CycloneDX document.
    """
    predicate = decode_object(bom, limit=MAX_SBOM, what="cyclonedx bom")
    if predicate.get("bomFormat") != "CycloneDX" or not isinstance(predicate.get("specVersion"), str):
        raise SbomUnfit("the document does not say that it is a CycloneDX bill of materials, and of which version")
    return Statement((ResourceDescriptor.of(name, digest),), CYCLONEDX, predicate)
