"""``/api/v1/trust`` and the trust documents: what is shown to whom, and what a rotation over HTTP takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sigstore_models.trustroot.v1 import ClientTrustConfig, SigningConfig
from sigstore_models.trustroot.v1 import TrustedRoot as StockTrustedRoot
from tests.platforms import Client, in_process, open_test_platform

from chainward.adapters.keyring import OfflineKeys
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.adapters.tuf import TufMetadata
from chainward.formats.trusted_root import decode_trusted_root
from chainward.kernel.instant import rfc3339
from chainward.trust.authority import AuthorityKind
from chainward.trust.export import EXPORT_TYPE, decode_export
from chainward.trust.issuing_chain import certificate_from_pem, certificate_to_pem, requested_key
from chainward.trust.material import TrustMaterial
from chainward.trust.offline import OfflineRoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

OFFLINE = OfflineKeys.fresh()
SETTINGS = {("server", "public_url"): "https://trust.example.test/", ("trust", "development_issuer"): True}
AUTHORITIES = "/api/v1/trust/authorities"
REPOSITORY = "/api/v1/trust/repository"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    """A platform that is reached at a URL of its own."""
    with open_test_platform(tmp_path_factory.mktemp("trust") / "p", settings=SETTINGS, offline=OFFLINE) as made:
        yield made


@pytest.fixture(scope="module")
def admin(desk: TestPlatform) -> Iterator[Client]:
    """Who may do everything."""
    with in_process(desk) as client:
        yield client


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Client]:
    """The admin of a platform of one test."""
    with open_test_platform(tmp_path / "p", offline=OFFLINE) as made, in_process(made) as client:
        yield client


def certificates_for(request: dict[str, Any]) -> list[str]:
    """What the holder of the offline root answers a request with."""
    kind = AuthorityKind(request["service"])
    key = {AuthorityKind.CA: OFFLINE.ca, AuthorityKind.TSA: OFFLINE.tsa}[kind]
    root = OfflineRoot(kind, key, certificate_from_pem(request["root"].encode()))
    chain = root.certify(
        requested_key(request["request"].encode()), request["organization"], SystemClock(), SystemEntropy()
    )
    return [certificate_to_pem(each) for each in chain]


def test_everybody_may_fetch_the_documents_and_strict_stock_models_read_them(admin: Client) -> None:
    nobody = admin.with_token(None)
    root, config, both = (
        nobody.get(f"/{name}.json") for name in ("trusted_root", "signing_config.v0.2", "client_trust_config")
    )
    stock = StockTrustedRoot.from_json(root.content)
    assert [log.base_url for log in stock.tlogs] == ["https://log.chainward.local"]
    assert len(stock.certificate_authorities[0].cert_chain.certificates) == 2
    signing = SigningConfig.from_json(config.content)
    assert [each.url for each in signing.ca_urls] == ["https://trust.example.test"]
    assert [each.url for each in signing.tsa_urls] == ["https://trust.example.test/api/v1/timestamp"]
    assert [each.url for each in signing.oidc_urls] == ["https://trust.example.test/dev/oidc"]
    assert [each.major_api_version for each in signing.rekor_tlog_urls] == [2]
    trust = ClientTrustConfig.from_json(both.content)
    assert (trust.trusted_root, trust.signing_config) == (stock, signing)
    assert {answer.headers["cache-control"] for answer in (root, config, both)} == {"no-store"}


def test_our_own_verifier_can_use_every_service_in_the_documents(admin: Client) -> None:
    material = TrustMaterial.from_document(decode_trusted_root(admin.get("/trusted_root.json").content))
    assert material.unusable == ()
    assert [len(each) for each in (material.logs, material.ct_logs, material.certificate_authorities)] == [1, 1, 1]
    assert len(material.timestamp_authorities) == 1


def test_no_document_shows_a_private_half(desk: TestPlatform, admin: Client) -> None:
    shown = b"".join(
        admin.get(path).content
        for path in ("/client_trust_config.json", "/tuf/1.root.json", AUTHORITIES, REPOSITORY, "/api/v1/trust/export")
    )
    assert b"PRIVATE" not in shown
    for row in ("sealed", "key_reference"):
        assert row.encode() not in shown
    assert desk.admin.encode() not in shown


def test_authorities_are_listed_for_readers_only(desk: TestPlatform, admin: Client) -> None:
    reader = admin.with_token(desk.token("reader:shop/**"))
    listed = reader.get(AUTHORITIES).json()["authorities"]
    assert [(each["name"], each["active"]) for each in listed] == [
        (name, True) for name in ("ca-1", "ct-1", "log-1", "tsa-1")
    ]
    assert [len(each["certificates"]) for each in listed] == [2, 0, 0, 2]
    assert admin.with_token(None).get(AUTHORITIES).status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{AUTHORITIES}/ca/requests", {}),
        (f"{AUTHORITIES}/log/rotate", {}),
        (f"{AUTHORITIES}/log-1/retire", {}),
        (f"{AUTHORITIES}/log-1/compromise", {"since": "2026-01-01T00:00:00Z", "reason": "stolen"}),
        (f"{REPOSITORY}/root", {"root": "{}"}),
        (f"{REPOSITORY}/online-keys", {}),
    ],
)
def test_only_an_admin_of_everything_changes_the_trust_root(
    desk: TestPlatform, admin: Client, path: str, body: dict[str, Any]
) -> None:
    for binding in ("reader:**", "publisher:**", "promoter:**", "responder:**", "admin:shop/**"):
        assert admin.with_token(desk.token(binding)).post(path, body).status_code == 403, binding
    assert admin.with_token(None).post(path, body).status_code == 401
    assert all(each["active"] for each in admin.get(AUTHORITIES).json()["authorities"])


@pytest.mark.parametrize("service", ["ca", "tsa"])
def test_an_authority_with_an_offline_root_rotates_in_two_requests(fresh: Client, service: str) -> None:
    request = fresh.post(f"{AUTHORITIES}/{service}/requests", {})
    assert request.status_code == 201
    chain = certificates_for(request.json())
    made = fresh.post(f"{AUTHORITIES}/{service}/rotate", {"certificates": chain})
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["certificates"]) == (f"{service}-2", chain)
    again = fresh.post(f"{AUTHORITIES}/{service}/rotate", {"certificates": chain})
    assert (again.status_code, again.json()["code"]) == (409, "authority-conflict")


@pytest.mark.parametrize("service", ["log", "ct"])
def test_a_log_rotates_in_one_request(fresh: Client, service: str) -> None:
    made = fresh.post(f"{AUTHORITIES}/{service}/rotate", {})
    assert (made.status_code, made.json()["name"]) == (201, f"{service}-2")
    names = {each["name"]: each["end"] for each in fresh.get(AUTHORITIES).json()["authorities"]}
    assert names[f"{service}-1"] is not None
    assert fresh.get("/tuf/2.targets.json").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"{AUTHORITIES}/dns/rotate", {}, 404, "authority-unknown"),
        (f"{AUTHORITIES}/log/requests", {}, 400, "authority-invalid"),
        (f"{AUTHORITIES}/ca/rotate", {}, 409, "authority-conflict"),
        (f"{AUTHORITIES}/ca/rotate", {"certificates": ["no certificate"]}, 400, "authority-chain-invalid"),
        (f"{AUTHORITIES}/ca/requests", {"key": "pkcs11:token=x"}, 400, "key-reference-invalid"),
        (f"{AUTHORITIES}/log-9/retire", {}, 404, "authority-unknown"),
        (f"{AUTHORITIES}/log-1/compromise", {"since": "yesterday", "reason": "x"}, 400, "instant-invalid"),
        (f"{AUTHORITIES}/log-1/compromise", {"since": "2999-01-01T00:00:00Z", "reason": "x"}, 400, "authority-invalid"),
        (f"{REPOSITORY}/root", {"root": "{}"}, 422, "trust-root-invalid"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code(
    admin: Client, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = admin.post(path, body)
    assert answer.json()["code"] == code
    assert answer.status_code == status


def test_a_compromise_shows_what_is_still_believed_and_leaves_the_documents(fresh: Client) -> None:
    checkpoint = fresh.get("/checkpoint").text
    since = rfc3339(SystemClock().now())
    body = {"since": since, "reason": "stolen", "checkpoints": [checkpoint]}
    marked = fresh.post(f"{AUTHORITIES}/tsa-1/compromise", body)
    assert marked.status_code == 200
    compromise = marked.json()["compromise"]
    assert (compromise["since"], compromise["reason"]) == (since, "stolen")
    assert [pin["origin"] for pin in compromise["checkpoints"]] == ["log.chainward.local"]
    assert fresh.get("/trusted_root.json").json()["timestampAuthorities"] == []
    assert fresh.get("/signing_config.v0.2.json").json().get("tsaUrls") is None
    forged = {**body, "checkpoints": [checkpoint.replace("\n1\n", "\n7\n")]}
    assert fresh.post(f"{AUTHORITIES}/ca-1/compromise", forged).json()["code"] == "signature-invalid"


def test_the_repository_takes_the_next_root_that_enough_keys_signed(fresh: Client) -> None:
    shown = fresh.get(REPOSITORY).json()
    assert (shown["versions"]["root"], shown["threshold"], len(shown["root_keys"])) == (1, 2, 3)
    online = fresh.post(f"{REPOSITORY}/online-keys", {}).json()["online_keys"]
    assert set(online) == {"targets", "snapshot", "timestamp"}
    current = fresh.get("/tuf/1.root.json").content
    expires = SystemClock().now().replace(year=2030)
    following = TufMetadata().next_root(current, OFFLINE.tuf[1:], expires)
    answer = fresh.post(f"{REPOSITORY}/root", {"root": following.decode()})
    assert (answer.status_code, answer.json()["versions"]["root"]) == (201, 2)
    assert fresh.get("/tuf/2.root.json").content == following


def test_the_export_holds_all_that_verification_needs(desk: TestPlatform, admin: Client) -> None:
    answer = admin.get("/api/v1/trust/export")
    assert answer.headers["content-type"] == EXPORT_TYPE
    export = decode_export(answer.content)
    root = desk.platform.trust.snapshot().root
    assert export.root() == root
    assert json.loads(export.trusted_root) == admin.get("/trusted_root.json").json()
    assert export.tuf_root == admin.get("/tuf/1.root.json").content
    assert set(export.checkpoints) == {"ct.chainward.local", "log.chainward.local"}
    assert admin.with_token(None).get("/api/v1/trust/export").status_code == 401
