"""Notes with every bundle that is pushed where its signature came in, so that nobody can show it elsewhere.

In: a manifest on its way into a repository. Out: the note that becomes durable with it, in one transaction: there is no
moment at which a bundle is there and its note is not (:mod:`chainward.trust.published` says what the notes are good
for). A bundle that cannot be read is noted nowhere, and counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.delivery.evidence import FAILURES
from chainward.delivery.referrer import MAX_BUNDLE, is_bundle
from chainward.kernel.problem import Problem
from chainward.ledger.model import Write
from chainward.trust.published import signature_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.formats.oci import Manifest
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName

__all__ = ["NotePublication", "PublicationNotes"]


@dataclass(frozen=True, slots=True)
class NotePublication(Write):
    """Note that a signature came into a repository; does nothing if it did before."""

    signature: Digest
    repository: RepositoryName


class PublicationNotes:
    """The notes that are taken of what is pushed; implements the registry's PushNotes."""

    def writes(
        self, repository: RepositoryName, manifest: Manifest, read: Callable[[Digest, int], bytes]
    ) -> Sequence[Write]:
        """Return the note about a bundle, nothing for other manifests."""
        if manifest.subject is None or not is_bundle(manifest.effective_artifact_type) or len(manifest.layers) != 1:
            return ()
        (layer,) = manifest.layers
        if layer.size > MAX_BUNDLE:
            return ()
        try:
            return (NotePublication(signature_id(read(layer.digest, MAX_BUNDLE)), repository),)
        except Problem as problem:
            if problem.kind in FAILURES:
                raise
            return ()
