"""The contract of the registry's rows, on SQLite and PostgreSQL: races, reach of revocations, order of lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from tests.registry_stand import ALICE, BOB, SANDBOX, WEB, Stand, image_of, index_of

from chainward.delivery.referrer import BUNDLES
from chainward.formats.oci import OCI_INDEX, OCI_MANIFEST
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.kernel.problem import Problem
from chainward.registry.errors import (
    ArtifactRevoked,
    BlobInUse,
    BlobUnknown,
    ManifestBlobUnknown,
    ManifestUnknown,
    StateMoved,
    TagImmutable,
)
from chainward.registry.model import ArtifactTypes, RefusalPath, Revocation, Seal, TagState
from chainward.registry.writes import MoveTag, QuarantineBlob, RemoveManifest, Revoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import PlatformDatabase

    from chainward.registry.listing import ReferrerPage


@pytest.fixture
def stand(platform_database: PlatformDatabase, tmp_path: Path) -> Stand:
    return Stand.over(platform_database, tmp_path)


def refused_for(stand: Stand, digest: Digest, repository: RepositoryName = WEB) -> Digest | None:
    """Return the revoked digest because of which a manifest is refused."""
    with stand.registry.store.view() as view:
        found = view.refusal_of_manifest(repository, digest)
    state = stand.registry.state_of(repository, digest).revoked
    assert state == found, "the fast path and the walk up through the indexes must agree"
    return found.digest if found else None


def blob_refused_for(stand: Stand, digest: Digest, repository: RepositoryName = WEB) -> Digest | None:
    with stand.registry.store.view() as view:
        found = view.refusal_of_blob(repository, digest)
    return found.digest if found else None


def revoke(stand: Stand, digest: Digest, repository: RepositoryName | None = None) -> Revocation:
    return stand.registry.revocations.revoke(digest, "stolen key", ALICE, repository=repository)


def test_a_pushed_image_comes_back_byte_for_byte_by_tag_and_by_digest(stand: Stand) -> None:
    body = stand.push_image(annotations={"org.example": "ünïcode"})
    digest = Digest.of(body)
    assert stand.pull("v1") == stand.pull(str(digest)) == body
    found = stand.registry.store.artifact(WEB, Tag("v1"))
    assert found is not None
    with stand.registry.store.view() as view:
        assert view.manifest(WEB, digest) == found.manifest
    assert found.manifest.annotations == {"org.example": "ünïcode"}
    assert stand.registry.resolve(WEB, Tag("v1")) == digest


def test_what_is_unknown_is_told_so(stand: Stand) -> None:
    stand.push_image()
    nothing = Digest.of(b"nothing")
    for reference in (Tag("v2"), nothing):
        assert stand.registry.store.artifact(WEB, reference) is None
        with pytest.raises(ManifestUnknown):
            stand.registry.state_of(WEB, reference)
    with stand.registry.store.view() as view:
        assert view.blob(WEB, nothing) is None
        assert view.upload("00" * 16) is None
        assert not view.exists(SANDBOX)


def test_pushing_the_same_again_states_nothing_new(stand: Stand) -> None:
    body = stand.push_image()
    before = stand.schemas()
    assert before == ["pushed", "tagged"]
    for tag in ("v1", None):
        stand.put(body, tag)
    assert stand.schemas() == before


def test_a_second_tag_of_a_manifest_is_one_more_fact(stand: Stand) -> None:
    body = stand.push_image()
    stand.put(body, "v1.0")
    assert stand.schemas() == ["pushed", "tagged", "tagged"]


def test_a_manifest_with_missing_blobs_or_children_leaves_nothing_behind(stand: Stand) -> None:
    child = stand.push_image(tag=None)
    before = stand.schemas()
    with pytest.raises(ManifestBlobUnknown) as caught:
        stand.put(image_of(b"no config", b"layer"), "v2")
    assert caught.value.details["missing"] == [str(Digest.of(b"no config"))]
    with pytest.raises(ManifestBlobUnknown):
        stand.put(index_of(child, b"no manifest"), "v2", media_type=OCI_INDEX)
    assert stand.schemas() == before
    assert stand.registry.listing.tags(WEB).names == ()


def test_a_layer_of_another_repository_does_not_count_as_present(stand: Stand) -> None:
    body = stand.push_image()
    with pytest.raises(ManifestBlobUnknown):
        stand.put(body, "v1", SANDBOX)


def test_a_manifest_with_more_layers_than_one_statement_takes_is_stored(stand: Stand) -> None:
    layers = [b"layer %d" % number for number in range(1200)]
    config = stand.push_blob(b"{}")
    for layer in layers[:3]:
        stand.push_blob(layer)
    with pytest.raises(ManifestBlobUnknown, match=r"and 1187 more"):
        stand.put(image_of(b"{}", *layers), "wide")
    narrow = stand.put(image_of(b"{}", *layers[:3]), "narrow")
    revoke(stand, narrow)
    assert blob_refused_for(stand, config) == narrow


def test_of_two_concurrent_pushes_of_one_tag_exactly_one_wins(stand: Stand) -> None:
    bodies = [stand.push_image(b"layer %d" % number, tag=None) for number in range(6)]
    start = Barrier(len(bodies))

    def push(body: bytes) -> str:
        start.wait()
        try:
            return str(stand.put(body, "release"))
        except TagImmutable as refused:
            return refused.code

    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(push, bodies))
    won = [answer for answer in answers if answer != TagImmutable.code]
    assert [str(stand.registry.resolve(WEB, Tag("release")))] == won
    assert stand.schemas().count("tagged") == 1
    assert stand.schemas().count("overwrite-refused") == len(bodies) - 1


def test_a_movable_tag_moves_and_says_what_it_named_before(stand: Stand) -> None:
    first = stand.push_image(b"one", repository=SANDBOX)
    second = stand.push_image(b"two", repository=SANDBOX)
    assert stand.pull("v1", SANDBOX) == second
    bodies = [fact.body for fact in stand.facts("registry.tagged/1")]
    assert [body["previous"] for body in bodies if body] == [None, str(Digest.of(first))]


def test_a_tag_is_moved_only_from_the_state_that_was_seen(stand: Stand) -> None:
    one, two = (Digest.of(stand.push_image(content, tag=None, repository=SANDBOX)) for content in (b"1", b"2"))
    tag = Tag("latest")
    stand.ledger.commit((), (MoveTag(SANDBOX, tag, one, None),), context=ALICE)
    for wrong in (None, TagState(two, is_deleted=False), TagState(one, is_deleted=True)):
        with pytest.raises(StateMoved):
            stand.ledger.commit((), (MoveTag(SANDBOX, tag, two, wrong),), context=ALICE)
    stand.ledger.commit((), (MoveTag(SANDBOX, tag, two, TagState(one, is_deleted=False)),), context=ALICE)
    assert stand.registry.resolve(SANDBOX, tag) == two
    with pytest.raises(StateMoved):
        stand.ledger.commit((), (MoveTag(SANDBOX, Tag("x"), Digest.of(b"gone"), None),), context=ALICE)


def test_a_manifest_is_removed_only_with_the_tags_that_were_seen(stand: Stand) -> None:
    digest = Digest.of(stand.push_image())
    with pytest.raises(StateMoved):
        stand.ledger.commit((), (RemoveManifest(WEB, digest, ()),), context=ALICE)
    stand.ledger.commit((), (RemoveManifest(WEB, digest, (Tag("v1"),)),), context=ALICE)
    with stand.registry.store.view() as view:
        assert view.manifest(WEB, digest) is None
        assert view.tag(WEB, Tag("v1")) == TagState(digest, is_deleted=True)


def test_lists_are_in_the_order_of_code_points_and_page_without_gaps(stand: Stand) -> None:
    body = stand.push_image(tag=None)
    names = ["1.10", "1.9", "A", "Z", "_x", "a", "a-b", "a.b", "b"]
    for name in reversed(names):
        stand.put(body, name)
    assert list(stand.registry.listing.tags(WEB).names) == sorted(names)
    walked: list[str] = []
    more = True
    while more:
        page = stand.registry.listing.tags(WEB, walked[-1] if walked else "", 2)
        walked += page.names
        more = page.has_more
    assert walked == sorted(names)
    repositories = ["a-b/c", "a/b", "a/b/c", "a_b", "b"]
    for name in repositories:
        stand.push_blob(b"x", RepositoryName(name))
    page = stand.registry.listing.repositories(lambda name: name != WEB, limit=3)
    assert page.names == tuple(sorted(repositories)[:3])
    assert page.has_more


def test_referrers_are_listed_for_a_subject_that_does_not_exist_yet(stand: Stand) -> None:
    image = image_of(b"config", b"layer")
    stand.push_blob(b"sbom")
    evidence = [
        stand.put(image_of(b"sbom", subject=image, artifact_type=kind, annotations={"n": str(number)}))
        for number, kind in enumerate(["application/sbom", "application/vex", "application/sbom"])
    ]
    listing = stand.registry.listing
    assert [one.digest for one in listing.referrers(WEB, Digest.of(image))] == evidence
    boms = listing.referrer_page(WEB, Digest.of(image), ArtifactTypes("application/sbom"))
    assert [boms.annotations[one.digest]["n"] for one in boms.referrers] == ["0", "2"]
    assert boms.last is None
    assert listing.referrers(SANDBOX, Digest.of(image)) == []
    assert listing.referrer_page(SANDBOX, Digest.of(image)).referrers == ()


def referring(stand: Stand, subject: bytes, number: int, kind: str, text: str = "") -> Digest:
    annotations = {"n": str(number), "text": text}
    return stand.put(image_of(b"sbom", subject=subject, artifact_type=kind, annotations=annotations))


def walked(stand: Stand, subject: bytes, limit: int, types: ArtifactTypes | None = None) -> Iterator[ReferrerPage]:
    """Yield one page after the other, until there is none."""
    last = None
    while True:
        page = stand.registry.listing.referrer_page(WEB, Digest.of(subject), types, last, limit)
        yield page
        last = page.last
        if last is None:
            return


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_of_referrers_have_each_once_in_the_order_of_their_pushes(stand: Stand, limit: int) -> None:
    image = stand.push_image()
    stand.push_blob(b"sbom")
    evidence = [referring(stand, image, number, f"application/kind-{number % 2}") for number in range(7)]
    pages = list(walked(stand, image, limit))
    assert [one.digest for page in pages for one in page.referrers] == evidence
    assert [len(page.referrers) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    odd = walked(stand, image, limit, ArtifactTypes("application/kind-1"))
    assert [one.digest for page in odd for one in page.referrers] == evidence[1::2]


def test_a_prefix_of_artifact_types_is_taken_to_the_letter(stand: Stand) -> None:
    image = stand.push_image()
    stand.push_blob(b"sbom")
    kinds = [BUNDLES, BUNDLES + ".v0.3+json", BUNDLES + "~", BUNDLES.upper(), BUNDLES[:-1], "a/%", "a/b", "z/z"]
    digests = [referring(stand, image, number, kind) for number, kind in enumerate(kinds)]

    def found(text: str, *, is_prefix: bool = True) -> list[Digest]:
        types = ArtifactTypes(text, is_prefix)
        return [one.digest for one in stand.registry.referrers(WEB, Digest.of(image), types)]

    assert found(BUNDLES) == digests[:3]
    assert found(BUNDLES, is_prefix=False) == digests[:1]
    assert found("a/%") == digests[5:6]
    assert found("a/_") == found("a/'") == []
    assert found("") == digests


def test_a_deleted_referrer_does_not_lose_the_place_of_who_pages(stand: Stand) -> None:
    image = stand.push_image()
    stand.push_blob(b"sbom")
    evidence = [referring(stand, image, number, "a/b") for number in range(4)]
    pages = walked(stand, image, 2)
    assert [one.digest for one in next(pages).referrers] == evidence[:2]
    stand.registry.deletions.manifest(WEB, evidence[1], ALICE)
    assert [one.digest for one in next(pages).referrers] == evidence[2:]


def test_referrers_pushed_while_somebody_pages_are_met_once_each_and_push_none_out(stand: Stand) -> None:
    image = stand.push_image()
    stand.push_blob(b"sbom")
    before = [referring(stand, image, number, "a/b") for number in range(6)]
    numbers = iter(range(6, 26))
    with ThreadPoolExecutor(4) as pool:
        pushed = [pool.submit(referring, stand, image, number, "a/b") for number in numbers]
        during = [one.digest for page in walked(stand, image, 2) for one in page.referrers]
        late = {future.result() for future in pushed}
    assert during[:6] == before
    assert len(during) == len(set(during))
    assert set(during) <= {*before, *late}
    after = [one.digest for page in walked(stand, image, 2) for one in page.referrers]
    assert after[: len(during)] == during, "what was met has its place, and what comes later comes later"
    assert set(after) == {*before, *late}


def test_a_flood_of_referrers_with_huge_annotations_fills_no_page_beyond_its_bytes(stand: Stand) -> None:
    image = stand.push_image()
    stand.push_blob(b"sbom")
    evidence = [referring(stand, image, number, "a/b", "x" * 1_500_000) for number in range(3)]
    evidence.append(referring(stand, image, 3, "a/b", "x" * 4_100_000))
    pages = list(walked(stand, image, 500))
    assert [[one.digest for one in page.referrers] for page in pages] == [evidence[:2], evidence[2:3], evidence[3:]]
    assert all(set(page.annotations) == {one.digest for one in page.referrers} for page in pages)


def test_evidence_that_comes_or_goes_moves_the_epoch_of_its_subject_alone(stand: Stand) -> None:
    image = stand.push_image()
    other = stand.push_image(b"other", tag="v2")
    stand.push_blob(b"sbom")
    assert stand.registry.state_of(WEB, Tag("v1")).evidence_epoch == 0
    evidence = stand.put(image_of(b"sbom", subject=image))
    stand.put(image_of(b"sbom", subject=image))
    assert stand.registry.state_of(WEB, Tag("v1")).evidence_epoch == 1
    stand.registry.deletions.manifest(WEB, evidence, ALICE)
    assert stand.registry.state_of(WEB, Digest.of(image)).evidence_epoch == 2
    assert stand.registry.state_of(WEB, Digest.of(other)).evidence_epoch == 0


def test_a_revocation_moves_the_epoch_where_it_reaches(stand: Stand) -> None:
    image = stand.push_image()
    stand.push_image(repository=SANDBOX)
    revoke(stand, Digest.of(image), SANDBOX)
    states = [stand.registry.state_of(repository, Tag("v1")) for repository in (WEB, SANDBOX)]
    assert [state.evidence_epoch for state in states] == [0, 1]
    assert [state.revoked is not None for state in states] == [False, True]
    revoke(stand, Digest.of(image))
    states = [stand.registry.state_of(repository, Tag("v1")) for repository in (WEB, SANDBOX)]
    assert [state.evidence_epoch for state in states] == [1, 2]
    assert all(state.revoked for state in states)


def test_a_revocation_is_stated_once_however_many_revoke(stand: Stand) -> None:
    digest = Digest.of(stand.push_image())
    start = Barrier(4)

    def go(_: int) -> Revocation:
        start.wait()
        return revoke(stand, digest)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(go, range(4)))
    assert len(set(answers)) == 1
    (fact,) = stand.facts("registry.revoked/1")
    assert fact.index == answers[0].fact_index
    assert fact.recorded_at == answers[0].revoked_at
    assert stand.registry.revocations.revocations() == [answers[0]]
    assert stand.registry.revocations.revocations(after=fact.index) == []
    with pytest.raises(StateMoved):
        stand.ledger.commit((), (Revoke(digest, None, "again", "x"),), context=ALICE)


def test_a_layer_is_refused_when_every_manifest_that_reaches_it_is_revoked(stand: Stand) -> None:
    base, own = b"base layer", b"own layer"
    for blob in (b"c1", b"c2", base, own):
        stand.push_blob(blob)
    first, second = stand.put(image_of(b"c1", base, own), "v1"), stand.put(image_of(b"c2", base), "v2")
    revoke(stand, first)
    assert blob_refused_for(stand, Digest.of(own)) == first
    assert blob_refused_for(stand, Digest.of(base)) is None
    revoke(stand, second)
    assert blob_refused_for(stand, Digest.of(base)) == first
    assert blob_refused_for(stand, Digest.of(base), SANDBOX) is None


def test_a_blob_that_no_manifest_uses_is_refused_only_if_it_was_revoked_itself(stand: Stand) -> None:
    stand.push_image()
    alone = stand.push_blob(b"alone")
    revoke(stand, Digest.of(b"something else"))
    assert blob_refused_for(stand, alone) is None
    revoke(stand, alone, SANDBOX)
    assert blob_refused_for(stand, alone) is None
    revoke(stand, alone)
    assert blob_refused_for(stand, alone) == alone


def test_revoking_an_index_refuses_what_can_only_be_reached_through_it(stand: Stand) -> None:
    amd, arm = (stand.push_image(content, tag=None) for content in (b"amd64", b"arm64"))
    index = stand.put(index_of(amd, arm), "v1", media_type=OCI_INDEX)
    revoke(stand, index)
    assert refused_for(stand, index) == index
    assert refused_for(stand, Digest.of(amd)) == index
    assert blob_refused_for(stand, Digest.of(b"amd64")) == index
    with pytest.raises(ArtifactRevoked):
        stand.put(amd, "escape")


def test_a_child_with_a_tag_or_a_good_index_survives_the_revocation_of_another_index(stand: Stand) -> None:
    amd, arm, riscv = (stand.push_image(content, tag=None) for content in (b"amd64", b"arm64", b"riscv"))
    stand.put(arm, "arm-v1")
    bad = stand.put(index_of(amd, arm, riscv), "v1", media_type=OCI_INDEX)
    stand.put(index_of(amd), "v2", media_type=OCI_INDEX)
    revoke(stand, bad)
    assert [refused_for(stand, Digest.of(body)) for body in (amd, arm, riscv)] == [None, None, bad]
    layers = [blob_refused_for(stand, Digest.of(content)) for content in (b"amd64", b"arm64", b"riscv")]
    assert layers == [None, None, bad]


def test_revocations_reach_through_nested_indexes(stand: Stand) -> None:
    leaf = stand.push_image(tag=None)
    inner = index_of(leaf)
    stand.put(inner, media_type=OCI_INDEX)
    outer = stand.put(index_of(inner, media_type=OCI_INDEX), "v1", media_type=OCI_INDEX)
    assert refused_for(stand, Digest.of(leaf)) is None
    revoke(stand, outer)
    assert refused_for(stand, Digest.of(leaf)) == outer
    assert blob_refused_for(stand, Digest.of(b"layer")) == outer


def test_deleting_a_revoked_manifest_does_not_set_its_layers_free(stand: Stand) -> None:
    digest = Digest.of(stand.push_image())
    revoke(stand, digest)
    stand.registry.deletions.manifest(WEB, digest, ALICE)
    assert blob_refused_for(stand, Digest.of(b"layer")) == digest


def test_deleting_the_tag_of_a_child_makes_it_depend_on_its_index_again(stand: Stand) -> None:
    child = stand.push_image(tag="child")
    index = stand.put(index_of(child), "v1", media_type=OCI_INDEX)
    revoke(stand, index)
    assert refused_for(stand, Digest.of(child)) is None
    stand.registry.deletions.tag(WEB, Tag("child"), ALICE)
    assert refused_for(stand, Digest.of(child)) == index


def test_a_tag_that_was_decided_on_before_a_revocation_is_not_set_after_it(stand: Stand) -> None:
    digest = Digest.of(stand.push_image())
    revoke(stand, digest)
    with pytest.raises(ArtifactRevoked):
        stand.ledger.commit((), (MoveTag(WEB, Tag("v2"), digest, None),), context=ALICE)
    assert stand.registry.listing.tags(WEB).names == ("v1",)


def test_a_manifest_that_refers_to_something_revoked_is_not_taken(stand: Stand) -> None:
    child = stand.push_image(tag=None)
    stand.push_blob(b"bad layer")
    revoke(stand, Digest.of(b"bad layer"), WEB)
    with pytest.raises(ArtifactRevoked) as caught:
        stand.put(image_of(b'{"of":"layer"}', b"bad layer"), "v2")
    assert caught.value.refused == Digest.of(b"bad layer")
    revoke(stand, Digest.of(child))
    with pytest.raises(ArtifactRevoked):
        stand.put(index_of(child), "v3", media_type=OCI_INDEX)
    assert stand.registry.listing.tags(WEB).names == ()


def test_a_fixed_image_may_share_its_base_layer_with_a_revoked_one(stand: Stand) -> None:
    for blob in (b"c1", b"c2", b"base"):
        stand.push_blob(blob)
    revoke(stand, stand.put(image_of(b"c1", b"base"), "v1"))
    assert blob_refused_for(stand, Digest.of(b"base")) is not None
    stand.put(image_of(b"c2", b"base"), "v2")
    assert blob_refused_for(stand, Digest.of(b"base")) is None
    assert blob_refused_for(stand, Digest.of(b"c1")) is not None


def test_evidence_about_a_revoked_image_may_still_be_pushed_and_read(stand: Stand) -> None:
    image = stand.push_image()
    revoke(stand, Digest.of(image))
    stand.push_blob(b"vex")
    vex = stand.put(image_of(b"vex", subject=image))
    assert [one.digest for one in stand.registry.referrers(WEB, Digest.of(image))] == [vex]
    assert stand.read(Digest.of(b"vex")) == b"vex"


def test_a_blob_is_mounted_only_from_where_it_is_visible_and_allowed(stand: Stand) -> None:
    digest = stand.push_blob(b"layer")
    mount = stand.registry.mounts.mount
    assert not mount(SANDBOX, Digest.of(b"other"), WEB, ALICE)
    assert not mount(WEB, digest, SANDBOX, ALICE)
    assert mount(SANDBOX, digest, WEB, ALICE)
    assert stand.read(digest, SANDBOX) == b"layer"
    with stand.registry.store.view() as view:
        blob = view.any_blob(digest)
    assert blob is not None
    stand.ledger.commit((), (QuarantineBlob(digest, blob.seal),), context=ALICE)
    assert not mount(RepositoryName("third"), digest, WEB, ALICE)
    with pytest.raises(StateMoved):
        stand.ledger.commit((), (QuarantineBlob(digest, blob.seal),), context=ALICE)


def test_a_blob_is_deleted_from_one_repository_only_and_only_while_nothing_there_needs_it(stand: Stand) -> None:
    body = stand.push_image()
    digest = Digest.of(b"layer")
    assert stand.registry.mounts.mount(SANDBOX, digest, WEB, ALICE)
    with pytest.raises(BlobInUse) as refused:
        stand.registry.deletions.blob(WEB, digest, ALICE)
    assert refused.value.details == {"manifest": str(Digest.of(body))}
    stand.registry.deletions.blob(SANDBOX, digest, ALICE)
    with pytest.raises(BlobUnknown):
        stand.read(digest, SANDBOX)
    assert stand.read(digest) == b"layer"
    stand.registry.deletions.manifest(WEB, Digest.of(body), ALICE)
    stand.registry.deletions.blob(WEB, digest, ALICE)
    with pytest.raises(BlobUnknown):
        stand.registry.deletions.blob(WEB, digest, ALICE)
    told = [(fact.body or {})["repository"] for fact in stand.facts("registry.blob-deleted/1")]
    assert told == [str(SANDBOX), str(WEB)]


def test_deleting_and_pushing_again_does_not_set_a_revoked_layer_free(stand: Stand) -> None:
    image, digest = Digest.of(stand.push_image()), Digest.of(b"layer")
    revoke(stand, image)
    assert blob_refused_for(stand, digest) is not None
    stand.registry.deletions.manifest(WEB, image, ALICE)
    stand.registry.deletions.blob(WEB, digest, ALICE)
    stand.push_blob(b"layer")
    assert blob_refused_for(stand, digest) is not None


def test_the_repositories_that_have_a_blob_come_in_pages_that_meet_each_once(stand: Stand) -> None:
    names = [RepositoryName(f"team-{number}/app") for number in range(5)]
    for name in names:
        stand.push_blob(b"layer", name)
    digest = Digest.of(b"layer")
    with stand.registry.store.view() as view:
        first = view.repositories_with(digest, "", 3)
        rest = view.repositories_with(digest, str(first[-1]), 3)
        assert view.repositories_with(Digest.of(b"other"), "", 3) == []
    assert sorted([*first, *rest]) == names


def test_a_mount_without_a_source_asks_only_repositories_that_the_caller_may_read(stand: Stand) -> None:
    digest = stand.push_blob(b"layer")
    asked: list[RepositoryName] = []

    def nobody(repository: RepositoryName) -> bool:
        asked.append(repository)
        return False

    assert not stand.registry.mounts.mount_from_any(SANDBOX, digest, nobody, ALICE)
    assert asked == [WEB]
    assert not stand.registry.mounts.mount_from_any(SANDBOX, Digest.of(b"other"), lambda _: True, ALICE)
    assert stand.registry.mounts.mount_from_any(SANDBOX, digest, lambda name: name == WEB, ALICE)
    assert stand.read(digest, SANDBOX) == b"layer"


def test_several_tags_move_together_or_not_at_all(stand: Stand) -> None:
    old = stand.push_image()
    stand.push_blob(b"new")
    new = image_of(b"new")
    with pytest.raises(TagImmutable):
        stand.registry.manifests.put(WEB, Digest.of(new), OCI_MANIFEST, new, ALICE, tags=[Tag("v2"), Tag("v1")])
    with pytest.raises(ManifestUnknown):
        stand.pull("v2")
    stand.registry.manifests.put(WEB, Digest.of(new), OCI_MANIFEST, new, ALICE, tags=[Tag("v2"), Tag("v3"), Tag("v2")])
    assert (stand.pull("v1"), stand.pull("v2"), stand.pull("v3")) == (old, new, new)


def test_quarantine_does_not_hit_a_blob_that_was_healed_meanwhile(stand: Stand) -> None:
    digest = stand.push_blob(b"layer")
    with pytest.raises(StateMoved):
        stand.ledger.commit((), (QuarantineBlob(digest, Seal(5, "an older state")),), context=ALICE)
    assert stand.read(digest) == b"layer"


def test_the_first_refusal_on_each_path_is_stated_once(stand: Stand) -> None:
    body = stand.push_image()
    revocation = revoke(stand, Digest.of(body))
    for reference in ("v1", str(Digest.of(body)), "v1", "v1"):
        with pytest.raises(ArtifactRevoked):
            stand.pull(reference)
    with pytest.raises(ArtifactRevoked):
        stand.read(Digest.of(b"layer"))
    stand.registry.mounts.mount(SANDBOX, Digest.of(b"layer"), WEB, BOB)
    facts = [fact.body for fact in stand.facts("registry.revocation-enforced/1") if fact.body]
    paths = [RefusalPath.MANIFEST_BY_TAG, RefusalPath.MANIFEST_BY_DIGEST, RefusalPath.BLOB, RefusalPath.MOUNT]
    assert [body["path"] for body in facts] == paths
    assert all(0 <= body["after_ms"] < 1000 and body["digest"] == str(revocation.digest) for body in facts)


def test_a_sha512_artifact_is_stored_under_its_own_name(stand: Stand) -> None:
    body = stand.push_image(tag=None)
    digest = Digest.of(body, Algorithm.SHA512)
    stand.registry.manifests.put(WEB, digest, OCI_MANIFEST, body, ALICE)
    assert stand.pull(str(digest)) == body


def test_everything_is_still_there_after_a_restart(stand: Stand) -> None:
    body = stand.push_image()
    session = stand.registry.uploads.start(WEB, ALICE)
    revoke(stand, Digest.of(stand.push_image(b"bad", tag="bad")))
    again = Stand.over(stand.database, stand.folder)
    assert again.pull("v1") == body
    assert again.registry.uploads.received(WEB, session.id, ALICE) == 0
    with pytest.raises(Problem):
        again.pull("bad")
    with pytest.raises(BlobUnknown):
        again.read(Digest.of(b"never"))
