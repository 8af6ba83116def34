"""What somebody might try against, or through, the command line: each attack ends in one coded refusal."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.flows.command_line import CHAINWARD, EVIDENCE, Desk, bare, review_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_NETWORK = """\
import sys

def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        print("NETWORK", event, file=sys.stderr)
        raise OSError("the network was asked")

sys.addaudithook(refuse)
"""


@pytest.fixture
def offline(desk: Desk, tmp_path: Path) -> dict[str, str]:
    """An environment in which a command that touches a socket fails; it knows no platform and no token."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    if not (desk.folder / "offline-root.json").exists():
        desk.run("trust", "export", "offline-root.json")
    return {"PYTHONPATH": str(tmp_path), "CHAINWARD_URL": "http://127.0.0.1:9", "CHAINWARD_TOKEN_FILE": ""}


def test_verification_with_bundle_key_and_root_asks_no_network(
    desk: Desk, shipped: str, offline: dict[str, str]
) -> None:
    for kind in EVIDENCE:
        words = ("verify", "1.0", "--bundle", f"1.0/{kind}.sigstore.json", "--key", "release.pub")
        answer = desk.run(*words, "--trusted-root", "offline-root.json", "--json", expect=0, **offline).json
        assert answer["digest"] == shipped
        assert answer["verified"] is True
    with_token = {**offline, "CHAINWARD_TOKEN": "cwt_x"}
    refused = desk.run("verify", "1.0", "--bundle", "1.0/sign.sigstore.json", expect=6, **with_token)
    assert "NETWORK" in refused.err, "the trap is not set"


def test_a_bundle_replayed_on_another_image_is_rejected(desk: Desk, shipped: str, offline: dict[str, str]) -> None:
    desk.image("replay")
    words = ("verify", "replay", "--bundle", "1.0/provenance.sigstore.json", "--key", "release.pub")
    done = desk.run(*words, "--trusted-root", "offline-root.json", "--json", expect=1, **offline)
    assert done.code == "subject-mismatch"
    assert done.json["error"]["details"]["subjects"] == [shipped]
    assert desk.refused("push", "replay", "shop/replay:1", "--bundle", "1.0/sign.sigstore.json", status=2)


def test_a_bundle_of_another_key_is_rejected(desk: Desk, shipped: str, offline: dict[str, str]) -> None:
    assert shipped
    desk.run("keys", "generate", "stranger.key")
    desk.run("sign", "1.0", "--name", "shop/web", "--key", "stranger.key", "-o", "stranger.json")
    words = ("verify", "1.0", "--bundle", "stranger.json", "--trusted-root", "offline-root.json")
    assert desk.run(*words, "--key", "stranger.pub", "--json", expect=0, **offline).json["verified"] is True
    assert desk.run(*words, "--key", "release.pub", "--json", expect=1, **offline).code == "signer-unknown"
    assert desk.refused("verify", "1.0", "--bundle", "stranger.json", status=1) == "signer-unknown"


def test_a_bundle_with_one_changed_byte_is_rejected(desk: Desk, shipped: str, offline: dict[str, str]) -> None:
    assert shipped
    bundle = json.loads((desk.folder / "1.0" / "sbom.sigstore.json").read_bytes())
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = ("A" if payload[100] != "A" else "B").join((payload[:100], payload[101:]))
    (desk.folder / "changed.json").write_text(json.dumps(bundle), encoding="utf-8")
    words = ("verify", "1.0", "--bundle", "changed.json", "--key", "release.pub", "--trusted-root", "offline-root.json")
    assert desk.run(*words, expect=None, **offline).status in {1, 2}


def test_the_proof_of_another_log_is_rejected(desk: Desk, shipped: str, tmp_path: Path) -> None:
    """A stranger runs a log of the same name; its entries prove nothing to whoever knows the right key."""
    assert shipped
    from tests.flows.command_line import running

    (tmp_path / "other").mkdir()
    with running(tmp_path / "other") as other:
        other.run("trust", "export", "root.json")
    root = tmp_path / "other" / "root.json"
    words = ("verify", "1.0", "--bundle", "1.0/sign.sigstore.json", "--key", "release.pub", "--trusted-root", str(root))
    assert desk.refused(*words, status=1)


def test_a_token_is_no_option_of_any_verb(desk: Desk) -> None:
    for words in (("service", "list"), ("push", "1.0", "shop/web:1"), ("up",)):
        done = desk.run(*words, "--token", "cwt_secret", "--json", expect=2)
        assert done.code == "usage-invalid"
    done = desk.run("service", "list", "--url", f"http://x:{desk.token}@{desk.host}", expect=2)
    assert desk.token not in done.out + done.err


