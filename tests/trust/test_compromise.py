"""After a key was lost: what was logged before stays believed, whatever is made with the key afterwards does not.

In each test the attacker has the key in question and nothing else. He can date what he makes as he likes, so he dates
it before the compromise; what he cannot do is to get it into the log below the size that was pinned.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from tests.trust.sigstore_world import NOON, SECOND, START, OldLog, World, as_version, new_key
from tests.trust.test_prove import prove
from tests.trust.world import MemoryLog, tree_root

from chainward.keys.local import PrivateKey
from chainward.ledger.proofs import leaf_hash
from chainward.trust.authority import Compromise, PinnedCheckpoint
from chainward.trust.errors import AuthorityCompromised, CertificateUntrusted, TimestampUntrusted
from chainward.trust.prove import Thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.formats.bundle import Bundle
    from chainward.trust.material import TrustMaterial

SINCE = NOON + timedelta(hours=1)
Part = Literal["certificate_authorities", "timestamp_authorities", "ct_logs"]
PARTS: Sequence[Part] = ("certificate_authorities", "timestamp_authorities", "ct_logs")


@pytest.fixture
def world() -> World:
    return World()


def pin_of(log: MemoryLog | OldLog) -> PinnedCheckpoint:
    """The state of a log as it is now."""
    origin = log.origin if isinstance(log, MemoryLog) else log.host
    return PinnedCheckpoint(origin, len(log.leaves), tree_root(log.leaves))


def compromise(*pins: PinnedCheckpoint) -> Compromise:
    return Compromise(since=SINCE, checkpoints=pins, reason="the key was found in a backup")


def marked(material: TrustMaterial, part: Part, found: Compromise) -> TrustMaterial:
    members: dict[str, Any] = {part: tuple(replace(each, compromise=found) for each in getattr(material, part))}
    return replace(material, **members)


def logs_marked(material: TrustMaterial, found: Compromise) -> TrustMaterial:
    return replace(material, logs=tuple(replace(log, compromise=found) for log in material.logs))


class Rows:
    """The platform's own rows of a log."""

    def __init__(self, log: MemoryLog) -> None:
        self.known = {(log.origin, index, leaf_hash(leaf)) for index, leaf in enumerate(log.leaves)}

    def holds(self, origin: str, index: int, leaf: bytes) -> bool:
        return (origin, index, leaf) in self.known


@pytest.mark.parametrize("part", PARTS)
def test_what_was_logged_before_an_authority_lost_its_key_is_believed(world: World, part: Part) -> None:
    bundle = world.sign()
    material = marked(world.material, part, compromise(pin_of(world.log)))
    assert prove(bundle, material).signed_at == NOON
    world.log.append(b"something later")
    again = replace(bundle, entries=(world.log.entry(bundle.entries[0].log_index),))  # proven in the grown tree
    assert prove(again, material).signed_at == NOON


@pytest.mark.parametrize("part", PARTS)
def test_a_backdated_bundle_that_was_logged_after_the_compromise_is_refused(world: World, part: Part) -> None:
    material = marked(world.material, part, compromise(pin_of(world.log)))
    backdated = world.sign(at=NOON - timedelta(days=1))
    with pytest.raises(AuthorityCompromised):
        prove(backdated, material)


@pytest.mark.parametrize("part", PARTS)
def test_without_a_pinned_state_of_its_log_nothing_of_a_compromised_authority_counts(world: World, part: Part) -> None:
    bundle = world.sign()
    for pins in ((), (replace(pin_of(world.log), origin="other.example.test"),)):
        with pytest.raises(AuthorityCompromised):
            prove(bundle, marked(world.material, part, compromise(*pins)))


@pytest.mark.parametrize("part", PARTS)
def test_the_entry_right_at_the_pinned_size_is_already_too_late(world: World, part: Part) -> None:
    bundle = world.sign()
    pin = pin_of(world.log)
    below = PinnedCheckpoint(pin.origin, bundle.entries[0].log_index, bytes(32))
    with pytest.raises(AuthorityCompromised):
        prove(bundle, marked(world.material, part, compromise(below)))
    just = replace(below, size=below.size + 1)
    assert prove(bundle, marked(world.material, part, compromise(just))).signed_at == NOON


@pytest.mark.parametrize("part", ["certificate_authorities", "timestamp_authorities"])
def test_a_time_after_the_compromise_is_refused_even_below_the_pinned_size(world: World, part: Part) -> None:
    late = world.sign(at=SINCE)
    with pytest.raises(AuthorityCompromised):
        prove(late, marked(world.material, part, compromise(pin_of(world.log))))


