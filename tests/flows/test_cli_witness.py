"""Witnessing and monitoring on the command line, against a platform that witnesses itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.command_line import Desk


def log_of(desk: Desk, name: str = "signatures") -> dict[str, str]:
    """Return a log as the platform lists it."""
    found = [log for log in desk.ask("log", "list")["logs"] if log["name"] == name]
    return dict(found[0])


@pytest.fixture(scope="module")
def own_witness(desk: Desk) -> str:
    """The verifier key of the platform, which asks itself to cosign its signature log."""
    key = desk.run("witness", "key").out.strip()
    assert desk.run("witness", "trust-log", log_of(desk)["verifier_key"]).status == 0
    (desk.folder / "witness.key").write_text(f"{key}\n", encoding="utf-8")
    desk.run("witness", "add", "self", f"{desk.url}/witness", "witness.key")
    return key


def test_a_witness_is_named_asked_and_checked(desk: Desk, own_witness: str) -> None:
    log = log_of(desk)
    (named,) = desk.ask("witness", "list")["witnesses"]
    assert (named["name"], named["key"]) == ("self", own_witness)
    told = desk.ask("witness", "submit", expect=None)["submissions"]
    codes = {each["origin"]: each["code"] for each in told}
    assert codes.get(log["origin"], "") == ""
    assert all(code == "witness-refused" for origin, code in codes.items() if origin != log["origin"])
    checked = desk.ask("witness", "check", log["origin"], "--witness", own_witness)
    assert checked["origin"] == log["origin"]
    assert [each["witness"] for each in checked["witnesses"]] == [own_witness.partition("+")[0]]
    known = desk.ask("witness", "logs")
    assert known["key"] == own_witness
    assert [each["origin"] for each in known["logs"]] == [log["origin"]]
    assert "0 of" not in desk.run("witness", "check", log["origin"], "--witness", "witness.key").out


def test_a_checkpoint_that_the_named_witness_did_not_cosign_fails_the_check(desk: Desk, own_witness: str) -> None:
    log = log_of(desk)
    desk.run("witness", "submit", expect=None)
    other = log_of(desk, "facts")["verifier_key"]
    done = desk.run("witness", "check", log["origin"], "--witness", other, "--json", expect=2)
    assert done.code == "witness-invalid"
    both = desk.run("witness", "check", log["origin"], "--witness", own_witness, "--threshold", "2", "--json", expect=2)
    assert both.code == "witness-invalid"


def test_what_is_wrong_with_a_witness_is_told_by_its_code(desk: Desk, own_witness: str) -> None:
    again = desk.run("witness", "add", "self", f"{desk.url}/witness", own_witness, "--json", expect=5)
    assert again.code == "witness-exists"
    key = log_of(desk)["verifier_key"]
    assert desk.run("witness", "add", "x", "http://127.0.0.1:9", key, "--json", expect=2).code == "witness-invalid"
    assert desk.run("witness", "remove", "nobody", "--json", expect=3).code == "witness-unknown"
    assert desk.run("witness", "distrust-log", "none.example", "--json", expect=3).code == "witness-log-unknown"
    assert desk.run("witness", "trust-log", own_witness, "--json", expect=2).code == "witness-invalid"


def test_a_monitor_remembers_and_looks_at_what_is_new(
    desk: Desk, shipped: str, own_witness: str, tmp_path: Path
) -> None:
    del shipped, own_witness
    log, state = log_of(desk), tmp_path / "log.state"
    words = ("log", "monitor", "--key", log["verifier_key"], "--state", str(state))
    first = json.loads(desk.run(*words, "--from-start", "--witness", f"{desk.url}/witness", "--json").out)
    assert first["examined"] == first["size"] >= int(log["size"])
    desk.complete("monitored")
    second = json.loads(desk.run(*words, "--also", f"{desk.url}/api/v2", "--json").out)
    assert second["size"] > first["size"]
    assert desk.run(*words).status == 0
    kept = json.loads(state.read_text(encoding="utf-8"))
    assert kept["examined"] == second["size"]
    assert log["origin"] in kept["checkpoint"]


def test_a_watched_key_is_seen_unless_its_entries_are_expected(desk: Desk, shipped: str, tmp_path: Path) -> None:
    del shipped
    key = log_of(desk)["verifier_key"]
    words = ("log", "monitor", "--key", key, "--from-start", "--watch-key", "release.pub", "--json")
    seen = json.loads(desk.run(*words, expect=7).out)["sightings"]
    assert seen
    assert all(each["watch"] == "key release.pub" for each in seen)
    expected = tmp_path / "expected"
    expected.write_text("# ours\n" + "".join(f"{each['leaf']}  # {each['index']}\n" for each in seen), encoding="utf-8")
    assert json.loads(desk.run(*words, "--expected", str(expected)).out)["sightings"] == []
    expected.write_text("nonsense\n", encoding="utf-8")
    assert desk.run(*words, "--expected", str(expected), expect=2).code == "usage-invalid"


def test_a_monitor_is_told_which_log(desk: Desk, tmp_path: Path) -> None:
    log, facts = log_of(desk), log_of(desk, "facts")
    root = tmp_path / "root.json"
    desk.run("log", "monitor", "--trusted-root", str(root), expect=2)
    assert desk.run("log", "monitor", "--json", expect=2).code == "log-not-named"
    both = ("log", "monitor", "--key", log["verifier_key"], "--key", facts["verifier_key"], "--json")
    assert desk.run(*both, expect=2).code == "log-not-named"
    wrong = desk.run("log", "monitor", "--key", log["verifier_key"], "--origin", "other.example", "--json", expect=6)
    assert wrong.code == "published-log-unavailable"
    state = tmp_path / "state"
    state.write_text("{}", encoding="utf-8")
    words = ("log", "monitor", "--key", log["verifier_key"], "--state", str(state), "--json")
    assert desk.run(*words, expect=2).code == "input-malformed"


def test_a_bundle_gets_a_proof_that_the_witness_vouches_for(desk: Desk, own_witness: str, shipped: str) -> None:
    del shipped
    log = log_of(desk)
    desk.run("witness", "submit", expect=None)
    words = ("witness", "prove", "1.0/provenance.sigstore.json", "-o", "witnessed.json")
    told = desk.ask(*words, "--key", log["verifier_key"])
    assert told["size"] >= int(log["size"])
    (entry,) = json.loads((desk.folder / "witnessed.json").read_text(encoding="utf-8"))["verificationMaterial"][
        "tlogEntries"
    ]
    checkpoint = entry["inclusionProof"]["checkpoint"]["envelope"]
    assert own_witness.partition("+")[0] in checkpoint
    again = desk.run("witness", "prove", "witnessed.json", "-o", "other.json", "--json", expect=2)
    assert again.code == "log-not-named"
