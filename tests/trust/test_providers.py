"""CI providers as data: the ready ones against tokens as their vendors describe them, and templates."""

from __future__ import annotations

from typing import Any

import pytest
from tests.trust.identities import GITHUB_CLAIMS

from chainward.trust.errors import IdentityRefused, IssuerInvalid
from chainward.trust.providers import Provider, ready_providers

GITLAB_CLAIMS: dict[str, Any] = {
    "sub": "project_path:acme/shop:ref_type:branch:ref:main",
    "namespace_id": "7",
    "namespace_path": "acme",
    "project_id": "42",
    "project_path": "acme/shop",
    "project_visibility": "internal",
    "pipeline_source": "push",
    "job_id": "302",
    "ref_path": "refs/heads/main",
    "runner_environment": "gitlab-hosted",
    "sha": "a" * 40,
    "ci_config_ref_uri": "gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main",
    "ci_config_sha": "b" * 40,
    "environment": "production",
}
BUILDKITE_CLAIMS: dict[str, Any] = {
    "sub": "organization:acme:pipeline:shop:ref:refs/heads/main:commit:aaa:step:build",
    "organization_slug": "acme",
    "pipeline_slug": "shop",
    "build_number": 175,
    "build_branch": "main",
    "build_commit": "a" * 40,
    "step_key": None,
    "job_id": "018485f6-1f53-4f18-9b53-72428db4d239",
}
CIRCLECI_CLAIMS: dict[str, Any] = {
    "sub": "org/o/project/p/user/u/vcs-origin/github.com/acme/shop/vcs-ref/refs/heads/main",
    "oidc.circleci.com/project-id": "p",
    "oidc.circleci.com/pipeline-definition-id": "d",
    "oidc.circleci.com/pipeline-id": "i",
    "oidc.circleci.com/vcs-origin": "github.com/acme/shop",
    "oidc.circleci.com/vcs-ref": "refs/heads/main",
    "oidc.circleci.com/ssh-rerun": False,
}
LEAST = {"build_signer_uri": "{server}/{job}", "runner_environment": "{runner}"}


def provider(**more: Any) -> Provider:
    given: dict[str, Any] = {"name": "forge", "subject": "{server}/{job}", "extensions": LEAST} | more
    return Provider(**given)


def test_a_github_job_becomes_all_the_extensions_of_a_public_certificate() -> None:
    github = ready_providers()["github"]
    workflow = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
    assert github.subject_of(GITHUB_CLAIMS) == workflow
    assert github.extensions_of(GITHUB_CLAIMS) == {
        "github_workflow_trigger": "push",
        "github_workflow_sha": "a" * 40,
        "github_workflow_name": "release",
        "github_workflow_repository": "acme/shop",
        "github_workflow_ref": "refs/heads/main",
        "build_signer_uri": workflow,
        "build_signer_digest": "b" * 40,
        "runner_environment": "github-hosted",
        "source_repository_uri": "https://github.com/acme/shop",
        "source_repository_digest": "a" * 40,
        "source_repository_ref": "refs/heads/main",
        "source_repository_identifier": "42",
        "source_repository_owner_uri": "https://github.com/acme",
        "source_repository_owner_identifier": "7",
        "build_config_uri": workflow,
        "build_config_digest": "c" * 40,
        "build_trigger": "push",
        "run_invocation_uri": "https://github.com/acme/shop/actions/runs/99/attempts/2",
        "source_repository_visibility": "private",
    }


def test_the_server_of_a_provider_is_the_operators_and_never_the_tokens() -> None:
    own = ready_providers()["github"].with_values({"server_url": "https://github.acme.example"})
    claims = GITHUB_CLAIMS | {"server_url": "https://evil.test"}
    assert own.subject_of(claims).startswith("https://github.acme.example/acme/shop/")
    assert ready_providers()["github"].subject_of(claims).startswith("https://github.com/acme/shop/")


def test_a_gitlab_job_is_known_by_the_definition_of_its_pipeline() -> None:
    gitlab = ready_providers()["gitlab"]
    definition = "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main"
    found = gitlab.extensions_of(GITLAB_CLAIMS)
    assert gitlab.subject_of(GITLAB_CLAIMS) == found["build_signer_uri"] == found["build_config_uri"] == definition
    assert found["run_invocation_uri"] == "https://gitlab.com/acme/shop/-/jobs/302"
    assert (found["deployment_environment"], found["source_repository_visibility"]) == ("production", "internal")


