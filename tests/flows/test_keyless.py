"""Signing keyless on the command line against a real platform, and what an attacker would try on the way."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from tests.flows.command_line import BUILDER, Desk, bare, running
from tests.loopback import served
from tests.tokens import jwt_of

from chainward.adapters.pinned import folder_name
from chainward.formats.bundle import decode_bundle
from chainward.formats.intoto import SLSA_PROVENANCE, VSA

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS: Final = "[trust]\ndevelopment_issuer = true\n"
CI: Final = "https://ci.example.org/shop/web"
STRANGER: Final = "https://ci.example.org/mallory/web"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A platform with the development issuer; the identity CI may say how things of ``shop/**`` were built."""
    with running(tmp_path_factory.mktemp("keyless"), SETTINGS) as desk:
        for name, subject in (("ci", CI), ("stranger", STRANGER)):
            desk.run("token", "identity", "--subject", subject, "-o", f"{name}.jwt")
        issuer = f"{desk.url}/dev/oidc"
        desk.run("trust", "add", "ci", "--identity", CI, "--issuer", issuer, "--repository", "shop/**",
                 "--predicate", SLSA_PROVENANCE)  # fmt: skip
        yield desk


def nobody(desk: Desk) -> Desk:
    """Whoever has no API token: keyless signing needs none."""
    (desk.folder / "none").touch()
    return replace(desk, token_file="none", environment={"CHAINWARD_TOKEN_FILE": "", "CHAINWARD_KEY": ""})


def a_file(desk: Desk, name: str, content: str = "release") -> Path:
    path = desk.folder / name
    path.write_text(content, encoding="utf-8")
    return path


def fetched(desk: Desk, name: str) -> bytes:
    return httpx.get(f"{desk.url}/{name}", trust_env=False).raise_for_status().content


def test_a_file_is_signed_by_an_identity_without_any_secret_of_the_platform(place: Desk) -> None:
    path = a_file(place, "one.txt")
    told = nobody(place).ask("sign", path, "--identity-token", "@ci.jwt")
    assert told["identity"] == {"subject": CI, "issuer": f"{place.url}/dev/oidc"}
    assert told["signed_at"].startswith("20")
    assert told["bundle"] == str(place.folder / "one.txt.sigstore.json")
    bundle = decode_bundle((place.folder / "one.txt.sigstore.json").read_bytes())
    assert (len(bundle.certificates), len(bundle.entries), len(bundle.timestamps)) == (1, 1, 1)
    found = place.ask("verify", path, "--bundle", told["bundle"], "--identity", CI, "--issuer", f"{place.url}/dev/oidc")
    assert found["verified"]


def test_people_are_told_who_signed_and_where_it_is_proven(place: Desk) -> None:
    said = nobody(place).run("sign", a_file(place, "two.txt"), "--identity-token", "@ci.jwt").out
    for word in (f"by       {CI}", "issuer   http", "logged   index", "stamped  20", "written  "):
        assert word in said


def test_another_identity_is_not_the_one_that_was_asked_for(place: Desk) -> None:
    path = a_file(place, "three.txt")
    nobody(place).run("sign", path, "--identity-token", "@stranger.jwt")
    words = ("--identity", CI, "--issuer", f"{place.url}/dev/oidc")
    done = place.run("verify", path, "--bundle", f"{path}.sigstore.json", *words, "--json", expect=1)
    assert done.code == "identity-mismatch"


def test_a_token_is_taken_from_standard_input_from_the_environment_and_from_the_command_line(place: Desk) -> None:
    path = a_file(place, "four.txt")
    token = (place.folder / "ci.jwt").read_text().strip()
    line = f"chainward sign {path} --identity-token - --json <ci.jwt"
    known = {"CHAINWARD_URL": place.url}
    assert bare("-c", line, cwd=place.folder, executable=("/bin/sh",), **known).json["identity"]["subject"] == CI
    for words, environment in (
        ((), {"CHAINWARD_IDENTITY_TOKEN": token}),
        ((), {"SIGSTORE_ID_TOKEN": token}),
        (("--identity-token", token), {}),
        ((), {"CHAINWARD_KUBERNETES_TOKEN_FILE": "ci.jwt"}),
    ):
        assert bare("sign", str(path), *words, "--json", cwd=place.folder, **known, **environment).status == 0


