"""What admissions leave behind: facts for the first, rows for repetitions, and anchors that betray every change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from tests.delivery.rig import CONTEXT, HOST, Rig, review_of

from chainward.delivery.errors import AnchorViolated
from chainward.delivery.record import AdmissionRecord, digest_of_rows
from chainward.formats.admission import decode_review

if TYPE_CHECKING:
    from collections.abc import Callable

WEB = f"{HOST}/shop/web:1"


def _admit(rig: Rig, count: int, **review: Any) -> None:
    for _ in range(count):
        assert rig.admission.validate(decode_review(review_of(WEB, **review)), context=CONTEXT).allowed


def test_an_anchor_vouches_for_every_row_since_the_last_one(rig: Rig) -> None:
    rig.push(rig.release())
    _admit(rig, 6)
    assert rig.record.anchor(context=CONTEXT) == 5
    assert rig.record.anchor(context=CONTEXT) == 0
    _admit(rig, 3)
    assert rig.record.anchor(context=CONTEXT) == 3
    first, second = rig.bodies("delivery.admissions-anchored/1")
    rows = rig.store.repeats(0, 100)
    assert (first["first"], first["last"], first["count"]) == (rows[0].id, rows[4].id, 5)
    assert first["sha256"] == digest_of_rows(rows[:5])
    assert (second["first"], second["last"]) == (rows[5].id, rows[7].id)
    assert rig.record.check() == 8


def _edit(rig: Rig, statement: str) -> None:
    """Change the database behind the ledger's back."""
    with rig.platform.database.writer.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE admission_repeat SET decision = 'f' || substr(decision, 2) WHERE id = 2",
        "UPDATE admission_repeat SET at = at + 1 WHERE id = 2",
        "UPDATE admission_repeat SET request = 'other' WHERE id = 2",
        "DELETE FROM admission_repeat WHERE id = 2",
        "DELETE FROM admission_repeat WHERE id = 5",
        "UPDATE admission_anchor SET rows = rows - 1, last_id = last_id - 1",
        "UPDATE admission_anchor SET sha256 = 'x'",
    ],
)
def test_a_row_that_was_altered_or_removed_is_found(rig: Rig, statement: str) -> None:
    rig.push(rig.release())
    _admit(rig, 6)
    rig.record.anchor(context=CONTEXT)
    assert rig.record.check() == 5
    _edit(rig, statement)
    with pytest.raises(AnchorViolated):
        rig.record.check()


def test_one_image_under_two_names_in_a_pod_is_decided_once_and_that_decision_is_a_fact(rig: Rig) -> None:
    digest = rig.push(rig.release())
    review = decode_review(review_of(f"{HOST}/shop/web:1", f"{HOST}/shop/web@{digest}"))
    for _ in range(2):
        assert rig.admission.validate(review, context=CONTEXT).allowed
    (fact,) = rig.bodies("delivery.admission-allowed/1")
    assert fact["digest"] == str(digest)
    assert len(rig.bodies("portfolio.deployed/1")) == 1
    assert rig.record.anchor(context=CONTEXT) == 1


def test_after_a_restart_a_known_decision_is_not_a_fact_again(rig: Rig) -> None:
    rig.push(rig.release())
    _admit(rig, 1)
    rig.admission._record = AdmissionRecord(rig.ledger, rig.store, rig.clock)
    _admit(rig, 2)
    assert rig.schemas() == ["admission-allowed/1"]
    assert len(rig.store.repeats(0, 10)) == 2


def test_what_is_remembered_is_bounded_and_only_spares_work(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainward.delivery.record._REMEMBERED", 1)
    rig.push(rig.release())
    for namespace in ("prod", "staging", "prod", "staging"):
        _admit(rig, 1, namespace=namespace)
    assert rig.schemas() == ["admission-allowed/1"] * 2
    assert len(rig.store.repeats(0, 10)) == 2


def test_two_replicas_that_anchor_at_once_vouch_for_each_row_once(rig: Rig) -> None:
    rig.push(rig.release())
    _admit(rig, 6)
    inner = rig.record._store.repeats
    other = AdmissionRecord(rig.ledger, rig.store, rig.clock)
    raced: list[int] = []

    class Racing:
        """Lets the other replica anchor between reading and committing, once."""

        def __getattr__(self, name: str) -> Any:
            return getattr(rig.store, name)

        def repeats(self, after: int, limit: int) -> Any:
            rows = inner(after, limit)
            if not raced:
                raced.append(other.anchor(context=CONTEXT))
            return rows

    rig.record._store = Racing()
    assert rig.record.anchor(context=CONTEXT) == 0
    assert raced == [5]
    assert len(rig.bodies("delivery.admissions-anchored/1")) == 1
    assert rig.record.check() == 5


def test_more_rows_than_one_page_are_anchored_page_by_page(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainward.delivery.record._PAGE", 2)
    rig.push(rig.release())
    _admit(rig, 6)
    assert rig.record.anchor(context=CONTEXT) == 5
    assert [body["count"] for body in rig.bodies("delivery.admissions-anchored/1")] == [2, 2, 1]
    assert rig.record.check() == 5


def test_the_digest_of_rows_depends_on_every_member_and_on_their_order(rig: Rig) -> None:
    rig.push(rig.release())
    _admit(rig, 3)
    rows = rig.store.repeats(0, 10)
    changes: tuple[Callable[[], object], ...] = (
        lambda: digest_of_rows(rows),
        lambda: digest_of_rows(rows[::-1]),
        lambda: digest_of_rows(rows[:1]),
        lambda: digest_of_rows([]),
    )
    assert len({change() for change in changes}) == len(changes)
