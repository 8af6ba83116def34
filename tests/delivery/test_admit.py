"""The admission gate: who is let in, who is kept out and why, and what cannot be talked around."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.databases import sqlite_platform
from tests.delivery.rig import CONTEXT, HOST, POLICY, REPOSITORY, Rig, review_of

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.delivery.admit import AdmissionAnswer, Controllers
from chainward.delivery.errors import GateTimeout
from chainward.delivery.explain import MESSAGE_LIMIT
from chainward.formats.admission import decode_review
from chainward.kernel.digest import Digest
from chainward.kernel.identity import Actor, Context
from chainward.kernel.name import RepositoryName
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.policy.rules import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chainward.delivery.model import Snapshot
    from chainward.kernel.name import Tag
    from chainward.registry.model import ArtifactTypes, Referrer, Revocation, StoredManifest

WEB = f"{HOST}/shop/web:1"
DEPLOYMENT = ("apps", "v1", "Deployment")


def _admit(rig: Rig, *images: str, timeout: timedelta | None = None, **review: Any) -> AdmissionAnswer:
    return rig.admission.validate(decode_review(review_of(*images, **review)), context=CONTEXT, timeout=timeout)


def _codes(answer: AdmissionAnswer) -> set[str]:
    return {check.code for ruling in answer.rulings for check in ruling.failures}


def test_an_image_with_all_its_evidence_is_let_in(rig: Rig) -> None:
    digest = rig.push(rig.release())
    answer = _admit(rig, WEB)
    assert answer.allowed
    assert answer.message == ""
    (fact,) = rig.bodies("delivery.admission-allowed/1")
    assert (fact["digest"], fact["environment"], fact["namespace"]) == (str(digest), "prod", "prod")
    assert fact["caller"] == "system:serviceaccount:kube-system:replicaset-controller"
    assert answer.audit == {"decisions": fact["decision"]}


def test_an_unsigned_image_is_kept_out(rig: Rig) -> None:
    rig.push(rig.release(), without=("provenance", "sbom", "tests"))
    answer = _admit(rig, WEB)
    assert not answer.allowed
    assert {"signature-missing", "provenance-missing", "sbom-missing", "tests-missing"} <= _codes(answer)
    assert [line[:9] for line in answer.message.splitlines()[:4]] == [
        "chainward",
        "- image r",
        "  signatu",
        "    -> ch",
    ]


def test_an_image_signed_by_a_stranger_is_kept_out_and_the_stranger_is_named(rig: Rig) -> None:
    rig.push(rig.release(), key=generate(Scheme.ECDSA_P256_SHA256))
    answer = _admit(rig, WEB)
    assert not answer.allowed
    assert "signature-rejected" in _codes(answer)
    assert "stranger" in answer.message


def test_an_image_without_sbom_is_kept_out_for_that_alone(rig: Rig) -> None:
    rig.push(rig.release(), without=("sbom",))
    answer = _admit(rig, WEB)
    assert _codes(answer) == {"sbom-missing"}
    assert "chainward sbom" in answer.message


def test_an_image_built_by_another_builder_is_kept_out_and_the_builder_is_named(rig: Rig) -> None:
    release = rig.release()
    release.statements["provenance"] = rig.provenance(release.digest, "https://evil.example/builder")
    rig.push(release)
    answer = _admit(rig, WEB)
    assert _codes(answer) == {"provenance-wrong-builder"}
    assert "evil.example" in answer.message


def test_a_valid_bundle_replayed_on_another_digest_lets_nothing_in(rig: Rig) -> None:
    good, bad = rig.release("good"), rig.release("bad")
    rig.push(good)
    rig.push(bad, "2", without=tuple(bad.statements))
    for statement in good.statements.values():
        rig.attach(bad, rig.sign(statement))
    answer = _admit(rig, f"{HOST}/shop/web:2")
    assert not answer.allowed
    assert "subject-mismatch" in answer.message


def test_evidence_in_another_repository_does_not_count_here(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    rig.push(release, "1", repository=RepositoryName("shop/api"), without=tuple(release.statements))
    assert not _admit(rig, f"{HOST}/shop/api:1").allowed


def test_one_bad_image_keeps_the_whole_pod_out_and_nothing_counts_as_deployed(rig: Rig) -> None:
    rig.push(rig.release())
    bad = rig.release("bad")
    rig.push(bad, "bad", without=("tests",))
    answer = _admit(rig, WEB, f"{HOST}/shop/web:bad")
    assert not answer.allowed
    assert "shop/web:bad" in answer.message
    assert "shop/web:1 " not in answer.message
    assert rig.schemas() == ["admission-denied/1"]
    assert rig.schemas("portfolio.deployed") == []


@pytest.mark.parametrize(
    "image", ["nginx", "docker.io/library/nginx:1", f"{HOST}:5000/shop/web:1", "localhost/shop/web:1"]
)
def test_an_image_of_another_registry_is_kept_out(rig: Rig, image: str) -> None:
    rig.push(rig.release())
    answer = _admit(rig, image)
    assert _codes(answer) == {"image-host-foreign"}
    (fact,) = rig.bodies("delivery.admission-denied/1")
    assert (fact["repository"], fact["digest"], fact["image"]) == (None, None, image)


@pytest.mark.parametrize(
    "image", ["", " ", "UPPER/case", f"{HOST}/shop/web@sha256:0", f"{HOST}/shop/web:1\n", "a" * 5000]
)
def test_a_name_that_is_none_is_kept_out(rig: Rig, image: str) -> None:
    answer = _admit(rig, image)
    assert not answer.allowed
    assert len(answer.message.encode()) <= MESSAGE_LIMIT


def test_an_image_that_was_never_pushed_is_kept_out(rig: Rig) -> None:
    rig.push(rig.release())
    for image in (f"{HOST}/shop/web:2", f"{HOST}/shop/web@{Digest.of(b'x')}", f"{HOST}/shop/nothing:1"):
        assert _codes(_admit(rig, image)) == {"artifact-unknown"}


@pytest.mark.parametrize("namespace", ["", "default", "kube-system", "prod2"])
def test_a_namespace_of_no_environment_takes_nothing(rig: Rig, namespace: str) -> None:
    rig.push(rig.release())
    assert _codes(_admit(rig, WEB, namespace=namespace)) == {"namespace-unmapped"}


def test_without_a_policy_nothing_is_let_in(tmp_path: Path) -> None:
    with sqlite_platform(tmp_path) as platform:
        rig = Rig(platform, tmp_path)
        rig.policies.activate = lambda *_args, **_more: (0, None)  # type: ignore[method-assign,assignment]  # none is activated
        rig.prepare().push(rig.release())
        assert _codes(_admit(rig, WEB)) == {"policy-absent"}


def test_an_exception_in_a_rule_keeps_the_image_out(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.push(rig.release())

    def broken(*_: object) -> object:
        raise ZeroDivisionError

    kind = BY_NAME["signature"]
    monkeypatch.setitem(BY_NAME, "signature", type(kind)(**{**_members(kind), "judge": broken}))
    answer = _admit(rig, WEB)
    assert not answer.allowed
    assert "check-error" in _codes(answer)


def _members(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def test_a_revoked_image_is_kept_out_at_once_although_the_yes_was_kept(rig: Rig) -> None:
    digest = rig.push(rig.release())
    assert _admit(rig, WEB).allowed
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    answer = _admit(rig, WEB)
    assert _codes(answer) == {"artifact-revoked"}
    assert "key leaked" in answer.message


def test_a_new_policy_a_distrusted_signer_and_new_evidence_each_count_at_once(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=("tests",))
    assert not _admit(rig, WEB).allowed
    rig.attach(release, rig.sign(release.statements["tests"]))
    assert _admit(rig, WEB).allowed
    rig.policies.activate(POLICY.replace(b"chainward.example", b"other.example"), context=CONTEXT)
    assert _codes(_admit(rig, WEB)) == {"provenance-wrong-builder"}
    rig.policies.activate(POLICY, context=CONTEXT)
    assert _admit(rig, WEB).allowed
    rig.signers.distrust("release", "key leaked", context=CONTEXT)
    answer = _admit(rig, WEB)
    assert not answer.allowed
    assert "signer-distrusted" in answer.message


def test_a_tag_that_moves_between_mutating_and_validating_changes_nothing(tmp_path: Path) -> None:
    with sqlite_platform(tmp_path) as platform:
        rig = Rig(platform, tmp_path, mutable_tags=("shop/**",)).prepare()
        good, evil = rig.release("good"), rig.release("evil")
        rig.push(good, "1")
        review = decode_review(review_of(WEB))
        (patch,) = rig.admission.mutate(review)
        rig.push(evil, None, without=tuple(evil.statements))
        rig.retag(evil, "1")
        assert patch.new == f"{HOST}/shop/web@{good.digest}"
        answer = _admit(rig, patch.new)
        assert answer.allowed
        assert answer.rulings[0].digest == good.digest


def test_a_tag_that_may_move_is_not_let_in_unpinned(tmp_path: Path) -> None:
    with sqlite_platform(tmp_path) as platform:
        rig = Rig(platform, tmp_path, mutable_tags=("shop/**",)).prepare()
        digest = rig.push(rig.release())
        assert _codes(_admit(rig, WEB)) == {"image-not-pinned"}
        assert _admit(rig, f"{HOST}/shop/web:1@{digest}").allowed


def test_a_revocation_between_mutating_and_validating_counts(rig: Rig) -> None:
    digest = rig.push(rig.release())
    (patch,) = rig.admission.mutate(decode_review(review_of(WEB)))
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    assert not _admit(rig, patch.new).allowed


def test_only_new_images_of_pods_are_pinned(rig: Rig) -> None:
    digest = rig.push(rig.release())
    pinned = f"{HOST}/shop/web@{digest}"
    images = (WEB, "nginx", f"{HOST}/shop/web:none", pinned, "UPPER", WEB)
    patches = rig.admission.mutate(decode_review(review_of(*images)))
    assert [(patch.pointer, patch.old, patch.new) for patch in patches] == [
        ("/spec/containers/0/image", WEB, pinned),
        ("/spec/containers/5/image", WEB, pinned),
    ]
    assert rig.admission.mutate(decode_review(review_of(WEB, kind=DEPLOYMENT))) == ()
    assert rig.admission.mutate(decode_review(review_of(WEB, before=[WEB], operation="UPDATE"))) == ()
    assert rig.schemas() == []


def test_a_controller_is_warned_and_not_recorded(rig: Rig) -> None:
    answer = _admit(rig, "nginx", kind=DEPLOYMENT)
    assert answer.allowed
    assert len(answer.warnings) == 1
    assert len(answer.warnings[0]) <= 256
    assert rig.schemas() == []


@pytest.mark.parametrize(("mode", "facts"), [(Controllers.DENY, 1), (Controllers.IGNORE, 0)])
def test_what_a_controller_gets_can_be_configured(tmp_path: Path, mode: Controllers, facts: int) -> None:
    with sqlite_platform(tmp_path) as platform:
        rig = Rig(platform, tmp_path, controllers=mode).prepare()
        answer = _admit(rig, "nginx", kind=DEPLOYMENT)
        assert answer.allowed is (mode is Controllers.IGNORE)
        assert answer.warnings == ()
        assert len(rig.schemas()) == facts


def test_images_that_were_there_before_an_update_are_let_be(rig: Rig) -> None:
    rig.push(rig.release(), without=("tests",))
    before = [WEB, "nginx", "UPPER", f"{HOST}/shop/web:gone"]
    assert _admit(rig, *before, before=before, operation="UPDATE").allowed
    assert rig.schemas() == []
    answer = _admit(rig, *before, f"{HOST}/shop/web:new", before=before, operation="UPDATE")
    assert _codes(answer) == {"artifact-unknown"}


def test_an_update_does_not_keep_a_revoked_image_alive(rig: Rig) -> None:
    digest = rig.push(rig.release())
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    assert _codes(_admit(rig, WEB, before=[WEB], operation="UPDATE")) == {"artifact-revoked"}


def test_a_revoked_pod_on_its_way_out_may_lose_its_finalizers_but_gain_no_image(rig: Rig) -> None:
    digest = rig.push(rig.release())
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    going = {
        "metadata": {"name": "p1", "deletionTimestamp": "2026-11-23T09:30:00Z"},
        "spec": {"containers": [{"name": "c0", "image": WEB}]},
    }
    assert _admit(rig, before=[WEB], operation="UPDATE", object=going).allowed
    assert not _admit(rig, before=["nginx"], operation="UPDATE", object=going).allowed


def test_an_ephemeral_container_is_decided_about_like_any_other(rig: Rig) -> None:
    digest = rig.push(rig.release())
    pod: dict[str, Any] = {
        "spec": {
            "containers": [{"name": "c0", "image": WEB}],
            "ephemeralContainers": [{"name": "debug", "image": "evil/debug"}],
        }
    }
    review: dict[str, Any] = {
        "before": [WEB],
        "operation": "UPDATE",
        "object": pod,
        "subResource": "ephemeralcontainers",
    }
    assert _codes(_admit(rig, **review)) == {"image-host-foreign"}
    pod["spec"]["ephemeralContainers"][0]["image"] = f"{HOST}/shop/web@{digest}"
    assert _admit(rig, **review).allowed


def test_image_volumes_and_init_containers_are_decided_about(rig: Rig) -> None:
    rig.push(rig.release())
    for member in ({"initContainers": [{"image": "evil"}]}, {"volumes": [{"image": {"reference": "evil"}}]}):
        pod = {"spec": {"containers": [{"name": "c0", "image": WEB}], **member}}
        assert _codes(_admit(rig, object=pod)) == {"image-host-foreign"}


@pytest.mark.parametrize(
    "review",
    [
        {"operation": "DELETE", "object": None},
        {"operation": "CONNECT", "kind": ("", "v1", "PodExecOptions"), "subResource": "exec"},
        {"operation": "UPDATE", "before": ["nginx"], "subResource": "status"},
        {"operation": "UPDATE", "kind": ("autoscaling", "v1", "Scale"), "subResource": "scale"},
        {"operation": "CREATE", "kind": ("policy", "v1", "Eviction"), "subResource": "eviction"},
    ],
)
def test_what_cannot_bring_an_image_in_is_let_be(rig: Rig, review: dict[str, Any]) -> None:
    assert _admit(rig, "nginx", **review).allowed
    assert rig.schemas() == []


@pytest.mark.parametrize(
    "review",
    [{"kind": ("argoproj.io", "v1", "Rollout")}, {"subResource": "inventedlater"}, {"kind": ("evil", "v1", "Pod")}],
)
def test_a_kind_that_nobody_looked_into_is_not_let_pass_for_lack_of_images(rig: Rig, review: dict[str, Any]) -> None:
    answer = _admit(rig, WEB, **review)
    assert not answer.allowed
    assert "admission-kind-unknown" in answer.message


def test_a_dry_run_decides_the_same_and_records_nothing(rig: Rig) -> None:
    rig.push(rig.release())
    assert _admit(rig, WEB, dryRun=True).allowed
    assert not _admit(rig, "nginx", dryRun=True).allowed
    assert rig.schemas() == []
    assert rig.portfolios.deployments() == []
    assert rig.store.repeats(0, 10) == []


class CountingSource:
    """The registry, counting how often evidence was gathered; may be slow, or broken."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.gathered = 0
        self.error: Exception | None = None
        self.delay: timedelta | None = None
        self.rig: Rig | None = None

    def referrers(
        self, repository: RepositoryName, digest: Digest, types: ArtifactTypes | None = None, limit: int | None = None
    ) -> Sequence[Referrer]:
        self.gathered += 1
        if self.error is not None:
            raise self.error
        if self.delay is not None and self.rig is not None:
            self.rig.clock.advance(self.delay)
        found: Sequence[Referrer] = self.inner.referrers(repository, digest, types, limit)
        return found

    def revocation(self, repository: RepositoryName, *digests: Digest) -> Revocation | None:
        found: Revocation | None = self.inner.revocation(repository, *digests)
        return found

    def manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest:
        found: StoredManifest = self.inner.manifest(repository, digest)
        return found

    def blob_bytes(self, repository: RepositoryName, digest: Digest, limit: int) -> bytes:
        data: bytes = self.inner.blob_bytes(repository, digest, limit)
        return data


