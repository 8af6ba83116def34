"""The certificate authority over HTTP: four shapes of a request, one answer, and refusals that clients can read."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from tests.platforms import in_process, open_test_platform
from tests.trust.certification import challenge_proof, fresh_key, request_pem

from chainward.faces.http.problems import PROBLEM_JSON
from chainward.formats.fulcio import decode_claims
from chainward.kernel.identity import PLATFORM, Context
from chainward.trust.authority import AuthorityKind
from chainward.trust.material import TrustMaterial
from chainward.trust.sct import verify_sct

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from tests.platforms import Client, TestPlatform
    from tests.trust.certification import SubjectKey

PATH = "/api/v2/signingCert"
JANE = "jane@example.org"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    """A platform that vouches for anybody, so that there are tokens to try."""
    settings = {("trust", "development_issuer"): True}
    with open_test_platform(tmp_path_factory.mktemp("platform"), settings=settings) as platform:
        yield platform


@pytest.fixture(scope="module")
def anybody(desk: TestPlatform) -> Iterator[Client]:
    with in_process(desk) as client:
        yield client.with_token(None)


def token_of(desk: TestPlatform, **who: str) -> str:
    issuer = desk.platform.services.development_issuer
    assert issuer is not None
    return issuer.token(**(who or {"email": JANE}))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def by_request(key: SubjectKey) -> dict[str, Any]:
    return {"certificateSigningRequest": b64(request_pem(key))}


def by_challenge(key: SubjectKey, challenge: str = JANE) -> dict[str, Any]:
    proof = challenge_proof(key, challenge)
    public = {"algorithm": "ECDSA", "content": proof.public_key.decode()}
    return {"publicKeyRequest": {"publicKey": public, "proofOfPossession": b64(proof.signature)}}


def chain_of(answer: httpx.Response) -> list[x509.Certificate]:
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert list(document) == ["signedCertificateEmbeddedSct"]
    chain = document["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in chain]


@pytest.mark.parametrize("shape", [by_request, by_challenge])
@pytest.mark.parametrize("in_body", [False, True])
def test_each_of_the_four_shapes_gets_the_same_answer(
    desk: TestPlatform,
    anybody: Client,
    shape: Any,
    in_body: bool,  # noqa: FBT001 - the two places of a token
) -> None:
    key, token = fresh_key(), token_of(desk)
    body, headers = shape(key), {"Accept": "application/pem-certificate-chain"}
    if in_body:
        body |= {"credentials": {"oidcIdentityToken": token}}
    else:
        headers |= {"Authorization": f"Bearer {token}"}
    leaf, intermediate, root = chain_of(anybody.post(PATH, body, headers=headers))
    assert leaf.public_key() == key.public_key()
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    material = TrustMaterial.from_authorities(desk.platform.services.authorities.snapshot().authorities)
    verify_sct(leaf, intermediate, material.ct_logs)


def test_a_token_without_an_email_is_challenged_by_its_subject(desk: TestPlatform, anybody: Client) -> None:
    subject = "https://ci.example.org/web"
    body = by_challenge(fresh_key(), subject) | {"credentials": {"oidcIdentityToken": token_of(desk, subject=subject)}}
    leaf = chain_of(anybody.post(PATH, body))[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(subject)]
    assert decode_claims(leaf.extensions)["issuer"] == "http://127.0.0.1:8420/dev/oidc"


def refused(client: Client, body: object, status: int, reason: str, **headers: str) -> dict[str, Any]:
    answer = client.post(PATH, body, headers=headers)
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, document["details"][0]["reason"]) == (status, reason), document
    assert set(document) == {"code", "message", "details"}
    return document


def test_a_refusal_is_told_as_grpc_gateway_does(desk: TestPlatform, anybody: Client) -> None:
    token = token_of(desk)
    document = refused(anybody, {}, 400, "certificate-request-invalid", Authorization=f"Bearer {token}")
    assert document["code"] == 3
    headers = {"Authorization": f"Bearer {token}", "Accept": PROBLEM_JSON}
    answer = anybody.post(PATH, {}, headers=headers)
    assert answer.headers["Content-Type"] == PROBLEM_JSON
    assert answer.json()["code"] == "certificate-request-invalid"


def test_without_a_token_there_is_no_certificate(anybody: Client) -> None:
    refused(anybody, by_request(fresh_key()), 401, "credentials-missing")


@pytest.mark.parametrize("value", ["Basic amFuZTpwYXNz", "Token x", "bearer", "x"])
def test_other_schemes_than_bearer_are_refused(anybody: Client, value: str) -> None:
    refused(anybody, by_request(fresh_key()), 401, "credentials-malformed", Authorization=value)


def test_two_different_tokens_are_refused(desk: TestPlatform, anybody: Client) -> None:
    one, two = token_of(desk), token_of(desk, email="mallory@example.org")
    body = by_request(fresh_key()) | {"credentials": {"oidcIdentityToken": one}}
    refused(anybody, body, 401, "credentials-malformed", Authorization=f"Bearer {two}")
    assert chain_of(anybody.post(PATH, body, headers={"Authorization": f"Bearer {one}"}))


def test_an_api_token_is_no_identity(desk: TestPlatform, anybody: Client) -> None:
    headers = {"Authorization": f"Bearer {desk.admin}"}
    refused(anybody, by_request(fresh_key()), 401, "identity-token-malformed", **headers)


def test_a_token_for_somebody_else_is_refused(desk: TestPlatform, anybody: Client) -> None:
    issuer = desk.platform.services.development_issuer
    assert issuer is not None
    token = issuer.token(email=JANE, audience="other")
    refused(anybody, by_request(fresh_key()), 401, "identity-token-invalid", Authorization=f"Bearer {token}")


def test_a_stolen_proof_is_refused(desk: TestPlatform, anybody: Client) -> None:
    """Whoever sees a request of Jane's cannot have her key certified for himself, nor his key for her."""
    token = token_of(desk, email="mallory@example.org")
    headers = {"Authorization": f"Bearer {token}"}
    refused(anybody, by_challenge(fresh_key(), JANE), 401, "key-possession-unproven", **headers)