def test_a_token_is_in_no_process_list_and_no_output(desk: Desk) -> None:
    words = [str(CHAINWARD), "timeline", f"shop/web@sha256:{'0' * 64}", "--json"]
    environment = {"CHAINWARD_URL": desk.url, "CHAINWARD_TOKEN_FILE": str(desk.folder / "admin.token")}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        seen = b"".join(_command_lines(process))
        out, err = process.communicate(timeout=60)
    assert b"chainward" in seen
    assert desk.token.encode() not in seen + out + err


def _command_lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what the process list shows of a process while it runs: arguments and environment names of the file."""
    path = Path("/proc") / str(process.pid)
    with suppress(ProcessLookupError, FileNotFoundError):  # it may end between two looks
        while process.poll() is None:
            yield (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
            time.sleep(0.02)


@pytest.mark.parametrize("content", ["two words", "cwt_\u00e4", "a\nb", "cwt_x\x00y", ""])
def test_a_file_that_holds_no_token_is_not_sent_and_not_shown(desk: Desk, content: str) -> None:
    (desk.folder / "odd.token").write_text(content, encoding="utf-8")
    done = desk.run("service", "list", "--json", expect=4, CHAINWARD_TOKEN_FILE=str(desk.folder / "odd.token"))
    assert done.code == "secret-missing"
    assert not content or content not in done.out + done.err


def test_a_made_up_token_is_refused(desk: Desk) -> None:
    made_up = f"{desk.token[:-4]}AAAA"
    done = desk.run("service", "list", "--json", expect=4, CHAINWARD_TOKEN_FILE="", CHAINWARD_TOKEN=made_up)
    assert done.code == "token-invalid"
    assert made_up not in done.out + done.err


def test_every_role_is_kept_within_its_rights(desk: Desk, shipped: str) -> None:
    reader, publisher = desk.holding("reader", "reader:shop/**"), desk.holding("publisher", "publisher:shop/**")
    stranger = desk.holding("stranger", "publisher:other/**")
    for who, words in (
        (reader, ("push", "1.0", "shop/stolen:1")),
        (stranger, ("push", "1.0", "shop/stolen:2")),
        (stranger, ("verify", "shop/web:1.0")),
        (publisher, ("promote", "shop/web:1.0", "--to", "dev")),
        (publisher, ("revoke", "shop/web:1.0", "--reason", "spite")),
        (publisher, ("trust", "add", "me", "--key", "release.pub", "--repositories", "**")),
        (publisher, ("trust", "distrust", "release", "--reason", "spite")),
        (publisher, ("token", "issue", "more", "--role", "admin:**")),
        (publisher, ("policy", "activate", str(Path(__file__).parents[2] / "examples" / "tour" / "policy.yaml"))),
        (reader, ("admit", str(review_of(desk, f"{desk.host}/shop/web@{shipped}", "dev", "role.json")))),
        (reader, ("log", "verify")),
    ):
        assert who.refused(*words, status=4) == "access-denied", words
    assert reader.ask("verify", "shop/web:1.0")["verified"] is True


def test_an_image_of_another_host_is_not_asked_for_here(desk: Desk, shipped: str) -> None:
    for words in (
        ("promote", f"registry.example.org/shop/web@{shipped}", "--to", "dev"),
        ("verify", f"registry.example.org/shop/web@{shipped}"),
        ("push", "1.0", "registry.example.org/shop/web:1.0"),
        ("timeline", f"registry.example.org/shop/web@{shipped}"),
        ("revoke", f"127.0.0.1:1/shop/web@{shipped}", "--reason", "x"),
    ):
        assert desk.refused(*words, status=2) == "image-foreign"
    review = review_of(desk, f"registry.example.org/shop/web@{shipped}", "dev", "foreign.json")
    assert desk.run("admit", review, expect=1).out.startswith("DENIED")


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "shop/../../x:1", "Shop/Web:1", "shop/web:1:2", "shop/web@sha256:zz", ""]
)
def test_a_name_that_is_none_is_refused_before_anything_is_sent(desk: Desk, name: str) -> None:
    done = bare(
        "timeline", name, "--json", cwd=desk.folder, CHAINWARD_URL="http://127.0.0.1:9", CHAINWARD_TOKEN="cwt_x"
    )
    assert done.status == 2
    assert done.code in {"name-invalid", "digest-invalid", "image-foreign"}


def test_a_tag_that_would_move_is_a_conflict(desk: Desk, shipped: str) -> None:
    out = desk.image("mover")
    assert desk.refused("push", out, "shop/web:1.0", status=5) == "tag-immutable"
    assert desk.ask("verify", "shop/web:1.0")["digest"] == shipped


def test_a_layer_that_was_changed_on_disk_is_not_pushed(desk: Desk) -> None:
    changes: tuple[Callable[[bytes], bytes], ...] = (
        lambda data: data[:-1] + b"x",
        lambda data: data + b"x",
        lambda data: data[:-1],
    )
    for number, change in enumerate(changes):
        out = desk.image(f"changed-{number}")
        (layer,) = json.loads((out / "build.json").read_bytes())["image"]["layers"]
        blob = out / "image" / "blobs" / "sha256" / layer.partition(":")[2]
        blob.write_bytes(change(blob.read_bytes()))
        assert desk.refused("push", out, f"shop/changed:{number}", status=2) == "digest-mismatch"
        assert desk.refused("verify", f"shop/changed:{number}", status=3)


def test_a_blob_that_was_tampered_with_in_the_store_is_not_believed(desk: Desk) -> None:
    """The bundle is changed on the disk of the platform; who verifies hears of it, and nothing is verified."""
    out = desk.image("stored", "sign")
    desk.push(out, "shop/stored:1", "sign")
    content = (out / "sign.sigstore.json").read_bytes()
    store = desk.folder / "platform" / "blobs"
    (blob,) = (path for path in store.rglob("*") if path.is_file() and path.read_bytes() == content)
    blob.chmod(0o600)
    blob.write_bytes(content.replace(b"payload", b"pAyload", 1))
    told = desk.run("verify", "shop/stored:1", "--json", expect=1).json
    assert (told["verified"], told["statements"]) == (False, [])
    assert [each["code"] for each in told["rejected"]] == ["blob-integrity-violated"]


def test_an_output_never_destroys_what_it_should_keep(desk: Desk, shipped: str) -> None:
    assert shipped
    precious = desk.folder / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work", encoding="utf-8")
    build = ("build", "--source", "project", "--layer", "build/app:/srv/app")
    for output in ("precious", "project", ".", "/"):
        done = desk.run(*build, "-o", output, "--json", "--", "python", "build.py", expect=5)
        assert done.code == "output-refused"
    (desk.folder / "link").symlink_to(precious)
    desk.run(*build, "-o", "link", "--", "true", expect=5)
    assert (precious / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    (desk.folder / "mine.txt").write_text("mine", encoding="utf-8")
    words = ("sign", "mine.txt", "--key", "release.key", "-o")
    for output in ("mine.txt", "./mine.txt", "project/../mine.txt", "release.key"):
        assert desk.refused(*words, output, status=5) == "output-refused"
    assert desk.refused(*words, "no/where.json", status=2) == "file-unusable"
    desk.run(*words, "precious", expect=2)


def test_a_link_in_the_place_of_an_output_is_replaced_and_not_followed(desk: Desk) -> None:
    target = desk.folder / "target.txt"
    target.write_text("untouched", encoding="utf-8")
    (desk.folder / "planted.json").symlink_to(target)
    desk.run("trust", "export", "planted.json")
    assert target.read_text(encoding="utf-8") == "untouched"
    assert not (desk.folder / "planted.json").is_symlink()


def test_a_key_is_never_overwritten(desk: Desk) -> None:
    before = (desk.folder / "release.key").read_bytes(), (desk.folder / "release.pub").read_bytes()
    assert desk.refused("keys", "generate", "release.key", status=5)
    assert desk.refused("keys", "generate", "release.pem", status=5) == "output-refused"
    assert desk.refused("keys", "generate", "both.pub", status=5) == "output-refused"
    assert ((desk.folder / "release.key").read_bytes(), (desk.folder / "release.pub").read_bytes()) == before
    assert not (desk.folder / "both.pub").exists()


def test_a_wrong_passphrase_opens_no_key(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong horse\n", encoding="utf-8")
    words = ("sign", "project/build.py", "--key", "release.key", "-o", "never.json", "--json")
    done = desk.run(*words, expect=None, CHAINWARD_KEY_PASSPHRASE_FILE=str(tmp_path / "wrong"))
    assert done.status not in {0, 1, 70}
    assert "wrong horse" not in done.out + done.err
    assert not (desk.folder / "never.json").exists()


def test_a_secret_of_the_environment_does_not_reach_the_build(desk: Desk) -> None:
    (desk.folder / "secretive" / "app").mkdir(parents=True)
    words = ("build", "--source", "secretive", "-o", "leak", "--layer", "app:/srv/app", "--")
    script = "import os; print(sorted(os.environ))"
    done = desk.run(*words, "python", "-c", script, CHAINWARD_TOKEN="cwt_secret", CLOUD_PASSWORD="hunter2")
    assert "CHAINWARD" not in done.out + done.err
    assert "CLOUD_PASSWORD" not in done.out + done.err
    assert "hunter2" not in os.fsdecode((desk.folder / "leak" / "build.json").read_bytes())
