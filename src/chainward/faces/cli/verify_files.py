"""Verifying bundles against a file, an OCI layout or a digest, with nothing but what is at hand: no network, ever.

In: bundles, what they must be about, whom the caller asked for (:class:`~chainward.faces.cli.believed.Named`) and the
material of a trusted root. Out: one line of the answer for each bundle, or the first Problem: every bundle has to hold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainward import workbench
from chainward.faces.cli.image import is_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.faces.cli.believed import Named
    from chainward.kernel.digest import Digest
    from chainward.trust.material import TrustMaterial
    from chainward.trust.model import TrustRoot, VerifiedArtifact, VerifiedStatement
    from chainward.trust.proven import MessageDigest, Proven, StatementPayload

__all__ = ["Target", "shown", "verify_by_name", "verify_by_root"]

_BUNDLE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """What the bundles must be about: a digest, and the file that has it if there is one."""

    digest: Digest
    file: Path | None = None

    @classmethod
    def of(cls, text: str) -> Target:
        """Read a target: an OCI layout, a file, or a digest if there is no file of that name."""
        from chainward.kernel.digest import Digest

        path = Path(text)
        if path.is_dir():
            return cls(workbench.layout(path).manifest()[0].digest)
        if is_digest(text) and not path.exists():
            return cls(Digest.parse(text))
        return cls(workbench.file_digest(path), path)

    def has(self, message: MessageDigest) -> bool:
        """Whether this is what was signed; only of a file are other digests known than the one that was given."""
        if message.hash_name == self.digest.algorithm.value:
            return message.digest.hex() == self.digest.hex
        if self.file is None:
            return False
        with self.file.open("rb") as content:
            return hashlib.file_digest(content, message.hash_name).digest() == message.digest


def verify_by_name(
    target: Target, bundles: Sequence[str], named: Named, material: TrustMaterial
) -> list[dict[str, Any]]:
    """Verify that each bundle was made by whom the caller asked for, about ``target``; raises Problem."""
    from chainward.trust.prove import prove_bundle

    found = []
    for name in bundles:
        content = workbench.read_bytes(Path(name), _BUNDLE_LIMIT)
        proven = prove_bundle(content, material, find_key=named.find_key)
        who = named.name_of(proven)
        found.append(_of_proven(_what(proven.payload, target), who, proven))
    return found


def verify_by_root(target: Target, bundles: Sequence[str], root: TrustRoot) -> list[dict[str, Any]]:
    """Verify that each bundle was made by a signer that ``root`` believes, about ``target``; raises Problem."""
    from chainward.formats.bundle import decode_bundle
    from chainward.trust.model import MESSAGE_SIGNATURE
    from chainward.trust.verify import verify_artifact, verify_bundle

    found = []
    for name in bundles:
        content = workbench.read_bytes(Path(name), _BUNDLE_LIMIT)
        if decode_bundle(content).envelope is None:
            artifact = verify_artifact(content, root, digest=target.digest, repository=None)
            found.append(shown(MESSAGE_SIGNATURE, artifact))
        else:
            statement = verify_bundle(content, root, subject=target.digest, repository=None)
            found.append(shown(statement.predicate_type, statement))
    return found


def shown(what: str, verified: VerifiedStatement | VerifiedArtifact) -> dict[str, Any]:
    """Return what the answer says about a verified value."""
    return {
        "predicate_type": what,
        "signer": verified.signer,
        "fingerprint": verified.fingerprint,
        "identity": None if verified.identity is None else verified.identity.subject,
        "issuer": None if verified.identity is None else verified.identity.issuer,
        "log_index": verified.log_index,
        "signed_at": None if verified.signed_at is None else verified.signed_at.isoformat(),
    }


def _of_proven(what: str, who: str, proven: Proven) -> dict[str, Any]:
    from chainward.trust.proven import ProvenCertificate

    signer = proven.signer
    identity = signer.identity if isinstance(signer, ProvenCertificate) else None
    return {
        "predicate_type": what,
        "signer": who,
        "fingerprint": signer.fingerprint,
        "identity": None if identity is None else identity.subject,
        "issuer": None if identity is None else identity.issuer,
        "log_index": proven.log_index,
        "signed_at": None if proven.signed_at is None else proven.signed_at.isoformat(),
    }


def _what(payload: StatementPayload | MessageDigest, target: Target) -> str:
    """Return what was stated about ``target``; raises SubjectMismatch if nothing was."""
    from chainward.trust.errors import SubjectMismatch
    from chainward.trust.proven import MESSAGE_SIGNATURE, MessageDigest

    if isinstance(payload, MessageDigest):
        if not target.has(payload):
            raise SubjectMismatch(
                f"the bundle signs {payload.hash_name}:{payload.digest.hex()}, not {target.digest}",
                hint="Give the file that was signed, or the bundle of this file.",
            )
        return MESSAGE_SIGNATURE
    return _stated(payload, target)


def _stated(payload: StatementPayload, target: Target) -> str:
    from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO
    from chainward.formats.intoto import decode_statement
    from chainward.trust.errors import BundleMalformed, SubjectMismatch

    if payload.payload_type != PAYLOAD_TYPE_INTOTO:
        raise BundleMalformed(f"the payload is of type {payload.payload_type[:80]!r}, not {PAYLOAD_TYPE_INTOTO}")
    statement = decode_statement(payload.payload)
    if not statement.is_about(target.digest):
        named = [str(digest) for subject in statement.subjects for digest in subject.digests()][:8]
        raise SubjectMismatch(
            f"the statement is about {', '.join(named) or 'no sha256 or sha512 digest'}, not about {target.digest}",
            details={"expected": str(target.digest), "subjects": named},
        )
    return statement.predicate_type