def test_a_pipeline_definition_from_elsewhere_has_no_digest_but_a_certificate() -> None:
    claims = {name: value for name, value in GITLAB_CLAIMS.items() if name not in {"ci_config_sha", "environment"}}
    found = ready_providers()["gitlab"].extensions_of(claims)
    assert "build_signer_digest" not in found
    assert "deployment_environment" not in found


def test_a_buildkite_job_is_known_by_its_pipeline() -> None:
    buildkite = ready_providers()["buildkite"]
    found = buildkite.extensions_of(BUILDKITE_CLAIMS)
    assert buildkite.subject_of(BUILDKITE_CLAIMS) == "https://buildkite.com/acme/shop"
    assert found["run_invocation_uri"].startswith("https://buildkite.com/acme/shop/builds/175#018485f6-")
    assert found["runner_environment"] == "self-hosted"
    hosted = buildkite.extensions_of(BUILDKITE_CLAIMS | {"runner_environment": "buildkite-hosted"})
    assert hosted["runner_environment"] == "buildkite-hosted"


def test_a_circleci_job_tells_whether_somebody_was_in_it_by_ssh() -> None:
    circleci = ready_providers()["circleci"]
    found = circleci.extensions_of(CIRCLECI_CLAIMS)
    assert circleci.subject_of(CIRCLECI_CLAIMS) == "https://circleci.com/api/v2/projects/p/pipeline-definitions/d"
    assert found["runner_environment"] == "ssh-rerun:false"
    assert found["source_repository_uri"] == "https://github.com/acme/shop"
    rerun = circleci.extensions_of(CIRCLECI_CLAIMS | {"oidc.circleci.com/ssh-rerun": True})
    assert rerun["runner_environment"] == "ssh-rerun:true"


@pytest.mark.parametrize("absent", ["job_workflow_ref", "repository", "runner_environment", "sha", "run_id"])
@pytest.mark.parametrize("value", [None, "", [], {}, ["acme/shop"]])
def test_a_token_that_says_too_little_is_refused(absent: str, value: object) -> None:
    with pytest.raises(IdentityRefused, match="lacks a claim"):
        ready_providers()["github"].extensions_of(GITHUB_CLAIMS | {absent: value})


def test_a_subject_without_its_claim_is_refused() -> None:
    with pytest.raises(IdentityRefused, match="its subject"):
        ready_providers()["github"].subject_of({})


def test_a_default_stands_in_and_a_claim_wins_over_it() -> None:
    own = provider(values={"server": "https://f.example"}, defaults={"runner": "unknown"})
    assert own.extensions_of({"job": "1"})["runner_environment"] == "unknown"
    assert own.extensions_of({"job": "1", "runner": "ours"})["runner_environment"] == "ours"


def test_what_a_claim_holds_is_never_read_as_a_template() -> None:
    own = provider(values={"server": "https://f.example"})
    claims = {"job": "{secret}\\1", "runner": "{job}", "secret": "x"}
    assert own.subject_of(claims) == "https://f.example/{secret}\\1"
    assert own.extensions_of(claims)["runner_environment"] == "{job}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Forge"},
        {"extensions": LEAST | {"colour": "{c}"}},
        {"extensions": LEAST | {"issuer": "{iss}"}},
        {"extensions": LEAST | {"token_subject": "{x}"}},
        {"extensions": {"build_signer_uri": "x"}},
        {"optional": frozenset({"runner_environment"})},
        {"optional": frozenset({"build_trigger"})},
        {"subject": ""},
        {"subject": "{"},
        {"subject": "{a b}"},
        {"subject": "{{a}}"},
        {"subject": "x" * 600},
    ],
    ids=str,
)
def test_a_provider_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(IssuerInvalid):
        provider(**wrong)


def test_only_values_that_a_provider_has_can_be_set() -> None:
    with pytest.raises(IssuerInvalid, match="server_url"):
        ready_providers()["github"].with_values({"server": "https://x.example"})
