"""What a verifier may demand of the checkpoint in a bundle: not older than what it saw, and witnessed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from tests.trust.sigstore_world import ARTIFACT, ISSUER, NOON, START, SUBJECT, World, b64

from chainward.formats.bundle import Bundle, encode_bundle
from chainward.formats.note import parse_note
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Problem
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.cosign import Cosigner
from chainward.ledger.witness import NotWitnessed, WitnessPolicy
from chainward.trust.checkpoints import CheckpointDemands
from chainward.trust.errors import CheckpointOutdated
from chainward.trust.identity import IdentityMatch
from chainward.trust.model import TrustedSigner, TrustRoot, VerifiedStatement
from chainward.trust.verify import verify_bundle


@cache
def world() -> World:
    return World()


@cache
def witness(name: str) -> Cosigner:
    return Cosigner(name, generate(Scheme.ED25519))


def verify(bundle: Bundle, demands: CheckpointDemands | None) -> VerifiedStatement:
    signer = TrustedSigner(
        name="ci",
        match=IdentityMatch(subject=SUBJECT, issuer=ISSUER),
        repositories=(RepositoryPattern("**"),),
        predicates=("*",),
        trusted_since=START,
    )
    root = TrustRoot((signer,), world().material, checkpoints=demands)
    return verify_bundle(encode_bundle(bundle), root, subject=Digest.of(ARTIFACT), repository=None)


def cosigned(bundle: Bundle, *witnesses: Cosigner) -> Bundle:
    """The bundle whose checkpoint these witnesses vouch for as well."""
    (entry,) = bundle.entries
    checkpoint = entry.proof.checkpoint
    text = parse_note(checkpoint.encode()).text
    made = [each.cosign(text, NOON) for each in witnesses]
    lines = "".join(f"\u2014 {line.name} {b64(line.key_id + line.signature)}\n" for line in made)
    return replace(bundle, entries=(replace(entry, proof=replace(entry.proof, checkpoint=checkpoint + lines)),))


def test_an_old_checkpoint_is_refused_by_who_saw_the_log_larger() -> None:
    bundle = world().state()
    size, origin = bundle.entries[0].proof.tree_size, world().log.origin
    assert verify(bundle, CheckpointDemands(((origin, size),))).signer == "ci"
    assert verify(bundle, CheckpointDemands((("elsewhere.test", size + 9),))).signer == "ci"
    with pytest.raises(CheckpointOutdated) as refused:
        verify(bundle, CheckpointDemands(((origin, size + 1),)))
    assert refused.value.details == {"origin": origin, "size": size, "known": size + 1}


def test_a_newer_proof_of_the_same_entry_satisfies_the_demand() -> None:
    bundle = world().state()
    world().log.append(b"something later")
    index = bundle.entries[0].log_index
    again = replace(bundle, entries=(world().log.entry(index),))
    demand = CheckpointDemands(((world().log.origin, bundle.entries[0].proof.tree_size + 1),))
    with pytest.raises(CheckpointOutdated):
        verify(bundle, demand)
    assert verify(again, demand).log_index == index


def test_a_checkpoint_that_too_few_witnesses_vouch_for_is_refused() -> None:
    one, two, three = (witness(name) for name in ("one.test", "two.test", "three.test"))
    bundle = world().state()
    demand = CheckpointDemands(witnesses=WitnessPolicy((one.key, two.key), 2))
    for lines in ((), (one,), (one, three), (three,)):
        with pytest.raises(NotWitnessed):
            verify(cosigned(bundle, *lines), demand)
    assert verify(cosigned(bundle, two, one), demand).signer == "ci"


def test_the_line_of_a_witness_under_another_checkpoint_vouches_for_nothing() -> None:
    one = witness("one.test")
    first, second = world().state(), world().state()
    stolen = cosigned(first, one).entries[0].proof.checkpoint.splitlines()[-1] + "\n"
    (entry,) = second.entries
    forged = replace(entry, proof=replace(entry.proof, checkpoint=entry.proof.checkpoint + stolen))
    with pytest.raises(Problem) as refused:
        verify(replace(second, entries=(forged,)), CheckpointDemands(witnesses=WitnessPolicy((one.key,), 1)))
    assert refused.value.code == "cosignature-invalid"


def test_nothing_is_demanded_unless_somebody_demands_it() -> None:
    assert verify(world().state(), None).signer == verify(world().state(), CheckpointDemands()).signer == "ci"
