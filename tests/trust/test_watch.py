"""Watching for entries: whoever is watched for is met, in every kind of entry, and nothing hides by being odd."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trust.entries import CI, DIGEST, FINGERPRINT, ISSUER, NOON, certificate, certified, logged, logged_v1

from chainward.formats.sct import merkle_leaf
from chainward.ledger.logs import genesis_entry
from chainward.ledger.monitor import Sighting
from chainward.ledger.proofs import leaf_hash
from chainward.trust.identity import IdentityMatch
from chainward.trust.watch import UNREADABLE, Watch, Watcher

WATCH = Watch("ci", IdentityMatch(subject=CI, issuer=ISSUER))
ANYBODY = Watch("anybody", IdentityMatch(subject_regex=".*", issuer_regex=".*"))
ENTRIES = (logged(certificate(CI)), certified(certificate(CI)), logged_v1(certificate(CI)), logged())


def seen(entry: bytes, *watches: Watch, expected: frozenset[str] = frozenset()) -> Sighting | None:
    return Watcher(watches, expected).examine(7, entry)


@pytest.mark.parametrize("make", [logged, certified, logged_v1])
def test_a_watched_identity_is_met_in_every_kind_of_entry(make: object) -> None:
    assert callable(make)
    sighting = seen(make(certificate(CI)), WATCH)
    assert sighting is not None
    assert (sighting.index, sighting.watch, sighting.seen) == (7, "ci", CI)
    assert sighting.details["issuer"] == ISSUER
    assert "serial:63" in sighting.details["marks"]
    for other in (
        certificate("https://ci.example/shop/other"),
        certificate(CI, issuer="https://issuer.example.evil.test"),
    ):
        assert seen(make(other), WATCH) is None


def test_a_watched_key_is_met_bare_and_in_certificates() -> None:
    watch = Watch("key", fingerprint=FINGERPRINT)
    for entry in (logged(), logged(certificate(CI)), certified(certificate(CI)), logged_v1(certificate(CI))):
        sighting = seen(entry, watch)
        assert sighting is not None
        assert sighting.seen == f"sha256:{FINGERPRINT}"
    assert seen(logged(), Watch("key", fingerprint="0" * 64)) is None
    assert seen(logged(), WATCH) is None


@pytest.mark.parametrize("mark", [f"sha256:{DIGEST.hex()}", "serial:63", "leaf"])
def test_what_is_expected_is_not_told(mark: str) -> None:
    entry = logged(certificate(CI))
    if mark == "leaf":
        mark = f"leaf:{leaf_hash(entry).hex()}"
    assert seen(entry, WATCH, expected=frozenset({mark})) is None
    assert seen(entry, WATCH, expected=frozenset({"sha256:00", "serial:64", "leaf:00"})) is not None


def test_a_certificate_with_several_names_hides_none_of_them() -> None:
    for subjects in (("x@example.org", CI), (CI, "x@example.org"), ("https://a.example", CI, "https://b.example")):
        for entry in (logged(certificate(*subjects)), certified(certificate(*subjects))):
            sighting = seen(entry, WATCH)
            assert sighting is not None
            assert sighting.seen == CI


def test_a_certificate_without_an_issuer_is_met_by_who_watches_for_any_issuer() -> None:
    anywhere = Watch("ci", IdentityMatch(subject=CI, issuer_regex=".*"))
    assert seen(logged(certificate(CI, issuer="")), anywhere) is not None
    assert seen(logged(certificate(CI, issuer="")), WATCH) is None
    assert seen(logged(certificate()), ANYBODY) is None


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"x",
        b"{}",
        b"{",
        b'{"apiVersion":"9","kind":"new","spec":{}}',
        b"\x00\x00",
        b"\x00\x00" + bytes(100),
        logged()[:-1] + b" }",
        merkle_leaf(NOON, bytes(32), b"\x30\x03\x02\x01\x01"),
        merkle_leaf(NOON, bytes(32), b"\x30\x05\x02\x01\x01\x30\x00"),
    ],
)
def test_an_entry_that_cannot_be_read_is_told_for_somebody_might_hide_in_it(entry: bytes) -> None:
    sighting = seen(entry, WATCH)
    assert sighting is not None
    assert sighting.watch == UNREADABLE
    assert seen(entry, WATCH, expected=frozenset({sighting.details["leaf"]})) is None


def test_without_a_watch_nothing_is_told_and_our_own_first_entries_never_are() -> None:
    assert seen(b"x") is None
    assert seen(genesis_entry("log.example"), ANYBODY) is None
    assert seen(b"chainward.fact/1\n" + bytes(32), ANYBODY) is None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_damaged_entry_stops_a_watch(data: st.DataObject) -> None:
    entry = bytearray(data.draw(st.sampled_from(ENTRIES)))
    for _ in range(data.draw(st.integers(1, 5))):
        entry[data.draw(st.integers(0, len(entry) - 1))] = data.draw(st.integers(0, 255))
    sighting = seen(bytes(entry), ANYBODY)
    assert sighting is None or isinstance(sighting, Sighting)
