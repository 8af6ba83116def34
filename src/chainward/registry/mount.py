"""Mounting: making a blob of one repository visible in another without sending its bytes again.

OCI distribution-spec 1.1.1, "Mounting a blob from another repository". Whether the caller may pull from the source is
asked by the face before; a blob that is revoked there, in quarantine, or not there at all is not mounted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.registry.errors import ArtifactRevoked, BlobUnknown
from chainward.registry.model import RefusalPath
from chainward.registry.writes import LinkBlob

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.registry.refuse import Refusals

__all__ = ["Mounter"]


class Mounter:
    """Mounts blobs. Thread-safe."""

    def __init__(self, ledger: Ledger, refusals: Refusals) -> None:
        self._ledger = ledger
        self._refusals = refusals

    def mount(self, repository: RepositoryName, digest: Digest, source: RepositoryName, context: Context) -> bool:
        """Make ``digest`` of ``source`` visible in ``repository``; returns False where it must be uploaded instead.

        The first refusal because of a revocation becomes a fact.
        """
        try:
            self._ledger.commit((), (LinkBlob(repository, digest, source),), context=context)
        except BlobUnknown:
            return False
        except ArtifactRevoked as problem:
            self._refusals.refuse(problem.revocation, digest, source, RefusalPath.MOUNT, context)
            return False
        return True
