"""Keys in the wrong hands: what a single stolen key must not be able to do."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.trust.sigstore_world import ARTIFACT, NOON, World, new_key, old_hashedrekord, pem_of
from tests.trust.test_prove import prove
from tests.trust.world import log_key

from chainward.formats.bundle import Bundle, MessageSignature
from chainward.formats.rekor_v1 import promised_bytes
from chainward.keys.local import PrivateKey
from chainward.trust.errors import LogEntryMismatch, SigningTimeMissing

if TYPE_CHECKING:
    from datetime import datetime


def backdated_by_the_log(world: World, at: datetime, *, promised: bool) -> Bundle:
    """What somebody makes who kept the key of an old certificate, and has the key of a log of Rekor v2 as well."""
    kept = PrivateKey.of(new_key())
    leaf = world.certify(kept._key.public_key(), at=at)
    signature = kept.sign(ARTIFACT)
    entry = world.log.append(old_hashedrekord(ARTIFACT, signature, pem_of(leaf)))
    when = int(at.timestamp())
    said = promised_bytes(entry.body, when, entry.log_id, entry.log_index)
    promise = log_key(world.log.name).sign(said) if promised else b""
    entry = replace(entry, kind="hashedrekord", version="0.0.1", integrated_time=when, promise=promise)
    message = MessageSignature("SHA2_256", hashlib.sha256(ARTIFACT).digest(), signature)
    return Bundle(message_signature=message, certificates=(leaf,), entries=(entry,))


@pytest.mark.parametrize("promised", [True, False])
def test_the_key_of_a_new_log_cannot_tell_the_time_as_logs_of_old_could(*, promised: bool) -> None:
    """Logs of Rekor v1 date what they take in; if those of v2 could, one stolen key would make expired ones fresh."""
    world = World()
    with pytest.raises((LogEntryMismatch, SigningTimeMissing)) as refused:
        prove(backdated_by_the_log(world, NOON - timedelta(days=30), promised=promised), world.material)
    assert refused.type is LogEntryMismatch
