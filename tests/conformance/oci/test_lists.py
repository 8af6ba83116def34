"""Lists that are too long for one answer, tags of every form, and what changes while somebody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.oci.data import Content, artifact, index, referrer_of

if TYPE_CHECKING:
    from tests.conformance.oci.client import Repository
    from tests.conformance.oci.conftest import Target

TAGS: Final = ("a", "b", "c-1", "c-2", "latest", "v1.0", "v1.1")
PUSHED: Final = ("v1.1", "a", "latest", "c-2", "b", "v1.0", "c-1")
MANY: Final = 12
SUBJECT: Final = Content(b"never pushed either", "application/vnd.oci.image.manifest.v1+json")


@pytest.fixture(scope="module")
def tagged(target: Target) -> Repository:
    """A repository with seven tags that were pushed in no order."""
    repository = target.new_repository()
    for tag in PUSHED:
        repository.stock_manifest(index([]), tag)
    return repository


def test_tags_are_listed_in_order(tagged: Repository) -> None:
    assert tagged.tags().json() == {"name": tagged.name, "tags": list(TAGS)}


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_links_lead_through_all_tags(target: Target, tagged: Repository, size: int) -> None:
    pages = [page.json()["tags"] for page in tagged.pages(tagged.tags(n=size))]
    if len(pages) == 1 and size < len(TAGS):
        target.do_without("links to further tags")
    assert [tag for page in pages for tag in page] == list(TAGS)
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_the_last_tag_of_a_page_leads_to_the_next(tagged: Repository, size: int) -> None:
    listed = tagged.tags(n=size).json()["tags"]
    assert listed == list(TAGS[:size])
    assert tagged.tags(n=size, last=listed[-1]).json()["tags"] == list(TAGS[size : 2 * size])


def test_without_a_number_the_list_after_a_tag_is_whole(tagged: Repository) -> None:
    assert tagged.tags(last="c-1").json()["tags"] == ["c-2", "latest", "v1.0", "v1.1"]


def test_a_list_may_begin_after_a_tag_that_does_not_exist(tagged: Repository) -> None:
    assert tagged.tags(n=2, last="c-1-1").json()["tags"] == ["c-2", "latest"]


def test_after_the_last_tag_there_is_none(tagged: Repository) -> None:
    assert not tagged.tags(n=2, last="v1.1").json()["tags"]


def test_a_list_of_no_tags_is_empty_and_leads_nowhere(tagged: Repository) -> None:
    answer = tagged.tags(n=0)
    assert answer.status_code == 200
    assert not answer.json()["tags"]
    assert "Link" not in answer.headers


@pytest.mark.parametrize("tag", ["_", "A.b-C_9", "0", "x" * 128], ids=["underscore", "mixed", "digit", "longest"])
def test_a_tag_of_every_form_is_pushed_and_pulled(repository: Repository, tag: str) -> None:
    repository.stock_manifest(index([]), tag)
    assert repository.manifest(tag).content == index([]).body
    assert repository.tags().json()["tags"] == [tag]


@pytest.mark.parametrize("tag", [".hidden", "-option", "x" * 129, "a+b"], ids=["dot", "dash", "too-long", "plus"])
def test_what_is_no_tag_is_refused(repository: Repository, tag: str) -> None:
    assert 400 <= repository.put_manifest(index([]), tag).status_code < 500


def test_a_tag_that_may_move_names_the_newest_manifest(repository: Repository) -> None:
    older, newer = index([]), index([], annotations={"org.example.version": "2"})
    repository.stock_manifest(older, "moving")
    repository.stock_manifest(newer, "moving")
    assert repository.manifest("moving").content == newer.body
    assert repository.manifest(older.digest).content == older.body
    assert repository.tags().json()["tags"] == ["moving"]


def test_a_manifest_that_is_pushed_again_stays_what_it_is(repository: Repository) -> None:
    for _ in range(2):
        repository.stock_manifest(index([]))
        assert repository.manifest(index([]).digest).content == index([]).body


def test_links_lead_through_all_referrers(target: Target, repository: Repository) -> None:
    about = SUBJECT.descriptor()
    wide = {"org.example.wide": "x" * 500_000}
    listed = [index([], subject=about, annotations=wide | {"org.example.number": str(each)}) for each in range(MANY)]
    for each in listed:
        repository.stock_manifest(each)
    pages = [page.json()["manifests"] for page in repository.pages(repository.referrers(SUBJECT.digest))]
    found = [each for page in pages for each in page]
    assert sorted(each["digest"] for each in found) == sorted(each.digest for each in listed)
    expected = {each.digest: referrer_of(each) for each in listed}
    assert all(each["annotations"] == expected[each["digest"]]["annotations"] for each in found)
    if len(pages) == 1:
        target.do_without("pages of referrers that fit into a manifest of 4 MiB")


def test_a_filter_holds_on_every_page(target: Target, repository: Repository) -> None:
    about = SUBJECT.descriptor()
    wide = {"org.example.wide": "x" * 500_000}
    for each in range(MANY):
        more = wide | {"org.example.number": str(each)}
        repository.stock_manifest(index([], subject=about, annotations=more, artifactType=f"application/{each % 2}"))
    pages = list(repository.pages(repository.referrers(SUBJECT.digest, "application/1")))
    if any(page.headers.get("OCI-Filters-Applied") != "artifactType" for page in pages):
        target.do_without("filtering referrers")
    found = [each for page in pages for each in page.json()["manifests"]]
    assert len({each["digest"] for each in found}) == MANY // 2
    assert {each["artifactType"] for each in found} == {"application/1"}


def test_referrers_wait_for_their_subject(repository: Repository) -> None:
    subject = artifact("late-subject")
    early = artifact("early", subject=subject.manifest.descriptor())
    for blob in (*early.blobs, *subject.blobs):
        repository.stock_blob(blob)
    repository.stock_manifest(early.manifest)
    repository.stock_manifest(subject.manifest, "late")
    listed = repository.referrers(subject.manifest.digest).json()["manifests"]
    assert [each["digest"] for each in listed] == [early.manifest.digest]


def test_referrers_stay_in_their_repository(target: Target, repository: Repository) -> None:
    repository.stock_manifest(index([], subject=SUBJECT.descriptor()))
    other = target.new_repository()
    other.stock_manifest(index([]))
    assert other.referrers(SUBJECT.digest).json()["manifests"] == []