@pytest.mark.parametrize(
    "body",
    [
        {"certificateSigningRequest": "!!"},
        {"certificateSigningRequest": ""},
        {"certificateSigningRequest": "AAAA"},
        {"certificateSigningRequest": 7},
        {"publicKeyRequest": {}},
        {"publicKeyRequest": {"publicKey": {"content": "x"}}},
        {"publicKeyRequest": {"publicKey": {"content": "x"}, "proofOfPossession": "AAAA"}},
        {"publicKeyRequest": None, "certificateSigningRequest": None},
        {"credentials": 7},
        [],
        "x",
    ],
    ids=str,
)
def test_a_body_that_is_no_request_is_refused(desk: TestPlatform, anybody: Client, body: object) -> None:
    answer = anybody.post(PATH, body, headers={"Authorization": f"Bearer {token_of(desk)}"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == 3


def test_both_proofs_at_once_are_refused(desk: TestPlatform, anybody: Client) -> None:
    body = by_request(fresh_key()) | by_challenge(fresh_key())
    refused(anybody, body, 400, "certificate-request-invalid", Authorization=f"Bearer {token_of(desk)}")


def test_members_that_a_newer_client_sends_are_passed_over(desk: TestPlatform, anybody: Client) -> None:
    body = by_request(fresh_key()) | {"future": {"a": 1}}
    assert chain_of(anybody.post(PATH, body, headers={"Authorization": f"Bearer {token_of(desk)}"}))


def test_an_oversized_request_is_not_read(anybody: Client) -> None:
    answer = anybody.post(PATH, {"certificateSigningRequest": "A" * 200_000})
    assert answer.status_code == 413


def test_the_trust_bundle_holds_every_authority_that_is_not_compromised(desk: TestPlatform, anybody: Client) -> None:
    document = anybody.get("/api/v2/trustBundle").json()
    chains = [
        [x509.load_pem_x509_certificate(pem.encode()) for pem in chain["certificates"]] for chain in document["chains"]
    ]
    authority = desk.platform.services.authorities.active(AuthorityKind.CA)
    assert chains == [[x509.load_der_x509_certificate(der) for der in authority.certificates]]


def test_the_configuration_names_who_is_believed(anybody: Client) -> None:
    assert anybody.get("/api/v2/configuration").json() == {
        "issuers": [
            {
                "audience": "sigstore",
                "challengeClaim": "sub",
                "issuerType": "development",
                "issuerUrl": "http://127.0.0.1:8420/dev/oidc",
            }
        ]
    }


def test_a_family_of_issuers_is_shown_as_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    issuers = [
        {"url": "https://oidc.circleci.com/org/*", "type": "ci-provider", "provider": "circleci", "audience": "ours"},
        {"url": "https://spire.example.org", "type": "spiffe", "spiffe_trust_domain": "example.org"},
        {"url": "https://dex.example.org", "type": "email"},
    ]
    settings = {("trust", "issuers"): issuers}
    with open_test_platform(tmp_path_factory.mktemp("family"), settings=settings) as opened, in_process(opened) as one:
        circle, spire, dex = one.get("/api/v2/configuration").json()["issuers"]
    assert circle["wildcardIssuerUrl"] == "https://oidc.circleci.com/org/*"
    assert "issuerUrl" not in circle
    assert (circle["issuerType"], circle["audience"], circle["challengeClaim"]) == ("ci-provider", "ours", "sub")
    assert (spire["spiffeTrustDomain"], spire["issuerUrl"]) == ("example.org", "https://spire.example.org")
    assert dex["challengeClaim"] == "email"


def test_many_at_once_get_certificates_of_their_own(desk: TestPlatform, anybody: Client) -> None:
    keys = [fresh_key() for _ in range(24)]
    headers = {"Authorization": f"Bearer {token_of(desk)}"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda key: anybody.post(PATH, by_request(key), headers=headers), keys))
    leaves = [chain_of(answer)[0] for answer in answers]
    assert [leaf.public_key() for leaf in leaves] == [key.public_key() for key in keys]
    assert len({leaf.serial_number for leaf in leaves}) == len(keys)


def test_certificates_go_on_after_the_certificate_log_was_rotated(desk: TestPlatform, anybody: Client) -> None:
    services, context = desk.platform.services, Context(PLATFORM, "test")
    before = services.authorities.active(AuthorityKind.CT)
    services.authorities.rotate(AuthorityKind.CT, context=context)
    headers = {"Authorization": f"Bearer {token_of(desk)}"}
    leaf, issuer, _ = chain_of(anybody.post(PATH, by_request(fresh_key()), headers=headers))
    now = services.authorities.active(AuthorityKind.CT)
    assert now.origin != before.origin
    material = TrustMaterial.from_authorities([now])
    verify_sct(leaf, issuer, material.ct_logs)


def test_the_development_issuer_warns_in_every_answer(desk: TestPlatform, anybody: Client) -> None:
    admin = anybody.with_token(desk.admin)
    answers = [
        anybody.get("/dev/oidc/.well-known/openid-configuration"),
        anybody.get("/dev/oidc/keys"),
        admin.post("/dev/oidc/token", {"email": JANE}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all("INSECURE" in answer.headers["Warning"] for answer in answers)
    token = answers[2].json()
    assert token["access_token"] == token["id_token"]
    claims = json.loads(base64.urlsafe_b64decode(token["id_token"].split(".")[1] + "=="))
    assert "INSECURE" in claims["warning"]
    assert (claims["email"], claims["email_verified"], claims["aud"]) == (JANE, True, "sigstore")


def test_its_discovery_document_leads_to_its_keys_and_its_token_endpoint(anybody: Client) -> None:
    document = anybody.get("/dev/oidc/.well-known/openid-configuration").json()
    assert document["issuer"] == "http://127.0.0.1:8420/dev/oidc"
    assert document["jwks_uri"] == "http://127.0.0.1:8420/dev/oidc/keys"
    assert {"authorization_endpoint", "token_endpoint"} <= set(document)
    [key] = anybody.get("/dev/oidc/keys").json()["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert "d" not in key


@pytest.mark.parametrize("binding", ["publisher:**", "promoter:**", "responder:**", "reader:**", "admin:shop/**"])
def test_only_an_administrator_of_everything_may_be_anybody(desk: TestPlatform, anybody: Client, binding: str) -> None:
    somebody = anybody.with_token(desk.token(binding))
    assert somebody.post("/dev/oidc/token", {"email": JANE}).status_code == 403
    assert anybody.post("/dev/oidc/token", {"email": JANE}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"email": JANE, "subject": "https://x.example"}, {"email": "jane"}, {"subject": "jane"}, {"mail": JANE}],
)
def test_it_vouches_only_for_what_a_certificate_can_carry(desk: TestPlatform, anybody: Client, body: object) -> None:
    assert anybody.with_token(desk.admin).post("/dev/oidc/token", body).status_code in {400, 403}


def test_there_is_no_development_issuer_unless_it_is_switched_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_test_platform(tmp_path_factory.mktemp("plain")) as plain, in_process(plain) as admin:
        for answer in (
            admin.get("/dev/oidc/.well-known/openid-configuration"),
            admin.get("/dev/oidc/keys"),
            admin.post("/dev/oidc/token", {"email": JANE}),
        ):
            assert answer.status_code == 404
        assert admin.get("/api/v2/configuration").json() == {"issuers": []}