def test_another_authority_that_is_sound_still_vouches(world: World) -> None:
    """The bundle has two times, and only one of them relies on the lost key."""
    bundle = world.sign_old()
    assert bundle.message_signature is not None
    stamped = replace(bundle, timestamps=(world.tsa.stamp(bundle.message_signature.signature),))
    material = marked(world.material, "timestamp_authorities", compromise())
    assert [time.source for time in prove(stamped, material).times] == [world.old_log.host]
    with pytest.raises(AuthorityCompromised):
        prove(stamped, material, thresholds=Thresholds(times=2))


def test_a_key_signed_bundle_relies_on_no_certificate_authority(world: World) -> None:
    key = new_key()
    own = PrivateKey.of(key).public_key
    bundle = world.sign(key=key, certificate="none")
    material = marked(world.material, "certificate_authorities", compromise())
    assert prove(bundle, material, find_key=lambda _: own).signed_at == NOON


def test_a_certificate_log_that_lost_its_key_does_not_help_another_that_did_not(world: World) -> None:
    other = World().ct
    key = new_key()
    leaf = world.certify(key.public_key(), ct=other)
    material = replace(world.material, ct_logs=(*world.material.ct_logs, other.trusted))
    bundle = world.sign(key=key, certificate=leaf)
    lost = tuple(
        replace(log, compromise=compromise()) if log.origin == world.ct.origin else log for log in material.ct_logs
    )
    # both have the same origin in this world, so both are marked; by key, only the one that promised matters
    only_first = (replace(material.ct_logs[0], compromise=compromise()), material.ct_logs[1])
    assert prove(bundle, replace(material, ct_logs=only_first)).signed_at == NOON
    with pytest.raises(AuthorityCompromised):
        prove(bundle, replace(material, ct_logs=lost))


# -- the log itself ---------------------------------------------------------------------------------------------------


def forked(log: MemoryLog) -> MemoryLog:
    """What the attacker makes with the log's key: another history, as long as he likes."""
    return MemoryLog(log.origin, log.name, [*log.leaves])


def test_a_proof_under_the_pinned_tree_is_believed_though_the_log_lost_its_key(world: World) -> None:
    bundle = world.sign()
    material = logs_marked(world.material, compromise(pin_of(world.log)))
    assert prove(bundle, material).signed_at == NOON


def test_a_proof_under_any_other_tree_needs_the_platforms_own_rows(world: World) -> None:
    bundle = world.sign()
    index = bundle.entries[0].log_index
    world.log.append(b"the last honest entry")
    material = logs_marked(world.material, compromise(pin_of(world.log)))
    with pytest.raises(AuthorityCompromised):
        prove(bundle, material)  # its proof is under the smaller tree of its own time
    assert prove(bundle, material, held=Rows(world.log)).signed_at == NOON
    at_the_pin = replace(bundle, entries=(world.log.entry(index),))
    assert prove(at_the_pin, material).signed_at == NOON


def test_a_rewritten_history_is_refused(world: World) -> None:
    """The attacker replaces an old entry by his own and signs a tree of exactly the pinned size."""
    world.sign()
    material = logs_marked(world.material, compromise(pin_of(world.log)))
    honest = [*world.log.leaves]
    world.log.leaves.pop()
    forged = world.sign()
    assert len(world.log.leaves) == len(honest)
    with pytest.raises(AuthorityCompromised):
        prove(forged, material)
    with pytest.raises(AuthorityCompromised):
        prove(forged, material, held=Rows(MemoryLog(world.log.origin, world.log.name, honest)))


def test_an_entry_beyond_the_pinned_size_is_refused_though_the_platform_holds_it(world: World) -> None:
    """The platform itself took it in after the compromise, before anybody knew."""
    material = logs_marked(world.material, compromise(pin_of(world.log)))
    bundle = world.sign()
    with pytest.raises(AuthorityCompromised):
        prove(bundle, material, held=Rows(world.log))


def test_a_time_after_the_compromise_of_the_log_is_refused(world: World) -> None:
    late = world.sign(at=SINCE)
    with pytest.raises(AuthorityCompromised):
        prove(late, logs_marked(world.material, compromise(pin_of(world.log))))


