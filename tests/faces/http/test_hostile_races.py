"""Many callers at once who want the same name for different goods: one wins, and the record says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

from tests.goods import push_image

from chainward.formats.oci import OCI_MANIFEST, Descriptor, Manifest, decode_manifest, encode_manifest
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from tests.platforms import Client, TestPlatform

CALLERS = 20
PATH = "/v2/race/web/manifests"


def test_of_twenty_pushes_of_one_tag_exactly_one_wins(desk: TestPlatform, admin: Client) -> None:
    base = push_image(desk.platform, "race/web", "base")
    stored = decode_manifest(admin.get(f"{PATH}/{base}").content, OCI_MANIFEST)
    bodies = [
        encode_manifest(
            Manifest(
                media_type=OCI_MANIFEST,
                config=stored.config,
                layers=stored.layers,
                annotations={"org.example.caller": str(number)},
            )
        )
        for number in range(CALLERS)
    ]
    before = len(desk.platform.ledger.facts(limit=1000))
    together = Barrier(CALLERS)

    def push(body: bytes) -> Any:
        together.wait(timeout=20)
        return admin.request("PUT", f"{PATH}/1.0", content=body, headers={"Content-Type": OCI_MANIFEST})

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(push, bodies))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (CALLERS - 1)
    for answer in answers:
        if answer.status_code == 409:
            (error,) = answer.json()["errors"]
            assert (error["code"], error["detail"]["code"]) == ("DENIED", "tag-immutable")
    (winner,) = (Digest.of(body) for body, one in zip(bodies, answers, strict=True) if one.status_code == 201)
    assert admin.get(f"{PATH}/1.0").headers["docker-content-digest"] == str(winner)
    new = desk.platform.ledger.facts(limit=1000)[before:]
    pushed = [fact for fact in new if fact.schema == "registry.pushed/1"]
    assert [(fact.body or {})["digest"] for fact in pushed] == [str(winner)]
    assert sum(fact.schema == "registry.overwrite-refused/1" for fact in new) == CALLERS - 1
    losers = {str(Digest.of(body)) for body in bodies} - {str(winner)}
    assert {admin.get(f"{PATH}/{digest}").status_code for digest in losers} == {404}
    assert admin.post("/api/v1/logs/audit", {}).json()["count"] == 0


def test_the_same_push_twenty_times_at_once_is_one_push(desk: TestPlatform, admin: Client) -> None:
    base = push_image(desk.platform, "race/web", "base")
    body = admin.get(f"{PATH}/{base}").content
    descriptor = Descriptor.of(body, OCI_MANIFEST)

    def push(_: int) -> Any:
        return admin.request("PUT", f"{PATH}/same", content=body, headers={"Content-Type": OCI_MANIFEST})

    with ThreadPoolExecutor(CALLERS) as callers:
        assert {answer.status_code for answer in callers.map(push, range(CALLERS))} == {201}
    assert admin.get(f"{PATH}/same").headers["docker-content-digest"] == str(descriptor.digest)
    named = [fact for fact in desk.platform.ledger.facts(limit=1000) if (fact.body or {}).get("tag") == "same"]
    assert len(named) == 1
    assert admin.post("/api/v1/logs/audit", {}).json()["count"] == 0