def test_a_job_of_github_actions_signs_as_itself(place: Desk) -> None:
    path = a_file(place, "five.txt")
    answer = json.dumps({"value": (place.folder / "ci.jwt").read_text().strip()}).encode()
    with served((200, {}, answer)) as (url, script):
        job = {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/?v=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s",
        }
        assert replace(place, environment=job).ask("sign", path)["identity"]["subject"] == CI
        assert script.asked[0].path == "/?v=2&audience=sigstore"


def test_without_key_and_identity_nothing_is_signed_and_the_ways_to_get_one_are_told(place: Desk) -> None:
    path = a_file(place, "six.txt")
    done = nobody(place).run("sign", path, "--json", expect=4)
    assert done.code == "identity-token-missing"
    assert "id-token: write" in done.json["error"]["hint"]
    assert not (place.folder / "six.txt.sigstore.json").exists()


def test_a_key_still_signs_and_its_signature_carries_the_time(place: Desk) -> None:
    path = a_file(place, "seven.txt")
    told = nobody(place).ask("sign", path, "--key", "release.key", "-o", "seven.json")
    assert told["identity"] is None
    assert told["signed_at"].startswith("20")
    assert place.ask("verify", path, "--bundle", "seven.json", "--key", "release.pub")["verified"]
    nobody(place).run("sign", path, "--key", "release.key", "--identity-token", "@ci.jwt", expect=2)


def test_a_statement_that_somebody_else_wrote_is_signed_byte_for_byte(place: Desk) -> None:
    members = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://example.org/p",
        "subject": [{"name": "x", "digest": {"sha256": "a" * 64}}],
        "predicate": {"b": 1, "a": 2},
    }
    text = json.dumps(members, indent=3) + "\n"
    path = a_file(place, "statement.json", text)
    nobody(place).run("sign", path, "--in-toto", "--bundle", "statement.bundle", "--identity-token", "@ci.jwt")
    bundle = decode_bundle((place.folder / "statement.bundle").read_bytes())
    assert bundle.envelope is not None
    assert bundle.envelope.payload == text.encode()
    done = nobody(place).run("sign", a_file(place, "no.json"), "--in-toto", "--identity-token", "@ci.jwt", "--json",
                             expect=2)  # fmt: skip
    assert done.code == "input-malformed"


def test_any_other_instance_is_signed_at_by_its_two_documents(place: Desk, tmp_path: Path) -> None:
    """The platform as its signing config shows it; the address of a platform is not even known."""
    for name in ("signing_config.v0.2.json", "trusted_root.json"):
        (tmp_path / name).write_bytes(fetched(place, name))
    (tmp_path / "file").write_text("content")
    shutil.copy(place.folder / "ci.jwt", tmp_path / "ci.jwt")
    words = ("--signing-config", "signing_config.v0.2.json", "--identity-token", "@ci.jwt")
    nowhere = {"CHAINWARD_URL": "http://127.0.0.1:9"}
    done = bare("sign", "file", *words, "--trusted-root", "trusted_root.json", "--json", cwd=tmp_path, **nowhere)
    assert done.json["identity"]["subject"] == CI
    refused = bare("sign", "file", *words, cwd=tmp_path, **nowhere)
    assert refused.status == 2
    assert "--trusted-root" in refused.err


def test_what_an_identity_may_say_counts_and_what_it_may_not_does_not(place: Desk) -> None:
    """The attestor is the right one; a predicate that it is not trusted for is refused by its own code."""
    out = place.image("keyless")
    common = ("--name", "shop/web", "--identity-token", "@ci.jwt")
    place.run("attest", out, "--type", "provenance", "--predicate", out / "provenance.json", *common,
              "-o", out / "provenance.sigstore.json")  # fmt: skip
    place.run("sign", out, *common, "-o", out / "sign.sigstore.json")
    place.run(
        "sign", out, "--name", "shop/web", "--identity-token", "@stranger.jwt", "-o", out / "stranger.sigstore.json"
    )
    place.push(out, "shop/web:keyless", "provenance", "sign", "stranger")
    found = place.ask("verify", "shop/web:keyless")
    assert [(each["predicate_type"], each["signer"]) for each in found["statements"]] == [(SLSA_PROVENANCE, "ci")]
    assert sorted(each["code"] for each in found["rejected"]) == ["signer-not-allowed", "signer-unknown"]
    assert BUILDER in (out / "provenance.json").read_text()


