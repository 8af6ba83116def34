"""Bundles in, verified values out; pure, without network or clock, and the only maker of verified values.

:mod:`chainward.trust.prove` says what a bundle proves: who signed what, logged where, when. Here that is held against
what the platform believes of whom. The checks run in this order, and the first that fails is the answer:

1. everything that proving checks, in its order; a key is looked up among the trusted signers (``signer-unknown``);
2. ``checkpoint-outdated``, ``checkpoint-not-witnessed``: the checkpoint is as recent, and as well witnessed, as the
   verifier demands (:mod:`chainward.trust.checkpoints`);
3. ``signature-revoked``: neither its certificate, identity, key nor log entry was revoked for that time;
4. ``signer-unknown``: some trusted signer means the identity in the certificate;
5. ``signer-distrusted``: one of them is trusted, or was when the signature was proven to exist;
6. ``bundle-malformed``: what was signed is an in-toto statement (or a file); strangers' payloads are never parsed;
7. ``subject-mismatch``: it is about the digest in question;
8. ``signer-not-allowed``: one of them may say this kind of thing, about this repository: the wrong attestor's valid
   signature is a failed check;
9. ``statement-unpublished``, ``statement-replayed``: it was first published in this repository, or one of them is
   believed in all of its repositories (:mod:`chainward.trust.published`).

Each check keeps only those signers that pass it, so the verified value names exactly those for whom all of it holds.

A bundle names no repository. For images, give ``repository``: what a signer of ``shop/**`` said counts only there. And
give the platform's ``own`` records, or a statement counts in every repository of its signer, wherever it was copied to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO
from chainward.formats.errors import Malformed, Unsupported
from chainward.formats.intoto import decode_statement
from chainward.kernel.digest import Algorithm, Digest
from chainward.trust.errors import (
    BundleMalformed,
    SignatureRevoked,
    SignerDistrusted,
    SignerNotAllowed,
    SignerUnknown,
    StatementReplayed,
    StatementUnpublished,
    SubjectMismatch,
)
from chainward.trust.match import trust_command
from chainward.trust.model import MESSAGE_SIGNATURE, SEAL, VerifiedArtifact, VerifiedStatement
from chainward.trust.prove import Thresholds, prove_bundle
from chainward.trust.proven import MessageDigest, ProvenCertificate, ProvenKey, StatementPayload
from chainward.trust.published import earliest, first_within, signature_of
from chainward.trust.revocations import Made, revocation_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.formats.intoto import Statement
    from chainward.kernel.name import RepositoryName
    from chainward.keys.model import PublicKey
    from chainward.trust.identity import Identity
    from chainward.trust.model import TrustedSigner, TrustRoot
    from chainward.trust.ports import HeldEntries, PublicationRecord
    from chainward.trust.proven import Proven
    from chainward.trust.published import Publication

__all__ = ["OwnRecords", "made_of", "verify_artifact", "verify_bundle"]

_HASHES: Final = {algorithm.value for algorithm in Algorithm}


_THRESHOLDS: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class OwnRecords:
    """What the platform itself wrote down, and a bundle cannot say: entries of its logs, and where things came in."""

    held: HeldEntries | None = None
    publications: PublicationRecord | None = None


@dataclass(frozen=True, slots=True)
class _Believed:
    """A proven signature, and those of the trusted signers for whom every check so far holds."""

    proven: Proven
    signers: tuple[TrustedSigner, ...]

    @property
    def identity(self) -> Identity | None:
        signer = self.proven.signer
        return signer.identity if isinstance(signer, ProvenCertificate) else None

    def common(self, published_at: datetime | None) -> dict[str, Any]:
        """Return what a verified value says, whatever was signed."""
        return {
            "signers": tuple(signer.name for signer in self.signers),
            "fingerprint": self.proven.signer.fingerprint,
            "log_origin": self.proven.log.origin,
            "log_index": self.proven.log_index,
            "bundle_digest": self.proven.bundle_digest,
            "identity": self.identity,
            "signed_at": self.proven.signed_at,
            "published_at": published_at,
            "seal": SEAL,
        }


def verify_bundle(
    data: bytes,
    root: TrustRoot,
    *,
    subject: Digest | None,
    repository: RepositoryName | None,
    own: OwnRecords = OwnRecords(),
    thresholds: Thresholds = _THRESHOLDS,
) -> VerifiedStatement:
    """Return the statement in a bundle, once everything in it is proven and its signer may say it.

    ``subject`` is the digest that the statement must be about; several subjects are fine if it is one of them, for each
    of them was stated. Only pass None for it, or for ``repository``, if what is returned is bound to them elsewhere.

    Raises:
        Problem: the first failed check, as the module lists them.
    """
    believed = _believe(data, root, own.held, thresholds)
    payload = believed.proven.payload
    if not isinstance(payload, StatementPayload):
        raise BundleMalformed("the bundle signs a file, it holds no statement")
    statement = _statement(payload)
    if subject is not None and not statement.is_about(subject):
        raise _mismatch(statement, subject)
    allowed = _allowed(believed, statement.predicate_type, repository)
    bound, published_at = _bound(allowed, repository, own.publications)
    return VerifiedStatement(statement=statement, subjects=_digests(statement), **bound.common(published_at))


def verify_artifact(
    data: bytes,
    root: TrustRoot,
    *,
    digest: Digest,
    repository: RepositoryName | None,
    own: OwnRecords = OwnRecords(),
    thresholds: Thresholds = _THRESHOLDS,
) -> VerifiedArtifact:
    """Return the proof that a trusted signer signed the file with this ``digest``.

    The signer must be trusted for the predicate type ``message-signature``, or for all.

    Raises:
        Problem: the first failed check, as the module lists them.
    """
    believed = _believe(data, root, own.held, thresholds)
    message = believed.proven.payload
    if not isinstance(message, MessageDigest):
        raise BundleMalformed("the bundle holds a statement, it does not sign a file")
    if message.hash_name not in _HASHES:
        raise BundleMalformed(f"the signed digest is a {message.hash_name}, which names no file here")
    signed = Digest(Algorithm(message.hash_name), message.digest.hex())
    if digest != signed:
        raise SubjectMismatch(
            f"the bundle signs {signed}, not {digest}",
            hint="Give the file that was signed, or the bundle of this file.",
        )
    allowed = _allowed(believed, MESSAGE_SIGNATURE, repository)
    bound, published_at = _bound(allowed, repository, own.publications)
    return VerifiedArtifact(digest=digest, **bound.common(published_at))


def made_of(proven: Proven) -> Made:
    """Return what revocations ask of a proven signature."""
    signer = proven.signer
    certificate = signer if isinstance(signer, ProvenCertificate) else None
    return Made(
        key=signer.public_key.fingerprint,
        certificate="" if certificate is None else certificate.fingerprint,
        identity=None if certificate is None else certificate.identity,
        log_origin=proven.log.origin,
        log_index=proven.log_index,
        earliest=None if certificate is None else certificate.not_before,
        latest=proven.signed_at,
    )


def _believe(data: bytes, root: TrustRoot, held: HeldEntries | None, thresholds: Thresholds) -> _Believed:
    """Prove a bundle, and find who of the trusted signers made it."""

    def find_key(fingerprint: str) -> PublicKey | None:
        signer = root.signer(fingerprint)
        return None if signer is None else signer.public_key

    proven = prove_bundle(data, root.material, find_key=find_key, thresholds=thresholds, held=held)
    if root.checkpoints is not None:
        root.checkpoints.check(proven)
    if root.revocations:
        revocation = revocation_of(made_of(proven), root.revocations)
        if revocation is not None:
            raise SignatureRevoked(
                f"the signature was revoked by {revocation.by} {revocation.target}: {revocation.reason}",
                details={"by": revocation.by.value, "target": revocation.target},
            )
    known = _known(proven, root)
    believed = tuple(signer for signer in known if signer.is_believed(proven.signed_at))
    if not believed:
        raise _distrusted(known[0], proven)
    return _Believed(proven, believed)


def _known(proven: Proven, root: TrustRoot) -> tuple[TrustedSigner, ...]:
    """Return the signers who are the key, or mean the identity, at least one."""
    if isinstance(proven.signer, ProvenKey):
        found = root.signer(proven.signer.fingerprint)
        if found is None:
            raise SignerUnknown(f"signed by a stranger: key sha256:{proven.signer.fingerprint} is not trusted here")
        return (found,)
    identity = proven.signer.identity
    known = root.signers_of(identity)
    if not known:
        raise SignerUnknown(
            f"signed by a stranger: {identity.subject[:300]}, for whom {identity.issuer[:300]} vouches, "
            "is not trusted here",
            details={"identity": identity.subject, "issuer": identity.issuer},
            hint=f"Ask an admin to trust this identity: {trust_command(identity)}",
        )
    return known


def _distrusted(signer: TrustedSigner, proven: Proven) -> SignerDistrusted:
    since = signer.distrusted_since
    when = "" if since is None else f" since {since:%F %T}Z, and nothing proves that it was signed before"
    kind = "key" if signer.public_key is not None else "certificate"
    return SignerDistrusted(
        f"signer {signer.name} ({kind} sha256:{proven.signer.fingerprint}) is not trusted any more{when}",
        details={"signer": signer.name, "fingerprint": proven.signer.fingerprint},
    )


def _statement(payload: StatementPayload) -> Statement:
    if payload.payload_type != PAYLOAD_TYPE_INTOTO:
        raise BundleMalformed(f"the payload is of type {payload.payload_type[:80]!r}, not {PAYLOAD_TYPE_INTOTO}")
    try:
        return decode_statement(payload.payload)
    except (Malformed, Unsupported) as problem:
        raise BundleMalformed(problem.message) from None


def _digests(statement: Statement) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(digest for subject in statement.subjects for digest in subject.digests()))


def _mismatch(statement: Statement, subject: Digest) -> SubjectMismatch:
    named = [str(digest) for digest in _digests(statement)[:8]]
    return SubjectMismatch(
        f"the statement is about {', '.join(named) or 'no sha256 or sha512 digest'}, not about {subject}",
        details={"expected": str(subject), "subjects": named},
    )


def _allowed(believed: _Believed, predicate_type: str, repository: RepositoryName | None) -> _Believed:
    """Keep the signers whose scope has this kind of statement, and this repository."""
    details = _details(believed)
    stating = [signer for signer in believed.signers if signer.states(predicate_type)]
    if not stating:
        raise SignerNotAllowed(f"{_names(believed)} is not trusted for {predicate_type[:200]}", details=details)
    covering = [signer for signer in stating if repository is None or signer.covers(repository)]
    if not covering:
        raise SignerNotAllowed(f"{_names(believed)} is not trusted for repository {repository}", details=details)
    return _Believed(believed.proven, tuple(covering))


def _bound(
    believed: _Believed, repository: RepositoryName | None, record: PublicationRecord | None
) -> tuple[_Believed, datetime | None]:
    """Keep the signers for whom the signature belongs to this repository; and return when it was first published."""
    if repository is None or record is None:
        return believed, None
    proven = believed.proven
    publications = record.publications(signature_of(proven.payload, proven.signature))
    bound = [
        signer for signer in believed.signers if signer.portable or first_within(publications, signer) == repository
    ]
    if not bound:
        raise _elsewhere(believed, repository, publications)
    return _Believed(proven, tuple(bound)), earliest(publications)


def _elsewhere(believed: _Believed, repository: RepositoryName, publications: Sequence[Publication]) -> Exception:
    first = next(filter(None, (first_within(publications, signer) for signer in believed.signers)), None)
    if first is None:
        return StatementUnpublished(f"nothing tells where what {_names(believed)} signed was first published")
    return StatementReplayed(
        f"what {_names(believed)} signed was first published in {first}, and does not count in {repository}",
        details={**_details(believed), "published_in": str(first)},
    )


def _names(believed: _Believed) -> str:
    names = ", ".join(signer.name for signer in believed.signers)
    who = f"signer {names}" if len(believed.signers) == 1 else f"each of the signers {names}"
    return who if believed.identity is None else f"{who} ({believed.identity.subject[:200]})"


def _details(believed: _Believed) -> dict[str, Any]:
    details = {"signer": believed.signers[0].name, "fingerprint": believed.proven.signer.fingerprint}
    identity = believed.identity
    return details if identity is None else {**details, "identity": identity.subject, "issuer": identity.issuer}
