"""Ways around the admission gate: reviews in which there seems to be nothing to decide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.delivery.rig import CONTEXT, HOST, review_of

from chainward.formats.admission import decode_review
from chainward.formats.errors import Malformed

if TYPE_CHECKING:
    from tests.delivery.rig import Rig

    from chainward.delivery.admit import AdmissionAnswer


def _ask(rig: Rig, body: bytes) -> AdmissionAnswer:
    return rig.admission.validate(decode_review(body), context=CONTEXT)


def _codes(answer: AdmissionAnswer) -> set[str]:
    return {check.code for ruling in answer.rulings for check in ruling.failures}


@pytest.mark.parametrize(
    "pod",
    [{}, {"spec": None}, {"spec": {}}, {"spec": {"containers": []}}, {"spec": {"Containers": [{"image": "evil"}]}}],
    ids=str,
)
def test_a_pod_in_which_no_container_is_found_is_not_let_in_for_lack_of_images(rig: Rig, pod: dict[str, Any]) -> None:
    answer = _ask(rig, review_of(f"{HOST}/shop/web:1", object=pod))
    assert not answer.allowed
    assert "admission-kind-unknown" in answer.message


@pytest.mark.parametrize("containers", ["evil", {"image": "evil"}, [["evil"]], [{"image": ["evil"]}], [7]], ids=str)
def test_containers_of_another_shape_are_a_failed_call(rig: Rig, containers: object) -> None:
    with pytest.raises(Malformed):
        _ask(rig, review_of(f"{HOST}/shop/web:1", object={"spec": {"containers": containers}}))


def test_of_a_key_that_comes_twice_the_last_is_decided_about_as_the_api_server_would(rig: Rig) -> None:
    rig.push(rig.release())
    good = json.dumps([{"name": "a", "image": f"{HOST}/shop/web:1"}]).encode()
    evil = json.dumps([{"name": "a", "image": f"{HOST}/shop/evil:1"}]).encode()
    body = review_of(f"{HOST}/shop/web:1", object={"spec": {"containers": "HERE"}})
    twice = body.replace(b'"HERE"', good + b', "containers": ' + evil)
    assert _codes(_ask(rig, twice)) == {"artifact-unknown"}


@pytest.mark.parametrize(
    "image",
    [
        f"{HOST}@evil.example/shop/web:1",
        f"evil@{HOST}/shop/web:1",
        f"{HOST}:443/shop/web:1",
        f"{HOST}./shop/web:1",
        f"{HOST.upper()}/shop/web:1",
        f"https://{HOST}/shop/web:1",
        f"//{HOST}/shop/web:1",
        f" {HOST}/shop/web:1",
        f"{HOST}/shop/web:1 ",
        f"{HOST}/shop/web:1\n",
        f"{HOST}/shop//web:1",
        f"{HOST}/shop/../shop/web:1",
        f"{HOST}/shop/web:1:1",
        f"{HOST}/Shop/web:1",
        f"{HOST}%2fshop/web:1",
        f"{HOST}/shop/web:1@sha256:" + "0" * 64,
        f"{HOST}/shop/web@sha256:" + "A" * 64,
        f"{HOST}/shop/web@md5:" + "0" * 32,
        "shop/web:1",
        "docker.io/shop/web:1",
        f"[::1]/{HOST}/shop/web:1",
        f"{HOST}\u200b/shop/web:1",
        f"{HOST.replace('e', chr(0x0435))}/shop/web:1",
        f"{HOST}\u2215shop/web:1",
        "",
    ],
)
def test_a_name_that_only_resembles_ours_is_not_taken_for_it(rig: Rig, image: str) -> None:
    rig.push(rig.release())
    assert _ask(rig, review_of(f"{HOST}/shop/web:1")).allowed
    assert not _ask(rig, review_of(image)).allowed
    both = _ask(rig, review_of(f"{HOST}/shop/web:1", image))
    assert not both.allowed


def test_an_admitted_pod_does_not_open_the_gate_for_a_foreign_image_beside_it(rig: Rig) -> None:
    rig.push(rig.release())
    ours = f"{HOST}/shop/web:1"
    answer = _ask(
        rig, review_of(ours, "evil.example/x:1", operation="UPDATE", before=(ours,), subResource="ephemeralcontainers")
    )
    assert _codes(answer) == {"image-host-foreign"}


def test_a_pod_with_very_many_images_does_not_fill_the_log_with_denials(rig: Rig) -> None:
    before = len(rig.ledger.facts(-1, 10_000))
    answer = _ask(rig, review_of(*[f"{HOST}/shop/web:{number}" for number in range(20_000)]))
    assert not answer.allowed
    assert "20000 different images" in answer.message
    assert len(rig.ledger.facts(-1, 10_000)) == before


def test_a_pod_that_names_one_image_very_often_is_decided_about_once(rig: Rig) -> None:
    rig.push(rig.release())
    assert _ask(rig, review_of(*[f"{HOST}/shop/web:1"] * 5000)).allowed
    assert len(rig.bodies("delivery.admission-allowed/1")) == 1