def test_an_identity_token_gets_into_no_output_and_no_log(place: Desk) -> None:
    path = a_file(place, "eight.txt")
    token = (place.folder / "ci.jwt").read_text().strip()
    head, claims, signature = token.split(".")
    altered = ".".join((head, claims, signature[::-1]))
    said = [nobody(place).run("sign", path, "--identity-token", "@ci.jwt")]
    said.append(nobody(place).run("sign", path, "--identity-token", altered, expect=4))
    said.append(nobody(place).run("sign", path, "--identity-token", altered, "--json", expect=4))
    written = "".join(each.out + each.err for each in said)
    written += (place.folder / "platform.log").read_text()
    written += (place.folder / "eight.txt.sigstore.json").read_text()
    for secret in (signature, signature[::-1]):
        assert secret not in written


def test_whoever_takes_over_the_address_of_a_platform_is_not_believed(place: Desk, tmp_path: Path) -> None:
    """The pinned root is that of another platform, as if this one had taken its address."""
    path = a_file(place, "nine.txt")
    nobody(place).run("sign", path, "--identity-token", "@ci.jwt")
    with running(tmp_path, SETTINGS) as other:
        pins = other.folder / "pins"
        shutil.copytree(place.folder / ".local/share/chainward/trust" / folder_name(place.url),
                        pins / folder_name(other.url), symlinks=True)  # fmt: skip
        other.run("token", "identity", "--subject", CI, "-o", "ci.jwt")
        a_file(other, "file")
        words = ("sign", "file", "--identity-token", "@ci.jwt")
        done = other.run(*words, "--json", expect=1, CHAINWARD_TRUST_FOLDER=str(pins))
        assert done.code == "trust-pin-broken"
        met = other.run(*words)
        assert "pinned the root of trust" in met.err
        assert "pinned" not in other.run(*words).err


def test_a_tuf_root_that_was_given_is_believed_from_the_first_contact_on(place: Desk, tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(fetched(place, "tuf/1.root.json"))
    given = {"CHAINWARD_TRUST_FOLDER": str(tmp_path / "pins"), "CHAINWARD_TUF_ROOT": str(tmp_path / "root.json")}
    desk = replace(place, environment=given)
    path = a_file(place, "ten.txt")
    assert "pinned" not in desk.run("sign", path, "--identity-token", "@ci.jwt").err
    document = json.loads((tmp_path / "root.json").read_bytes())
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    (tmp_path / "root.json").write_text(json.dumps(document))
    done = desk.run("sign", path, "--identity-token", "@ci.jwt", "--json", expect=1)
    assert done.code == "trust-pin-broken"


def test_the_guide_works_as_it_is_written(place: Desk) -> None:
    """Every console block of the how-to page, typed into one shell by an admin."""
    page = (Path(__file__).parents[2] / "docs/how-to/sign-keyless.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    commands = [line.removeprefix("$ ") for line in blocks.replace("\\\n", " ").splitlines()]
    assert len(commands) == 5
    folder = place.folder / "guide"
    folder.mkdir()
    (folder / "release.tar.gz").write_bytes(b"content")
    known = {"CHAINWARD_URL": place.url, "CHAINWARD_TOKEN": place.token}
    done = bare("-exc", "\n".join(commands), cwd=folder, executable=("/bin/sh",), **known)
    assert done.status == 0, done
    assert "verified" in done.out


def test_a_platform_that_is_not_there_is_told_before_anything_is_signed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    later = datetime.now(UTC) + timedelta(minutes=5)
    known = {"CHAINWARD_URL": "http://127.0.0.1:9", "CHAINWARD_IDENTITY_TOKEN": jwt_of(expires=later)}
    done = bare("sign", "file", "--json", cwd=tmp_path, **known)
    assert (done.status, done.code) == (6, "platform-unreachable")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".local", "file"]


def test_an_expired_token_is_sent_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    stale = jwt_of(expires=datetime.now(UTC) - timedelta(seconds=1))
    with served((500, {}, b"")) as (url, script):
        done = bare("sign", "file", "--identity-token", stale, "--json", cwd=tmp_path, CHAINWARD_URL=url)
    assert (done.status, done.code) == (4, "identity-token-unusable")
    assert script.asked == []


def test_a_promotion_says_when_it_was_decided_in_the_words_of_the_timestamp_authority(place: Desk) -> None:
    place.complete("stamped")
    place.run("promote", "shop/web:stamped", "--to", "dev")
    found = place.ask("verify", "shop/web:stamped")["statements"]
    summaries = [each for each in found if each["predicate_type"] == VSA]
    assert [each["signer"] for each in summaries] == ["platform"]
    assert summaries[0]["signed_at"]
