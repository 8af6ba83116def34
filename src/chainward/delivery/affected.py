"""What would stop counting if signatures were revoked: read before the revocation is put in force.

In: a revocation that is not in force, and the facts about what was accepted. Out: the attestations that it covers, the
newest last. A fact holds less than a bundle, so where it leaves doubt (a window that begins within the ten minutes of a
certificate, the key in a certificate) this names rather one attestation too many; a gate verifies the bundle itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chainward.attest.facts import Attested
from chainward.kernel.instant import parse_instant
from chainward.trust.identity import Identity, IdentityKind
from chainward.trust.revocations import Made

if TYPE_CHECKING:
    from chainward.ledger.commit import Ledger
    from chainward.trust.revocations import SignatureRevocation

__all__ = ["Affected", "AffectedAttestation", "affected_by"]

_PAGE: Final = 1000
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class AffectedAttestation:
    """An attestation that would stop counting."""

    repository: str
    digest: str
    predicate_type: str
    signer: str
    bundle: str


@dataclass(frozen=True, slots=True)
class Affected:
    """The first thousand attestations that would stop counting, how many there are, among how many."""

    attestations: tuple[AffectedAttestation, ...]
    count: int
    among: int


def affected_by(ledger: Ledger, revocation: SignatureRevocation) -> Affected:
    """Return which attestations ``revocation`` would cover."""
    found: list[AffectedAttestation] = []
    count = among = 0
    after = -1
    while facts := ledger.facts(after, _PAGE, frozenset({Attested.schema})):
        after = facts[-1].index
        for fact in facts:
            if fact.body is None:
                continue
            among += 1
            if revocation.covers(_made(fact.body)):
                count += 1
                found += [_shown(fact.body)] if count <= _MOST else []
    return Affected(tuple(found), count, among)


def _made(body: dict[str, Any]) -> Made:
    identity = body["identity"]
    named = Identity(identity, IdentityKind.OTHER, body["issuer"] or "") if identity is not None else None
    return Made(
        key=body["fingerprint"] if identity is None else "",
        certificate=body["fingerprint"] if identity is not None else "",
        identity=named,
        log_origin=body["log_origin"],
        log_index=body["log_index"],
        latest=parse_instant(body["signed_at"]) if body["signed_at"] else None,
    )


def _shown(body: dict[str, Any]) -> AffectedAttestation:
    names = ("repository", "digest", "predicate_type", "signer", "bundle_digest")
    return AffectedAttestation(*(str(body[name]) for name in names))
