"""Signers and revocations of signatures over HTTP: identities in scope, distrust from an instant on, dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.goods import push_image, sign_image, trusted_key

from chainward.keys.local import generate
from chainward.keys.model import Scheme

if TYPE_CHECKING:
    from tests.platforms import Client, TestPlatform

ISSUER = "https://token.actions.example.test"
IDENTITY = {
    "subject": "https://git.example.test/shop/.ci/release.yml@refs/heads/main",
    "issuer": ISSUER,
    "claims": {"source_repository_uri": "https://git.example.test/shop"},
}


def signer(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "identity": IDENTITY, "repositories": ["shop/**"], "predicates": ["a:b"], **changes}


def test_an_identity_is_trusted_shown_and_distrusted_from_an_instant_on(admin: Client) -> None:
    made = admin.post("/api/v1/signers", signer("ci", portable=True))
    assert made.status_code == 201
    assert (made.json()["identity"], made.json()["public_key"], made.json()["portable"]) == (IDENTITY, "", True)
    trusted_since = made.json()["trusted_since"]
    gone = admin.request("DELETE", f"/api/v1/signers/ci?reason=lost&since={trusted_since}")
    assert gone.status_code == 204
    (shown,) = admin.get("/api/v1/signers/ci").json()["signers"]
    assert shown["distrusted_since"] == trusted_since
    assert admin.post("/api/v1/signers", signer("ci")).status_code == 201
    states = [one["distrusted_at"] is None for one in admin.get("/api/v1/signers/ci").json()["signers"]]
    assert states == [False, True]
    assert admin.get("/api/v1/signers/nobody").status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"identity": None}, "signer-invalid"),
        ({"public_key": generate(Scheme.ECDSA_P256_SHA256).public_key.pem.decode()}, "signer-invalid"),
        ({"identity": {"subject": "x"}}, "identity-pattern-invalid"),
        ({"identity": {"subject": "x", "subject_regex": "x", "issuer": "y"}}, "identity-pattern-invalid"),
        ({"identity": {"subject_regex": "(", "issuer": "y"}}, "identity-pattern-invalid"),
        ({"identity": {**IDENTITY, "anything": "else"}}, "input-malformed"),
        ({"identity": {**IDENTITY, "claims": {"n": 1}}}, "input-malformed"),
        ({"predicates": ["two words"]}, "signer-invalid"),
        ({"name": "Not A Name"}, "signer-invalid"),
    ],
)
def test_a_signer_that_could_not_be_meant_is_refused(admin: Client, changes: dict[str, Any], code: str) -> None:
    answer = admin.post("/api/v1/signers", {**signer("bad"), **changes})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("since", ["yesterday", "2026-11-23", "2999-01-01T00:00:00Z"])
def test_an_instant_of_distrust_that_is_none_or_lies_ahead_is_refused(admin: Client, since: str) -> None:
    admin.post("/api/v1/signers", signer("ahead"))
    assert admin.request("DELETE", f"/api/v1/signers/ahead?reason=x&since={since}").status_code == 400


def test_a_dry_run_tells_what_would_stop_counting_and_changes_nothing(desk: TestPlatform, admin: Client) -> None:
    key = trusted_key(desk.platform, "dry")
    digest = push_image(desk.platform, "shop/dry", "1.0")
    sign_image(desk.platform, "shop/dry", digest, key)
    body = {"by": "key", "target": key.public_key.fingerprint, "reason": "stolen", "dry_run": True}
    tried = admin.post("/api/v1/signature-revocations", body)
    assert tried.status_code == 200
    assert tried.json()["in_force"] is False
    evidence = admin.get(f"/api/v1/artifacts/shop/dry@{digest}").json()["evidence"]
    assert [one["verified"] for one in evidence] == [True]
    done = admin.post("/api/v1/signature-revocations", {**body, "dry_run": False})
    assert (done.status_code, done.json()["in_force"]) == (201, True)
    evidence = admin.get(f"/api/v1/artifacts/shop/dry@{digest}").json()["evidence"]
    assert [(one["verified"], one["code"]) for one in evidence] == [(False, "signature-revoked")]
    targets = [one["target"] for one in admin.get("/api/v1/signature-revocations").json()["revocations"]]
    assert targets[-1] == key.public_key.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"by": "key", "target": "short"},
        {"by": "anything", "target": "x"},
        {"by": "identity"},
        {"by": "identity", "target": "x"},
        {"by": "entry", "target": "log.example.test/1", "since": "2026-11-23T00:00:00Z"},
        {"by": "key", "target": "a" * 64, "until": "2026-11-23T00:00:00Z"},
        {"by": "key", "target": "a" * 64, "since": "soon"},
    ],
)
def test_a_revocation_that_could_not_be_meant_is_refused(admin: Client, changes: dict[str, Any]) -> None:
    answer = admin.post("/api/v1/signature-revocations", {"reason": "x", **changes})
    assert answer.status_code == 400


def test_only_administrators_of_the_platform_revoke_signatures_or_trust_identities(
    desk: TestPlatform, admin: Client
) -> None:
    responder = admin.with_token(desk.token("responder:**", name="responder"))
    body = {"by": "key", "target": "a" * 64, "reason": "x"}
    assert responder.post("/api/v1/signature-revocations", body).status_code == 403
    assert responder.post("/api/v1/signers", signer("mine")).status_code == 403