def _counted(rig: Rig) -> CountingSource:
    source = CountingSource(rig.registry)
    source.rig = rig
    rig.judge._evidence = source
    return source


def test_eight_equal_containers_and_eight_pods_at_once_are_verified_once(rig: Rig) -> None:
    rig.push(rig.release())
    source = _counted(rig)
    threads = [threading.Thread(target=lambda: _admit(rig, *[WEB] * 8)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.gathered == 1
    assert rig.schemas() == ["admission-allowed/1"]
    assert len(rig.store.repeats(0, 100)) == 7


def test_a_registry_that_fails_is_a_failed_call_and_not_a_no(rig: Rig) -> None:
    rig.push(rig.release())
    source = _counted(rig)
    source.error = DatabaseUnavailable("gone")
    with pytest.raises(DatabaseUnavailable):
        _admit(rig, WEB)
    assert rig.schemas() == []
    source.error = None
    assert _admit(rig, WEB).allowed


class BrokenReader:
    """A database that does not answer."""

    def read(self, repository: RepositoryName, reference: Tag | Digest, environment: str) -> Snapshot:
        raise DatabaseUnavailable(f"no answer for {repository} {reference} {environment}")


def test_a_database_that_fails_is_a_failed_call_and_not_a_yes(rig: Rig) -> None:
    rig.push(rig.release())
    assert _admit(rig, WEB).allowed
    rig.judge._reader = BrokenReader()
    with pytest.raises(DatabaseUnavailable):
        _admit(rig, WEB)


def test_a_decision_that_cannot_be_made_durable_is_not_answered(rig: Rig) -> None:
    rig.push(rig.release())
    assert _admit(rig, WEB).allowed
    rig.ledger.close()
    with pytest.raises(Exception, match="not open"):
        _admit(rig, WEB)


def test_a_deadline_that_passes_while_evidence_is_verified_is_a_failed_call(rig: Rig) -> None:
    rig.push(rig.release())
    source = _counted(rig)
    source.delay = timedelta(seconds=6)
    with pytest.raises(GateTimeout):
        _admit(rig, WEB, timeout=timedelta(seconds=5))
    source.delay = None
    assert _admit(rig, WEB, timeout=timedelta(seconds=5)).allowed


def test_a_blob_of_evidence_that_was_tampered_with_is_no_evidence(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    for referrer in rig.registry.referrers(REPOSITORY, release.digest):
        manifest = rig.registry.manifest(REPOSITORY, referrer.digest)
        rig.spoil_blob(_layer(manifest.body))
    answer = _admit(rig, WEB)
    assert not answer.allowed
    assert "blob-integrity-violated" in answer.message


def _layer(body: bytes) -> Digest:
    from chainward.formats.oci import OCI_MANIFEST, decode_manifest

    return decode_manifest(body, OCI_MANIFEST).layers[0].digest


def test_a_message_stays_within_four_kibibytes_whatever_the_names(rig: Rig) -> None:
    images = [f"{'x' * 200}-{number}/ümlaut" for number in range(40)]
    answer = _admit(rig, *images)
    assert len(answer.message.encode()) <= MESSAGE_LIMIT
    assert "more images" in answer.message


def test_a_repeated_admission_is_a_row_and_another_caller_a_fact_of_its_own(rig: Rig) -> None:
    rig.push(rig.release())
    for _ in range(3):
        assert _admit(rig, WEB).allowed
    assert rig.schemas() == ["admission-allowed/1"]
    assert len(rig.store.repeats(0, 10)) == 2
    _admit(rig, WEB, userInfo={"username": "admin"})
    _admit(rig, WEB, namespace="prod-eu")
    other = Context(Actor("token:other-cluster"), "request-2")
    rig.admission.validate(decode_review(review_of(WEB)), context=other)
    rig.policies.activate(POLICY + b"# new\n", context=CONTEXT)
    _admit(rig, WEB)
    assert len(rig.bodies("delivery.admission-allowed/1")) == 5


def test_going_back_to_an_older_image_is_a_deployment_again(rig: Rig) -> None:
    first, second = rig.push(rig.release("one"), "1"), rig.push(rig.release("two"), "2")
    for tag in ("1", "1", "2", "1"):
        rig.clock.advance(timedelta(seconds=1))
        assert _admit(rig, f"{HOST}/shop/web:{tag}").allowed
    deployed = [body["digest"] for body in rig.bodies("portfolio.deployed/1")]
    assert deployed == [str(first), str(second), str(first)]
    assert rig.portfolios.deployments(environment="prod")[0].digest == first


def test_a_policy_may_name_the_hosts_of_this_registry(rig: Rig) -> None:
    digest = rig.push(rig.release())
    rig.judge._host = HOST
    rule = b"      registry: {hosts: [reg.example]}\n"
    rig.policies.activate(POLICY.replace(b"      signature: {}\n", b"      signature: {}\n" + rule), context=CONTEXT)
    assert _admit(rig, f"{HOST}/shop/web@{digest}").allowed
    rig.policies.activate(
        POLICY.replace(b"      signature: {}\n", b"      signature: {}\n" + rule.replace(b"reg.", b"other.")),
        context=CONTEXT,
    )
    assert _codes(_admit(rig, f"{HOST}/shop/web@{digest}")) == {"registry-wrong-host"}


def test_a_name_cannot_write_lines_of_its_own_into_a_message(rig: Rig) -> None:
    forged = "evil\n- image good (decision 0)\r\x1b[2K\u2028 allowed"
    for answer in (_admit(rig, forged), _admit(rig, WEB, kind=("evil\nx", "v1", "Roll\nout"))):
        assert not answer.allowed
        lines = answer.message.split("\n")
        assert not any(line.startswith(("- image good", "x", "out")) for line in lines)
        assert all(line.isprintable() for line in lines)
    assert all(warning.isprintable() for warning in _admit(rig, forged, kind=DEPLOYMENT).warnings)


def test_a_very_long_host_user_or_uid_neither_fills_the_memory_nor_fails_the_call(rig: Rig) -> None:
    rig.push(rig.release())
    answer = _admit(rig, f"{'h' * 100_000}.example/shop/web:1", userInfo={"username": "u" * 50_000}, uid="i" * 50_000)
    assert _codes(answer) == {"name-invalid"}
    assert _admit(rig, WEB, userInfo={"username": "u" * 50_000}).allowed
    (fact,) = rig.bodies("delivery.admission-allowed/1")
    assert len(fact["caller"]) == 256


def test_a_pod_with_more_images_than_there_is_time_for_is_a_failed_call(rig: Rig) -> None:
    rig.clock.step = timedelta(milliseconds=100)
    with pytest.raises(GateTimeout, match="of 200 images"):
        _admit(rig, *[f"{HOST}/shop/web:{number}" for number in range(200)], timeout=timedelta(seconds=5))
