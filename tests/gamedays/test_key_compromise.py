"""The key compromise drill: every key of the trust root is lost once, and evidence is asked what it is still worth.

An attacker has a copy of the key. What was signed before stays valid, what the attacker makes with the key does not,
however it is dated, and after the rotation work goes on. The commands are those of
docs/how-to/answer-a-key-compromise.md; here the same verbs run in one process, where the clock can be set.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from tests.databases import ManualClock
from tests.platforms import CONTEXT, open_test_platform
from tests.trust.world import MemoryLog

from chainward.adapters.keyring import OfflineKeys
from chainward.adapters.system import SystemEntropy
from chainward.adapters.tuf import TufMetadata, tuf_key_id
from chainward.formats.rfc3161 import TimestampRequest, TokenWriter
from chainward.formats.timestamp_info import Accuracy, TimestampInfo
from chainward.formats.trusted_root import decode_trusted_root
from chainward.kernel.digest import Digest
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.keys.x509 import certificate_request
from chainward.ledger.checkpoint import NoteSigner
from chainward.ledger.errors import LogFrozen
from chainward.trust.ambient import IdentityToken
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import (
    AuthorityCompromised,
    AuthorityMissing,
    CertificateUntrusted,
    LogUntrusted,
    RootInvalid,
    TimestampUntrusted,
)
from chainward.trust.export import decode_export, encode_export
from chainward.trust.held import LedgerEntries
from chainward.trust.issuing_chain import requested_key
from chainward.trust.keyless import CertifiedSigner, certified_signer
from chainward.trust.material import TrustMaterial
from chainward.trust.offline import OfflineRoot
from chainward.trust.pins import pin_of
from chainward.trust.possession import RequestProof
from chainward.trust.prove import prove_bundle
from chainward.trust.sign import sign_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from tests.platforms import TestPlatform

    from chainward.keys.ports import DigestSigner
    from chainward.trust.authority import Authority
    from chainward.trust.material import TrustedAuthority, TrustedLog
    from chainward.trust.ports import SignatureLog
    from chainward.trust.proven import Proven
    from chainward.wiring import Platform

OFFLINE: Final = OfflineKeys.fresh()
WHO: Final = "https://ci.example.test/shop/release"
ISSUED: Final = {AuthorityKind.CA: OFFLINE.ca, AuthorityKind.TSA: OFFLINE.tsa}
REFUSALS: Final = (AuthorityCompromised, AuthorityMissing, CertificateUntrusted, LogUntrusted, TimestampUntrusted)


class Stamps:
    """The platform's timestamp authority, or whoever has its key and dates as he likes."""

    def __init__(self, platform: Platform, *, dated: datetime | None = None) -> None:
        self._platform = platform
        self._dated = dated
        authorities = platform.services.authorities
        if dated is not None:
            self._stolen = authorities.active(AuthorityKind.TSA)
            self._key = authorities.signer(self._stolen.name)

    @property
    def authorities(self) -> tuple[TrustedAuthority, ...]:
        return self._platform.trust.snapshot().root.material.timestamp_authorities

    def stamp(self, message: bytes) -> bytes:
        digest = hashlib.sha256(message).digest()
        if self._dated is None:
            return self._platform.services.timestamps.issue(
                TimestampRequest(hash_name="sha256", digest=digest, certificates=True)
            )
        info = TimestampInfo(
            hash_name="sha256",
            digest=digest,
            gen_time=self._dated.replace(microsecond=0),
            serial=7,
            policy="1.3.6.1.4.1.57264.2",
            nonce=None,
            accuracy=Accuracy(1),
        )
        writer = TokenWriter(self._stolen.certificates, self._stolen.public_key.hash_name)
        return writer.encode_response(info, self._key.sign, certificates=True)


class StolenLog(MemoryLog):
    """A tree of the attacker's own, under the name and with the key of the platform's log."""

    def __init__(self, log: TrustedLog, key: DigestSigner) -> None:
        super().__init__(log.origin)
        self._log, self._key = log, key

    @property
    def log(self) -> TrustedLog:
        return self._log

    @property
    def signer(self) -> NoteSigner:
        return NoteSigner(self.origin, self._key)


