"""The REST interface, resource by resource: what it gives, and that it says so again when asked."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.goods import push_image, sign_image, trusted_key
from tests.platforms import CONTEXT, in_process, open_test_platform

from chainward.formats.bundle import decode_log_entry
from chainward.formats.dsse import pae
from chainward.formats.note import parse_verifier_key
from chainward.formats.rekor import HashedRekord, canonical_body, encode_entry_request, parse_body
from chainward.formats.tile import decode_entries, decode_tile
from chainward.formats.trusted_root import decode_trusted_root
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.keys.local import generate
from chainward.keys.model import Scheme, ed25519_of
from chainward.ledger.checkpoint import open_checkpoint
from chainward.ledger.model import commitment
from chainward.ledger.proofs import leaf_hash, verify_consistency, verify_inclusion
from chainward.trust.authority import AuthorityKind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platforms import Client, TestPlatform

    from chainward.keys.local import PrivateKey


@pytest.fixture(scope="module")
def release_key(desk: TestPlatform) -> PrivateKey:
    """A key that may sign everything."""
    return trusted_key(desk.platform, "release")


def b64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def test_a_token_is_issued_listed_and_revoked(admin: Client) -> None:
    made = admin.post("/api/v1/tokens", {"name": "ci-shop", "bindings": ["publisher:shop/**"], "days": 7})
    assert made.status_code == 201
    new = made.json()
    assert new["token"].startswith(f"cwt_{new['id']}_")
    ci = admin.with_token(new["token"])
    assert ci.get("/api/v1/services").status_code == 200
    assert ci.get("/api/v1/facts").status_code == 403  # a reader of shop/** may not read the whole ledger
    (listed,) = [token for token in admin.get("/api/v1/tokens").json()["tokens"] if token["id"] == new["id"]]
    assert listed["bindings"] == ["publisher:shop/**"]
    assert "token" not in listed
    assert ci.request("DELETE", f"/api/v1/tokens/{new['id']}").status_code == 204  # everybody may revoke their own
    assert ci.get("/api/v1/services").json()["code"] == "token-revoked"


def test_nobody_hands_out_more_than_they_hold(desk: TestPlatform, admin: Client) -> None:
    lead = admin.with_token(desk.token("admin:shop/**", name="lead"))
    assert lead.post("/api/v1/tokens", {"name": "dev", "bindings": ["publisher:shop/web"]}).status_code == 201
    for bindings in (["admin:**"], ["reader:other/**"], ["reader:shop/**", "reader:**"]):
        answer = lead.post("/api/v1/tokens", {"name": "dev", "bindings": bindings})
        assert (answer.status_code, answer.json()["code"]) == (403, "access-denied")
    assert lead.get("/api/v1/tokens").status_code == 403


def test_a_right_that_does_not_exist_is_refused(admin: Client) -> None:
    answer = admin.post("/api/v1/tokens", {"name": "x", "bindings": ["root:**"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter-invalid")
    assert "reader, publisher, promoter, responder, admin" in answer.json()["detail"]


def test_a_signer_is_trusted_listed_and_distrusted(admin: Client) -> None:
    key = generate(Scheme.ECDSA_P256_SHA256).public_key
    body = {"name": "ci-2026", "public_key": key.pem.decode(), "repositories": ["shop/**"], "predicates": ["*"]}
    made = admin.post("/api/v1/signers", body)
    assert made.status_code == 201
    assert made.json()["fingerprint"] == key.fingerprint
    assert admin.post("/api/v1/signers", body).json()["code"] == "signer-exists"
    assert admin.request("DELETE", "/api/v1/signers/ci-2026").json()["code"] == "parameter-invalid"
    assert admin.request("DELETE", "/api/v1/signers/ci-2026?reason=lost").status_code == 204
    (listed,) = [one for one in admin.get("/api/v1/signers").json()["signers"] if one["name"] == "ci-2026"]
    assert listed["distrusted_at"]
    assert admin.request("DELETE", "/api/v1/signers/ci-2026?reason=lost").json()["code"] == "signer-not-found"


def test_services_and_environments_are_declared_and_listed(admin: Client) -> None:
    service = {"name": "web", "owner": "team-web", "tier": "critical", "repositories": ["web/**"]}
    assert admin.post("/api/v1/services", service).json() == service
    assert service in admin.get("/api/v1/services").json()["services"]
    clash = admin.post("/api/v1/services", {**service, "name": "other"})
    assert clash.status_code == 409
    environment = {"name": "qa", "order": 15, "namespaces": ["qa", "qa-*"]}
    assert admin.post("/api/v1/environments", environment).json() == environment
    orders = [one["order"] for one in admin.get("/api/v1/environments").json()["environments"]]
    assert orders == sorted(orders)
    assert 15 in orders


def test_a_policy_is_put_in_force_and_a_bad_one_points_at_its_line(admin: Client) -> None:
    before = admin.get("/api/v1/policy").json()
    assert before["name"] == "starter"
    document = before["document"].replace("name: starter", "name: second")
    put = admin.request("PUT", "/api/v1/policy", content=document, headers={"Content-Type": "application/yaml"})
    assert put.status_code == 200
    assert put.json()["epoch"] > before["epoch"]
    now = admin.get("/api/v1/policy").json()
    assert (now["name"], now["document"]) == ("second", document)
    broken = document.replace("require:", "requires:", 1)
    refused = admin.request("PUT", "/api/v1/policy", content=broken, headers={"Content-Type": "application/yaml"})
    assert (refused.status_code, refused.json()["code"]) == (400, "policy-invalid")
    assert refused.json()["line"] > 1
    assert admin.get("/api/v1/policy").json()["name"] == "second"


def test_an_artifact_shows_tags_evidence_and_how_to_pull_it(
    desk: TestPlatform, admin: Client, release_key: PrivateKey
) -> None:
    digest = push_image(desk.platform, "shop/shown", "1.0")
    stranger = generate(Scheme.ECDSA_P256_SHA256)
    sign_image(desk.platform, "shop/shown", digest, release_key)
    sign_image(desk.platform, "shop/shown", digest, stranger)
    shown = admin.get(f"/api/v1/artifacts/shop/shown@{digest}").json()
    assert shown["tags"] == ["1.0"]
    assert str(digest) in shown["pull"]
    assert shown["revoked"] is None
    good, bad = sorted(shown["evidence"], key=lambda one: not one["verified"])
    assert (good["signer"], good["verified"]) == ("release", True)
    assert good["log_index"] >= 1
    assert (bad["code"], bad["verified"]) == ("signer-unknown", False)


def test_lists_hold_only_what_the_caller_may_read(desk: TestPlatform, admin: Client) -> None:
    push_image(desk.platform, "red/app", "1")
    push_image(desk.platform, "blue/app", "1")
    red = admin.with_token(desk.token("reader:red/**", name="red"))
    assert {row["repository"] for row in red.get("/api/v1/artifacts").json()["artifacts"]} == {"red/app"}
    assert {row["repository"] for row in admin.get("/api/v1/artifacts").json()["artifacts"]} >= {"red/app", "blue/app"}


def test_promotion_and_verdict_tell_every_check(desk: TestPlatform, admin: Client, release_key: PrivateKey) -> None:
    digest = push_image(desk.platform, "shop/promoted", "1.0")
    unsigned = admin.post("/api/v1/verdicts", {"image": "shop/promoted:1.0", "environment": "dev"}).json()
    assert unsigned["allowed"] is False
    assert any(check["outcome"] != "pass" and check["next_step"] for check in unsigned["checks"])
    denied = admin.post("/api/v1/promotions", {"image": "shop/promoted:1.0", "to": "dev"})
    assert (denied.status_code, denied.json()["code"]) == (403, "promotion-denied")
    assert denied.json()["checks"]
    sign_image(desk.platform, "shop/promoted", digest, release_key)
    done = admin.post("/api/v1/promotions", {"image": "127.0.0.1:8420/shop/promoted:1.0", "to": "dev"})
    assert done.status_code == 201, done.text
    assert (done.json()["allowed"], done.json()["digest"]) == (True, str(digest))
    (shown,) = admin.get(f"/api/v1/artifacts/shop/promoted@{digest}").json()["promotions"]
    assert (shown["environment"], shown["fact_index"]) == ("dev", done.json()["fact_index"])
    again = admin.post("/api/v1/promotions", {"image": f"shop/promoted@{digest}", "to": "dev"})
    assert again.json()["fact_index"] == done.json()["fact_index"]
    verdict = admin.post("/api/v1/verdicts", {"image": "shop/promoted:1.0", "environment": "dev"}).json()
    assert verdict["allowed"] is True
    skipped = admin.post("/api/v1/promotions", {"image": "shop/promoted:1.0", "to": "prod"})
    assert skipped.status_code == 403


def test_a_promoter_of_one_repository_cannot_promote_another(desk: TestPlatform, admin: Client) -> None:
    push_image(desk.platform, "shop/guarded", "1.0")
    other = admin.with_token(desk.token("promoter:other/**", name="other"))
    answer = other.post("/api/v1/promotions", {"image": "shop/guarded:1.0", "to": "dev"})
    assert (answer.status_code, answer.json()["code"]) == (403, "access-denied")


def test_a_revocation_holds_from_the_answer_on(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "shop/bad", "1.0", b"bad layer")
    manifest = f"/v2/shop/bad/manifests/{digest}"
    assert admin.get(manifest).status_code == 200
    made = admin.post("/api/v1/revocations", {"digest": str(digest), "reason": "CVE", "repository": "shop/bad"})
    assert made.status_code == 201
    refused = admin.get(manifest)
    assert refused.status_code == 403
    assert admin.get(f"/api/v1/artifacts/shop/bad@{digest}").json()["revoked"]["reason"] == "CVE"
    verdict = admin.post("/api/v1/verdicts", {"image": f"shop/bad@{digest}", "environment": "dev"}).json()
    assert verdict["allowed"] is False
    again = admin.post("/api/v1/revocations", {"digest": str(digest), "reason": "other", "repository": "shop/bad"})
    assert again.json()["fact_index"] == made.json()["fact_index"]


def test_revoking_everywhere_needs_the_right_over_everything(desk: TestPlatform, admin: Client) -> None:
    responder = admin.with_token(desk.token("responder:shop/**", name="responder"))
    body = {"digest": f"sha256:{'1' * 64}", "reason": "r"}
    assert responder.post("/api/v1/revocations", body).json()["code"] == "access-denied"
    assert responder.post("/api/v1/revocations", {**body, "repository": "other/x"}).json()["code"] == "access-denied"
    assert responder.post("/api/v1/revocations", {**body, "repository": "shop/x"}).status_code == 201
    assert admin.post("/api/v1/revocations", {**body, "repository": "other/x"}).status_code == 201
    seen = responder.get("/api/v1/revocations").json()["revocations"]
    assert {one["repository"] for one in seen if one["digest"] == body["digest"]} == {"shop/x"}


def test_revocations_and_facts_are_paged(admin: Client) -> None:
    for digit in "abc":
        assert admin.post("/api/v1/revocations", {"digest": f"sha256:{digit * 64}", "reason": "r"}).status_code == 201
    for path, members, key in (("revocations", "revocations", "fact_index"), ("facts", "facts", "index")):
        seen: list[int] = []
        following: int | None = -1
        while following is not None:
            page = admin.get(f"/api/v1/{path}?limit=2&after={following}").json()
            seen += [one[key] for one in page[members]]
            following = page["next"]
        assert seen == sorted(set(seen))
        assert len(seen) >= 3
    only = admin.get("/api/v1/facts?schema=registry.revoked/1&limit=1000").json()["facts"]
    assert {fact["schema"] for fact in only} == {"registry.revoked/1"}


def test_whoever_holds_a_fact_can_check_it_against_the_signed_log(admin: Client) -> None:
    log = next(one for one in admin.get("/api/v1/logs").json()["logs"] if one["name"] == "facts")
    key = ed25519_of(parse_verifier_key(log["verifier_key"]).raw)
    fact = admin.get("/api/v1/facts/3").json()
    proof = admin.get("/api/v1/logs/facts/proof?index=3").json()
    checkpoint = open_checkpoint(proof["checkpoint"].encode(), log["origin"], key)
    leaf = leaf_hash(commitment(b64(fact["salt"]), b64(fact["envelope"])))
    assert b64(proof["leaf_hash"]) == leaf
    verify_inclusion(3, checkpoint.size, leaf, [b64(each) for each in proof["hashes"]], checkpoint.root)


def test_the_log_proves_that_it_only_grew(admin: Client) -> None:
    proof = admin.get("/api/v1/logs/facts/consistency?from=2").json()
    verify_consistency(
        2, proof["size2"], [b64(each) for each in proof["hashes"]], b64(proof["root1"]), b64(proof["root2"])
    )
    far = admin.get("/api/v1/logs/facts/consistency?from=2&to=999999")
    assert (far.status_code, far.json()["code"]) == (404, "log-out-of-range")


def _entry(key: PrivateKey, content: bytes) -> HashedRekord:
    return HashedRekord(hashlib.sha256(content).digest(), key.sign(content), key.public_key.der)


def test_a_signature_is_logged_in_the_shape_of_rekor_v2_and_can_be_checked_by_anybody(
    desk: TestPlatform, admin: Client
) -> None:
    key = generate(Scheme.ECDSA_P256_SHA256)
    entry = _entry(key, b"anything")
    publisher = admin.with_token(desk.token("publisher:shop/**", name="publisher"))
    headers = {"Content-Type": "application/json"}
    answer = publisher.request("POST", "/api/v2/log/entries", content=encode_entry_request(entry), headers=headers)
    assert answer.status_code == 201
    document = answer.json()
    assert document["integratedTime"] == "0"
    assert isinstance(document["logIndex"], str)
    logged = decode_log_entry(answer.content)
    assert logged.log_index >= 1
    nobody = admin.with_token(None)
    (log,) = decode_trusted_root(nobody.get("/trusted_root.json").content).logs
    assert (log.origin, log.key_id) == ("log.chainward.local", logged.log_id)
    newest = nobody.get("/api/v2/checkpoint")
    assert newest.headers["content-type"].startswith("text/plain")
    assert newest.headers["cache-control"] == "no-store"
    body = canonical_body(entry)
    checkpoint = open_checkpoint(
        logged.proof.checkpoint.encode(), log.origin, desk.platform.logs["signatures"].public_key
    )
    verify_inclusion(logged.log_index, checkpoint.size, leaf_hash(body), logged.proof.hashes, checkpoint.root)
    width = checkpoint.size
    entries = decode_entries(nobody.get(f"/api/v2/tile/entries/000.p/{width}").content, width)
    hashes = decode_tile(nobody.get(f"/api/v2/tile/0/000.p/{width}").content, width)
    assert entries[logged.log_index] == body
    assert hashes[logged.log_index] == leaf_hash(body)
    again = publisher.request("POST", "/api/v2/log/entries", content=encode_entry_request(entry), headers=headers)
    assert again.json()["logIndex"] == document["logIndex"]


def test_a_forged_signature_is_not_logged_and_clients_of_sigstore_are_told_in_their_words(admin: Client) -> None:
    key = generate(Scheme.ECDSA_P256_SHA256)
    forged = HashedRekord(hashlib.sha256(b"other").digest(), key.sign(b"this"), key.public_key.der)
    answer = submit(admin, forged)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    told = answer.json()
    assert (told["code"], told["details"][0]["reason"]) == (3, "signature-invalid")
    assert "not made by key" in told["message"]
    problem = submit(admin, forged, {"Accept": "application/json, application/problem+json"})
    assert (problem.status_code, problem.json()["code"]) == (422, "signature-invalid")


def submit(client: Client, entry: HashedRekord, headers: dict[str, str] | None = None, at: str = "") -> Any:
    content = encode_entry_request(entry)
    headers = {"Content-Type": "application/json"} | (headers or {})
    return client.request("POST", f"{at}/api/v2/log/entries", content=content, headers=headers)


def test_anybody_may_log_a_valid_signature_as_clients_of_sigstore_send_no_token(admin: Client) -> None:
    answer = submit(admin.with_token(None), _entry(generate(Scheme.ECDSA_P256_SHA256), b"x"))
    assert answer.status_code == 201


@pytest.mark.parametrize("scheme", [Scheme.ECDSA_P384_SHA384, Scheme.RSA_4096])
def test_an_envelope_is_logged_by_its_pae_with_any_kind_of_key(admin: Client, scheme: Scheme) -> None:
    key = generate(scheme)
    signature = key.sign(pae("text/plain", b"a statement"))
    envelope: dict[str, Any] = {
        "payload": base64.b64encode(b"a statement").decode(),
        "payloadType": "text/plain",
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    verifier = {"publicKey": {"rawBytes": base64.b64encode(key.public_key.der).decode()}, "keyDetails": scheme.value}
    request = {"dsseRequestV002": {"envelope": envelope, "verifiers": [verifier]}}
    answer = admin.with_token(None).post("/api/v2/log/entries", request)
    assert answer.status_code == 201
    body = parse_body(decode_log_entry(answer.content).body)
    assert body.digest == hashlib.new(key.public_key.hash_name, pae("text/plain", b"a statement")).digest()
    envelope["payload"] = base64.b64encode(b"another statement").decode()
    refused = admin.with_token(None).post("/api/v2/log/entries", request)
    assert (refused.status_code, refused.json()["code"]) == (400, 3)


def test_a_shard_takes_entries_under_its_own_path_and_its_readers_find_everything_there(
    desk: TestPlatform, admin: Client
) -> None:
    nobody = admin.with_token(None)
    origin = desk.platform.signatures_origin
    entry = _entry(generate(Scheme.ECDSA_P256_SHA256), b"into a shard")
    answer = submit(nobody, entry, at=f"/log/{origin}")
    assert answer.status_code == 201
    index = int(answer.json()["logIndex"])
    for prefix in ("", "/api/v2", f"/log/{origin}", f"/log/{origin}/api/v2"):
        size = int(nobody.get(f"{prefix}/checkpoint").text.split("\n")[1])
        entries = decode_entries(nobody.get(f"{prefix}/tile/entries/000.p/{size}").content, size)
        assert entries[index] == canonical_body(entry)
        assert nobody.get(f"{prefix}/tile/0/000.p/{size}").status_code == 200


def test_the_certificate_log_is_public_and_takes_nothing_from_strangers(desk: TestPlatform, admin: Client) -> None:
    nobody = admin.with_token(None)
    log = desk.platform.logs["certificates"]
    note = nobody.get(f"/log/{log.origin}/checkpoint").content
    assert open_checkpoint(note, log.origin, log.public_key).size >= 1
    answer = submit(nobody, _entry(generate(Scheme.ECDSA_P256_SHA256), b"x"), at=f"/log/{log.origin}")
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (400, "log-reserved")


@pytest.mark.parametrize("origin", ["facts.chainward.local", "nowhere.test", "a" * 300])
def test_only_public_logs_can_be_read_without_a_token(admin: Client, origin: str) -> None:
    nobody = admin.with_token(None)
    for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "api/v2/checkpoint"):
        assert nobody.get(f"/log/{origin}/{path}").status_code == 404
    assert submit(nobody, _entry(generate(Scheme.ECDSA_P256_SHA256), b"x"), at=f"/log/{origin}").status_code == 404


def test_a_frozen_shard_refuses_entries_and_stays_readable_for_ever(tmp_path: Path) -> None:
    with open_test_platform(tmp_path / "p") as desk, in_process(desk) as client:
        nobody = client.with_token(None)
        old = desk.platform.logs["signatures"]
        entry = _entry(generate(Scheme.ECDSA_P256_SHA256), b"before")
        assert submit(nobody, entry).status_code == 201
        final = nobody.get("/checkpoint").content
        desk.platform.services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
        frozen = submit(nobody, _entry(generate(Scheme.ECDSA_P256_SHA256), b"after"), at=f"/log/{old.origin}")
        assert (frozen.status_code, frozen.json()["details"][0]["reason"]) == (405, "log-frozen")
        moved = submit(nobody, _entry(generate(Scheme.ECDSA_P256_SHA256), b"after"))
        assert moved.status_code == 201
        new = desk.platform.logs["signatures"]
        assert decode_log_entry(moved.content).log_id == new.key_id != old.key_id
        assert nobody.get(f"/log/{old.origin}/checkpoint").content == final
        bundle = nobody.get(f"/log/{old.origin}/tile/entries/000.p/2").content
        assert decode_entries(bundle, 2)[1] == canonical_body(entry)
        assert nobody.get("/checkpoint").content.startswith(new.origin.encode())
        desk.platform.audit()
        listed = {log["origin"]: log for log in client.get("/api/v1/logs").json()["logs"]}
    assert listed[old.origin]["frozen_at"] is not None
    assert listed[new.origin]["frozen_at"] is None


def test_too_many_waiting_entries_are_pushed_back(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainward.adapters.sql.writer._QUEUE", 0)
    answer = submit(admin.with_token(None), _entry(generate(Scheme.ECDSA_P256_SHA256), b"one too many"))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, 14, "1")
    assert answer.json()["details"][0]["reason"] == "ledger-busy"


@pytest.mark.parametrize("path", ["0/000.p/0", "0/x", "64/000", "0/000.p/257", "0/../..", "9/9/9"])
def test_a_tile_path_that_is_none_is_refused(admin: Client, path: str) -> None:
    for prefix in ("/api/v2/tile/", "/api/v1/logs/facts/tile/"):
        assert admin.get(prefix + path).status_code in {400, 404}


def test_a_complete_tile_may_be_kept_for_ever_and_a_partial_one_may_not(tmp_path: Path) -> None:
    with open_test_platform(tmp_path / "p") as desk, in_process(desk) as client:
        origin = desk.platform.signatures_origin
        desk.platform.ledger.append_entries(origin, [f"filler {number}".encode() for number in range(256)])
        complete, partial = client.get("/api/v2/tile/0/000"), client.get("/api/v2/tile/0/000.p/7")
    assert len(complete.content) == 256 * 32
    assert complete.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert partial.headers["cache-control"] == "no-store"
    assert complete.content.startswith(partial.content)


def test_the_timeline_tells_what_happened_in_order(desk: TestPlatform, admin: Client, release_key: PrivateKey) -> None:
    digest = push_image(desk.platform, "shop/storied", "1.0", b"story")
    sign_image(desk.platform, "shop/storied", digest, release_key)
    admin.post("/api/v1/revocations", {"digest": str(digest), "reason": "the end", "repository": "shop/storied"})
    told = admin.get("/api/v1/timeline?image=shop/storied:1.0").json()
    schemas = [fact["schema"] for fact in told["facts"]]
    assert schemas[:2] == ["registry.pushed/1", "registry.tagged/1"]
    assert "registry.revoked/1" in schemas
    indexes = [fact["index"] for fact in told["facts"]]
    assert indexes == sorted(indexes)
    assert len(told["leaf_hashes"]) == len(told["facts"])
    again = admin.get(f"/api/v1/timeline?digest={digest}&repository=shop/storied").json()
    assert [fact for fact in again["facts"] if fact in told["facts"]] == told["facts"]  # more may have been stated
    part = admin.get(f"/api/v1/timeline?image=shop/storied:1.0&before={indexes[2]}").json()
    assert [fact["index"] for fact in part["facts"]] == indexes[:2]


def test_a_timeline_is_for_those_who_may_read_the_repository(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "shop/private", "1.0", b"private")
    reader = admin.with_token(desk.token("reader:shop/**", name="shop"))
    assert reader.get("/api/v1/timeline?image=shop/private:1.0").status_code == 200
    assert reader.get(f"/api/v1/timeline?digest={digest}").json()["code"] == "access-denied"
    other = admin.with_token(desk.token("reader:other/**", name="other"))
    assert other.get("/api/v1/timeline?image=shop/private:1.0").json()["code"] == "access-denied"
    assert other.get(f"/api/v1/timeline?digest={digest}&repository=other/x").json()["facts"] == []


@pytest.mark.parametrize("query", ["", "image=a:1&digest=x", "repository=a"])
def test_a_timeline_of_nothing_in_particular_is_refused(admin: Client, query: str) -> None:
    assert admin.get(f"/api/v1/timeline?{query}").json()["code"] == "parameter-invalid"


def test_an_audit_finds_nothing_where_nothing_was_touched(admin: Client) -> None:
    report = admin.post("/api/v1/logs/audit", {}).json()
    assert report["findings"] == []
    assert {log["origin"] for log in report["logs"]} == {f"{name}.chainward.local" for name in ("facts", "log", "ct")}


def test_of_concurrent_pushes_of_one_tag_exactly_one_wins(desk: TestPlatform, admin: Client) -> None:
    digests = [push_image(desk.platform, "shop/raced", f"seed-{number}", b"%d" % number) for number in range(6)]
    bodies = [desk.platform.registry.manifest(RepositoryName("shop/raced"), digest) for digest in digests]

    def put(number: int) -> tuple[int, Any]:
        headers = {"Content-Type": bodies[number].media_type}
        answer = admin.request("PUT", "/v2/shop/raced/manifests/1.0", content=bodies[number].body, headers=headers)
        return answer.status_code, answer.headers.get("docker-content-digest")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(put, range(6)))
    won = [digest for status, digest in answers if status == 201]
    assert len(won) == 1
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409, 409, 409]
    assert admin.get("/v2/shop/raced/manifests/1.0").headers["docker-content-digest"] == won[0]
    tagged = [
        fact
        for fact in desk.platform.ledger.facts(limit=1000, schemas=frozenset({"registry.tagged/1"}))
        if fact.body is not None and (fact.body["repository"], fact.body["tag"]) == ("shop/raced", "1.0")
    ]
    assert [Digest.parse(fact.body["digest"]) for fact in tagged if fact.body] == [Digest.parse(won[0])]
