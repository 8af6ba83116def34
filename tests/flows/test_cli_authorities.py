"""``chainward trust rotate|compromise|tuf|export`` as an operator types them, with the offline keys in a folder."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.flows.command_line import Desk, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "platform-passphrase"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A platform whose offline keys were moved to a folder of their own."""
    with running(tmp_path_factory.mktemp("authorities")) as made:
        keys = next(path for path in made.folder.rglob("keys") if path.is_dir())
        shutil.move(keys / "offline", made.folder / "vault")
        shutil.copy(keys / "passphrase", made.folder / "platform-passphrase")
        yield made


def active(desk: Desk) -> dict[str, str]:
    """The active instance of each service, by name."""
    return {each["service"]: each["name"] for each in desk.ask("trust", "authorities")["authorities"] if each["active"]}


def test_every_service_is_rotated_by_one_command(desk: Desk) -> None:
    before = active(desk)
    for service in ("ca", "tsa"):
        root = f"file:vault/{service}-root.pem"
        made = desk.ask("trust", "rotate", service, "--root-key", root, CHAINWARD_KEY_PASSPHRASE_FILE=SECRET)
        assert made["name"] != before[service]
    for service in ("log", "ct"):
        assert desk.ask("trust", "rotate", service)["name"] != before[service]
    assert set(active(desk)) == set(before)
    assert "active" in desk.run("trust", "authorities").out
    assert desk.run("log", "verify").status == 0


def test_a_rotation_without_the_right_key_changes_nothing(desk: Desk) -> None:
    before = active(desk)
    assert desk.run("trust", "rotate", "ca", expect=2).status == 2
    assert desk.run("trust", "rotate", "log", "--root-key", "file:vault/ca-root.pem", expect=2).status == 2
    wrong = desk.run(
        "trust",
        "rotate",
        "ca",
        "--root-key",
        "file:vault/tsa-root.pem",
        expect=None,
        CHAINWARD_KEY_PASSPHRASE_FILE=SECRET,
    )
    assert "authority-invalid" in wrong.err
    assert wrong.status != 0
    assert active(desk) == before


def test_the_root_of_tuf_loses_a_key_and_gets_another(desk: Desk) -> None:
    new = "vault/tuf-root-4.pem"
    desk.run("keys", "generate", new, "--scheme", "ed25519", CHAINWARD_KEY_PASSPHRASE_FILE=SECRET)
    status = desk.ask("trust", "tuf", "status")
    assert len(status["root_keys"]) == 3
    lost = next(iter(status["root_keys"]))
    references = [word for number in (1, 2, 3, 4) for word in ("--root-key", f"file:vault/tuf-root-{number}.pem")]
    after = desk.ask(
        "trust",
        "tuf",
        "rotate-root",
        *references,
        "--remove",
        lost,
        "--new-online-keys",
        CHAINWARD_KEY_PASSPHRASE_FILE=SECRET,
    )
    assert (after["versions"]["root"], len(after["root_keys"]), after["threshold"]) == (2, 3, 2)
    assert lost not in after["root_keys"]
    alone = desk.run(
        "trust",
        "tuf",
        "rotate-root",
        "--root-key",
        "file:vault/tuf-root-4.pem",
        expect=None,
        CHAINWARD_KEY_PASSPHRASE_FILE=SECRET,
    )
    assert "trust-root-invalid" in alone.err


def test_the_export_verifies_what_was_signed_where_no_network_is(desk: Desk, tmp_path: Path) -> None:
    (desk.folder / "release.tar").write_text("a release", encoding="utf-8")
    desk.run("sign", "release.tar", "--key", "file:release.key", "-o", "release.sigstore.json")
    written = desk.ask("trust", "export", "trust.json")
    assert written["digest"].startswith("sha256:")
    words = ("verify", "release.tar", "--bundle", "release.sigstore.json", "--trust", "trust.json", "--offline")
    nowhere = Desk(desk.folder, "http://127.0.0.1:1", desk.token_file, {})
    assert nowhere.ask(*words)["verified"] is True
    (desk.folder / "release.tar").write_text("another release", encoding="utf-8")
    assert nowhere.run(*words, expect=None).status == 1
    standard = tmp_path / "root.json"
    desk.run("trust", "export", "--stock", standard)
    assert "tlogs" in json.loads(standard.read_bytes())


def test_a_compromise_is_stated_with_a_checkpoint_from_before(desk: Desk) -> None:
    name = active(desk)["tsa"]
    note = desk.run("log", "checkpoint", "signatures").out
    (desk.folder / "checkpoint.txt").write_text(note, encoding="utf-8")
    since = datetime.now(UTC).isoformat()
    words = ("trust", "compromise", name, "--since", since, "--reason", "drill")
    told = desk.ask(*words, "--checkpoint", "checkpoint.txt")
    assert told["compromise"]["reason"] == "drill"
    assert "tsa" not in active(desk)
    assert "authority-conflict" in desk.run(*words, expect=None).err
    assert "compromised since" in desk.run("trust", "authorities").out
    desk.run("trust", "rotate", "tsa", "--root-key", "file:vault/tsa-root.pem", CHAINWARD_KEY_PASSPHRASE_FILE=SECRET)
    desk.run("trust", "retire", active(desk)["ct"])
    assert "ct" not in active(desk)
    desk.run("trust", "rotate", "ct")
    assert desk.run("log", "verify").status == 0
