"""What readers of a log get, over every store: checkpoints, tiles, bundles, proofs; enough to check all of it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contracts.test_ledger_commit import Seen
from tests.databases import CONTEXT, FACTS, FACTS_ORIGIN, SIGNATURES, SIGNATURES_ORIGIN
from tests.ledger import naive

from chainward.formats.note import parse_note
from chainward.formats.tile import (
    TILE_WIDTH,
    EntriesPath,
    TilePath,
    decode_entries,
    decode_tile,
    parse_entries_path,
    parse_tile_path,
)
from chainward.ledger.checkpoint import CheckpointInvalid, open_checkpoint
from chainward.ledger.errors import LogTampered, LogUnknown, OutOfRange
from chainward.ledger.model import commitment
from chainward.ledger.proofs import leaf_hash, node_hash, verify_consistency, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger

FACTS_KEY = FACTS.signer.public_key
SIGNATURES_KEY = SIGNATURES.signer.public_key


def grow(ledger: Ledger, size: int) -> None:
    """Append to the signature log until it has ``size`` leaves."""
    have = next(head.size for head in ledger.logs() if head.origin == SIGNATURES_ORIGIN)
    for start in range(have, size, 300):
        ledger.append_entries(SIGNATURES_ORIGIN, [b"entry %d" % n for n in range(start, min(start + 300, size))])


class IndependentReader:
    """Knows the log only through checkpoint, tiles and bundles, as any auditor from outside would."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.checkpoint = open_checkpoint(ledger.checkpoint(SIGNATURES_ORIGIN), SIGNATURES_ORIGIN, SIGNATURES_KEY)

    def entries(self) -> list[bytes]:
        found: list[bytes] = []
        size = self.checkpoint.size
        for index in range(-(-size // TILE_WIDTH)):
            width = min(TILE_WIDTH, size - index * TILE_WIDTH)
            path = parse_entries_path(str(EntriesPath(index, width)))
            found += decode_entries(self.ledger.entries(SIGNATURES_ORIGIN, path), width)
        return found

    def level(self, level: int) -> list[bytes]:
        found: list[bytes] = []
        count = self.checkpoint.size >> (8 * level)
        for index in range(-(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - index * TILE_WIDTH)
            path = parse_tile_path(str(TilePath(level, index, width)))
            found += decode_tile(self.ledger.tile(SIGNATURES_ORIGIN, path), width)
        return found


def fold(row: Sequence[bytes]) -> bytes:
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600, 1024])
def test_tiles_and_bundles_lead_an_independent_reader_to_the_signed_root(
    platform_database: PlatformDatabase, size: int
) -> None:
    ledger = platform_database.open_ledger()
    grow(ledger, size)
    reader = IndependentReader(ledger)
    assert reader.checkpoint.size == size
    entries = reader.entries()
    assert naive.root(entries) == reader.checkpoint.root
    assert reader.level(0) == [leaf_hash(entry) for entry in entries]
    hashes = reader.level(0)
    complete = [hashes[at : at + 256] for at in range(0, size - size % 256, 256)]
    assert reader.level(1) == [fold(tile) for tile in complete]


def test_partial_tiles_can_still_be_read_after_they_are_complete(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    grow(ledger, 300)
    whole = ledger.tile(SIGNATURES_ORIGIN, TilePath(0, 0))
    assert ledger.tile(SIGNATURES_ORIGIN, TilePath(0, 0, 5)) == whole[: 5 * 32]
    bundle = decode_entries(ledger.entries(SIGNATURES_ORIGIN, EntriesPath(0, 5)), 5)
    assert bundle[1:] == tuple(b"entry %d" % number for number in range(1, 5))
    assert len(ledger.tile(SIGNATURES_ORIGIN, TilePath(0, 1, 44))) == 44 * 32


@pytest.mark.parametrize(
    "path", [TilePath(0, 1), TilePath(0, 1, 45), TilePath(1, 0, 2), TilePath(1, 1), TilePath(9, 0)]
)
def test_a_tile_beyond_the_checkpoint_is_not_there(platform_database: PlatformDatabase, path: TilePath) -> None:
    ledger = platform_database.open_ledger()
    grow(ledger, 300)
    with pytest.raises(OutOfRange):
        ledger.tile(SIGNATURES_ORIGIN, path)
    with pytest.raises(OutOfRange):
        ledger.entries(SIGNATURES_ORIGIN, EntriesPath(1, 45))
    with pytest.raises(LogUnknown):
        ledger.tile("nowhere.test", path)


def test_every_fact_is_proven_by_its_leaf_and_the_checkpoint(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    for number in range(10):
        ledger.commit([Seen(what=str(number))], context=CONTEXT)
    for fact in ledger.facts():
        assert fact.salt is not None
        assert fact.envelope is not None
        proof = ledger.inclusion(FACTS_ORIGIN, fact.index)
        checkpoint = open_checkpoint(proof.checkpoint, FACTS_ORIGIN, FACTS_KEY)
        leaf = leaf_hash(commitment(fact.salt, fact.envelope))
        assert proof.leaf_hash == leaf
        verify_inclusion(fact.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)


def test_a_proof_for_an_older_checkpoint_fits_that_checkpoint(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    grow(ledger, 260)
    older = open_checkpoint(ledger.checkpoint(SIGNATURES_ORIGIN), SIGNATURES_ORIGIN, SIGNATURES_KEY)
    grow(ledger, 700)
    newer = open_checkpoint(ledger.checkpoint(SIGNATURES_ORIGIN), SIGNATURES_ORIGIN, SIGNATURES_KEY)
    proof = ledger.inclusion(SIGNATURES_ORIGIN, 17, older.size)
    assert proof.root == older.root
    verify_inclusion(17, older.size, leaf_hash(b"entry 17"), proof.hashes, older.root)
    link = ledger.consistency(SIGNATURES_ORIGIN, older.size)
    assert (link.size2, link.root1, link.root2) == (newer.size, older.root, newer.root)
    verify_consistency(older.size, newer.size, link.hashes, older.root, newer.root)


def test_the_cache_of_a_prover_never_outlives_what_it_read(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    for size in (3, 200, 256, 300, 513):
        grow(ledger, size)
        checkpoint = open_checkpoint(ledger.checkpoint(SIGNATURES_ORIGIN), SIGNATURES_ORIGIN, SIGNATURES_KEY)
        for index in {1, size // 2, size - 1}:
            proof = ledger.inclusion(SIGNATURES_ORIGIN, index)
            verify_inclusion(index, size, leaf_hash(b"entry %d" % index), proof.hashes, checkpoint.root)


def test_proofs_beyond_the_log_are_refused(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    for arguments in ((0, 2), (1, 1), (-1, 1), (5, None)):
        with pytest.raises(OutOfRange):
            ledger.inclusion(FACTS_ORIGIN, *arguments)
    with pytest.raises(OutOfRange):
        ledger.consistency(FACTS_ORIGIN, 2, 1)
    with pytest.raises(LogUnknown):
        ledger.inclusion("nowhere.test", 0)


def test_a_checkpoint_of_another_log_or_key_is_not_believed(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    note = ledger.checkpoint(FACTS_ORIGIN)
    with pytest.raises(CheckpointInvalid):
        open_checkpoint(note, SIGNATURES_ORIGIN, SIGNATURES_KEY)
    with pytest.raises(CheckpointInvalid):
        open_checkpoint(note, FACTS_ORIGIN, SIGNATURES_KEY)
    assert parse_note(note).signatures[0].name == FACTS_ORIGIN


def test_growing_a_log_whose_newest_hashes_were_changed_is_refused(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    grow(ledger, 10)
    ledger.close()
    platform_database.tamper("UPDATE log_leaf SET hash = :value WHERE origin = 'signatures.test' AND idx = 4")
    restarted = platform_database.open_ledger()
    with pytest.raises(LogTampered, match="do not lead to the root"):
        restarted.append_entries(SIGNATURES_ORIGIN, [b"more"])
