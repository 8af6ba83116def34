"""What decisions are made by, held against the facts that state it: revocations, signers, policies, tokens, and more.

A gate reads rows. Whoever can write to the database could take a revocation away, or slip in a signer, a policy or a
token, and leave the log as it is. Every such row was committed with a fact, so the facts say which rows there must be.
In: a ledger whose facts were proven to be those of the log. Out: LogTampered with findings, or nothing.

What this cannot see: the secret of a token is in no fact, so another secret in the row of an old token goes unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from chainward.access.facts import TokenIssued, TokenRevocation
from chainward.delivery.errors import AnchorViolated
from chainward.delivery.evidence import FAILURES
from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Problem
from chainward.ledger.errors import LogTampered
from chainward.policy.facts import PolicyActivated
from chainward.registry.facts import Revoked
from chainward.trust.facts import (
    AuthorityCompromised,
    AuthorityEstablished,
    AuthorityRetired,
    RootPublished,
    SignatureRevocationStated,
    SignerDistrust,
    SignerTrusted,
)
from chainward.trust.match import members_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.access.tokens import Tokens
    from chainward.delivery.record import AdmissionRecord
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody
    from chainward.policy.activate import Policies
    from chainward.registry.model import Revocation
    from chainward.registry.revoke import Revoker
    from chainward.trust.authorities import Authorities
    from chainward.trust.authority import Authority
    from chainward.trust.distribution import Distribution
    from chainward.trust.model import TrustedSigner
    from chainward.trust.revocations import SignatureRevocation, SignatureRevocations
    from chainward.trust.signers import Signers

__all__ = ["Reconciliation"]

_PAGE: Final = 1000
_SHOWN: Final = 100
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Compares rows with facts. Thread-safe; what is committed meanwhile is no finding."""

    ledger: Ledger
    revocations: Revoker
    signers: Signers
    signatures: SignatureRevocations
    authorities: Authorities
    distribution: Distribution
    policies: Policies
    tokens: Tokens
    admissions: AdmissionRecord

    def check(self) -> None:
        """Return when the rows are what the facts state.

        Raises:
            LogTampered: with all findings in ``details["findings"]``.
        """
        findings = self.findings()
        if findings:
            more = f" (and {len(findings) - 1} more findings)" if len(findings) > 1 else ""
            shown = list(findings[:_SHOWN])
            raise LogTampered(f"{findings[0]}{more}", details={"findings": shown, "count": len(findings)})

    def findings(self) -> tuple[str, ...]:
        """Return what rows say and facts do not, or the other way round."""
        first = set(self._look())
        # A commit between the read of rows and that of facts looks like a finding, but not twice.
        return tuple(finding for finding in self._look() if finding in first) if first else ()

    def _look(self) -> Iterator[str]:
        for what, look in (
            ("revocations", self._revocations),
            ("signers", self._signers),
            ("revocations of signatures", self._signature_revocations),
            ("authorities", self._authorities),
            ("roots of the trust repository", self._roots),
            ("policies", self._policies),
            ("tokens", self._tokens),
            ("repeated admissions", self._admissions),
        ):
            try:
                yield from look()
            except Problem as problem:
                if problem.kind in FAILURES:
                    raise
                yield f"the {what} in the tables cannot be read: {problem.message}"

    def _stated(self, *kinds: type[FactBody]) -> Iterator[tuple[int, str, Body]]:
        """Yield index, schema and body of the facts of some kinds, in order; retention keeps these kinds."""
        after = -1
        while facts := self.ledger.facts(after, _PAGE, frozenset(kind.schema for kind in kinds)):
            after = facts[-1].index
            yield from ((fact.index, fact.schema, fact.body) for fact in facts if fact.body is not None)

    def _revocations(self) -> Iterator[str]:
        rows = {row.fact_index: _words_of(row) for row in self._revoked()}
        facts = {
            index: (body["digest"], body["repository"], body["reason"]) for index, _, body in self._stated(Revoked)
        }
        for index in sorted(facts.keys() | rows.keys()):
            digest = (facts.get(index) or rows[index])[0]
            yield from _compare(f"the revocation of {digest} (fact {index})", facts.get(index), rows.get(index))

    def _revoked(self) -> Iterator[Revocation]:
        after = -1
        while page := self.revocations.revocations(after, _PAGE):
            after = page[-1].fact_index
            yield from page

    def _signers(self) -> Iterator[str]:
        facts: dict[str, tuple[object, ...]] = {}
        for _, schema, body in self._stated(SignerTrusted, SignerDistrust):
            key = body["id"]
            if schema == SignerTrusted.schema:
                scope = (tuple(body["repositories"]), tuple(body["predicates"]), body["portable"])
                facts[key] = (body["name"], body["fingerprint"], body["match"], *scope, False, None)
            elif key in facts:
                facts[key] = (*facts[key][:-2], True, body["since"])
        rows = {each.id: _words_of_signer(each) for each in self.signers.listed()}
        for key in sorted(facts.keys() | rows.keys()):
            name = (facts.get(key) or rows[key])[0]
            yield from _compare(f"the signer {name} ({key})", facts.get(key), rows.get(key))

    def _signature_revocations(self) -> Iterator[str]:
        facts = [
            (body["by"], body["target"], body["match"], body["since"], body["until"], body["reason"])
            for _, _, body in self._stated(SignatureRevocationStated)
        ]
        rows = [_words_of_signatures(each) for each in self.signatures.listed()]
        for number, (fact, row) in enumerate(zip_longest(facts, rows)):
            target = (fact or row or ("", ""))[1]
            yield from _compare(f"the revocation of signatures {number} ({target})", fact, row)

    def _authorities(self) -> Iterator[str]:
        facts: dict[str, tuple[object, ...]] = {}
        for _, schema, body in self._stated(AuthorityEstablished, AuthorityRetired, AuthorityCompromised):
            name = body["name"]
            if schema == AuthorityEstablished.schema:
                first = (body["service"], body["origin"], body["fingerprint"], tuple(body["certificates"]))
                facts[name] = (*first, body["start"], None, None)
            elif name in facts and schema == AuthorityRetired.schema:
                facts[name] = (*facts[name][:5], body["end"], facts[name][6])
            elif name in facts:
                facts[name] = (*facts[name][:6], (body["since"], body["reason"], tuple(body["checkpoints"])))
        rows = {each.name: _words_of_authority(each) for each in self.authorities.stored()}
        for name in sorted(facts.keys() | rows.keys()):
            yield from _compare(f"the authority {name}", facts.get(name), rows.get(name))

    def _roots(self) -> Iterator[str]:
        for _, _, body in self._stated(RootPublished):
            version = body["version"]
            try:
                row = str(Digest.of(self.distribution.root(version)))
            except Problem:
                row = None
            yield from _compare(f"root {version} of the trust repository", body["digest"], row)

    def _policies(self) -> Iterator[str]:
        newest = None
        for index, _, body in self._stated(PolicyActivated):
            newest = index
            try:
                row = str(Digest.of(self.policies.activation(index).document))
            except Problem:
                row = None
            yield from _compare(f"the policy of epoch {index}", body["digest"], row)
        for activation in self.policies.history(1):
            if activation.epoch != newest:
                yield f"the policy of epoch {activation.epoch} is in force, and no fact states that"

    def _tokens(self) -> Iterator[str]:
        facts: dict[str, tuple[object, ...]] = {}
        for _, schema, body in self._stated(TokenIssued, TokenRevocation):
            key = body["token_id"]
            if schema == TokenIssued.schema:
                facts[key] = (body["name"], tuple(body["bindings"]), body["expires_at"], False)
            elif key in facts:
                facts[key] = (*facts[key][:3], True)
        rows = {
            each.id: (each.name, tuple(map(str, each.bindings)), rfc3339(each.expires_at), each.revoked_at is not None)
            for each in self.tokens.issued()
        }
        for key in sorted(facts.keys() | rows.keys()):
            yield from _compare(f"the token {key}", facts.get(key), rows.get(key))

    def _admissions(self) -> Iterator[str]:
        try:
            self.admissions.check()
        except AnchorViolated as violated:
            yield violated.message


