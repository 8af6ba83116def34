"""Whoever can write to the database edits what the admission gate counted, and the anchors over it along with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.delivery.rig import CONTEXT, HOST, review_of
from tests.platforms import in_process, open_test_platform

from chainward.delivery.errors import AnchorViolated
from chainward.delivery.record import digest_of_rows
from chainward.delivery.writes import KeepRepeats, Repeat
from chainward.formats.admission import decode_review

if TYPE_CHECKING:
    from pathlib import Path

    from tests.delivery.rig import Rig


def _admit(rig: Rig, times: int) -> None:
    for _ in range(times):
        assert rig.admission.validate(decode_review(review_of(f"{HOST}/shop/web:1")), context=CONTEXT).allowed


def _edit(rig: Rig, statement: str, **values: object) -> None:
    with rig.platform.database.writer.begin() as connection:
        assert connection.execute(text(statement), values).rowcount > 0


@pytest.fixture
def counted(rig: Rig) -> Rig:
    """Two anchors: over the repetitions 1 to 3, and 4 to 5."""
    rig.push(rig.release())
    _admit(rig, 4)
    rig.record.anchor(context=CONTEXT)
    _admit(rig, 2)
    rig.record.anchor(context=CONTEXT)
    assert rig.record.check() == 5
    return rig


def test_rows_that_are_rewritten_together_with_their_anchor_are_found(counted: Rig) -> None:
    _edit(counted, "UPDATE admission_repeat SET request = 'forged' WHERE id = 2")
    forged = digest_of_rows(counted.store.repeats(0, 3))
    _edit(counted, "UPDATE admission_anchor SET sha256 = :forged WHERE first_id = 1", forged=forged)
    with pytest.raises(AnchorViolated):
        counted.record.check()


def test_an_anchor_that_is_removed_with_its_rows_is_found(counted: Rig) -> None:
    _edit(counted, "DELETE FROM admission_repeat WHERE id >= 4")
    _edit(counted, "DELETE FROM admission_anchor WHERE first_id = 4")
    with pytest.raises(AnchorViolated):
        counted.record.check()


def test_an_anchor_that_no_fact_states_is_found(counted: Rig) -> None:
    """It would keep whatever comes up to row 99 from ever being vouched for."""
    _edit(counted, "INSERT INTO admission_anchor VALUES (6, 99, 1, 'x', 1)")
    with pytest.raises(AnchorViolated):
        counted.record.check()


@pytest.mark.parametrize("row", [-1, 0], ids=["below-zero", "zero"])
def test_a_row_that_is_slipped_in_before_the_first_anchor_is_found(counted: Rig, row: int) -> None:
    copied = "INSERT INTO admission_repeat SELECT :row, decision, at, request FROM admission_repeat LIMIT 1"
    _edit(counted, copied, row=row)
    with pytest.raises(AnchorViolated):
        counted.record.check()


def test_the_audit_of_the_logs_names_admissions_that_were_rewritten(tmp_path: Path) -> None:
    with open_test_platform(tmp_path) as test, in_process(test) as client:
        platform = test.platform
        platform.ledger.commit((), (KeepRepeats((Repeat("a" * 64, "request-1"),)),), context=CONTEXT)
        platform.anchor()
        assert client.post("/api/v1/logs/audit", {}).json()["findings"] == []
        with platform.database.writer.begin() as connection:
            connection.execute(text("UPDATE admission_repeat SET request = 'forged'"))
        (finding,) = client.post("/api/v1/logs/audit", {}).json()["findings"]
        assert "repeated admissions 1 to 1" in finding
