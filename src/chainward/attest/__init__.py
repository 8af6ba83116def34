"""Turns what a build step did into statements, and says when a collection of them is complete.

Values go in, in-toto statements come out (:mod:`.provenance`, :mod:`.sbom`, :mod:`.testresult`, :mod:`.vsa`); signing
them is :mod:`chainward.trust.sign`. :mod:`.attach` wraps a bundle or an SBOM as an OCI artifact beside its subject,
:mod:`.complete` compares what is demanded with what was verified, :mod:`.record` writes either down as facts.
"""

from __future__ import annotations

from chainward.attest.complete import Completeness, completeness

__all__ = ["Completeness", "completeness"]
