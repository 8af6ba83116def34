"""A read costs what it answers, however much somebody else has pushed: by SQLite's plans, and by the steps it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import Engine, event
from tests.databases import sqlite_platform
from tests.registry_stand import WEB

from chainward.adapters.sql.ledger import SqlLogView
from chainward.adapters.sql.registry import SqlRegistryView
from chainward.adapters.sql.registry_tables import MANIFEST
from chainward.delivery.referrer import BUNDLES
from chainward.formats.oci import OCI_MANIFEST
from chainward.kernel.digest import Digest
from chainward.registry.model import ArtifactTypes, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from tests.databases import PlatformDatabase

NOW: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SUBJECT: Final = Digest.of(b"subject")
GATES: Final = ArtifactTypes(BUNDLES, is_prefix=True)
SBOMS: Final = ArtifactTypes("application/sbom")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformDatabase]:
    with sqlite_platform(tmp_path) as platform:
        yield platform


def flood(platform: PlatformDatabase, numbers: range, kind: str) -> None:
    row = {
        "repository": str(WEB),
        "media_type": OCI_MANIFEST,
        "artifact_type": kind,
        "subject": str(SUBJECT),
        "annotations": b"{}",
        "size": 2,
        "body": b"{}",
        "pushed_at": NOW,
    }
    rows = [row | {"digest": str(Digest.of(b"%d" % number)), "fact_index": number} for number in numbers]
    with platform.database.writer.begin() as connection:
        connection.execute(MANIFEST.insert(), rows)


def plans(connection: Connection, read: Callable[[], object]) -> list[str]:
    """Return how SQLite goes about the statements of a read."""
    sent: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        sent.append((call[2], call[3]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        read()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return [
        row[3]
        for statement, parameters in sent
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]


def steps(connection: Connection, read: Callable[[], object]) -> int:
    """Return how many steps SQLite's machine takes for a read."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(step, 1)
    try:
        read()
    finally:
        driver.set_progress_handler(None, 0)
    return taken


@pytest.mark.parametrize(
    ("types", "index"),
    [
        (None, "ix_registry_manifest_subject"),
        (SBOMS, "ix_registry_manifest_type"),
        (GATES, "ix_registry_manifest_bundle"),
    ],
)
@pytest.mark.parametrize("after", [None, Position(7, SUBJECT)])
def test_a_page_of_referrers_is_read_in_the_order_of_an_index(
    platform: PlatformDatabase, types: ArtifactTypes | None, after: Position | None, index: str
) -> None:
    with platform.database.read() as connection:
        view = SqlRegistryView(connection)
        (plan,) = plans(connection, lambda: view.referrers(WEB, SUBJECT, 257, after, types))
    kind = "COVERING INDEX" if types is GATES else "INDEX"
    assert plan.startswith(f"SEARCH registry_manifest USING {kind} {index} (repository=? AND subject=?")
    assert ("(fact_index,digest)>" in plan) is (after is not None)


@pytest.mark.parametrize("types", [None, SBOMS, GATES])
def test_a_flood_of_2000_referrers_makes_no_page_dearer(
    platform: PlatformDatabase, types: ArtifactTypes | None
) -> None:
    kinds = (BUNDLES, SBOMS.text, "image/png")
    for number, kind in enumerate(kinds):
        flood(platform, range(number * 300, number * 300 + 300), kind)

    def costs(after: Position | None) -> int:
        with platform.database.read() as connection:
            view = SqlRegistryView(connection)
            return steps(connection, lambda: view.referrers(WEB, SUBJECT, 257, after, types))

    costs(None)  # the first statement of a connection reads the schema as well
    before = [costs(after) for after in (None, Position(20, SUBJECT))]
    for number, kind in enumerate(kinds):
        flood(platform, range(10_000 + number * 2000, 12_000 + number * 2000), kind)
    assert [costs(after) for after in (None, Position(20, SUBJECT))] == before
    assert min(before) > 257, "steps were counted"


def test_facts_of_a_schema_that_nobody_ever_stated_are_not_looked_for_in_all_others(
    platform: PlatformDatabase,
) -> None:
    with platform.database.read() as connection:
        view = SqlLogView(connection)
        (plan,) = plans(connection, lambda: view.facts(-1, 100, frozenset({"no.such/1"})))
    assert plan == "SEARCH fact USING INDEX ix_fact_schema (schema=? AND idx>?)"


def test_a_follower_of_several_schemas_reads_on_from_its_place_and_sorts_nothing(platform: PlatformDatabase) -> None:
    with platform.database.read() as connection:
        view = SqlLogView(connection)
        (plan,) = plans(connection, lambda: view.facts(-1, 100, frozenset({"no.such/1", "ledger.opened/1"})))
        found = view.facts(-1, 100, frozenset({"no.such/1", "ledger.opened/1"}))
        alone = view.facts(-1, 100, frozenset({"ledger.opened/1"}))
    assert plan == "SEARCH fact USING INTEGER PRIMARY KEY (rowid>?)"
    assert [fact.index for fact in found] == [fact.index for fact in alone] == [0]
