"""Two replicas over one PostgreSQL database are one platform: what one did holds for the other."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from tests.delivery.rig import CONTEXT, POLICY, review_of
from tests.replicas import HOST, Pair, PlatformRig, Replica, pair

from chainward.kernel.digest import Digest
from chainward.keys.local import generate
from chainward.keys.model import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server

STRICT: Final = b"""
apiVersion: chainward.dev/v1
kind: Policy
name: strict
rules:
  - id: everywhere
    match: {environments: [dev, staging, prod]}
    require:
      signature: {signers: [nobody-has-this-name]}
"""


@pytest.fixture(scope="module")
def replicas(cluster: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two replicas that tests share; each keeps to repositories and names of its own."""
    name = cluster.create_database()
    try:
        with pair(tmp_path_factory.mktemp("replicas"), cluster.url(name)) as running:
            yield running
    finally:
        cluster.drop_database(name)


@pytest.fixture
def shipped(replicas: Pair, request: pytest.FixtureRequest) -> tuple[str, str, str]:
    """A signed image, with all its evidence, that a policy lets into dev: its name, its digest, and its signer."""
    signer = f"release-{Digest.of(request.node.name.encode()).hex[:8]}"
    with replicas.inside() as platform:
        rig = PlatformRig(platform, signer)
        platform.policies.activate(POLICY.replace(b"[release]", f"[{signer}]".encode()), context=CONTEXT)
        digest = rig.push(rig.release(signer), signer)
    return f"{HOST}/shop/web@{digest}", str(digest), signer


def test_what_is_pushed_through_one_replica_is_pulled_through_the_other(replicas: Pair) -> None:
    for number, (one, other) in enumerate(((replicas.first, replicas.second), (replicas.second, replicas.first))):
        pushed = one.push("pull/web", f"v{number}", "pulled elsewhere")
        assert pushed.status_code == 201
        pulled = other.pull("pull/web", f"v{number}")
        assert pulled.headers["docker-content-digest"] == pushed.headers["docker-content-digest"]
        config = pulled.json()["config"]
        blob = other.client.get(f"/v2/pull/web/blobs/{config['digest']}")
        assert len(blob.content) == config["size"]
        assert set(other.client.get("/v2/pull/web/tags/list").json()["tags"]) >= {f"v{number}"}


def test_one_tag_pushed_through_both_replicas_at_once_goes_to_exactly_one(replicas: Pair) -> None:
    sides = (replicas.first, replicas.second)
    gate = threading.Barrier(len(sides))

    def push(replica: Replica, tag: str) -> httpx.Response:
        gate.wait(10)
        return replica.push("race/web", tag, str(replica.process.url))

    for number in range(8):
        tag = f"t{number}"
        with ThreadPoolExecutor(len(sides)) as both:
            answers = list(both.map(push, sides, [tag, tag]))
        (won,) = (answer for answer in answers if answer.status_code == 201)
        (lost,) = (answer for answer in answers if answer.status_code != 201)
        assert lost.status_code == 409, lost.text
        for replica in sides:
            pulled = replica.pull("race/web", tag)
            assert pulled.headers["docker-content-digest"] == won.headers["docker-content-digest"]


def test_an_upload_that_began_at_one_replica_goes_on_at_the_other(replicas: Pair) -> None:
    data = b"first part, second part"
    one, other = replicas.first.client, replicas.second.client
    place = one.post("/v2/parts/web/blobs/uploads/").headers["location"]
    assert one.patch(place, content=data[:10]).status_code == 202
    assert other.patch(place, content=data[10:], headers={"Content-Range": f"10-{len(data) - 1}"}).status_code == 202
    assert one.put(place, params={"digest": str(Digest.of(data))}).status_code == 201
    assert other.get(f"/v2/parts/web/blobs/{Digest.of(data)}").content == data


def test_a_digest_revoked_through_one_replica_is_refused_by_the_other_on_the_next_request(
    replicas: Pair, shipped: tuple[str, str, str]
) -> None:
    image, digest, _ = shipped
    review = review_of(image, namespace="dev")
    headers = {"Content-Type": "application/json"}
    validate = "/admission/v1/validate"
    assert replicas.second.pull("shop/web", digest).status_code == 200
    assert replicas.second.client.post(validate, content=review, headers=headers).json()["response"]["allowed"]
    assert replicas.first.revoke(digest).status_code == 201
    refused = replicas.second.pull("shop/web", digest)
    assert "revoked" in refused.text
    assert refused.status_code in {403, 404, 451}
    response = replicas.second.client.post(validate, content=review, headers=headers).json()["response"]
    assert not response["allowed"]
    assert "artifact-revoked" in response["status"]["message"]
    assert not replicas.second.verdict(image)


def test_a_token_revoked_through_one_replica_is_refused_by_the_other_within_a_second(replicas: Pair) -> None:
    issued = replicas.first.post("/api/v1/tokens", 201, name="leaked", bindings=["reader:**"], days=1)
    headers = {"Authorization": f"Bearer {issued['token']}"}
    ask = "/api/v1/policy"
    assert replicas.second.client.get(ask, headers=headers).status_code == 200  # and it is remembered there
    assert replicas.first.client.delete(f"/api/v1/tokens/{issued['id']}").status_code == 204
    revoked_at = time.monotonic()
    assert replicas.first.client.get(ask, headers=headers).status_code == 401
    while True:
        asked_at = time.monotonic()
        answer = replicas.second.client.get(ask, headers=headers)
        if answer.status_code != 200:
            break
        assert asked_at - revoked_at < 1.0, "a revoked token was taken a second after its revocation"
        time.sleep(0.02)
    assert answer.status_code == 401
    assert "token-revoked" in answer.text


