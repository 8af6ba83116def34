"""A Problem ends a command with its text, or as JSON, and with the exit status of its kind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chainward.faces.cli.exits import EXIT_STATUS
from chainward.kernel.problem import Kind

CHAINWARD = Path(sys.executable).parent / "chainward"
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CHAINWARD_URL": "http://127.0.0.1:9"}


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CHAINWARD, *words], capture_output=True, text=True, check=False, cwd=cwd, env=CLEAN | environment
    )


def test_every_kind_has_an_exit_status() -> None:
    assert set(EXIT_STATUS) == set(Kind)
    assert 0 not in EXIT_STATUS.values()


def test_without_a_token_the_user_is_told_how_to_give_one(tmp_path: Path) -> None:
    done = run("service", "list", cwd=tmp_path)
    assert done.returncode == 4
    assert "secret-missing" in done.stderr
    assert "--token-file" in done.stderr


def test_a_platform_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    done = run("service", "list", "--json", cwd=tmp_path, CHAINWARD_TOKEN="cwt_x")
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"]["code"] == "platform-unreachable"


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("service", "list", "--token-file", "nowhere", cwd=tmp_path)
    assert done.returncode == 4
    assert "nowhere" in done.stderr


def test_a_platform_is_not_made_twice_in_one_folder(tmp_path: Path) -> None:
    first = run("init", "--data", "p", "--token-out", "t", cwd=tmp_path)
    second = run("init", "--data", "p", "--token-out", "t2", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert second.returncode == 5
    assert "already-initialised" in second.stderr
    assert not (tmp_path / "t2").exists()


def test_the_first_token_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    done = run("init", "--data", "p", "--token-out", "t", cwd=tmp_path)
    token = (tmp_path / "t").read_text(encoding="utf-8").strip()
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600
    assert token.startswith("cwt_")
    assert token not in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["app", "app:relative", ":/srv"])
def test_a_layer_that_is_not_folder_and_path_is_refused(text: str, tmp_path: Path) -> None:
    done = run("build", "-o", "out", "--layer", text, "--", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "build-layer-invalid" in done.stderr


def test_a_failing_build_leaves_no_artifact(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    done = run("build", "-o", "out", "--layer", "app:/srv", "--", "false", cwd=tmp_path)
    assert done.returncode != 0
    assert "build-failed" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_sbom_of_a_folder_is_a_document_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask==3.1.0\n", encoding="utf-8")
    done = run("sbom", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["components"][0]["purl"] == "pkg:pypi/flask@3.1.0"


def test_a_passphrase_is_never_taken_from_the_command_line(tmp_path: Path) -> None:
    done = run("keys", "generate", "k.key", "--passphrase", "secret-secret", cwd=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "k.key").exists()


def test_a_key_without_passphrase_source_is_not_made(tmp_path: Path) -> None:
    done = run("keys", "generate", "k.key", cwd=tmp_path)
    assert done.returncode == 4
    assert not (tmp_path / "k.key").exists()


def test_a_key_pair_is_made_and_shown(tmp_path: Path) -> None:
    made = run("keys", "generate", "k.key", "--json", cwd=tmp_path, CHAINWARD_KEY_PASSPHRASE="correct horse")
    shown = run("keys", "show", "k.pub", "--json", cwd=tmp_path)
    assert made.returncode == shown.returncode == 0
    assert json.loads(made.stdout)["fingerprint"] == json.loads(shown.stdout)["fingerprint"]
    assert "ENCRYPTED PRIVATE KEY" in (tmp_path / "k.key").read_text(encoding="ascii")
    assert (tmp_path / "k.key").stat().st_mode & 0o777 == 0o600
