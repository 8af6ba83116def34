"""``chainward verify`` on files, without any platform: by identity or key, with the trusted root of any instance."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.trust.sigstore_world import ARTIFACT, ISSUER, STATEMENT, SUBJECT, World, as_version, new_key

from chainward.formats.bundle import encode_bundle
from chainward.formats.trusted_root import encode_trusted_root
from chainward.keys.local import PrivateKey

WHO = ("--identity", SUBJECT, "--issuer", ISSUER)
TRUST = ("--trusted-root", "root.json")
DIGEST = f"sha256:{hashlib.sha256(ARTIFACT).hexdigest()}"
PROVENANCE = "https://slsa.dev/provenance/v1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to verify, and bundles of every form over them."""
    place, world = tmp_path_factory.mktemp("verify"), World()
    key = new_key()
    bundles = {
        "new": encode_bundle(world.sign()),
        "old": as_version(world.sign_old(), "0.1"),
        "statement": encode_bundle(world.state()),
        "key": encode_bundle(world.sign(key=key, certificate="none")),
        "odd": encode_bundle(world.state(b"text", payload_type="text/plain")),
        "foreign": encode_bundle(World().sign()),
        "file": ARTIFACT,
        "other": b"malware",
        "root.json": encode_trusted_root(world.trusted_root),
        "release.pub": PrivateKey.of(key).public_key.pem,
        "stranger.pub": PrivateKey.of(new_key()).public_key.pem,
    }
    for name, content in bundles.items():
        (place / name).write_bytes(content)
    assert json.loads(STATEMENT)["predicateType"] == PROVENANCE
    return place


def verify(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run the command where nothing of the environment helps it and no platform answers."""
    command = [str(Path(sys.executable).with_name("chainward")), "verify", *words, "--json"]
    environment = {"PATH": os.environ["PATH"], "CHAINWARD_URL": "http://127.0.0.1:9"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ("file", "--bundle", "new", *WHO),
        (DIGEST, "--bundle", "new", *WHO),
        ("file", "--bundle", "new", "--bundle", "old", "--bundle", "statement", *WHO, "--offline"),
        ("file", "--bundle", "new", "--identity-regex", "https://ci\\..*", "--issuer-regex", ".*"),
        ("file", "--bundle", "statement", *WHO, "--predicate-type", PROVENANCE),
        ("file", "--bundle", "key", "--key", "release.pub"),
        ("file", "--bundle", "key", "--bundle", "new", "--key", "release.pub", *WHO),
    ],
    ids=" ".join,
)
def test_what_was_signed_by_whom_is_asked_for_verifies_without_a_network(folder: Path, words: tuple[str, ...]) -> None:
    status, answer = verify(folder, *words, *TRUST)
    assert (status, answer["verified"], answer["digest"]) == (0, True, DIGEST)
    assert all(each["signer"] in {SUBJECT, "key-1"} for each in answer["statements"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("other", "--bundle", "new", *WHO), "subject-mismatch"),
        (("other", "--bundle", "statement", *WHO), "subject-mismatch"),
        (("sha256:" + "0" * 64, "--bundle", "new", *WHO), "subject-mismatch"),
        (("file", "--bundle", "new", "--identity", SUBJECT[:-1], "--issuer", ISSUER), "identity-mismatch"),
        (("file", "--bundle", "new", "--identity", SUBJECT, "--issuer", f"{ISSUER}.evil.test"), "identity-mismatch"),
        (("file", "--bundle", "new", "--identity-regex", "ci", "--issuer", ISSUER), "identity-mismatch"),
        (("file", "--bundle", "new", *WHO, "--claim", "build_trigger=push"), "identity-mismatch"),
        (("file", "--bundle", "new", "--key", "release.pub"), "signer-unknown"),
        (("file", "--bundle", "key", *WHO), "signer-unknown"),
        (("file", "--bundle", "key", "--key", "stranger.pub"), "signer-unknown"),
        (("file", "--bundle", "foreign", *WHO), "certificate-untrusted"),
        (("file", "--bundle", "new", "--bundle", "foreign", *WHO), "certificate-untrusted"),
    ],
)
def test_what_does_not_hold_is_refused_with_status_1_and_its_reason(
    folder: Path, words: tuple[str, ...], code: str
) -> None:
    status, answer = verify(folder, *words, *TRUST)
    assert (status, answer["error"]["code"]) == (1, code)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("file", "--bundle", "odd", *WHO), "bundle-malformed"),
        (("file", "--bundle", "file", *WHO), "bundle-malformed"),
        (("file", "--bundle", "new", "--identity", SUBJECT), "identity-pattern-invalid"),
        (("file", "--bundle", "new", "--identity-regex", "(", "--issuer", ISSUER), "identity-pattern-invalid"),
        (("file", "--bundle", "new", *WHO, "--claim", "novalue"), "usage-invalid"),
        (("file", "--bundle", "new", "--offline"), "usage-invalid"),
    ],
)
def test_a_question_that_makes_no_sense_ends_with_status_2(folder: Path, words: tuple[str, ...], code: str) -> None:
    status, answer = verify(folder, *words, *TRUST)
    assert (status, answer["error"]["code"]) == (2, code)


def test_a_demanded_predicate_type_that_nobody_stated_is_missing(folder: Path) -> None:
    status, answer = verify(folder, "file", "--bundle", "new", *WHO, *TRUST, "--predicate-type", PROVENANCE)
    assert (status, answer["verified"], answer["missing"]) == (1, False, [PROVENANCE])


def test_without_a_trusted_root_only_the_platform_can_say_what_to_believe(folder: Path) -> None:
    status, answer = verify(folder, "file", "--bundle", "new", *WHO, "--offline")
    assert (status, answer["error"]["code"]) == (2, "usage-invalid")
