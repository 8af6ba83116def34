"""Revoking signatures: by certificate, identity, key and log entry, whoever is trusted, and within which window."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.sigstore_world import ARTIFACT, ISSUER, NOON, SECOND, START, SUBJECT, World, new_key

from chainward.formats.bundle import encode_bundle
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryPattern
from chainward.keys.local import PrivateKey
from chainward.trust.errors import SignatureRevocationInvalid, SignatureRevoked
from chainward.trust.identity import IdentityMatch
from chainward.trust.model import TrustedSigner, TrustRoot, VerifiedStatement
from chainward.trust.revocations import Made, RevokedBy, SignatureRevocation, revocation_of
from chainward.trust.verify import verify_bundle

DAY = timedelta(days=1)
WHO = IdentityMatch(subject=SUBJECT, issuer=ISSUER)


@cache
def world() -> World:
    return World()


@cache
def by_identity() -> bytes:
    return encode_bundle(world().state())


KEY = PrivateKey.of(new_key())


@cache
def by_key(stamps: int = 1) -> bytes:
    return encode_bundle(world().state(key=KEY._key, certificate="none", stamps=stamps))  # type: ignore[arg-type]  # P-256


def signer(**who: Any) -> TrustedSigner:
    return TrustedSigner(
        name="ci", repositories=(RepositoryPattern("**"),), predicates=("*",), trusted_since=START, **who
    )


def verify(bundle: bytes, *revocations: SignatureRevocation) -> VerifiedStatement:
    who = signer(match=WHO) if bundle is by_identity() else signer(public_key=KEY.public_key)
    root = TrustRoot((who,), world().material, revocations)
    return verify_bundle(bundle, root, subject=Digest.of(ARTIFACT), repository=None)


def revoked(by: RevokedBy, target: str = "", **changes: Any) -> SignatureRevocation:
    return SignatureRevocation(by=by, target=target, reason="lost", revoked_at=NOON + 9 * DAY, **changes)


def of_identity(**window: datetime) -> SignatureRevocation:
    return revoked(RevokedBy.IDENTITY, "in words", match=WHO, **window)


def test_a_revoked_certificate_key_identity_or_log_entry_does_not_count_though_its_signer_is_trusted() -> None:
    certified, keyed = verify(by_identity()), verify(by_key())
    for bundle, revocation in (
        (by_identity(), revoked(RevokedBy.CERTIFICATE, certified.fingerprint)),
        (by_identity(), of_identity()),
        (by_identity(), revoked(RevokedBy.ENTRY, f"{certified.log_origin}/{certified.log_index}")),
        (by_key(), revoked(RevokedBy.KEY, keyed.fingerprint)),
        (by_key(), revoked(RevokedBy.ENTRY, f"{keyed.log_origin}/{keyed.log_index}")),
    ):
        with pytest.raises(SignatureRevoked) as refused:
            verify(bundle, revocation)
        assert refused.value.code == "signature-revoked"
        assert "lost" in refused.value.message


def test_a_revoked_key_does_not_count_in_a_certificate_either() -> None:
    key = new_key()
    fingerprint = PrivateKey.of(key).public_key.fingerprint
    bundle = encode_bundle(world().state(key=key))
    root = TrustRoot((signer(match=WHO),), world().material, (revoked(RevokedBy.KEY, fingerprint),))
    with pytest.raises(SignatureRevoked):
        verify_bundle(bundle, root, subject=None, repository=None)


def test_what_others_did_is_not_touched() -> None:
    found = verify(by_identity())
    others = (
        revoked(RevokedBy.CERTIFICATE, "0" * 64),
        revoked(RevokedBy.KEY, found.fingerprint),  # of a certificate, not of a key
        revoked(RevokedBy.ENTRY, f"{found.log_origin}/{found.log_index + 1}"),
        revoked(RevokedBy.ENTRY, f"x{found.log_origin}/{found.log_index}"),
        revoked(RevokedBy.IDENTITY, "x", match=IdentityMatch(subject=SUBJECT + "x", issuer=ISSUER)),
        revoked(RevokedBy.IDENTITY, "x", match=IdentityMatch(subject=SUBJECT, issuer=ISSUER + "x")),
    )
    assert verify(by_identity(), *others) == found


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        pytest.param({"since": NOON + SECOND}, True, id="made before"),
        pytest.param({"since": NOON}, False, id="made when it begins"),
        pytest.param({"since": NOON - DAY}, False, id="made within"),
        pytest.param({"until": NOON - SECOND}, True, id="made after"),
        pytest.param({"until": NOON}, False, id="made when it ends"),
        pytest.param({"since": NOON - DAY, "until": NOON + DAY}, False, id="between"),
        pytest.param({"since": NOON - 2 * DAY, "until": NOON - DAY}, True, id="window before"),
        pytest.param({"since": NOON + DAY, "until": NOON + 2 * DAY}, True, id="window after"),
    ],
)
def test_a_signature_escapes_only_if_it_is_proven_to_be_made_outside(
    window: dict[str, datetime], counts: object
) -> None:
    if counts:
        assert verify(by_identity(), of_identity(**window)).signer == "ci"
        return
    with pytest.raises(SignatureRevoked):
        verify(by_identity(), of_identity(**window))


def test_an_old_signature_of_a_revoked_key_cannot_be_stamped_into_safety() -> None:
    since = replace(revoked(RevokedBy.KEY, KEY.public_key.fingerprint), since=NOON + SECOND)
    assert verify(by_key(), since).signed_at == NOON
    with pytest.raises(SignatureRevoked):
        verify(by_key(0), since)  # without its timestamp nothing proves that it was made before
    with pytest.raises(SignatureRevocationInvalid, match="no end"):
        replace(since, until=NOON + DAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"by": RevokedBy.CERTIFICATE, "target": "ab"},
        {"by": RevokedBy.CERTIFICATE, "target": "A" * 64},
        {"by": RevokedBy.KEY, "target": f"sha256:{'a' * 64}"},
        {"by": RevokedBy.ENTRY, "target": "log.example.test"},
        {"by": RevokedBy.ENTRY, "target": "log.example.test/01"},
        {"by": RevokedBy.ENTRY, "target": "log.example.test/-1"},
        {"by": RevokedBy.IDENTITY, "target": "x"},
        {"by": RevokedBy.KEY, "target": "a" * 64, "match": WHO},
        {"by": RevokedBy.ENTRY, "target": "log.test/1", "since": NOON},
        {"by": RevokedBy.CERTIFICATE, "target": "a" * 64, "until": NOON},
        {"by": RevokedBy.IDENTITY, "target": "x", "match": WHO, "since": NOON, "until": NOON - SECOND},
        {"by": RevokedBy.KEY, "target": "a" * 64, "reason": " "},
        {"by": RevokedBy.KEY, "target": "a" * 64, "reason": "two\nlines"},
        {"by": RevokedBy.KEY, "target": "a" * 64, "reason": "x" * 501},
    ],
)
def test_a_revocation_that_could_not_mean_anything_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignatureRevocationInvalid):
        SignatureRevocation(**{"reason": "lost", "revoked_at": NOON, **changes})


_instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=NOON.tzinfo))  # noqa: DTZ001 - Hypothesis draws naive ones


@given(made=_instants, life=st.timedeltas(timedelta(0), timedelta(minutes=10)), window=st.tuples(_instants, _instants))
def test_whatever_was_made_within_the_window_is_covered(
    made: datetime, life: timedelta, window: tuple[datetime, datetime]
) -> None:
    since, until = sorted(window)
    revocation = of_identity(since=since, until=until)
    identity = verify(by_identity()).identity
    signature = Made(key="", identity=identity, log_origin="x", log_index=1, earliest=made - life, latest=made + life)
    if since <= made <= until:
        assert revocation_of(signature, [revocation]) is revocation
        assert revocation.covers(replace(signature, earliest=None, latest=None))
