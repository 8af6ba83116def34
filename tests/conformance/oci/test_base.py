"""Whether there is a registry at all, what it says of what it does not have, and how it says no."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.oci.auth import Credentials
from tests.conformance.oci.client import Registry
from tests.conformance.oci.data import INDEX, Content, artifact, image, noise

if TYPE_CHECKING:
    import httpx
    from tests.conformance.oci.client import Repository
    from tests.conformance.oci.conftest import Target

BAD_DIGESTS: Final = ("sha256:baddigeststring", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32)
ALGORITHMS: Final = ("sha256", "sha512")


def assert_error(answer: httpx.Response, code: str | None = None) -> None:
    """Check the form of an error, where it is JSON, and its code."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return
    errors = answer.json()["errors"]
    assert errors
    assert all(re.fullmatch("[A-Z_]+", error["code"]) for error in errors)
    assert code is None or code in {error["code"] for error in errors}


def missing(algorithm: str = "sha256") -> str:
    return Content(noise("nobody pushed this", 64), "", algorithm).digest


def test_the_registry_says_that_it_is_one(target: Target) -> None:
    assert target.registry.ping().status_code == 200


def test_who_does_not_know_the_password_is_refused(target: Target) -> None:
    if target.credentials is None:
        pytest.skip("no credentials were given")
    wrong = Credentials(target.credentials.user, "wrong")
    with Registry(target.url, wrong) as stranger:
        answer = stranger.ping()
        assert answer.status_code == 401
        assert_error(answer, "UNAUTHORIZED")
        assert stranger.repository(f"{target.namespace}/of-strangers").start().status_code in {401, 403}


def test_a_repository_without_tags_lists_none(target: Target, repository: Repository) -> None:
    repository.stock_manifest(artifact_of(repository))
    answer = repository.tags()
    target.need(answer, 200, 404, feature="empty lists of tags")
    assert not answer.json()["tags"]


def artifact_of(repository: Repository) -> Content:
    made = artifact("untagged")
    for blob in made.blobs:
        repository.stock_blob(blob)
    return made.manifest


def test_a_repository_that_nobody_pushed_to_has_no_tags(repository: Repository) -> None:
    answer = repository.tags()
    assert answer.status_code in {200, 404}
    if answer.status_code == 200:
        assert not answer.json()["tags"]
    else:
        assert_error(answer, "NAME_UNKNOWN")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_nobody_refers_to_has_an_empty_list_of_referrers(repository: Repository, algorithm: str) -> None:
    repository.stock_manifest(artifact_of(repository))
    answer = repository.referrers(missing(algorithm))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == INDEX
    assert answer.json() | {"annotations": None} == {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [],
        "annotations": None,
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["sha256", "sha512", "tag"])
def test_a_missing_manifest_is_not_found(repository: Repository, method: str, reference: str) -> None:
    repository.stock_manifest(artifact_of(repository))
    answer = repository.manifest("missing" if reference == "tag" else missing(reference), method)
    assert answer.status_code == 404
    if method == "GET":
        assert_error(answer, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_missing_blob_is_not_found(target: Target, repository: Repository, method: str, algorithm: str) -> None:
    repository.stock_manifest(artifact_of(repository))
    answer = repository.blob(missing(algorithm), method)
    if method == "DELETE":
        target.need(answer, 404, 400, 405, feature="deleting blobs")
    assert answer.status_code == 404
    if method == "GET":
        assert_error(answer, "BLOB_UNKNOWN")


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_a_manifest_is_not_pushed_under_an_invalid_digest(repository: Repository, digest: str) -> None:
    answer = repository.put_manifest(artifact_of(repository), digest)
    assert answer.status_code == 400
    assert_error(answer)


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_an_invalid_digest_names_no_manifest(repository: Repository, digest: str) -> None:
    assert repository.manifest(digest).status_code in {400, 404}


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_an_invalid_digest_names_no_blob(repository: Repository, digest: str) -> None:
    assert repository.blob(digest).status_code in {400, 404}


@pytest.mark.parametrize("digest", BAD_DIGESTS[:3])
def test_an_invalid_digest_has_no_referrers(repository: Repository, digest: str) -> None:
    repository.stock_manifest(artifact_of(repository))
    assert repository.referrers(digest).status_code == 400


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_manifest_is_not_pushed_under_the_digest_of_another(repository: Repository, algorithm: str) -> None:
    made = image("bad-digest")
    for blob in made.blobs:
        repository.stock_blob(blob)
    claimed = Content(made.manifest.body, made.manifest.media_type, algorithm)
    changed = Content(made.manifest.body + b"  ", made.manifest.media_type, algorithm)
    answer = repository.put_manifest(changed, claimed.digest)
    assert answer.status_code == 400
    assert_error(answer, "DIGEST_INVALID")
    assert repository.manifest(claimed.digest).status_code == 404
    assert repository.manifest(changed.digest).status_code == 404


def test_a_manifest_whose_blobs_are_missing_is_refused_for_that_reason(target: Target, repository: Repository) -> None:
    answer = repository.put_manifest(image("sparse").manifest, "sparse")
    if answer.status_code == 201:
        target.do_without("refusing manifests whose blobs are missing")
    assert 400 <= answer.status_code < 500
    assert_error(answer, "MANIFEST_BLOB_UNKNOWN")
    assert repository.manifest("sparse").status_code == 404


def test_a_manifest_beyond_every_limit_is_too_large(target: Target, repository: Repository) -> None:
    made = artifact("too-large", annotations={"org.example.large": "x" * (16 << 20)})
    for blob in made.blobs:
        repository.stock_blob(blob)
    target.need(repository.put_manifest(made.manifest, "large"), 413, 201, 400, feature="a limit that is told by 413")
