"""The admission webhooks over HTTP: real reviews of an API server get answers that it accepts."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.delivery.rig import HOST, REPOSITORY, Rig, review_of
from tests.platforms import CONTEXT, TestPlatform, in_process, open_test_platform

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.faces.http.admission import timeout_in
from chainward.faces.http.errors import ParameterInvalid
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.portfolio.model import Environment, NamespacePattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.platforms import Client

REVIEWS = Path(__file__).parent.parent / "data/admission-reviews"
CASES = [
    pytest.param(line, id=f"{path.stem}-{number}")
    for path in sorted(REVIEWS.glob("*.jsonl"))
    for number, line in enumerate(path.read_bytes().splitlines())
]
VALIDATE, MUTATE = "/admission/v1/validate", "/admission/v1/mutate"
WEB = f"{HOST}/shop/web:1"


class PlatformRig(Rig):
    """What a Rig does, on the rooms of a running platform."""

    def __init__(self, made: TestPlatform) -> None:
        platform = made.platform
        self.clock = platform.clock  # type: ignore[assignment]  # the real one
        self.ledger, self.registry, self.rekor = platform.ledger, platform.registry, platform.rekor
        self.signers, self.policies, self.portfolios = platform.signers, platform.policies, platform.portfolios
        self.reader, self.judge = platform.reader, platform.judge
        self.release_key = generate(Scheme.ECDSA_P256_SHA256)
        self.trust_key("release", self.release_key, "**")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[TestPlatform]:
    with open_test_platform(tmp_path / "data", settings={("instance", "hosts"): (HOST,)}) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a platform that tests share, because they leave nothing that another one would notice."""
    folder = tmp_path_factory.mktemp("shared")
    with open_test_platform(folder, settings={("instance", "hosts"): (HOST,)}) as made, in_process(made) as client:
        yield client


@pytest.fixture
def client(platform: TestPlatform) -> Iterator[Client]:
    with in_process(platform) as client:
        yield client


@pytest.fixture
def rig(platform: TestPlatform) -> PlatformRig:
    return PlatformRig(platform)


def _send(client: Client, path: str, body: bytes, query: str = "") -> Any:
    response = client.request("POST", path + query, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


def _check(answer: Any, body: bytes, *, validating: bool) -> Any:
    """Hold an answer against what an API server demands, and return its response."""
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response = answer["response"]
    assert response["uid"] == json.loads(body)["request"]["uid"]
    assert isinstance(response["allowed"], bool)
    assert ("patch" in response) == ("patchType" in response)
    assert not (validating and "patch" in response)
    assert all(0 < len(warning) <= 256 for warning in response.get("warnings", ()))
    if not response["allowed"]:
        assert response["status"]["code"] == 403
        assert 0 < len(response["status"]["message"].encode()) <= 4096
    return response


@pytest.mark.parametrize("body", CASES)
def test_every_review_that_a_cluster_sends_gets_an_answer_that_it_accepts(shared: Client, body: bytes) -> None:
    request = json.loads(body)["request"]
    validated = _check(_send(shared, VALIDATE, body, "?timeout=10s"), body, validating=True)
    mutated = _check(_send(shared, MUTATE, body, "?timeout=5s"), body, validating=False)
    assert mutated["allowed"]
    is_new_pod = request["kind"]["kind"] == "Pod" and request["operation"] == "CREATE"
    if is_new_pod:
        assert not validated["allowed"]
        assert "namespace-unmapped" in validated["status"]["message"]
    if request["operation"] in {"DELETE", "CONNECT"}:
        assert validated["allowed"]


def test_an_image_with_evidence_is_pinned_and_let_in(client: Client, rig: PlatformRig) -> None:
    digest = rig.push(rig.release())
    rig.portfolios.declare_environment(
        Environment("dev", 10, (NamespacePattern("dev"), NamespacePattern("default"))), context=CONTEXT
    )
    body = (REVIEWS / "pod-create.jsonl").read_bytes().splitlines()[0]
    for name in ("app:1", "init:1", "data:1"):
        body = body.replace(f"reg.example/{name}".encode(), WEB.encode())
    response = _check(_send(client, MUTATE, body), body, validating=False)
    operations = json.loads(base64.b64decode(response["patch"]))
    assert [operation["op"] for operation in operations] == ["test"] * 3 + ["replace"] * 3
    pinned = f"{HOST}/shop/web@{digest}"
    assert {operation["value"] for operation in operations} == {WEB, pinned}
    validated = _check(_send(client, VALIDATE, body.replace(WEB.encode(), pinned.encode())), body, validating=True)
    assert validated["allowed"]
    assert validated["auditAnnotations"]["decisions"]


def test_a_denial_says_which_check_failed_and_what_to_do(client: Client, rig: PlatformRig) -> None:
    rig.push(rig.release(), without=("provenance", "sbom", "tests"))
    body = review_of(WEB)
    response = _check(_send(client, VALIDATE, body), body, validating=True)
    assert not response["allowed"]
    message = response["status"]["message"]
    for part in (WEB, "signature-missing", "->", "decision "):
        assert part in message


def test_a_revocation_reaches_the_webhook_at_once(client: Client, rig: PlatformRig) -> None:
    digest = rig.push(rig.release())
    body = review_of(WEB, namespace="dev")
    assert _send(client, VALIDATE, body)["response"]["allowed"]
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    response = _send(client, VALIDATE, body)["response"]
    assert not response["allowed"]
    assert "artifact-revoked" in response["status"]["message"]


def test_a_failing_database_is_a_failed_call_and_not_a_decision(
    platform: TestPlatform, client: Client, rig: PlatformRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.push(rig.release())
    body = review_of(WEB, namespace="dev")
    assert _send(client, VALIDATE, body)["response"]["allowed"]

    def gone(*_: object) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(platform.platform.judge, "_reader", type("Gone", (), {"read": gone})())
    response = client.request("POST", VALIDATE, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code >= 500
    assert "response" not in response.json()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{}}', 400),
        (b"[" * 5000, 400),
        (b"\xff", 400),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_what_is_no_review_is_a_failed_call(shared: Client, body: bytes, status: int) -> None:
    for path in (VALIDATE, MUTATE):
        response = shared.request("POST", path, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == status


def test_only_who_may_admit_is_answered(platform: TestPlatform, client: Client) -> None:
    body = review_of(WEB)
    for token, status in ((None, 401), (platform.token("reader:**"), 403), (platform.token("admin:shop/**"), 403)):
        asking = client.with_token(token)
        response = asking.request("POST", VALIDATE, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == status


def test_what_was_decided_is_on_the_timeline(client: Client, platform: TestPlatform, rig: PlatformRig) -> None:
    digest = rig.push(rig.release())
    _send(client, VALIDATE, review_of(WEB, namespace="dev"))
    platform.platform.followers.catch_up()
    told = [event.fact.schema for event in platform.platform.timelines.of(digest).events]
    assert "delivery.admission-allowed/1" in told
    assert rig.reader.read(REPOSITORY, digest, "dev").deployed == digest


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("500ms", 0.5), ("1m5s", 30), ("2.5s", 2.5), ("30s", 30), ("1m", 30)]
)
def test_a_timeout_is_read_as_an_api_server_writes_it(text: str, seconds: float) -> None:
    assert timeout_in(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "0s", "1h", "10s;", "1e9s", "9" * 20 + "s"])
def test_a_timeout_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid):
        timeout_in(text)


def test_no_timeout_means_the_usual_one() -> None:
    assert timeout_in(None) is None