def _words_of_authority(row: Authority) -> tuple[object, ...]:
    lost = row.compromise
    pins = () if lost is None else tuple(f"{pin.origin} {pin.size} {pin.root.hex()}" for pin in lost.checkpoints)
    certificates = tuple(Digest.of(each).hex for each in row.certificates)
    return (
        row.kind.value,
        row.origin,
        row.public_key.fingerprint,
        certificates,
        rfc3339(row.start),
        None if row.end is None else rfc3339(row.end),
        None if lost is None else (rfc3339(lost.since), lost.reason, pins),
    )


def _words_of(row: Revocation) -> tuple[str, str | None, str]:
    return str(row.digest), str(row.repository) if row.repository else None, row.reason


def _words_of_signer(row: TrustedSigner) -> tuple[object, ...]:
    return (
        row.name,
        row.fingerprint,
        members_of(row.match) if row.match else None,
        tuple(map(str, row.repositories)),
        row.predicates,
        row.portable,
        row.distrusted_at is not None,
        rfc3339(row.distrusted_since) if row.distrusted_since else None,
    )


def _words_of_signatures(row: SignatureRevocation) -> tuple[object, ...]:
    return (
        row.by.value,
        row.target,
        members_of(row.match) if row.match else None,
        rfc3339(row.since) if row.since else None,
        rfc3339(row.until) if row.until else None,
        row.reason,
    )


def _compare(what: str, fact: object, row: object) -> Iterator[str]:
    if row is None:
        yield f"{what} is stated by a fact, and was removed from the tables"
    elif fact is None:
        yield f"{what} stands in the tables, and no fact states it"
    elif fact != row:
        yield f"{what} is not in the tables what its fact states"
