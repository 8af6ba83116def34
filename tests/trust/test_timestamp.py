"""The timestamp authority: what it says, for whom, and when it would rather say nothing."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.timestamps import MESSAGE, NOW, START, CountedEntropy, SetClock, chain, key_of

from chainward.formats.errors import TimestampRequestInvalid
from chainward.formats.rfc3161 import Accuracy, Failure, TimestampRequest, decode_response
from chainward.keys.model import Scheme
from chainward.trust.authority import Authority, AuthorityKind
from chainward.trust.errors import AuthorityMissing, KeySealed, TimestampUnavailable
from chainward.trust.stamped import verify_timestamp
from chainward.trust.timestamp import POLICY, Timestamps

if TYPE_CHECKING:
    from chainward.keys.ports import DigestSigner

SECOND = timedelta(seconds=1)
BY = chain()
SECOND_BY = chain(leaf=key_of("second leaf"), serial=8)
REQUEST = TimestampRequest(hash_name="sha256", digest=hashlib.sha256(MESSAGE).digest(), nonce=5, certificates=True)


def instance(name: str = "tsa-1", **changes: object) -> Authority:
    by = SECOND_BY if name == "tsa-2" else BY
    made = Authority(
        name=name,
        kind=AuthorityKind.TSA,
        origin="",
        public_key=by.key.public_key,
        certificates=by.certificates,
        start=START,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the names of its fields


@dataclass
class Instances:
    """Authorities in memory, which count how often they are asked."""

    present: Authority | None = field(default_factory=instance)
    asked: int = 0
    opened: int = 0
    sealed: bool = False

    def active(self, kind: AuthorityKind) -> Authority:
        assert kind is AuthorityKind.TSA
        self.asked += 1
        if self.present is None:
            raise AuthorityMissing("the platform has no active tsa authority")
        return self.present

    def signer(self, name: str) -> DigestSigner:
        self.opened += 1
        if self.sealed:
            raise KeySealed(f"the key of {name} does not open")
        return (SECOND_BY if name == "tsa-2" else BY).key


@dataclass
class Stand:
    """An authority, and everything around it that a test turns."""

    clock: SetClock = field(default_factory=SetClock)
    instances: Instances = field(default_factory=Instances)
    known: datetime = NOW - SECOND
    timestamps: Timestamps = field(init=False)

    def __post_init__(self) -> None:
        self.timestamps = Timestamps(self.instances, self.clock, CountedEntropy(), lambda: self.known)

    def issue(self, **changes: object) -> bytes:
        return self.timestamps.issue(replace(REQUEST, **changes))  # type: ignore[arg-type]  # the names of its fields

    def is_ready(self) -> bool:
        return self.timestamps.is_ready

    def time(self) -> datetime:
        return decode_response(self.issue()).gen_time


def test_a_token_says_what_was_asked_and_verifies() -> None:
    token = decode_response(reply := Stand().issue())
    assert (token.hash_name, token.digest, token.nonce) == ("sha256", REQUEST.digest, 5)
    assert (token.policy, token.accuracy, token.gen_time) == (POLICY, Accuracy(seconds=1), NOW)
    assert token.certificates == tuple(sorted(BY.certificates))
    assert verify_timestamp(reply, MESSAGE, [BY.trusted()]).instant == NOW


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_every_hash_that_counts_is_stamped(hash_name: str) -> None:
    reply = Stand().issue(hash_name=hash_name, digest=hashlib.new(hash_name, MESSAGE).digest())
    assert verify_timestamp(reply, MESSAGE, [BY.trusted()]).instant == NOW


@given(nonce=st.none() | st.integers(-(2**512) + 1, 2**512 - 1))
def test_the_nonce_comes_back_unchanged_and_only_if_there_was_one(nonce: int | None) -> None:
    assert decode_response(Stand().issue(nonce=nonce)).nonce == nonce


def test_certificates_come_only_if_they_were_asked_for() -> None:
    assert decode_response(Stand().issue(certificates=False)).certificates == ()


def test_serial_numbers_are_positive_random_and_never_the_same() -> None:
    stand = Stand()
    serials = [decode_response(stand.issue()).serial for _ in range(50)]
    assert len(set(serials)) == 50
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serials).bit_length() > 150


def test_the_time_is_in_whole_seconds_and_never_ahead_of_the_clock() -> None:
    stand = Stand()
    stand.clock.at = NOW + timedelta(microseconds=999_999)
    assert stand.time() == NOW


def test_the_policy_may_be_named_and_no_other_one() -> None:
    assert decode_response(Stand().issue(policy=POLICY)).policy == POLICY
    with pytest.raises(TimestampRequestInvalid) as refused:
        Stand().issue(policy="1.2.3")
    assert refused.value.failure == Failure.UNACCEPTED_POLICY


# The clock


def test_a_clock_that_went_back_stamps_nothing_until_it_caught_up() -> None:
    stand = Stand()
    stand.issue()
    stand.clock.at = NOW - timedelta(minutes=5)
    with pytest.raises(TimestampUnavailable, match="already past"):
        stand.issue()
    stand.clock.at = NOW + SECOND
    assert stand.time() == NOW + SECOND


def test_a_clock_that_stepped_back_by_less_than_the_accuracy_stands_still() -> None:
    stand = Stand()
    stand.clock.at = NOW + timedelta(milliseconds=100)
    assert stand.time() == NOW
    stand.clock.at = NOW - timedelta(milliseconds=800)
    assert stand.time() == NOW


def test_a_clock_behind_what_another_replica_noted_stamps_nothing() -> None:
    """The machine was restarted with a dead battery: its memory is empty, and the ledger knows better."""
    stand = Stand(known=NOW + timedelta(days=400))
    with pytest.raises(TimestampUnavailable):
        stand.issue()


def test_a_clock_behind_the_ledger_by_no_more_than_the_accuracy_stamps_the_later_time() -> None:
    assert Stand(known=NOW + SECOND).time() == NOW + SECOND


def test_what_the_ledger_learns_later_counts_too() -> None:
    stand = Stand()
    stand.issue()
    stand.known = NOW + timedelta(hours=1)
    stand.clock.at = NOW + timedelta(seconds=2)
    with pytest.raises(TimestampUnavailable):
        stand.issue()


@given(st.lists(st.integers(-3000, 3000), min_size=1, max_size=20))
def test_times_never_go_back_whatever_the_clock_does(steps: list[int]) -> None:
    stand = Stand()
    given_out = []
    for step in steps:
        stand.clock.at += timedelta(milliseconds=step)
        try:
            given_out.append(stand.time())
        except TimestampUnavailable:
            continue
        assert abs(given_out[-1] - stand.clock.at) <= SECOND
    assert given_out == sorted(given_out)


# The instance


def test_the_active_instance_is_asked_for_once_a_second_and_its_key_opened_once() -> None:
    stand = Stand()
    for _ in range(10):
        stand.issue()
    assert (stand.instances.asked, stand.instances.opened) == (1, 1)
    stand.clock.at += SECOND
    assert not stand.is_ready()
    stand.issue()
    assert stand.is_ready()
    assert (stand.instances.asked, stand.instances.opened) == (2, 1)


def test_a_clock_that_went_back_makes_nobody_ready() -> None:
    stand = Stand()
    stand.issue()
    stand.clock.at -= timedelta(milliseconds=1)
    assert not stand.is_ready()


def test_an_authority_whose_key_is_elsewhere_is_never_ready_to_answer_without_waiting() -> None:
    class Elsewhere:
        public_key = BY.key.public_key

        def sign(self, data: bytes) -> bytes:
            return BY.key.sign(data)

        def sign_prehashed(self, digest: bytes) -> bytes:
            return BY.key.sign_prehashed(digest)

    class Distant(Instances):
        def signer(self, name: str) -> DigestSigner:
            assert name == "tsa-1"
            return Elsewhere()

    stand = Stand(instances=Distant())
    assert verify_timestamp(stand.issue(), MESSAGE, [BY.trusted()]).instant == NOW
    assert not stand.is_ready()


def test_after_a_rotation_the_next_instance_stamps_within_a_second() -> None:
    stand = Stand()
    assert decode_response(stand.issue()).signer_serial == 7
    stand.instances.present = instance("tsa-2")
    stand.clock.at += SECOND
    reply = stand.issue()
    assert verify_timestamp(reply, MESSAGE, [SECOND_BY.trusted("tsa-2")]).source == "tsa-2"
    assert stand.timestamps.certificates().startswith(b"-----BEGIN CERTIFICATE-----")


def test_without_an_instance_nothing_is_stamped() -> None:
    stand = Stand()
    stand.issue()
    stand.instances.present = None
    stand.clock.at += SECOND
    with pytest.raises(AuthorityMissing):
        stand.issue()
    with pytest.raises(AuthorityMissing):
        stand.timestamps.certificates()


def test_a_key_that_does_not_open_stamps_nothing() -> None:
    with pytest.raises(KeySealed):
        Stand(instances=Instances(sealed=True)).issue()


@pytest.mark.parametrize("at", [START - SECOND, NOW + timedelta(days=3651)])
def test_outside_the_life_of_its_certificate_the_authority_stamps_nothing(at: datetime) -> None:
    stand = Stand(known=START - timedelta(days=1))
    stand.clock.at = at
    with pytest.raises(TimestampUnavailable, match="tsa-1 counts from") as refused:
        stand.issue()
    assert "rotate tsa" in refused.value.hint


def test_an_instance_stamps_nothing_before_its_start() -> None:
    stand = Stand(instances=Instances(instance(start=NOW + timedelta(minutes=1))))
    with pytest.raises(TimestampUnavailable):
        stand.issue()


def test_an_instance_with_a_p384_key_signs_with_its_own_hash() -> None:
    by = chain(leaf=key_of("p384 leaf", Scheme.ECDSA_P384_SHA384))
    own = instance(public_key=by.key.public_key, certificates=by.certificates)

    class Larger(Instances):
        def signer(self, name: str) -> DigestSigner:
            assert name == "tsa-1"
            return by.key

    reply = Stand(instances=Larger(own)).issue()
    assert decode_response(reply).signature_hash == "sha384"
    assert verify_timestamp(reply, MESSAGE, [by.trusted()]).instant == NOW


def test_the_certificates_are_given_leaf_first() -> None:
    given_out = x509.load_pem_x509_certificates(Stand().timestamps.certificates())
    assert [each.serial_number for each in given_out] == [7, 1]


def test_many_threads_get_tokens_that_all_verify() -> None:
    stand = Stand()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: stand.issue(), range(200)))
    assert {verify_timestamp(each, MESSAGE, [BY.trusted()]).instant for each in replies} == {NOW}
    assert len({decode_response(each).serial for each in replies}) == 200