def test_a_policy_activated_through_one_replica_decides_the_next_question_to_the_other(
    replicas: Pair, shipped: tuple[str, str, str]
) -> None:
    image, _, signer = shipped
    lenient = POLICY.replace(b"[release]", f"[{signer}]".encode())
    media = {"Content-Type": "application/yaml"}
    for document, allowed in ((lenient, True), (STRICT, False), (lenient, True)):
        activated = replicas.first.client.put("/api/v1/policy", content=document, headers=media)
        assert activated.status_code == 200, activated.text
        assert replicas.second.verdict(image) is allowed
        assert replicas.second.client.get("/api/v1/policy").json()["epoch"] == activated.json()["epoch"]
        assert replicas.first.verdict(image) is allowed


def test_a_signer_distrusted_through_one_replica_counts_no_more_at_the_other(
    replicas: Pair, shipped: tuple[str, str, str]
) -> None:
    image, _, signer = shipped
    for _ in range(2):  # the second time from the cache
        assert replicas.second.verdict(image)
    answer = replicas.first.client.delete(f"/api/v1/signers/{signer}", params={"reason": "laptop stolen"})
    assert answer.status_code == 204
    assert not replicas.second.verdict(image)
    taken = generate(Scheme.ECDSA_P256_SHA256).public_key.pem.decode()
    members = {"name": signer, "public_key": taken, "repositories": ["shop/**"]}
    replicas.second.post("/api/v1/signers", 201, **members)
    assert not replicas.first.verdict(image)


def test_a_promotion_through_one_replica_is_evidence_at_the_other(
    replicas: Pair, shipped: tuple[str, str, str]
) -> None:
    image, _, signer = shipped
    staged = POLICY.replace(b"[release]", f"[{signer}]".encode()) + (
        b"  - id: staging-first\n    match: {environments: [prod]}\n    require:\n      promotion: {from: staging}\n"
    )
    media = {"Content-Type": "application/yaml"}
    assert replicas.first.client.put("/api/v1/policy", content=staged, headers=media).status_code == 200
    assert not replicas.second.verdict(image, "prod")
    steps = ((replicas.first, "dev"), (replicas.second, "staging"), (replicas.first, "prod"))
    for replica, environment in steps:
        replica.post("/api/v1/promotions", 201, image=image, to=environment)
    for replica in (replicas.first, replicas.second):
        assert replica.verdict(image, "prod")


class Writing:
    """A thread that revokes through one replica until it is told to stop or the replica is gone."""

    def __init__(self, replica: Replica, numbers: Iterator[int]) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._replica = replica
        self._numbers = numbers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait_for(self, number: int) -> None:
        goal, deadline = len(self.acknowledged) + number, time.monotonic() + 30
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, self.refused
            time.sleep(0.005)

    def _write(self) -> None:
        base, headers = self._replica.client.base_url, self._replica.client.headers
        with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=30) as client:
            for number in self._numbers:
                digest = f"sha256:{number:064x}"
                try:
                    answer = client.post("/api/v1/revocations", json={"digest": digest, "reason": "r"})
                except httpx.TransportError:
                    return
                if answer.status_code != 201:
                    self.refused.append(answer.text)
                    return
                self.acknowledged.append(digest)
                if self._over.is_set():
                    return


def revoked_in(replica: Replica) -> set[str]:
    found: set[str] = set()
    after = -1
    while True:
        page = replica.client.get("/api/v1/revocations", params={"after": after, "limit": 1000}).json()
        found |= {each["digest"] for each in page["revocations"]}
        if page["next"] is None:
            return found
        after = page["next"]


def test_writes_through_both_replicas_get_one_order_and_the_logs_audit_clean(replicas: Pair) -> None:
    writers = [
        Writing(replica, count(start))
        for replica, start in ((replicas.first, 10**6), (replicas.second, 2 * 10**6), (replicas.first, 3 * 10**6))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.wait_for(15)
    for writer in writers:
        writer.stop()
        assert writer.refused == []
    seen = [revoked_in(replica) for replica in (replicas.first, replicas.second)]
    assert seen[0] == seen[1]
    for writer in writers:
        assert set(writer.acknowledged) <= seen[0]
    reports = [replica.post("/api/v1/logs/audit", 200) for replica in (replicas.first, replicas.second)]
    assert [report["findings"] for report in reports] == [[], []]
    with replicas.inside() as platform:
        facts = platform.ledger.facts(-1, 100_000)
        assert [fact.index for fact in facts] == list(range(len(facts)))
        instants = [fact.recorded_at for fact in facts]
        assert instants == sorted(instants)


def test_kill_9_of_one_replica_holds_up_no_write_of_the_other_and_loses_nothing(
    cluster: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = cluster.create_database()
    try:
        with pair(tmp_path_factory.mktemp("killed"), cluster.url(name), shared=True) as replicas:
            dying, living = Writing(replicas.first, count(10**6)), Writing(replicas.second, count(2 * 10**6))
            dying.start()
            living.start()
            dying.wait_for(10)
            living.wait_for(10)
            replicas.first.process.kill()
            living.wait_for(20)
            living.stop()
            dying.stop()
            assert living.refused == []
            assert dying.refused == []
            assert set(dying.acknowledged) | set(living.acknowledged) <= revoked_in(replicas.second)
            assert replicas.second.post("/api/v1/logs/audit", 200)["findings"] == []
            assert replicas.second.client.get("/readyz").status_code == 200
            assert not [line for line in replicas.second.process.log() if line["level"] == "error"]
    finally:
        cluster.drop_database(name)
