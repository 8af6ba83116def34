"""The timestamp authority through a rotation and the loss of its key, on a whole platform."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.platforms import CONTEXT, open_test_platform
from tests.timestamps import CountedEntropy, info_of, key_of

from chainward.formats.rfc3161 import TimestampRequest, TokenWriter
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import AuthorityMissing, TimestampOutsideWindow
from chainward.trust.issuing_chain import requested_key
from chainward.trust.material import TrustMaterial
from chainward.trust.offline import OfflineRoot
from chainward.trust.stamped import verify_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.trust.material import ProvenTime
    from chainward.wiring import Platform

MESSAGE = b"the bytes of a signature"
REQUEST = TimestampRequest(hash_name="sha256", digest=hashlib.sha256(MESSAGE).digest(), nonce=1)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with open_test_platform(tmp_path / "data") as opened:
        yield opened.platform


def rotated(platform: Platform) -> str:
    """Rotate to an instance under another root; returns its name."""
    authorities, clock = platform.services.authorities, platform.clock
    request = authorities.request(AuthorityKind.TSA, context=CONTEXT)
    root = OfflineRoot.new(AuthorityKind.TSA, key_of("another root"), request.organization, clock, CountedEntropy())
    chain = root.certify(requested_key(request.request), request.organization, clock, CountedEntropy())
    return authorities.rotate(AuthorityKind.TSA, chain, new_root=True, context=CONTEXT).name


def forget(platform: Platform) -> None:
    """Wait until the authority asks again which instance is active."""
    while platform.services.timestamps.is_ready:
        time.sleep(0.05)


def proven(platform: Platform, reply: bytes) -> ProvenTime:
    material = TrustMaterial.from_authorities(platform.services.authorities.snapshot().authorities)
    return verify_timestamp(reply, MESSAGE, material.timestamp_authorities)


def test_what_was_stamped_before_a_rotation_stays_valid_and_the_next_instance_stamps_from_then_on(
    platform: Platform,
) -> None:
    before = platform.services.timestamps.issue(REQUEST)
    assert rotated(platform) == "tsa-2"
    within = platform.services.timestamps.issue(REQUEST)
    forget(platform)
    after = platform.services.timestamps.issue(REQUEST)
    assert proven(platform, before).source == "tsa-1"
    assert proven(platform, within).source in {"tsa-1", "tsa-2"}
    assert proven(platform, after).source == "tsa-2"


def test_a_retired_key_stamps_nothing_that_counts(platform: Platform) -> None:
    """Somebody kept the old key, and goes on stamping with it."""
    rotated(platform)
    old = platform.services.authorities.snapshot().named("tsa-1")
    assert old.end is not None
    late = info_of(MESSAGE, gen_time=old.end.replace(microsecond=0) + timedelta(seconds=1))
    signer = platform.services.authorities.signer("tsa-1")
    reply = TokenWriter(old.certificates, "sha256").encode_response(late, signer.sign, certificates=True)
    with pytest.raises(TimestampOutsideWindow):
        proven(platform, reply)


def test_a_lost_key_stamps_no_more_and_its_loss_is_handed_on_with_its_times(platform: Platform) -> None:
    before = platform.services.timestamps.issue(REQUEST)
    now = platform.clock.now()
    platform.services.authorities.mark_compromised("tsa-1", now, "the disk was lost", context=CONTEXT)
    forget(platform)
    with pytest.raises(AuthorityMissing):
        platform.services.timestamps.issue(REQUEST)
    lost = proven(platform, before).compromise
    assert lost is not None
    assert lost.since == now
