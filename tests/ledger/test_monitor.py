"""A monitor believes no proof of a log: honest growth passes, and every way to misbehave has its name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.published import LOG, ORIGIN, ForeignLog, key, leaves

from chainward.formats.errors import Malformed
from chainward.formats.note import Note, NoteSignature, VerifierKey, format_note, parse_note
from chainward.formats.tile import encode_entries
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.checkpoint import CheckpointInvalid, NoteSigner
from chainward.ledger.evidence import EvidenceInvalid, decode_evidence, encode_evidence, verify_split
from chainward.ledger.monitor import LogMisbehaved, LogRolledBack, LogServesWrong, Monitor, Sighting, SplitView
from chainward.ledger.remembered import Remembered, StateUnusable, decode_remembered, encode_remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.ledger.evidence import Evidence

HONEST = leaves(600)
FORKED = [*HONEST[:90], *leaves(510, "fork")]


def look(
    log: ForeignLog,
    remembered: Remembered | None = None,
    *,
    others: tuple[tuple[str, bytes], ...] = (),
    start: int | None = 0,
    examine: Callable[[int, bytes], Sighting | None] = lambda index, entry: None,  # noqa: ARG005
) -> tuple[Remembered, list[Sighting]]:
    """Let a monitor look until the end; returns what it remembers then, and everything that it met."""
    sightings: list[Sighting] = []
    final = None
    for each in Monitor(log, ORIGIN, log.keys, examine).looks(remembered, others=others, start=start):
        sightings += each.sightings
        final = each
    assert final is not None
    assert final.is_complete
    return final.remembered, sightings


def everything(index: int, entry: bytes) -> Sighting:
    return Sighting(index, "all", entry.decode(), {})


def convicted(problem: LogMisbehaved, log: ForeignLog) -> tuple[int, int]:
    """Return the sizes in the evidence once it stands without the log, from a file."""
    assert problem.evidence is not None
    return verify_split(decode_evidence(encode_evidence(problem.evidence)), log.keys)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=5))
@settings(max_examples=40)
def test_a_log_that_only_grows_is_in_order_and_every_entry_is_seen_once(steps: list[int]) -> None:
    remembered: Remembered | None = None
    seen: list[Sighting] = []
    size = 1
    for step in steps:
        size = min(len(HONEST), size + step)
        remembered, met = look(ForeignLog(HONEST, shown=size), remembered, examine=everything)
        assert remembered.examined == size
        seen += met
    assert [(each.index, each.seen.encode()) for each in seen] == list(enumerate(HONEST[:size]))


def test_without_a_start_only_entries_that_come_later_are_examined() -> None:
    remembered, met = look(ForeignLog(HONEST, shown=500), start=None, examine=everything)
    assert (met, remembered.examined) == ([], 500)
    remembered, met = look(ForeignLog(HONEST, shown=503), remembered, start=None, examine=everything)
    assert [each.index for each in met] == [500, 501, 502]


def test_a_long_log_is_examined_in_rounds_and_each_round_may_be_remembered() -> None:
    log = ForeignLog(leaves(16_384 + 20))
    looks = list(Monitor(log, ORIGIN, log.keys).looks(None, start=100))
    assert [each.remembered.examined for each in looks] == [16_384, 16_404]
    assert [each.is_complete for each in looks] == [False, True]
    again = list(Monitor(log, ORIGIN, log.keys).looks(looks[0].remembered))
    assert [each.remembered.examined for each in again] == [16_404]


def test_an_empty_log_is_in_order() -> None:
    remembered, _ = look(ForeignLog([]))
    remembered, met = look(ForeignLog(HONEST, shown=3), remembered, examine=everything)
    assert len(met) == 3


@pytest.mark.parametrize("size", [91, 200, 256, 257, 600])
def test_a_fork_after_what_was_remembered_is_a_split_view(size: int) -> None:
    for old in (91, 128, 200, 256, 600):
        if old > size:
            continue
        remembered, _ = look(ForeignLog(HONEST, shown=old))
        with pytest.raises(SplitView, match=f"does not extend the tree of size {old}") as raised:
            look(ForeignLog(FORKED, shown=size), remembered)
        assert convicted(raised.value, ForeignLog(HONEST)) == (old, size)


@pytest.mark.parametrize("size", [90, 91, 300, 600])
def test_a_split_view_shown_to_two_clients_is_found_by_comparing_them(size: int) -> None:
    mine, theirs = ForeignLog(HONEST), ForeignLog(FORKED)
    if size == 90:
        look(mine, others=(("client 2", theirs.signed(size)),))  # up to there both saw the same log
        return
    with pytest.raises(SplitView, match="seen at client 2") as raised:
        look(mine, others=(("client 2", theirs.signed(size)),))
    assert convicted(raised.value, mine) == (size, 600)


def test_a_checkpoint_that_was_rolled_back_is_noticed() -> None:
    remembered, _ = look(ForeignLog(HONEST, shown=300))
    with pytest.raises(LogRolledBack, match="shows size 299, but signed size 300"):
        look(ForeignLog(HONEST, shown=299), remembered)


def test_a_stale_checkpoint_that_is_replayed_to_one_client_is_noticed_when_another_saw_more() -> None:
    with pytest.raises(LogRolledBack, match="seen at witness w1"):
        look(ForeignLog(HONEST, shown=299), others=(("witness w1", ForeignLog(HONEST).signed(300)),))


def test_a_checkpoint_of_another_key_or_another_log_is_not_believed() -> None:
    log = ForeignLog(HONEST)
    stranger = NoteSigner(ORIGIN, key(b"x"))
    with pytest.raises(CheckpointInvalid):
        look(ForeignLog(HONEST, forged={"checkpoint": stranger.sign(1, bytes(32))}))
    with pytest.raises(CheckpointInvalid, match=r"is of other\.example"):
        look(ForeignLog(HONEST, forged={"checkpoint": NoteSigner("other.example", LOG.signer).sign(1, bytes(32))}))
    line = parse_note(stranger.sign(600, bytes(32))).signatures[0].signature
    text = parse_note(log.signed()).text
    disguised = format_note(Note(text, (NoteSignature(ORIGIN, log.keys[0].key_id, line),)))
    with pytest.raises(SignatureInvalid):
        look(ForeignLog(HONEST, forged={"checkpoint": disguised}))


def test_a_state_that_somebody_changed_is_not_believed() -> None:
    log = ForeignLog(HONEST)
    forged = NoteSigner(ORIGIN, key(b"x")).sign(10, bytes(32))
    with pytest.raises(CheckpointInvalid):
        look(log, Remembered(forged, 10))
    with pytest.raises(StateUnusable):  # or the entries from 300 to 599 would never be looked at
        look(log, Remembered(ForeignLog(HONEST, shown=300).signed(), 600))


@pytest.mark.parametrize(("name", "width"), [("tile/0/000", 256), ("tile/0/002.p/88", 88), ("tile/1/000.p/2", 2)])
def test_a_tile_that_does_not_lead_to_the_signed_root_is_wrong_content_and_no_evidence(name: str, width: int) -> None:
    remembered, _ = look(ForeignLog(HONEST, shown=100))
    with pytest.raises(LogServesWrong) as raised:
        look(ForeignLog(HONEST, forged={name: b"\x01" * 32 * width}), remembered)
    assert raised.value.evidence is None


def test_an_entry_that_was_not_logged_is_noticed_before_it_is_believed() -> None:
    bundle = [*HONEST[512:599], b"not what was logged"]
    lying = ForeignLog(HONEST, forged={"tile/entries/002.p/88": encode_entries(bundle)})
    with pytest.raises(LogServesWrong, match="the entries from 0 to 599"):
        look(lying)


@pytest.mark.parametrize("content", [b"", b"x", bytes(31), bytes(33), b"\xff\xff" * 40])
@pytest.mark.parametrize("name", ["tile/0/002.p/88", "tile/entries/000"])
def test_what_is_not_even_a_tile_is_wrong_content(name: str, content: bytes) -> None:
    with pytest.raises(LogServesWrong):
        look(ForeignLog(HONEST, forged={name: content}))


def _evidence() -> Evidence:
    with pytest.raises(SplitView) as raised:
        look(ForeignLog(FORKED), look(ForeignLog(HONEST, shown=200))[0])
    assert raised.value.evidence is not None
    return raised.value.evidence


def test_evidence_of_honest_growth_convicts_nobody() -> None:
    from dataclasses import replace

    log, evidence = ForeignLog(HONEST), _evidence()
    assert verify_split(evidence, log.keys) == (200, 600)
    with pytest.raises(EvidenceInvalid):
        verify_split(replace(evidence, first=ForeignLog(FORKED).signed(200)), log.keys)
    with pytest.raises(EvidenceInvalid, match="do not lead"):
        verify_split(replace(evidence, second=log.signed()), log.keys)
    with pytest.raises(EvidenceInvalid, match="same tree"):
        verify_split(replace(evidence, first=evidence.second, nodes=()), log.keys)
    with pytest.raises(EvidenceInvalid):
        verify_split(replace(evidence, first=evidence.second, second=evidence.first), log.keys)
    with pytest.raises(CheckpointInvalid):
        verify_split(evidence, (VerifierKey(ORIGIN, bytes(32)),))


def test_two_signed_trees_of_one_size_are_evidence_by_themselves() -> None:
    remembered, _ = look(ForeignLog(HONEST))
    with pytest.raises(SplitView) as raised:
        look(ForeignLog(FORKED), remembered)
    assert raised.value.evidence is not None
    assert raised.value.evidence.nodes == ()
    assert convicted(raised.value, ForeignLog(HONEST)) == (600, 600)


def test_a_state_file_reads_back_and_is_of_one_log() -> None:
    remembered, _ = look(ForeignLog(HONEST, shown=300))
    data = encode_remembered(remembered, ORIGIN, datetime(2026, 11, 23, tzinfo=UTC))
    assert decode_remembered(data, ORIGIN) == remembered
    with pytest.raises(StateUnusable):
        decode_remembered(data, "other.example")
    with pytest.raises(StateUnusable):
        decode_remembered(data.replace(b"monitor/1", b"monitor/9"), ORIGIN)
    with pytest.raises(Malformed):
        decode_remembered(data[:-9], ORIGIN)
