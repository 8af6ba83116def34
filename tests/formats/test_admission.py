"""Admission reviews as an API server sent them, and what it is answered."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from chainward.formats.admission import (
    MAX_REVIEW,
    ImageUse,
    Operation,
    Replacement,
    Review,
    decode_review,
    encode_answer,
)
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable

RECORDED = Path(__file__).parent.parent / "data" / "admission-reviews"
APP, INIT, VOLUME = "reg.example/app:1", "reg.example/init:1", "reg.example/data:1"
TEMPLATE = "/spec/template/spec"


def recorded(case: str) -> list[bytes]:
    return (RECORDED / f"{case}.jsonl").read_bytes().splitlines()


def review_of(case: str) -> Review:
    (line,) = recorded(case)
    return decode_review(line)


def seen(uses: tuple[ImageUse, ...]) -> dict[str, str]:
    return {use.pointer: use.text for use in uses}


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"image": APP}], **spec}}


def asked(thing: object = None, **changes: Any) -> bytes:
    request = {
        "uid": "1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "object": thing,
    }
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request | changes}
    ).encode()


def test_every_recorded_review_is_read_and_understood() -> None:
    files = sorted(RECORDED.glob("*.jsonl"))
    assert len(files) == 23
    for file in files:
        for line in file.read_bytes().splitlines():
            review = decode_review(line)
            assert review.understood
            assert review.uid == json.loads(line)["request"]["uid"]


def test_a_pod_uses_the_images_of_containers_init_containers_and_volumes() -> None:
    review = review_of("pod-create")
    assert (review.operation, review.kind, review.resource, review.group) == (Operation.CREATE, "Pod", "pods", "")
    assert (review.namespace, review.name, review.username) == ("default", "p-5pf4t", "admin")
    assert not review.dry_run
    assert seen(review.images) == {
        "/spec/containers/0/image": APP,
        "/spec/initContainers/0/image": INIT,
        "/spec/volumes/0/image/reference": VOLUME,
    }
    assert review.previous_images == ()


def test_a_dry_run_says_so() -> None:
    review = review_of("pod-create-dryrun")
    assert review.dry_run
    assert len(review.images) == 3


def test_an_ephemeral_container_cannot_slip_through() -> None:
    review = review_of("pod-ephemeral")
    assert (review.operation, review.subresource, review.kind) == (Operation.UPDATE, "ephemeralcontainers", "Pod")
    added = set(review.images) - set(review.previous_images)
    assert added == {ImageUse("/spec/ephemeralContainers/0/image", "reg.example/debug:1")}


def test_an_update_shows_the_images_before_and_after() -> None:
    changed = review_of("pod-image-update")
    assert set(changed.images) - set(changed.previous_images) == {
        ImageUse("/spec/containers/0/image", "reg.example/app:9")
    }
    labelled = review_of("pod-label-update")
    assert labelled.images == labelled.previous_images != ()


@pytest.mark.parametrize(
    ("case", "group", "kind"),
    [
        ("deploy-create", "apps", "Deployment"),
        ("deploy-ssa", "apps", "Deployment"),
        ("deploy-setimage", "apps", "Deployment"),
        ("deploy-rollout-restart", "apps", "Deployment"),
        ("deploy-scale-via-patch", "apps", "Deployment"),
        ("daemonset-create", "apps", "DaemonSet"),
        ("statefulset-create", "apps", "StatefulSet"),
        ("replicaset-create", "apps", "ReplicaSet"),
        ("rc-create", "", "ReplicationController"),
        ("job-create", "batch", "Job"),
        ("job-from-cronjob", "batch", "Job"),
    ],
)
def test_a_workload_uses_the_images_of_its_template(case: str, group: str, kind: str) -> None:
    review = review_of(case)
    template = json.loads(recorded(case)[0])["request"]["object"]["spec"]["template"]["spec"]
    assert (review.group, review.kind) == (group, kind)
    assert seen(review.images) == {
        f"{TEMPLATE}/{field}/{index}/image": container["image"]
        for field in ("containers", "initContainers")
        for index, container in enumerate(template.get(field, ()))
    } | {
        f"{TEMPLATE}/volumes/{index}/image/reference": volume["image"]["reference"]
        for index, volume in enumerate(template.get("volumes", ()))
    }
    assert review.images
    assert bool(review.previous_images) is (review.operation is Operation.UPDATE)


def test_a_cron_job_uses_the_images_of_the_template_of_its_job_template() -> None:
    review = review_of("cronjob-create")
    (use, *_) = review.images
    assert use.pointer == "/spec/jobTemplate/spec/template/spec/containers/0/image"
    assert use.text.startswith("reg.example/")


def test_a_pod_template_uses_the_images_of_its_template() -> None:
    review = review_of("podtemplate-create")
    assert review.kind == "PodTemplate"
    assert all(use.pointer.startswith("/template/spec/") for use in review.images)
    assert review.images


@pytest.mark.parametrize(
    ("case", "operation", "subresource", "kind"),
    [
        ("pod-evict", Operation.CREATE, "eviction", "Eviction"),
        ("deploy-scale", Operation.UPDATE, "scale", "Scale"),
    ],
)
def test_evicting_and_scaling_use_no_image(case: str, operation: Operation, subresource: str, kind: str) -> None:
    review = review_of(case)
    assert (review.operation, review.subresource, review.kind) == (operation, subresource, kind)
    assert review.images == review.previous_images == ()


def test_exec_uses_no_image() -> None:
    for line in recorded("pod-exec"):
        review = decode_review(line)
        assert (review.operation, review.subresource) == (Operation.CONNECT, "exec")
        assert review.images == ()


def test_a_deletion_uses_no_image_but_shows_what_went() -> None:
    review = review_of("deploy-delete")
    assert review.operation is Operation.DELETE
    assert review.images == ()
    assert review.previous_images


def test_a_deployment_is_followed_down_to_its_pod() -> None:
    reviews = [decode_review(line) for line in recorded("chain")]
    assert [(review.kind, review.subresource) for review in reviews] == [
        ("Deployment", ""),
        ("ReplicaSet", ""),
        ("Deployment", "status"),
        ("Job", ""),
        ("Pod", ""),
        ("Deployment", "status"),
        ("Pod", ""),
        ("Deployment", "status"),
    ]
    by_controller = [review.username for review in reviews if review.kind == "Pod"]
    assert "system:serviceaccount:kube-system:replicaset-controller" in by_controller
    assert all(review.images for review in reviews)


def test_a_container_without_an_image_is_seen_as_one_with_an_empty_name() -> None:
    spec = {"initContainers": [{}], "volumes": [{"image": {}}, {"emptyDir": {}}], "ephemeralContainers": None}
    review = decode_review(asked(pod(**spec)))
    assert seen(review.images) == {
        "/spec/containers/0/image": APP,
        "/spec/initContainers/0/image": "",
        "/spec/volumes/0/image/reference": "",
    }


def test_a_kind_that_nobody_taught_us_is_not_understood() -> None:
    rollout = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
    review = decode_review(asked(pod(), kind=rollout))
    assert not review.understood
    assert review.images == ()
    impostor = {"group": "example.com", "version": "v1", "kind": "Pod"}
    assert not decode_review(asked(pod(), kind=impostor)).understood


def test_a_workload_without_its_template_uses_no_image() -> None:
    kinds = {"Deployment": "apps", "CronJob": "batch", "PodTemplate": "", "Pod": ""}
    things: list[Any] = [{}, {"spec": None}, {"spec": {}}, {"spec": {"template": None, "jobTemplate": None}}]
    for kind, group in kinds.items():
        for thing in things:
            asked_for = {"group": group, "version": "v1", "kind": kind}
            assert decode_review(asked(thing, kind=asked_for)).images == ()


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_pod_to_be_made_without_a_pod_is_malformed(operation: str) -> None:
    broken: list[Any] = [
        None,
        {"spec": []},
        {"spec": {"containers": {}}},
        {"spec": {"containers": [{"image": 1}]}},
        [],
        1,
    ]
    for thing in broken:
        with pytest.raises(Malformed):
            decode_review(asked(thing, operation=operation))


@pytest.mark.parametrize(
    "changes",
    [{"uid": ""}, {"uid": 1}, {"operation": "PATCH"}, {"kind": None}, {"resource": {}}, {"dryRun": "yes"}],
)
def test_a_review_with_a_wrong_part_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="admission review"):
        decode_review(asked(pod(), **changes))


def test_another_version_of_the_review_is_unsupported() -> None:
    for old, new in ((b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"), (b"AdmissionReview", b"AdmissionNews")):
        with pytest.raises(Unsupported):
            decode_review(asked(pod()).replace(old, new))


def test_a_review_above_its_limit_or_nested_without_end_is_refused() -> None:
    with pytest.raises(TooLarge):
        decode_review(b" " * (MAX_REVIEW + 1))
    with pytest.raises(TooLarge):
        decode_review(asked(pod()), limit=100)
    nest = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(Malformed, match="nested"):
        decode_review(asked(pod()).replace(b'"metadata": {}', b'"metadata": ' + nest))
    with pytest.raises(Malformed, match="nested"):
        decode_review(asked(pod()).replace(b'"uid"', b'"extra": ' + nest + b', "uid"'))


def answer(**values: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(encode_answer(review_of("pod-create"), **values))
    assert (whole["apiVersion"], whole["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = whole["response"]
    assert response.pop("uid") == review_of("pod-create").uid
    return response


def test_a_validating_answer_carries_no_patch_keys() -> None:
    assert answer(allowed=True) == {"allowed": True}
    assert answer(allowed=True, patches=None) == answer(allowed=True, patches=[]) == {"allowed": True}


def test_a_denial_says_why_and_with_which_code() -> None:
    assert answer(allowed=False, message="no signature", code=403, reason="Forbidden") == {
        "allowed": False,
        "status": {"code": 403, "reason": "Forbidden", "message": "no signature"},
    }
    assert answer(allowed=True, message="by exception") == {"allowed": True, "status": {"message": "by exception"}}


def test_a_patch_applies_only_to_what_was_judged() -> None:
    patches = [Replacement("/spec/containers/0/image", APP, "a@sha256:1"), Replacement("/spec/x", "old", "new")]
    response = answer(allowed=True, patches=patches)
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"], validate=True)) == [
        {"op": "test", "path": "/spec/containers/0/image", "value": APP},
        {"op": "test", "path": "/spec/x", "value": "old"},
        {"op": "replace", "path": "/spec/containers/0/image", "value": "a@sha256:1"},
        {"op": "replace", "path": "/spec/x", "value": "new"},
    ]
    with pytest.raises(Unwritable, match="patches"):
        answer(allowed=False, patches=patches)


def test_warnings_are_cut_to_what_the_api_server_shows() -> None:
    shown = answer(allowed=True, warnings=["one\r\ntwo", "x" * 300, *["é" * 256] * 20])["warnings"]
    assert shown[:2] == ["one two", "x" * 256]
    assert sum(len(line.encode()) for line in shown) <= 4000
    assert len(shown) == 9


def test_audit_annotations_are_sent_and_a_key_the_server_would_drop_is_an_error() -> None:
    assert answer(allowed=True, audit_annotations={"decision-id": "7"})["auditAnnotations"] == {"decision-id": "7"}
    for key in ("", "a b", "a/b", "-a", "a" * 64, "a\n"):
        with pytest.raises(Unwritable, match="audit annotation"):
            answer(allowed=True, audit_annotations={key: "x"})
