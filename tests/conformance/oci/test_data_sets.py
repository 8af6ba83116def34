"""Every data set through its life: pushed, looked for, pulled, listed, referred to, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.oci.data import DATA_SETS, INDEX, Content, DataSet

if TYPE_CHECKING:
    import httpx
    from tests.conformance.oci.client import Repository
    from tests.conformance.oci.conftest import Target

TAGGED: Final = [data for data in DATA_SETS if data.tags]
PLAINLY_TAGGED: Final = [data for data in TAGGED if not data.tags_are_parameters]
TAGGED_BY_PARAMETERS: Final = [data for data in DATA_SETS if data.tags_are_parameters]
REFERRING: Final = [data for data in DATA_SETS if data.subjects()]

every = pytest.mark.parametrize("data", DATA_SETS, ids=str)
every_tagged = pytest.mark.parametrize("data", TAGGED, ids=str)
every_referring = pytest.mark.parametrize("data", REFERRING, ids=str)


def stock_blobs(repository: Repository, data: DataSet) -> None:
    for blob in data.blobs:
        repository.stock_blob(blob)


def assert_pushed(repository: Repository, answer: httpx.Response, manifest: Content) -> None:
    assert answer.status_code == 201, answer.text
    assert answer.headers.get("Docker-Content-Digest", manifest.digest) == manifest.digest
    assert_pulled(repository.pushed_manifest(answer), manifest)
    subject = manifest.document.get("subject")
    assert answer.headers.get("OCI-Subject") == (subject and subject["digest"])


def assert_pulled(answer: httpx.Response, manifest: Content) -> None:
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == manifest.media_type
    assert answer.headers["Content-Length"] == str(len(manifest.body))
    assert manifest.is_named_by(answer.headers["Docker-Content-Digest"])
    assert answer.content == (b"" if answer.request.method == "HEAD" else manifest.body)


@every
def test_its_manifests_are_pushed_by_digest(repository: Repository, data: DataSet) -> None:
    stock_blobs(repository, data)
    for manifest in data.manifests:
        assert_pushed(repository, repository.put_manifest(manifest, manifest.digest), manifest)


@pytest.mark.parametrize("data", PLAINLY_TAGGED, ids=str)
def test_its_tags_are_pushed(repository: Repository, data: DataSet) -> None:
    stock_blobs(repository, data)
    for number, manifest in enumerate(data.manifests):
        for tag in (f"number-{number}", *data.tags_of(manifest)):
            assert_pushed(repository, repository.put_manifest(manifest, tag), manifest)
            assert repository.manifest(tag).content == manifest.body
        assert repository.manifest(manifest.digest).content == manifest.body


@pytest.mark.parametrize("data", TAGGED_BY_PARAMETERS, ids=str)
def test_its_tags_are_given_as_parameters(target: Target, repository: Repository, data: DataSet) -> None:
    stock_blobs(repository, data)
    for manifest in data.manifests:
        tags = data.tags_of(manifest)
        answer = repository.put_manifest(manifest, manifest.digest, tags)
        assert_pushed(repository, answer, manifest)
        told = {tag.strip() for tag in answer.headers.get_list("OCI-Tag", split_commas=True)}
        if tags and not told:
            target.do_without("tags as parameters")
        assert told == set(tags)
        for tag in tags:
            assert_pulled(repository.manifest(tag), manifest)


@every
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_its_manifests_are_found_by_digest(target: Target, data: DataSet, method: str) -> None:
    repository = target.stocked(data)
    for manifest in data.manifests:
        assert_pulled(repository.manifest(manifest.digest, method), manifest)


@every_tagged
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_its_manifests_are_found_by_tag(target: Target, data: DataSet, method: str) -> None:
    repository = target.stocked(data)
    for tag, manifest in data.tags.items():
        assert_pulled(repository.manifest(tag, method), manifest)


@every
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_its_blobs_are_found(target: Target, data: DataSet, method: str) -> None:
    repository = target.stocked(data)
    for blob in data.blobs:
        answer = repository.blob(blob.digest, method)
        assert answer.status_code == 200
        assert answer.headers["Content-Length"] == str(len(blob.body))
        assert blob.is_named_by(answer.headers["Docker-Content-Digest"])
        assert answer.content == (b"" if method == "HEAD" else blob.body)


@every_tagged
def test_its_tags_are_listed(target: Target, data: DataSet) -> None:
    repository = target.stocked(data)
    assert repository.tags().json() == {"name": repository.name, "tags": sorted(data.tags)}


@every_tagged
def test_its_tags_are_listed_page_by_page(target: Target, data: DataSet) -> None:
    repository = target.stocked(data)
    listed: list[str] = []
    while page := repository.tags(n=2, **({"last": listed[-1]} if listed else {})).json()["tags"]:
        assert len(page) <= 2
        assert not set(listed) & set(page)
        listed += page
    assert listed == sorted(data.tags)


@every_referring
def test_its_referrers_are_listed(target: Target, data: DataSet) -> None:
    repository = target.stocked(data)
    for subject, expected in data.subjects().items():
        answer = repository.referrers(subject)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].partition(";")[0] == INDEX
        assert by_digest(answer.json()["manifests"]) == by_digest(expected)


@every_referring
def test_its_referrers_are_filtered_by_type(target: Target, data: DataSet) -> None:
    repository = target.stocked(data)
    for subject, expected in data.subjects().items():
        for kind in {each["artifactType"] for each in expected if "artifactType" in each} | {"application/none"}:
            answer = repository.referrers(subject, kind)
            assert answer.status_code == 200
            if answer.headers.get("OCI-Filters-Applied") != "artifactType":
                target.do_without("filtering referrers")
            wanted = [each for each in expected if each.get("artifactType") == kind]
            assert by_digest(answer.json()["manifests"]) == by_digest(wanted)


@every_referring
def test_its_referrers_outlive_their_subject_until_they_are_deleted(
    target: Target, repository: Repository, data: DataSet
) -> None:
    target.stock(repository, data)
    for subject, expected in data.subjects().items():
        if repository.manifest(subject, "HEAD").status_code == 200:
            target.need(repository.manifest(subject, "DELETE"), 202, 400, 405, feature="deleting manifests")
        assert by_digest(repository.referrers(subject).json()["manifests"]) == by_digest(expected)
        for each in reversed(expected):
            target.need(repository.manifest(each["digest"], "DELETE"), 202, 400, 405, feature="deleting manifests")
        assert repository.referrers(subject).json()["manifests"] == []


@every_tagged
def test_its_tags_are_deleted_and_its_manifests_stay(target: Target, repository: Repository, data: DataSet) -> None:
    target.stock(repository, data)
    for tag, manifest in data.tags.items():
        target.need(repository.manifest(tag, "DELETE"), 202, 400, 405, feature="deleting tags")
        assert repository.manifest(tag).status_code == 404
        assert repository.manifest(manifest.digest).status_code == 200
    assert not repository.tags().json()["tags"]


@every
def test_its_manifests_are_deleted_with_their_tags_and_then_its_blobs(
    target: Target, repository: Repository, data: DataSet
) -> None:
    target.stock(repository, data)
    for manifest in reversed(data.manifests):
        target.need(repository.manifest(manifest.digest, "DELETE"), 202, 400, 405, feature="deleting manifests")
        assert repository.manifest(manifest.digest).status_code == 404
        for tag in data.tags_of(manifest):
            assert repository.manifest(tag).status_code == 404
    for blob in data.blobs:
        target.need(repository.blob(blob.digest, "DELETE"), 202, 400, 405, feature="deleting blobs")
        assert repository.blob(blob.digest).status_code == 404


def by_digest(listed: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    found = {str(each["digest"]): {name: value for name, value in each.items() if value} for each in listed}
    assert len(found) == len(listed), "a referrer is listed twice"
    return found
