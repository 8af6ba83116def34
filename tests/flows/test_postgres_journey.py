"""The whole way on PostgreSQL with the command alone: made, filled, gated, revoked, audited and rebuilt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from tests.flows.command_line import BUILDER, EVIDENCE, Desk, bare, review_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server

POLICY: Final = f"""
apiVersion: chainward.dev/v1
kind: Policy
name: on-postgresql
rules:
  - id: evidence
    match: {{environments: [dev, staging, prod]}}
    signers: [release]
    require:
      signature: {{}}
      provenance: {{builders: ["{BUILDER}"]}}
      sbom: {{formats: [cyclonedx], complete: true}}
      tests: {{result: passed}}
  - id: staging-first
    match: {{environments: [prod]}}
    require:
      promotion: {{from: staging}}
"""


@pytest.fixture(scope="module")
def at(cluster: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A workspace whose platform runs on PostgreSQL."""
    name = cluster.create_database()
    try:
        settings = f'[storage]\ndatabase = "{cluster.url(name)}"\n'
        with running(tmp_path_factory.mktemp("journey"), settings) as desk:
            yield desk
    finally:
        cluster.drop_database(name)


def test_an_image_goes_the_whole_way_on_postgresql(at: Desk) -> None:
    assert not list((at.folder / "platform").glob("*.db")), "something was stored on SQLite"
    (at.folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    assert at.ask("policy", "activate", "policy.yaml")["name"] == "on-postgresql"
    publisher = at.holding("ci", "publisher:shop/**")
    out = at.image("way", *EVIDENCE)
    digest = publisher.push(out, "shop/web:way", *EVIDENCE)
    assert publisher.ask("verify", "shop/web:way")["digest"] == digest

    assert at.refused("promote", "shop/web:way", "--to", "prod", status=1)
    for environment in ("dev", "staging", "prod"):
        assert at.ask("promote", "shop/web:way", "--to", environment)["environment"] == environment
    pinned = review_of(at, f"{at.host}/shop/web@{digest}", "prod", "pinned.json")
    for _ in range(2):  # the second time as a repetition
        assert at.ask("admit", pinned)["response"]["allowed"] is True
    assert at.run("log", "verify", "--remember", "seen").status == 0

    assert at.ask("revoke", "shop/web:way", "--reason", "backdoor")["digest"] == digest
    denied = at.run("admit", pinned, expect=1)
    assert "revoked" in denied.out
    assert at.refused("verify", "shop/web:way", status=1) == "artifact-revoked"
    facts = at.ask("timeline", digest)["facts"]
    told = [fact["schema"].partition("/")[0] for fact in facts]
    assert [told.count(schema) for schema in ("delivery.promoted", "registry.revoked")] == [3, 1]
    assert {"registry.pushed", "attest.attested", "delivery.admission-allowed", "delivery.admission-denied"} <= set(
        told
    )
    assert [fact["index"] for fact in facts] == sorted(fact["index"] for fact in facts)

    assert at.ask("log", "verify", "--remember", "seen")["findings"] == []
    assert at.ask("log", "prove", "facts", str(facts[-1]["index"]))["verified"] is True
    size = json.loads(at.run("log", "checkpoint", "facts", "--json").out)["size"]
    rebuilt = bare("rebuild", "--data", "platform", "--json", cwd=at.folder).json["rebuilt"]
    assert min(rebuilt.values()) >= size
    assert at.ask("timeline", digest)["facts"][: len(facts)] == facts
