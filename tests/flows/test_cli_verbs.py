"""The verbs that set a platform up and look at it: trust, tokens, services, policy, keys, logs, rebuild."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.flows.command_line import bare

from chainward import __version__

if TYPE_CHECKING:
    from tests.flows.command_line import Desk

POLICY = Path(__file__).parents[2] / "examples" / "tour" / "policy.yaml"


def test_a_signer_is_trusted_listed_and_distrusted(desk: Desk) -> None:
    made = desk.ask("keys", "generate", "second.key")
    added = desk.ask("trust", "add", "second", "--key", "second.pub", "--repositories", "second/**")
    assert added["fingerprint"] == made["fingerprint"] == desk.ask("keys", "show", "second.pub")["fingerprint"]
    listed = {each["name"]: each for each in desk.ask("trust", "list")["signers"]}
    assert listed["second"]["distrusted_at"] is None
    assert desk.refused("trust", "add", "second", "--key", "release.pub", "--repositories", "**", status=5)
    assert desk.ask("trust", "distrust", "second", "--reason", "laptop stolen") == {"name": "second", "trusted": False}
    listed = {each["name"]: each for each in desk.ask("trust", "list")["signers"]}
    assert listed["second"]["distrusted_at"] is not None
    assert desk.refused("trust", "distrust", "nobody", "--reason", "x", status=3)
    assert f"sha256:{made['fingerprint']}" in desk.run("trust", "list").out


def test_what_a_distrusted_key_signed_counts_no_more(desk: Desk) -> None:
    desk.run("keys", "generate", "third.key")
    desk.run("trust", "add", "third", "--key", "third.pub", "--repositories", "third/**")
    out = desk.image("third-image", "sign", key="third.key")
    desk.push(out, "third/web:1", "sign")
    assert desk.ask("verify", "third/web:1")["verified"] is True
    desk.run("trust", "distrust", "third", "--reason", "stolen")
    assert desk.ask("verify", "third/web:1", expect=1)["verified"] is False
    assert "nothing-verified" in desk.run("verify", "third/web:1", expect=1).err


def test_the_trusted_root_is_written_for_verification_elsewhere(desk: Desk) -> None:
    written = desk.ask("trust", "export", "trust.json")
    content = (desk.folder / "trust.json").read_bytes()
    assert written == {"written": "trust.json", "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    assert json.loads(json.loads(content)["trustedRoot"]) == desk.ask("trust", "export", "--stock")


def test_a_token_is_issued_into_a_file_listed_and_revoked(desk: Desk) -> None:
    issued = desk.ask("token", "issue", "ci", "--role", "publisher:ci/**", "--days", "3", "-o", "ci.token")
    path = desk.folder / "ci.token"
    secret = path.read_text(encoding="utf-8").strip()
    assert "token" not in issued
    assert issued["token_file"] == "ci.token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert desk.run("service", "list", CHAINWARD_TOKEN_FILE=str(path)).status == 0
    assert secret not in desk.run("token", "list").out + desk.run("token", "list", "--json").out
    assert desk.ask("token", "revoke", issued["id"], "--reason", "done") == {"id": issued["id"], "revoked": True}
    refused = desk.run("service", "list", "--json", expect=4, CHAINWARD_TOKEN_FILE=str(path))
    assert refused.code == "token-revoked"
    (shown,) = (each for each in desk.ask("token", "list")["tokens"] if each["id"] == issued["id"])
    assert shown["revoked_at"] is not None


def test_a_token_that_could_not_be_kept_is_not_issued(desk: Desk) -> None:
    before = len(desk.ask("token", "list")["tokens"])
    (desk.folder / "taken.token").write_text("x", encoding="utf-8")
    words = ("token", "issue", "lost", "--role", "reader:**", "-o")
    assert desk.refused(*words, "taken.token", status=5) == "output-refused"
    assert desk.refused(*words, "no/such/folder.token", status=2) == "file-unusable"
    assert len(desk.ask("token", "list")["tokens"]) == before


def test_a_token_without_a_file_is_shown_this_once(desk: Desk) -> None:
    issued = desk.ask("token", "issue", "shown", "--role", "reader:**")
    assert desk.run("service", "list", CHAINWARD_TOKEN_FILE="", CHAINWARD_TOKEN=issued["token"]).status == 0


def test_services_and_environments_are_declared_and_listed(desk: Desk) -> None:
    words = ("--owner", "team-pay", "--tier", "1", "--repositories", "pay/**", "--repositories", "ledger/*")
    assert desk.ask("service", "declare", "pay", *words)["repositories"] == ["pay/**", "ledger/*"]
    answer = desk.ask("service", "environment", "lab", "--order", "900", "--namespaces", "lab-*")
    assert answer == {"name": "lab", "order": 900, "namespaces": ["lab-*"]}
    listed = desk.ask("service", "list")
    assert "pay" in {each["name"] for each in listed["services"]}
    assert {"lab", "dev", "staging", "prod"} <= {each["name"] for each in listed["environments"]}
    shown = desk.run("service", "list").out
    assert "pay/**, ledger/*" in shown


def test_a_policy_is_checked_without_a_platform_and_errors_point_at_the_line(desk: Desk) -> None:
    assert bare("policy", "check", str(POLICY), "--json", cwd=desk.folder).json["rules"] == [
        "evidence",
        "staging-first",
    ]
    (desk.folder / "bad.yaml").write_text(
        POLICY.read_text(encoding="utf-8").replace("signature:", "signatur:"), encoding="utf-8"
    )
    refused = bare("policy", "check", "bad.yaml", cwd=desk.folder)
    assert refused.status == 2
    assert "line" in refused.err
    assert "signatur" in refused.err


def test_activating_the_policy_in_force_again_makes_an_epoch_and_changes_no_rule(desk: Desk) -> None:
    shown = desk.ask("policy", "show")
    (desk.folder / "same.yaml").write_text(shown["document"], encoding="utf-8")
    active = desk.ask("policy", "activate", "same.yaml")
    assert active["digest"] == shown["digest"]
    assert active["epoch"] >= shown["epoch"]
    assert shown["document"].rstrip() in desk.run("policy", "show").out
    assert desk.refused("policy", "activate", str(desk.folder / "project" / "build.py"), status=2)


def test_the_logs_are_listed_and_proven(desk: Desk) -> None:
    logs = {each["name"]: each for each in desk.ask("log", "list")["logs"]}
    assert set(logs) == {"facts", "signatures", "certificates"}
    assert desk.run("log", "checkpoint", "signatures").out.splitlines()[0] == logs["signatures"]["origin"]
    assert desk.ask("log", "checkpoint")["size"] >= logs["facts"]["size"]
    assert desk.ask("log", "prove", "facts", "0")["verified"] is True
    assert desk.refused("log", "prove", "facts", "99999999", status=3) == "log-out-of-range"


def test_a_remembered_checkpoint_is_extended_and_replaced(desk: Desk) -> None:
    (desk.folder / "seen").write_text(desk.run("log", "checkpoint", "facts").out, encoding="utf-8")
    desk.run("service", "declare", "seen", "--owner", "o", "--tier", "3", "--repositories", "seen/**")
    before = (desk.folder / "seen").read_bytes()
    assert "extends" in desk.run("log", "verify", "--remember", "seen").out
    assert (desk.folder / "seen").read_bytes() != before
    assert desk.ask("log", "verify", "--remember", "new")["findings"] == []


def test_a_forged_checkpoint_that_was_remembered_is_refused_and_kept(desk: Desk) -> None:
    note = desk.run("log", "checkpoint", "facts").out.splitlines(keepends=True)
    forged = "".join([note[0], "3\n", *note[2:]])
    (desk.folder / "forged").write_text(forged, encoding="utf-8")
    assert desk.refused("log", "verify", "--remember", "forged", status=1)
    assert (desk.folder / "forged").read_text(encoding="utf-8") == forged


def test_projections_are_rebuilt_only_while_the_platform_stands_still(desk: Desk, tmp_path: Path) -> None:
    assert desk.refused("rebuild", "--data", "platform", status=5) == "instance-running"
    assert bare("init", "--data", "p", "--token-out", "t", cwd=tmp_path).status == 0
    rebuilt = bare("rebuild", "--data", "p", "--json", cwd=tmp_path).json["rebuilt"]
    assert rebuilt
    assert min(rebuilt.values()) > 0
    assert bare("rebuild", "--data", "p", "--only", "nothing", cwd=tmp_path).status == 3


def test_a_second_platform_on_the_same_data_is_refused(desk: Desk) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    assert desk.refused("up", "--data", "platform", "--port", free, status=5) == "instance-running"
    taken = desk.url.rpartition(":")[2]
    assert desk.refused("up", "--data", "platform", "--port", taken, status=6) == "address-in-use"


def test_init_says_what_it_made_and_how_to_go_on(tmp_path: Path) -> None:
    done = bare("init", "--data", "p", "--instance", "ward.example", "--json", cwd=tmp_path)
    assert done.json["instance"] == "ward.example"
    assert done.json["token"].startswith("cwt_")
    told = bare("init", "--data", "q", cwd=tmp_path)
    assert "Next: chainward up --data" in told.out
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o700


def test_a_first_token_that_could_not_be_kept_makes_no_platform(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x", encoding="utf-8")
    done = bare("init", "--data", "p", "--token-out", "t", "--json", cwd=tmp_path)
    assert (done.status, done.code) == (5, "output-refused")
    assert not (tmp_path / "p").exists()


def test_starting_what_was_never_made_says_how_to_make_it(tmp_path: Path) -> None:
    done = bare("up", "--data", "nowhere", "--json", cwd=tmp_path)
    assert (done.status, done.code) == (3, "not-initialised")
    assert "chainward init" in done.json["error"]["hint"]


def test_the_version_is_told(tmp_path: Path) -> None:
    assert __version__ in bare("--version", cwd=tmp_path).out


@pytest.mark.skipif(shutil.which("head") is None, reason="needs head")
def test_a_reader_that_goes_away_is_no_refusal(desk: Desk) -> None:
    done = bare(
        "-c", "chainward policy show | head -c 1; exit ${PIPESTATUS[0]}", cwd=desk.folder, executable=("bash",),
        CHAINWARD_URL=desk.url, CHAINWARD_TOKEN_FILE=str(desk.folder / "admin.token"),
    )  # fmt: skip
    assert done.status in {0, 141}
    assert "Traceback" not in done.err
