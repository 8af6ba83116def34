"""Attacks on what is stored, over every store; each must be found and named by an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.contracts.test_ledger_commit import Seen
from tests.databases import CONTEXT, FACTS_ORIGIN, SIGNATURES, SIGNATURES_ORIGIN, keys_of_logs

from chainward.formats.checkpoint import Checkpoint
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.anchor import MarkAnchored, anchor
from chainward.ledger.audit import AuditReport, audit
from chainward.ledger.checkpoint import NoteSigner, open_checkpoint
from chainward.ledger.errors import AnchorStale, LogTampered
from chainward.ledger.frontier import TILE_WIDTH, Frontier
from chainward.ledger.model import commitment
from chainward.ledger.proofs import leaf_hash
from chainward.ledger.prove import inner_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger


def filled(platform_database: PlatformDatabase, facts: int = 40, entries: int = 600) -> Ledger:
    ledger = platform_database.open_ledger()
    ledger.commit([Seen(what=str(number)) for number in range(1, facts + 1)], context=CONTEXT)
    ledger.append_entries(SIGNATURES_ORIGIN, [b"entry %d" % number for number in range(1, entries)])
    return ledger


def check(ledger: Ledger, remembered: Iterable[Checkpoint] = ()) -> AuditReport:
    with ledger.inspect() as view:
        return audit(view, keys_of_logs(), remembered)


def findings(ledger: Ledger, remembered: Iterable[Checkpoint] = ()) -> list[str]:
    with pytest.raises(LogTampered) as caught:
        check(ledger, remembered)
    found = caught.value.details["findings"]
    assert isinstance(found, list)
    assert caught.value.details["count"] == len(found)
    return [str(finding) for finding in found]


def checkpoint(ledger: Ledger, origin: str = FACTS_ORIGIN) -> Checkpoint:
    return open_checkpoint(ledger.checkpoint(origin), origin, keys_of_logs()[origin])


def test_an_honest_ledger_passes(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    before = checkpoint(ledger)
    ledger.commit([Seen(what="later")], context=CONTEXT)
    report = check(ledger, [before])
    assert (report.facts, report.pruned) == (42, 0)
    assert [(log.origin, log.size) for log in report.logs] == [(FACTS_ORIGIN, 42), (SIGNATURES_ORIGIN, 600)]
    assert report.logs[0].checkpoint == ledger.checkpoint(FACTS_ORIGIN)


def test_an_edited_envelope_is_named(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    edited = ledger.fact(17).envelope
    assert edited is not None
    platform_database.tamper("UPDATE fact SET envelope = :value WHERE idx = 17", edited.replace(b'"17"', b'"71"'))
    assert findings(ledger) == ["fact 17: envelope was changed"]


def test_an_envelope_that_is_no_json_any_more_is_named(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    platform_database.tamper("UPDATE fact SET envelope = :value WHERE idx = 17", b"\xff{")
    assert findings(ledger) == ["fact 17: envelope was changed"]
    with pytest.raises(LogTampered, match="fact 17"):
        ledger.fact(17)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE fact SET salt = :value WHERE idx = 3", "fact 3: envelope was changed"),
        ("UPDATE fact SET salt = NULL WHERE idx = 3", "fact 3: envelope or salt was removed without the other"),
        ("UPDATE fact SET schema = 'other/1' WHERE idx = 3", "fact 3: column schema was changed"),
        ("UPDATE fact SET recorded_at = 1 WHERE idx = 3", "fact 3: column recorded_at was changed"),
        ("DELETE FROM fact WHERE idx = 3", "fact 3 is missing"),
        ("DELETE FROM log_leaf WHERE origin = 'facts.test' AND idx = 3", "leaf 3 of log facts.test is missing"),
        ("DELETE FROM log_tile WHERE level = 0 AND idx = 1", "tile 0/1 of log signatures.test is missing"),
        ("DELETE FROM log_tile WHERE level = 1", "tile 1/0 of log signatures.test is missing"),
        ("DELETE FROM log_head WHERE origin = 'signatures.test'", "log signatures.test is missing"),
        (
            "UPDATE log_leaf SET hash = :value WHERE origin = 'signatures.test' AND idx = 300",
            "leaf 300 of log signatures.test: its hash is not that of its entry",
        ),
        (
            "INSERT INTO log_leaf (origin, idx, hash, entry) VALUES ('facts.test', 41, :value, :value)",
            "leaves 41 to 41 of log facts.test stand beyond its head",
        ),
        (
            "INSERT INTO fact (idx, schema, recorded_at) VALUES (41, 'x/1', 0)",
            "facts 41 to 41 stand beyond the end of the log",
        ),
        (
            "UPDATE log_tile SET nodes = :value WHERE level = 0 AND idx = 1",
            "tile 0/1 of log signatures.test holds other nodes above its hashes than follow from the leaves",
        ),
        (
            "UPDATE log_tile SET nodes = NULL WHERE level = 0 AND idx = 0",
            "tile 0/0 of log signatures.test holds other nodes above its hashes than follow from the leaves",
        ),
        (
            "INSERT INTO log_tile (origin, level, idx, hashes) VALUES ('facts.test', 0, 0, :value)",
            "log facts.test has 1 tiles too many",
        ),
        (
            "UPDATE log_head SET size = size - 1 WHERE origin = 'signatures.test'",
            "head of log signatures.test does not say what its checkpoint signs",
        ),
        (
            "UPDATE log_head SET root = :value WHERE origin = 'signatures.test'",
            "head of log signatures.test does not say what its checkpoint signs",
        ),
    ],
)
def test_every_other_edit_is_named(platform_database: PlatformDatabase, statement: str, finding: str) -> None:
    ledger = filled(platform_database)
    platform_database.tamper(statement)
    assert finding in findings(ledger)


def rewrite_leaf(platform_database: PlatformDatabase, origin: str, index: int, entry: bytes) -> None:
    """Change a leaf and its hash, as an attacker would who knows how the log works."""
    platform_database.tamper(
        "UPDATE log_leaf SET entry = :value, hash = :hash WHERE origin = :origin AND idx = :idx",
        entry,
        hash=leaf_hash(entry),
        origin=origin,
        idx=index,
    )


def test_a_fact_rewritten_together_with_its_leaf_is_found(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    fact = ledger.fact(17)
    assert fact.envelope is not None
    assert fact.salt is not None
    forged = fact.envelope.replace(b'"17"', b'"71"')
    platform_database.tamper("UPDATE fact SET envelope = :value WHERE idx = 17", forged)
    rewrite_leaf(platform_database, FACTS_ORIGIN, 17, commitment(fact.salt, forged))
    (found,) = findings(ledger)
    assert "log facts.test does not lead to the root in its signed checkpoint" in found
    assert "leaves 0 to 40" in found


def test_a_rewritten_leaf_under_a_complete_tile_is_named(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    rewrite_leaf(platform_database, SIGNATURES_ORIGIN, 300, b"forged")
    assert findings(ledger) == [
        "leaf 300 of log signatures.test was rewritten: tile 0/1 of log signatures.test holds another hash for it"
    ]


def rewrite_tiles(platform_database: PlatformDatabase, ledger: Ledger, level: int) -> Frontier:
    """Make every tile up to ``level`` fit the present leaves."""
    frontier = Frontier()
    with ledger.view() as view:
        _, tiles = frontier.append(view.entries(SIGNATURES_ORIGIN, 0, 10_000))
    for tile in tiles:
        if tile.level <= level:
            platform_database.tamper(
                "UPDATE log_tile SET hashes = :value, nodes = :nodes"
                " WHERE origin LIKE 'sig%' AND level = :level AND idx = :idx",
                tile.hashes,
                nodes=inner_nodes(tile.hashes) if len(tile.hashes) == TILE_WIDTH * 32 else None,
                level=tile.level,
                idx=tile.index,
            )
    return frontier


def test_a_leaf_rewritten_together_with_its_tile_is_found_one_level_up(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    rewrite_leaf(platform_database, SIGNATURES_ORIGIN, 300, b"forged")
    rewrite_tiles(platform_database, ledger, 0)
    (found,) = findings(ledger)
    assert found.startswith("leaves 256 to 511 of log signatures.test were rewritten: tile 1/0")


def test_a_log_rewritten_with_all_its_tiles_does_not_fit_its_checkpoint(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    rewrite_leaf(platform_database, SIGNATURES_ORIGIN, 300, b"forged")
    frontier = rewrite_tiles(platform_database, ledger, 1)
    (found,) = findings(ledger)
    assert "leaves and tiles together" in found
    platform_database.tamper("UPDATE log_head SET root = :value WHERE origin = 'signatures.test'", frontier.root())
    assert findings(ledger) == ["head of log signatures.test does not say what its checkpoint signs"]


def resign(platform_database: PlatformDatabase, signer: NoteSigner, frontier: Frontier) -> None:
    platform_database.tamper(
        "UPDATE log_head SET root = :root, size = :size, checkpoint = :note WHERE origin = 'signatures.test'",
        root=frontier.root(),
        size=frontier.size,
        note=signer.sign(frontier.size, frontier.root()),
    )


def test_a_rewritten_log_signed_by_a_stranger_is_found(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    rewrite_leaf(platform_database, SIGNATURES_ORIGIN, 300, b"forged")
    frontier = rewrite_tiles(platform_database, ledger, 1)
    resign(platform_database, NoteSigner(SIGNATURES_ORIGIN, generate(Scheme.ED25519)), frontier)
    (found,) = findings(ledger)
    assert found.startswith("checkpoint of log signatures.test is not signed by its key")


def test_a_fork_signed_with_the_stolen_key_is_found_by_who_remembers(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    remembered = checkpoint(ledger, SIGNATURES_ORIGIN)
    rewrite_leaf(platform_database, SIGNATURES_ORIGIN, 300, b"forged")
    resign(platform_database, SIGNATURES, rewrite_tiles(platform_database, ledger, 1))
    check(ledger)
    assert findings(ledger, [remembered]) == [
        "log signatures.test is not the one that the remembered checkpoint of size 600 was signed over"
    ]


def test_a_fork_signed_with_the_stolen_key_is_found_by_its_anchor(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    anchor(ledger)
    rewrite_leaf(platform_database, SIGNATURES_ORIGIN, 300, b"forged")
    resign(platform_database, SIGNATURES, rewrite_tiles(platform_database, ledger, 1))
    assert findings(ledger) == ["log signatures.test is not the one that the anchor in fact 41 was signed over"]


def test_a_log_cut_back_is_found_by_who_remembers(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    remembered = checkpoint(ledger)
    larger = Checkpoint(FACTS_ORIGIN, remembered.size + 5, bytes(32))
    assert findings(ledger, [larger]) == [
        "log facts.test has only 41 leaves: the remembered checkpoint of size 46 is larger"
    ]


def test_every_finding_is_named_not_only_the_first(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    platform_database.tamper("UPDATE fact SET envelope = :value WHERE idx IN (5, 9)")
    platform_database.tamper("DELETE FROM fact WHERE idx = 12")
    assert findings(ledger) == ["fact 5: envelope was changed", "fact 9: envelope was changed", "fact 12 is missing"]


def test_a_wholly_destroyed_ledger_gives_a_bounded_report(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database, facts=300)
    platform_database.tamper("DELETE FROM fact")
    with pytest.raises(LogTampered, match="fact 0 is missing") as caught:
        check(ledger)
    shown = caught.value.details["findings"]
    assert isinstance(shown, list)
    assert (len(shown), caught.value.details["count"]) == (100, 301)


def test_pruned_facts_are_counted_and_stay_proven(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    with platform_database.database.writer.begin() as connection:
        connection.execute(text("UPDATE fact SET envelope = NULL, salt = NULL WHERE idx < 10"))
    assert check(ledger).pruned == 10


def test_anchors_state_only_what_grew(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    first = anchor(ledger)
    assert [(fact.origin, fact.size) for fact in first] == [(SIGNATURES_ORIGIN, 600)]
    assert first[0].root == checkpoint(ledger, SIGNATURES_ORIGIN).root.hex()
    assert anchor(ledger) == ()
    ledger.append_entries(SIGNATURES_ORIGIN, [b"more"])
    assert [fact.size for fact in anchor(ledger)] == [601]
    assert [fact.body["size"] for fact in ledger.facts(after=40) if fact.body is not None] == [600, 601]
    check(ledger)


def test_an_older_anchor_that_comes_late_is_refused(platform_database: PlatformDatabase) -> None:
    ledger = filled(platform_database)
    anchor(ledger)
    with pytest.raises(AnchorStale):
        ledger.commit([], [MarkAnchored(SIGNATURES_ORIGIN, 600)], context=CONTEXT)
