"""The authorities of a platform: founded once, rotated without a gap, retired, and marked as compromised."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.databases import ManualClock
from tests.platforms import CONTEXT, open_test_platform

from chainward.adapters.keyring import OfflineKeys
from chainward.adapters.system import SystemEntropy
from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import parse_note
from chainward.keys.errors import KeyFileUnreadable, KeyMalformed
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.keys.uri import KeyReference
from chainward.ledger.errors import LogFrozen, LogTampered, LogUnknown
from chainward.trust.authority import Authority, AuthorityKind, Compromise, PinnedCheckpoint
from chainward.trust.errors import (
    AuthorityChainInvalid,
    AuthorityConflict,
    AuthorityInvalid,
    AuthorityMissing,
    AuthorityUnknown,
    KeySealed,
)
from chainward.trust.issuing_chain import requested_key
from chainward.trust.offline import OfflineRoot
from chainward.trust.pins import pin_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

    from chainward.trust.authorities import Authorities, AuthorityRequest

OFFLINE = OfflineKeys.fresh()
ISSUED = (AuthorityKind.CA, AuthorityKind.TSA)
LOGS = (AuthorityKind.LOG, AuthorityKind.CT)
KEYS = {AuthorityKind.CA: OFFLINE.ca, AuthorityKind.TSA: OFFLINE.tsa}


@contextmanager
def stand(folder: Path) -> Iterator[tuple[TestPlatform, Authorities]]:
    """A platform whose clock does as the test says, and whose roots the test holds."""
    with open_test_platform(folder, clock=ManualClock(), offline=OFFLINE) as desk:
        yield desk, desk.platform.services.authorities


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    """A platform that no test changes."""
    with stand(tmp_path_factory.mktemp("settled") / "p") as (desk, _):
        yield desk


def certified(request: AuthorityRequest, key: PrivateKey, clock: Any) -> tuple[bytes, bytes]:
    """What the holder of the root makes of a request."""
    root = OfflineRoot(request.kind, key, request.root)
    return root.certify(requested_key(request.request), request.organization, clock, SystemEntropy())


def rotated(desk: TestPlatform, kind: AuthorityKind) -> Authority:
    """Rotate as an operator does."""
    authorities = desk.platform.services.authorities
    if kind.is_log:
        return authorities.rotate(kind, context=CONTEXT)
    request = authorities.request(kind, context=CONTEXT)
    return authorities.rotate(kind, certified(request, KEYS[kind], desk.platform.clock), context=CONTEXT)


def schemas(desk: TestPlatform) -> list[str]:
    """What was stated about authorities, in order."""
    return [
        f"{fact.schema.removeprefix('trust.authority-')} {fact.body['name']}"
        for fact in desk.platform.ledger.facts(limit=1000)
        if fact.schema.startswith("trust.authority-") and fact.body is not None
    ]


def test_a_new_platform_has_one_active_instance_of_every_service(settled: TestPlatform) -> None:
    snapshot = settled.platform.services.authorities.snapshot()
    assert [each.name for each in snapshot.authorities] == ["ca-1", "ct-1", "log-1", "tsa-1"]
    assert [each.origin for each in snapshot.authorities] == ["", "ct.chainward.local", "log.chainward.local", ""]
    assert all(each.is_active for each in snapshot.authorities)
    assert sorted(schemas(settled)) == [f"established/1 {name}" for name in ("ca-1", "ct-1", "log-1", "tsa-1")]


@pytest.mark.parametrize("kind", AuthorityKind)
def test_the_signer_of_an_authority_has_its_key(settled: TestPlatform, kind: AuthorityKind) -> None:
    authorities = settled.platform.services.authorities
    active = authorities.active(kind)
    signer = authorities.signer(active.name)
    active.public_key.verify(b"signed", signer.sign(b"signed"))
    assert authorities.signer(active.name) is signer


def test_the_root_of_the_certificate_authority_has_no_extended_usage_and_its_intermediate_may_sign_leaves_only(
    settled: TestPlatform,
) -> None:
    chain = settled.platform.services.authorities.active(AuthorityKind.CA).certificates
    intermediate, root = map(x509.load_der_x509_certificate, chain)
    intermediate.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    with pytest.raises(x509.ExtensionNotFound):
        root.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    basic = intermediate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    usage = intermediate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CODE_SIGNING]


def test_private_keys_stand_sealed_in_the_database_and_nowhere_in_the_clear(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (_, authorities):
        secrets = [authorities.signer(each.name) for each in authorities.snapshot().authorities]
        found = b"".join(path.read_bytes() for path in (tmp_path / "p").glob("chainward.db*"))
    for secret in secrets:
        assert isinstance(secret, PrivateKey)
        assert secret.public_key.der in found
        # RFC 8410: an Ed25519 seed ends its PKCS#8 key; RFC 5915: a P-256 scalar stands at the 36th byte
        start = -32 if secret.public_key.scheme is Scheme.ED25519 else 36
        assert secret.sealed(lambda der: der)[start:][:32] not in found


@pytest.mark.parametrize("kind", AuthorityKind)
def test_a_rotation_retires_the_old_instance_in_the_commit_that_begins_the_new(
    tmp_path: Path, kind: AuthorityKind
) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        before = authorities.active(kind)
        epoch = authorities.snapshot().epoch
        made = rotated(desk, kind)
        old = authorities.snapshot().named(before.name)
        assert (made.name, made.is_active) == (f"{kind}-2", True)
        assert authorities.active(kind) == made
        assert old.end is not None
        assert made.start <= old.end
        assert old.public_key != made.public_key
        assert authorities.snapshot().epoch > epoch
        assert desk.platform.trust.snapshot().epoch == authorities.snapshot().epoch
        assert schemas(desk)[-2:] == [f"retired/1 {old.name}", f"established/1 {made.name}"]
        facts = [fact.recorded_at for fact in desk.platform.ledger.facts(limit=1000) if "authority" in fact.schema]
        assert facts[-1] == facts[-2]
        desk.platform.audit()


@pytest.mark.parametrize("kind", LOGS)
def test_a_retired_log_is_frozen_and_the_new_one_begins_with_its_own_leaf(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        ledger, old = desk.platform.ledger, authorities.active(kind)
        ledger.append_entries(old.origin, [b"before"])
        last = ledger.checkpoint(old.origin)
        made = rotated(desk, kind)
        with pytest.raises(LogFrozen):
            ledger.append_entries(old.origin, [b"after"])
        assert ledger.checkpoint(old.origin) == last
        assert made.origin == f"{kind}2026-1.chainward.local"
        assert parse_checkpoint(parse_note(ledger.checkpoint(made.origin)).text).size == 1
        ledger.append_entries(made.origin, [b"after"])
        assert rotated(desk, kind).origin == f"{kind}2026-2.chainward.local"


def test_certificates_of_the_old_authority_outlive_its_rotation_until_the_last_of_them_ends(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        now = desk.platform.clock.now()
        rotated(desk, AuthorityKind.CA)
        end = authorities.snapshot().named("ca-1").end
        assert end is not None
        assert end - now > timedelta(minutes=10)


@pytest.mark.parametrize("kind", ISSUED)
def test_nothing_changes_until_the_certificates_come(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (_, authorities):
        before = authorities.snapshot()
        authorities.request(kind, context=CONTEXT)
        assert authorities.snapshot() == before


@pytest.mark.parametrize("kind", ISSUED)
def test_certificates_of_another_root_are_refused(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        stranger = OfflineRoot.new(
            kind, generate(Scheme.ECDSA_P256_SHA256), "chainward.local", desk.platform.clock, SystemEntropy()
        )
        request = authorities.request(kind, context=CONTEXT)
        key = requested_key(request.request)
        chain = stranger.certify(key, request.organization, desk.platform.clock, SystemEntropy())
        with pytest.raises(AuthorityChainInvalid, match="another root"):
            authorities.rotate(kind, chain, context=CONTEXT)
        assert authorities.rotate(kind, chain, new_root=True, context=CONTEXT).certificates[-1] == stranger.certificate


@pytest.mark.parametrize("kind", ISSUED)
def test_certificates_about_another_key_are_refused(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        first = authorities.request(kind, context=CONTEXT)
        authorities.request(kind, context=CONTEXT)  # in place of the first
        chain = certified(first, KEYS[kind], desk.platform.clock)
        with pytest.raises(AuthorityChainInvalid, match="another key"):
            authorities.rotate(kind, chain, context=CONTEXT)


def test_certificates_for_another_purpose_are_refused(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        clock, entropy = desk.platform.clock, SystemEntropy()
        request = authorities.request(AuthorityKind.CA, context=CONTEXT)
        root = OfflineRoot.new(AuthorityKind.TSA, OFFLINE.ca, "chainward.local", clock, entropy)
        chain = root.certify(requested_key(request.request), request.organization, clock, entropy)
        with pytest.raises(AuthorityChainInvalid):
            authorities.rotate(AuthorityKind.CA, chain, new_root=True, context=CONTEXT)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_chain_has_an_issuer_and_a_root(tmp_path: Path, count: int) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        request = authorities.request(AuthorityKind.CA, context=CONTEXT)
        chain = certified(request, OFFLINE.ca, desk.platform.clock)
        with pytest.raises(AuthorityChainInvalid):
            authorities.rotate(AuthorityKind.CA, (chain * 3)[:count], context=CONTEXT)


def test_bytes_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (_, authorities):
        authorities.request(AuthorityKind.TSA, context=CONTEXT)
        with pytest.raises(AuthorityChainInvalid):
            authorities.rotate(AuthorityKind.TSA, (b"0", b"1"), context=CONTEXT)


@pytest.mark.parametrize("kind", ISSUED)
def test_what_was_not_requested_is_not_rotated(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (_, authorities), pytest.raises(AuthorityConflict):
        authorities.rotate(kind, (b"", b""), context=CONTEXT)


@pytest.mark.parametrize("kind", LOGS)
def test_logs_have_no_certificates(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (_, authorities):
        with pytest.raises(AuthorityInvalid):
            authorities.request(kind, context=CONTEXT)
        with pytest.raises(AuthorityInvalid):
            authorities.rotate(kind, (b"certificate",), context=CONTEXT)


def test_a_key_that_stays_in_its_file_is_used_from_there(tmp_path: Path) -> None:
    key = generate(Scheme.ED25519)
    path = tmp_path / "log.pem"
    path.write_bytes(key.encrypted_pem(b"correct horse battery"))
    with stand(tmp_path / "p") as (desk, authorities):
        secret = desk.platform.config.passphrase_file
        secret.parent.mkdir(exist_ok=True)
        secret.touch(mode=0o600)
        secret.write_bytes(b"correct horse battery\n")
        made = authorities.rotate(AuthorityKind.LOG, key=KeyReference("file", str(path)), context=CONTEXT)
        assert made.public_key == key.public_key
        desk.platform.ledger.append_entries(made.origin, [b"entry"])
        with pytest.raises(AuthorityConflict, match="beside log-2"):  # else one could be compromised, one believed
            authorities.rotate(AuthorityKind.LOG, key=KeyReference("file", str(path)), context=CONTEXT)
        with pytest.raises(KeyFileUnreadable):
            authorities.rotate(AuthorityKind.CT, key=KeyReference("file", str(tmp_path / "none")), context=CONTEXT)


def test_what_is_retired_without_a_successor_signs_nothing_and_can_be_followed(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        assert authorities.retire("tsa-1", context=CONTEXT).end is not None
        with pytest.raises(AuthorityMissing):
            authorities.active(AuthorityKind.TSA)
        with pytest.raises(AuthorityConflict):
            authorities.retire("tsa-1", context=CONTEXT)
        with pytest.raises(AuthorityUnknown):
            authorities.retire("tsa-9", context=CONTEXT)
        assert rotated(desk, AuthorityKind.TSA).name == "tsa-2"


def test_a_platform_is_founded_once(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        before = authorities.snapshot()
        with pytest.raises(AuthorityConflict):
            desk.platform.services.found(OFFLINE, context=CONTEXT)
        assert authorities.snapshot() == before


@pytest.mark.parametrize("kind", AuthorityKind)
def test_a_compromise_ends_an_authority_and_pins_what_was_anchored_before(tmp_path: Path, kind: AuthorityKind) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        platform = desk.platform
        platform.ledger.append_entries("log.chainward.local", [b"before"])
        platform.anchor()
        since = platform.clock.now()
        platform.ledger.append_entries("log.chainward.local", [b"after"])
        platform.anchor()
        marked = authorities.mark_compromised(f"{kind}-1", since, "stolen", context=CONTEXT)
        assert marked.compromise is not None
        pins = {pin.origin: pin.size for pin in marked.compromise.checkpoints}
        assert pins == {"ct.chainward.local": 1, "log.chainward.local": 2}
        assert not marked.is_active
        assert schemas(desk)[-2:] == [f"retired/1 {kind}-1", f"compromised/1 {kind}-1"]
        platform.audit()
        assert rotated(desk, kind).name == f"{kind}-2"


def test_a_compromised_log_takes_nothing_more(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        authorities.mark_compromised("log-1", desk.platform.clock.now(), "stolen", context=CONTEXT)
        with pytest.raises(LogFrozen):
            desk.platform.ledger.append_entries("log.chainward.local", [b"late"])


def test_a_state_that_the_operator_pins_must_be_one_that_the_log_had(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        platform, origin = desk.platform, "log.chainward.local"
        platform.ledger.append_entries(origin, [b"one"])
        pin = pin_of(platform.ledger.checkpoint(origin), authorities.snapshot())
        platform.ledger.append_entries(origin, [b"two"])
        since = platform.clock.now()
        split = PinnedCheckpoint(origin, pin.size, bytes(32))
        ahead = PinnedCheckpoint(origin, 99, pin.root)
        for wrong in (split, ahead):
            with pytest.raises(AuthorityConflict, match="never had"):
                authorities.mark_compromised("tsa-1", since, "stolen", [wrong], context=CONTEXT)
        foreign = PinnedCheckpoint("log.elsewhere", 1, bytes(32))
        with pytest.raises(LogUnknown):
            authorities.mark_compromised("tsa-1", since, "stolen", [foreign], context=CONTEXT)
        marked = authorities.mark_compromised("tsa-1", since, "stolen", [pin], context=CONTEXT)
        assert marked.compromise is not None
        assert marked.compromise.pinned(origin) == pin


def test_a_state_from_after_the_compromise_is_not_pinned(tmp_path: Path) -> None:
    """With it, whatever a stolen timestamp key backdated and logged until then would count."""
    with stand(tmp_path / "p") as (desk, authorities):
        platform, origin = desk.platform, "log.chainward.local"
        platform.ledger.append_entries(origin, [b"before"])
        before = pin_of(platform.ledger.checkpoint(origin), authorities.snapshot())
        since = platform.clock.now()
        platform.anchor()
        platform.ledger.append_entries(origin, [b"backdated"])
        late = pin_of(platform.ledger.checkpoint(origin), authorities.snapshot())
        with pytest.raises(AuthorityConflict, match="only after"):
            authorities.mark_compromised("tsa-1", since, "stolen", [late], context=CONTEXT)
        marked = authorities.mark_compromised("tsa-1", since, "stolen", [before], context=CONTEXT)
        assert marked.compromise is not None
        assert marked.compromise.pinned(origin) == before


def test_a_checkpoint_of_a_stranger_pins_nothing(settled: TestPlatform) -> None:
    platform = settled.platform
    snapshot = platform.services.authorities.snapshot()
    with pytest.raises(AuthorityUnknown):
        pin_of(platform.ledger.checkpoint("facts.chainward.local"), snapshot)
    forged = platform.ledger.checkpoint("log.chainward.local").replace(b"\n1\n", b"\n2\n")
    with pytest.raises(Exception, match="signature"):
        pin_of(forged, snapshot)


def test_trust_that_was_taken_back_never_grows_again(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        early = desk.platform.clock.now()
        late = desk.platform.clock.now()
        authorities.mark_compromised("ca-1", late, "stolen", context=CONTEXT)
        with pytest.raises(AuthorityConflict):
            authorities.mark_compromised("ca-1", late, "again", context=CONTEXT)
        earlier = authorities.mark_compromised("ca-1", early, "it was earlier", context=CONTEXT)
        assert earlier.compromise is not None
        assert earlier.compromise.since == early
        with pytest.raises(AuthorityConflict):
            authorities.mark_compromised("ca-1", late, "later after all", context=CONTEXT)
        desk.platform.audit()


def test_a_compromise_has_happened_and_has_a_reason(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        now = desk.platform.clock.now()
        with pytest.raises(AuthorityInvalid, match="not happened"):
            authorities.mark_compromised("ca-1", now + timedelta(days=1), "stolen", context=CONTEXT)
        for reason in ("", " ", "two\nlines", "x" * 501):
            with pytest.raises(AuthorityInvalid, match="reason"):
                authorities.mark_compromised("ca-1", now, reason, context=CONTEXT)
        with pytest.raises(AuthorityUnknown):
            authorities.mark_compromised("ca-9", now, "stolen", context=CONTEXT)
        assert authorities.active(AuthorityKind.CA).name == "ca-1"


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        ("UPDATE authority SET compromised_since = NULL WHERE name = 'tsa-1'", "the authority tsa-1"),
        ("UPDATE authority SET ended_at = NULL WHERE name = 'log-1'", "the authority log-1"),
        ("DELETE FROM authority WHERE name = 'ca-1'", "the authority ca-1"),
        ("UPDATE authority SET origin = 'log.evil' WHERE name = 'ct-1'", "the authority ct-1"),
        ("UPDATE tuf_file SET content = x'00' WHERE path = '1.root.json'", "root 1 of the trust repository"),
    ],
)
def test_an_authority_edited_behind_the_ledgers_back_is_named_by_the_audit(
    tmp_path: Path, edit: str, finding: str
) -> None:
    with stand(tmp_path / "p") as (desk, authorities):
        rotated(desk, AuthorityKind.LOG)
        authorities.mark_compromised("tsa-1", desk.platform.clock.now(), "stolen", context=CONTEXT)
        desk.platform.audit()
        with desk.platform.database.writer.begin() as connection:
            connection.exec_driver_sql(edit)
        with pytest.raises(LogTampered) as caught:
            desk.platform.audit()
        assert finding in str(caught.value.details["findings"])


def test_the_sealed_key_of_another_authority_does_not_open(tmp_path: Path) -> None:
    with stand(tmp_path / "p") as (desk, _):
        with desk.platform.database.writer.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE authority SET sealed_key = (SELECT sealed_key FROM authority WHERE name = 'tsa-1') "
                "WHERE name = 'ca-1'"
            )
        with pytest.raises(KeySealed) as caught:
            desk.platform.services.authorities.signer("ca-1")
        assert isinstance(caught.value.__cause__, KeyMalformed)


def test_parts_that_do_not_belong_together_are_no_authority(settled: TestPlatform) -> None:
    snapshot = settled.platform.services.authorities.snapshot()
    ca, log = snapshot.named("ca-1"), snapshot.named("log-1")

    def changed(authority: Authority, **members: Any) -> Authority:
        fields = {name: getattr(authority, name) for name in Authority.__slots__}
        return Authority(**(fields | members))

    for wrong in (
        {"name": "tsa-1"},
        {"name": "ca-0"},
        {"name": "ca-1\n"},
        {"origin": "ca.chainward.local"},
        {"certificates": ca.certificates[:1]},
        {"public_key": log.public_key},
        {"end": ca.start - timedelta(seconds=1)},
    ):
        with pytest.raises(AuthorityInvalid):
            changed(ca, **wrong)
    for wrong in ({"origin": ""}, {"origin": "log/1"}, {"origin": "LOG"}, {"certificates": ca.certificates}):
        with pytest.raises(AuthorityInvalid):
            changed(log, **wrong)
    with pytest.raises(AuthorityInvalid):
        _ = ca.log_id
    twice = (PinnedCheckpoint("log.test", 1, bytes(32)), PinnedCheckpoint("log.test", 2, bytes(32)))
    with pytest.raises(AuthorityInvalid):
        Compromise(since=ca.start, checkpoints=twice, reason="stolen")
    for origin, size, root in (("log.test", -1, bytes(32)), ("log.test", 1, b""), ("log test", 1, bytes(32))):
        with pytest.raises(AuthorityInvalid):
            PinnedCheckpoint(origin, size, root)
