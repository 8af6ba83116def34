"""Turnover of the public logs on the command line: a new shard, the old one frozen, every log audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.flows.command_line import running

from chainward.formats.note import VerifierKey
from chainward.ledger.checkpoint import log_key, open_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flows.command_line import Desk


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A platform of this module's own: a turnover concerns everybody who signs."""
    with running(tmp_path_factory.mktemp("shards")) as started:
        yield started


@pytest.mark.parametrize(("log", "service"), [("signatures", "log"), ("certificates", "ct")])
def test_a_turnover_freezes_the_shard_and_begins_the_next(own: Desk, log: str, service: str) -> None:
    before = {each["origin"]: each for each in own.ask("log", "shard", "list")["shards"]}
    (old,) = [each for each in before.values() if each["service"] == service and each["active"]]
    made = own.ask("log", "shard", "rotate", log)
    assert made["origin"] not in before
    after = {each["origin"]: each for each in own.ask("log", "shard", "list")["shards"]}
    assert (after[old["origin"]]["active"], after[made["origin"]]["active"]) == (False, True)
    assert after[old["origin"]]["frozen_at"] is not None
    assert after[made["origin"]]["frozen_at"] is None
    shown = own.run("log", "shard", "list").out
    assert "frozen" in shown
    assert made["origin"] in shown


def test_every_shard_is_named_audited_and_proven_and_readable_by_anybody(own: Desk) -> None:
    own.run("log", "shard", "rotate")
    logs = own.ask("log", "list")["logs"]
    report = own.ask("log", "verify")
    assert {each["origin"] for each in report["logs"]} == {each["origin"] for each in logs}
    assert len(logs) >= 4
    for log in logs:
        assert own.ask("log", "checkpoint", log["origin"])["size"] == log["size"]
        assert own.ask("log", "prove", log["origin"], "0")["verified"] is True
        if log["name"] != "facts":
            note = httpx.get(f"{own.url}/log/{log['origin']}/checkpoint", trust_env=False).content
            assert open_checkpoint(note, log["origin"], log_key(VerifierKey.parse(log["verifier_key"]))).size >= 1


def test_who_may_not_administer_may_not_turn_a_log_over(own: Desk) -> None:
    assert own.holding("reader", "reader:**").refused("log", "shard", "rotate", status=4)


def test_a_log_that_is_none_is_named_so(own: Desk) -> None:
    assert own.refused("log", "checkpoint", "nowhere.test", status=3) == "log-missing"
    assert own.refused("log", "prove", "nowhere.test", "1", status=3) == "log-missing"
