"""Looks at a tree (a folder or an image) and says which components are there, how surely, and what was unreadable.

:func:`~chainward.sbom.generate.generate` reads a :class:`~chainward.sbom.ports.Tree` with the family of catalogers and
gives an :class:`~chainward.sbom.model.Sbom`; :func:`~chainward.sbom.document.encode` writes it as CycloneDX 1.6. The
room reads nothing itself: trees come from ``adapters.tree``. It is light to import, because the inventory of a lock
file is often a process of its own.
"""

from __future__ import annotations

from chainward.sbom.document import encode
from chainward.sbom.generate import generate
from chainward.sbom.model import Component, Edge, Sbom, Subject, SubjectKind, Unreadable
from chainward.sbom.ports import Blob, BlobReader, File, Tree

__all__ = [
    "Blob",
    "BlobReader",
    "Component",
    "Edge",
    "File",
    "Sbom",
    "Subject",
    "SubjectKind",
    "Tree",
    "Unreadable",
    "encode",
    "generate",
]