def test_an_old_log_is_judged_by_the_index_in_its_tree(world: World) -> None:
    """Rekor v1 counts entries over all its trees, so the number in the entry is far beyond any pinned size."""
    bundle = world.sign_old()
    pin = pin_of(world.old_log)
    assert bundle.entries[0].log_index > pin.size
    assert prove(bundle, marked(world.material, "certificate_authorities", compromise(pin))).signed_at == NOON
    assert prove(bundle, logs_marked(world.material, compromise(pin))).signed_at == NOON


def test_a_bare_promise_proves_no_place_so_nothing_of_it_outlasts_a_compromise(world: World) -> None:
    import json

    bundle = world.sign_old()
    whole = json.loads(as_version(bundle, "0.1"))
    del whole["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    data = json.dumps(whole).encode()
    pin = replace(pin_of(world.old_log), size=10_000)
    trusting = Thresholds(promise_suffices=True)
    assert prove(data, world.material, thresholds=trusting).signed_at == NOON
    for material in (
        marked(world.material, "certificate_authorities", compromise(pin)),
        logs_marked(world.material, compromise(pin)),
    ):
        with pytest.raises(AuthorityCompromised):
            prove(data, material, thresholds=trusting)


# -- rotation without compromise --------------------------------------------------------------------------------------


def rotated(world: World, at: Any) -> tuple[World, TrustMaterial]:
    """A world whose authorities were all replaced at ``at``, and what is believed then: both, each for its time."""
    new = World(log=MemoryLog("log2027-1.example.test", "log2027"))
    old, fresh = world.material, new.material
    renamed = replace(fresh.ct_logs[0], start=at)
    material = replace(
        old,
        logs=(*(replace(log, end=at) for log in old.logs), *(replace(log, start=at) for log in fresh.logs)),
        ct_logs=(*(replace(log, end=at) for log in old.ct_logs), renamed),
        certificate_authorities=(
            *(replace(ca, end=at) for ca in old.certificate_authorities),
            *(replace(ca, start=at) for ca in fresh.certificate_authorities),
        ),
        timestamp_authorities=(
            *(replace(tsa, end=at) for tsa in old.timestamp_authorities),
            *(replace(tsa, start=at) for tsa in fresh.timestamp_authorities),
        ),
    )
    return new, material


def test_after_a_rotation_both_the_old_and_the_new_evidence_verify(world: World) -> None:
    before, then = world.sign(), NOON + timedelta(days=30)
    new, material = rotated(world, then)
    after = new.sign(at=then + SECOND)
    assert prove(before, material).signed_at == NOON
    assert prove(after, material).signed_at == then + SECOND


def test_after_a_rotation_the_old_authorities_sign_nothing_new(world: World) -> None:
    then = NOON + timedelta(days=30)
    _, material = rotated(world, then)
    from chainward.kernel.problem import Problem

    with pytest.raises(Problem):
        prove(world.sign(at=then + SECOND), material)


def test_before_its_time_a_new_authority_counts_for_nothing(world: World) -> None:
    then = NOON + timedelta(days=30)
    new, material = rotated(world, then)
    from chainward.kernel.problem import Problem

    with pytest.raises(Problem):
        prove(new.sign(at=then - SECOND), material)


def test_an_authority_that_was_removed_takes_its_evidence_with_it(world: World) -> None:
    bundle = world.sign()
    assert START < NOON
    with pytest.raises(CertificateUntrusted):
        prove(bundle, replace(world.material, certificate_authorities=()))
    with pytest.raises(TimestampUntrusted):
        prove(bundle, replace(world.material, timestamp_authorities=()))


def swapped_times(bundle: Bundle, world: World, at: Any) -> Bundle:
    assert bundle.message_signature is not None
    return replace(bundle, timestamps=(world.tsa.stamp(bundle.message_signature.signature, at),))


def test_a_lost_timestamp_key_does_not_revive_an_expired_certificate(world: World) -> None:
    """With the authority's key, a leaked ephemeral key could sign again, backdated. The index says no."""
    key = new_key()
    leaf = world.certify(key.public_key())
    world.sign(key=key, certificate=leaf)
    pin = pin_of(world.log)
    later = world.sign(b"malware", key=key, certificate=leaf, at=NOON + timedelta(days=2))
    forged = swapped_times(later, world, NOON + SECOND)
    assert prove(forged, world.material).signed_at == NOON + SECOND  # what a stock client sees
    with pytest.raises(AuthorityCompromised):
        prove(forged, marked(world.material, "timestamp_authorities", compromise(pin)))
