"""Repositories, manifests, blobs and referrers: immutable once named, proven before served, gone once revoked.

:class:`~chainward.registry.registry.Registry` holds the verbs; :mod:`chainward.registry.facts` is what it states. An
upload, a mount and a put bring content in, a pull hands it out, and nothing that was revoked or changed leaves.
"""

from __future__ import annotations

from chainward.registry.model import (
    ArtifactState,
    ArtifactTypes,
    Limits,
    Position,
    Referrer,
    RepositoryRules,
    Revocation,
    StoredManifest,
)
from chainward.registry.registry import Registry, open_registry

__all__ = [
    "ArtifactState",
    "ArtifactTypes",
    "Limits",
    "Position",
    "Referrer",
    "Registry",
    "RepositoryRules",
    "Revocation",
    "StoredManifest",
    "open_registry",
]