@dataclass
class Drill:
    """A platform whose clock and offline roots the test holds."""

    desk: TestPlatform
    clock: ManualClock

    @property
    def platform(self) -> Platform:
        return self.desk.platform

    @property
    def material(self) -> TrustMaterial:
        """What our own verifier believes now."""
        return self.platform.trust.snapshot().root.material

    @property
    def stock(self) -> TrustMaterial:
        """What a stock client believes that has the newest documents."""
        return TrustMaterial.from_document(decode_trusted_root(self.platform.trusted_root()))

    @property
    def log(self) -> SignatureLog:
        return self.platform.rekor

    def certify(self, token: IdentityToken, signer: DigestSigner) -> tuple[bytes, ...]:
        """The platform's certificate authority (CertificateSource)."""
        proof = RequestProof(certificate_request(signer))
        return self.platform.services.certifier.certify(token.reveal(), proof, context=CONTEXT)

    def certified(self) -> CertifiedSigner:
        """A key with a certificate of now, as a CI job gets it."""
        issuer = self.platform.services.development_issuer
        assert issuer is not None
        return certified_signer(IdentityToken.parse(issuer.token(subject=WHO)), self, self.material)

    def sign(
        self,
        content: bytes,
        *,
        signer: CertifiedSigner | None = None,
        stamps: Stamps | None = None,
        log: SignatureLog | None = None,
    ) -> bytes:
        """Sign keyless, as a CI job does."""
        signer, stamps = signer or self.certified(), stamps or Stamps(self.platform)
        return sign_digest(Digest.of(content), signer, log or self.log, stamps=stamps, material=self.material)

    def proven(self, bundle: bytes, material: TrustMaterial | None = None, *, held: bool = True) -> Proven:
        """Verify as the platform does; ``held`` lets it look into its own rows."""
        entries = LedgerEntries(self.platform.ledger) if held else None
        return prove_bundle(bundle, material or self.material, find_key=lambda _: None, held=entries)

    def refused(self, bundle: bytes, material: TrustMaterial | None = None, *, held: bool = True) -> None:
        with pytest.raises(REFUSALS):
            self.proven(bundle, material, held=held)

    def pass_time(self, **by: float) -> datetime:
        """Let time pass and the facts log anchor the others; returns the instant after."""
        self.platform.anchor()
        self.clock.advance(timedelta(**by))
        return self.clock.now()

    def rotate(self, kind: AuthorityKind) -> Authority:
        """``chainward trust rotate``."""
        authorities = self.platform.services.authorities
        certificates: tuple[bytes, ...] = ()
        if not kind.is_log:
            request = authorities.request(kind, context=CONTEXT)
            root, key = OfflineRoot(kind, ISSUED[kind], request.root), requested_key(request.request)
            certificates = root.certify(key, request.organization, self.clock, SystemEntropy())
        made = authorities.rotate(kind, certificates, context=CONTEXT)
        self.clock.advance(timedelta(seconds=2))  # services ask once a second which instance is active
        return made

    def compromise(self, name: str, since: datetime) -> Authority:
        """``chainward trust compromise``."""
        return self.platform.services.authorities.mark_compromised(name, since, "drill", context=CONTEXT)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    """A platform on the morning of the drill."""
    with opened(tmp_path) as made:
        yield made


@contextmanager
def opened(folder: Path) -> Iterator[Drill]:
    clock = ManualClock()
    settings = {("trust", "development_issuer"): True}
    with open_test_platform(folder / "p", clock=clock, settings=settings, offline=OFFLINE) as desk:
        yield Drill(desk, clock)


@pytest.mark.parametrize("kind", AuthorityKind)
def test_a_rotation_without_a_compromise_costs_no_evidence(drill: Drill, kind: AuthorityKind) -> None:
    before = drill.sign(b"before")
    drill.pass_time(minutes=30)
    drill.rotate(kind)
    after = drill.sign(b"after")
    for material in (drill.material, drill.stock):
        for bundle in (before, after):
            assert drill.proven(bundle, material, held=False).times


@pytest.mark.parametrize("kind", AuthorityKind)
def test_the_drill_keeps_what_was_signed_before_and_refuses_what_was_signed_after(
    drill: Drill, kind: AuthorityKind
) -> None:
    before = drill.sign(b"before")
    since = drill.pass_time(hours=2)
    after = drill.sign(b"after, by whoever has the key")
    drill.compromise(f"{kind}-1", since)
    drill.rotate(kind)
    assert drill.proven(before).times
    drill.refused(after)
    assert drill.proven(drill.sign(b"with the new key")).times
    drill.platform.audit()


@pytest.mark.parametrize("kind", AuthorityKind)
def test_it_does_not_matter_whether_the_rotation_or_the_statement_comes_first(
    drill: Drill, kind: AuthorityKind
) -> None:
    before = drill.sign(b"before")
    since = drill.pass_time(hours=2)
    after = drill.sign(b"after")
    drill.rotate(kind)
    drill.compromise(f"{kind}-1", since)
    assert drill.proven(before).times
    drill.refused(after)
    assert drill.proven(drill.sign(b"new")).times


