"""From source to an admitted workload and back out again, with the command alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.flows.command_line import BUILDER, EVIDENCE, review_of

if TYPE_CHECKING:
    from tests.flows.command_line import Desk


def test_a_build_tells_what_it_made(desk: Desk) -> None:
    words = ("build", "--source", "project", "-o", "told", "--product", "build", "--layer", "build/app:/srv/app")
    answer = desk.ask(*words, "--builder-id", BUILDER, "--", "python", "build.py")
    record = json.loads((desk.folder / "told" / "build.json").read_bytes())
    assert answer["digest"] == record["image"]["digest"]
    assert answer["builder"] == BUILDER
    assert answer["source"]["commit"] is None
    assert answer["products"] == 3
    assert len(answer["layers"]) == 1


def test_building_the_same_again_gives_the_same_image(desk: Desk) -> None:
    words = ("build", "--source", "project", "-o", "twice", "--product", "build", "--layer", "build/app:/srv/app")
    first, second = (desk.ask(*words, "--", "python", "build.py") for _ in range(2))
    assert first == second


def test_a_result_below_the_source_is_not_part_of_the_source(desk: Desk) -> None:
    project = desk.folder / "inner"
    (project / "app").mkdir(parents=True)
    (project / "app" / "run").write_text("x", encoding="utf-8")
    for _ in range(2):
        desk.run("build", "--source", "inner", "-o", "inner/out", "--layer", "app:/srv", "--", "true")
        record = json.loads((project / "out" / "build.json").read_bytes())
        assert record["source"]["files"] == 1
        assert not record["source"].get("changed", False)


def test_an_inventory_names_what_is_in_the_image(desk: Desk, shipped: str) -> None:
    answer = desk.ask("sbom", "1.0", "-o", "again.cdx.json", "--validate")
    document = json.loads((desk.folder / "again.cdx.json").read_bytes())
    assert answer["subject"]["digest"] == shipped
    assert answer["components"] == len(document["components"]) == 1
    assert desk.ask("sbom", "1.0")["components"][0]["purl"] == "pkg:pypi/certifi@2026.1.1"
    assert "pkg:pypi/certifi@2026.1.1" in desk.run("sbom", "1.0", "--table").out


def test_a_file_is_signed_and_verified(desk: Desk) -> None:
    (desk.folder / "release.tar").write_bytes(b"release")
    signed = desk.ask("sign", "release.tar", "--key", "release.key", "-o", "release.tar.json")
    verified = desk.ask("verify", "release.tar", "--bundle", "release.tar.json")
    assert signed["digest"] == verified["digest"]
    assert verified["verified"] is True
    assert [each["log_index"] for each in verified["statements"]] == [signed["log_index"]]


def test_a_statement_of_ones_own_kind_is_signed(desk: Desk, shipped: str) -> None:
    (desk.folder / "review.txt.json").write_text('{"reviewer": "ada"}', encoding="utf-8")
    kind = "https://example.org/code-review/v1"
    words = ("attest", "1.0", "--type", "custom", "--predicate", "review.txt.json", "--key", "release.key")
    answer = desk.ask(*words, "--predicate-type", kind, "-o", "review.bundle.json")
    assert answer["predicate_type"] == kind
    assert answer["subject"] == shipped


def test_who_pulls_can_verify_everything_beside_the_image(desk: Desk, shipped: str) -> None:
    answer = desk.ask("verify", "shop/web:1.0")
    assert answer["digest"] == shipped
    assert answer["verified"] is True
    assert answer["rejected"] == []
    assert {each["signer"] for each in answer["statements"]} == {"release"}
    assert {each["predicate_type"] for each in answer["statements"]} == {
        "https://sigstore.dev/cosign/sign/v1",
        "https://slsa.dev/provenance/v1",
        "https://cyclonedx.org/bom",
        "https://in-toto.io/attestation/test-result/v0.1",
    }
    assert desk.ask("verify", f"{desk.host}/shop/web@{shipped}", "--key", "release.pub")["verified"] is True
    assert "✓" in desk.run("verify", "shop/web:1.0", "--type", "https://slsa.dev/provenance/v1").out


def test_pushing_again_changes_nothing(desk: Desk, shipped: str) -> None:
    answer = desk.ask("push", "1.0", "shop/web:1.0", "--bundle", "1.0/sign.sigstore.json", "--sbom", "1.0/bom.json")
    assert answer["digest"] == shipped
    assert answer["image"] == f"{desk.host}/shop/web@{shipped}"
    assert answer["tag"] == "1.0"
    assert len(answer["attachments"]) == 2


def test_a_long_push_shows_its_progress_to_people_alone(desk: Desk) -> None:
    out = desk.image("progress")
    told = desk.run("push", out, "shop/progress:1")
    assert "pushing sha256:" in told.err
    assert "image" in told.out
    other = desk.image("progress-json")
    assert desk.run("push", other, "shop/progress:2", "--json").err == ""


def test_an_image_goes_all_the_way_and_is_stopped_when_it_is_revoked(desk: Desk) -> None:
    digest = desk.complete("way")
    image = f"{desk.host}/shop/web:way"
    assert desk.refused("promote", "shop/web:way", "--to", "prod", status=1)
    for environment in ("dev", "staging", "prod"):
        answer = desk.ask("promote", image, "--to", environment)
        assert (answer["digest"], answer["environment"]) == (digest, environment)
        assert answer["vsa"].startswith("sha256:")
    review = review_of(desk, image, "prod", "way.json")
    assert "pinned" in desk.run("admit", review, "--mutate").out
    pinned = review_of(desk, f"{desk.host}/shop/web@{digest}", "prod", "way-pinned.json")
    assert desk.ask("admit", pinned)["response"]["allowed"] is True
    assert desk.run("admit", pinned).out.startswith("allowed")

    revoked = desk.ask("revoke", "shop/web:way", "--reason", "backdoor")
    assert revoked["digest"] == digest
    assert revoked["repository"] is None
    assert revoked["call_ms"] > 0

    assert desk.refused("verify", "shop/web:way", status=1) == "artifact-revoked"
    assert desk.refused("promote", f"shop/web@{digest}", "--to", "dev", status=1)
    denied = desk.run("admit", pinned, expect=1)
    assert denied.out.startswith("DENIED")
    assert "revoked" in denied.out
    told = desk.run("timeline", "shop/web:way").out
    for schema in ("registry.pushed", "delivery.promoted", "registry.revoked"):
        assert schema in told
    facts = desk.ask("timeline", digest)["facts"]
    assert [fact["index"] for fact in facts] == sorted(fact["index"] for fact in facts)
    assert desk.ask("log", "prove", "facts", str(facts[-1]["index"]))["verified"] is True


def test_a_revocation_may_hold_in_one_repository_alone(desk: Desk) -> None:
    out = desk.image("here", "sign")
    digest = desk.push(out, "shop/here:1", "sign")
    assert desk.push(out, "shop/there:1", "sign") == digest
    answer = desk.ask("revoke", f"shop/here@{digest}", "--reason", "only here", "--here")
    assert answer["repository"] == "shop/here"
    assert desk.refused("verify", "shop/here:1", status=1) == "artifact-revoked"
    assert desk.ask("verify", "shop/there:1")["verified"] is True


def test_an_image_that_lacks_evidence_is_denied_with_what_to_do(desk: Desk) -> None:
    out = desk.image("bare-image", *EVIDENCE[:1])
    digest = desk.push(out, "shop/bare:1", "sign")
    review = review_of(desk, f"{desk.host}/shop/bare@{digest}", "prod", "bare.json")
    denied = desk.run("admit", review, expect=1).out
    assert "provenance" in denied
    assert "sbom" in denied
    assert desk.refused("promote", "shop/bare:1", "--to", "staging", status=1)