def test_backdating_with_a_stolen_timestamp_key_is_found_out_by_the_log_index(drill: Drill) -> None:
    before = drill.sign(b"before")
    forgotten = drill.certified()  # a key whose certificate is long over by then
    early = drill.clock.now()
    since = drill.pass_time(hours=2)
    stamps = Stamps(drill.platform, dated=early + timedelta(seconds=1))
    backdated = drill.sign(b"made today", signer=forgotten, stamps=stamps)
    times = drill.proven(backdated).times
    assert all(time.instant < since for time in times), "until it is stated, the date is believed"
    drill.compromise("tsa-1", since)
    assert drill.proven(before).times
    drill.refused(backdated)


def test_a_witnessed_checkpoint_from_before_says_up_to_where_the_log_is_believed(drill: Drill) -> None:
    before = drill.sign(b"before")
    note = drill.platform.ledger.checkpoint(drill.log.log.origin)  # as witnesses cosigned it
    after = drill.sign(b"after the witnessed checkpoint, and not anchored")
    authorities = drill.platform.services.authorities
    pin = pin_of(note, authorities.snapshot())
    since = drill.pass_time(hours=1)
    marked = authorities.mark_compromised("tsa-1", since, "drill", [pin], context=CONTEXT)
    assert marked.compromise is not None
    assert marked.compromise.pinned(pin.origin) == pin
    assert drill.proven(before).times
    drill.refused(after)


def test_without_any_checkpoint_from_before_nothing_is_believed(drill: Drill) -> None:
    early = drill.clock.now()
    bundle = drill.sign(b"signed at once")
    drill.compromise("tsa-1", early)
    drill.refused(bundle)


def test_a_forged_log_under_a_stolen_log_key_is_not_believed(drill: Drill) -> None:
    bundles = [drill.sign(b"before %d" % number) for number in range(5)]
    since = drill.pass_time(hours=2)
    stolen = drill.platform.services.authorities.signer("log-1")
    forged = drill.sign(b"never logged", log=StolenLog(drill.log.log, stolen))
    assert drill.proven(forged, held=False).log_index == 3, "below the pinned size, in a tree of the attacker's own"
    drill.compromise("log-1", since)
    for bundle in bundles:
        assert drill.proven(bundle).times
    drill.refused(forged)
    drill.refused(forged, held=False)


def test_a_compromised_log_takes_nothing_more(drill: Drill) -> None:
    drill.compromise("log-1", drill.pass_time(hours=2))
    with pytest.raises(LogFrozen):
        drill.platform.ledger.append_entries("log.chainward.local", [b"late"])


def test_after_a_log_compromise_outsiders_need_a_proof_under_the_pinned_tree(drill: Drill) -> None:
    first = drill.sign(b"first")
    last = drill.sign(b"last before the anchor")
    since = drill.pass_time(hours=2)
    drill.compromise("log-1", since)
    assert drill.proven(first).times, "the platform finds the entry among its own rows"
    assert drill.proven(last, held=False).times, "its proof is under the very tree that is pinned"
    drill.refused(first, held=False)


def test_stock_clients_lose_all_that_a_compromised_instance_signed(drill: Drill) -> None:
    before = drill.sign(b"before")
    since = drill.pass_time(hours=2)
    assert drill.proven(before, drill.stock, held=False).times
    drill.compromise("tsa-1", since)
    drill.rotate(AuthorityKind.TSA)
    drill.refused(before, drill.stock, held=False)
    assert drill.proven(before).times
    assert drill.proven(drill.sign(b"new"), drill.stock, held=False).times


def test_the_export_tells_an_air_gapped_verifier_of_the_compromise(drill: Drill) -> None:
    before = drill.sign(b"before")
    since = drill.pass_time(hours=2)
    after = drill.sign(b"after")
    drill.compromise("ca-1", since)
    document = drill.platform.trust_export()
    export = decode_export(document)
    assert encode_export(export) == document
    material = export.root().material
    assert drill.proven(before, material, held=False).times
    drill.refused(after, material, held=False)


def test_a_lost_tuf_root_key_is_replaced_and_signs_no_root_any_more(drill: Drill) -> None:
    distribution, tuf = drill.platform.services.distribution, TufMetadata()
    lost, *kept = OFFLINE.tuf
    fresh = generate(Scheme.ED25519)
    expires = drill.clock.now() + timedelta(days=365)
    following = tuf.next_root(distribution.root(), [*kept, fresh], expires, remove=[tuf_key_id(lost.public_key)])
    distribution.replace_root(following, context=CONTEXT)
    thief = generate(Scheme.ED25519)
    with pytest.raises(RootInvalid):
        tuf.next_root(distribution.root(), [lost, thief], expires)
    assert tuf_key_id(lost.public_key) not in distribution.summary().keys
    assert drill.proven(drill.sign(b"goes on")).times
