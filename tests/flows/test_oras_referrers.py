"""Evidence beside an image, with the requests that oras sends: attach, discover, pull, copy with everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from tests.flows.server import registry_app, serve
from tests.registry_stand import ALICE, WEB, Stand, image_of, index_of, sqlite_stand

from chainward.adapters.sql.registry_tables import MANIFEST
from chainward.formats.bundle import BUNDLE_V03
from chainward.formats.oci import (
    EMPTY_BLOB,
    EMPTY_CONFIG,
    EMPTY_DESCRIPTOR,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    encode_manifest,
)
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SBOM: Final = "application/vnd.cyclonedx+json"
ACCEPT: Final = {"Accept": f"{OCI_MANIFEST}, {OCI_INDEX}, application/vnd.docker.distribution.manifest.v2+json"}


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with sqlite_stand(tmp_path) as stand:
        yield stand


@pytest.fixture
def client(stand: Stand) -> Iterator[httpx.Client]:
    with serve(registry_app(stand)) as url, httpx.Client(base_url=url, auth=("u", "publisher"), timeout=30) as client:
        yield client


def push_blob(client: httpx.Client, repository: str, data: bytes) -> None:
    """Look first, then POST and one PUT with everything."""
    path = f"/v2/{repository}/blobs/{Digest.of(data)}"
    if client.head(path).status_code == 200:
        return
    location = client.post(f"/v2/{repository}/blobs/uploads/").headers["location"]
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.put(location, params={"digest": str(Digest.of(data))}, content=data, headers=headers)
    assert answer.status_code == 201


def push_image(client: httpx.Client, tag: str = "1.0", repository: str = "shop/web") -> bytes:
    for blob in (b"{}", b"layer"):
        push_blob(client, repository, blob)
    body = image_of(b"{}", b"layer")
    assert put(client, repository, tag, body).status_code == 201
    return body


def put(client: httpx.Client, repository: str, reference: str, body: bytes) -> httpx.Response:
    path = f"/v2/{repository}/manifests/{reference}"
    return client.put(path, content=body, headers={"Content-Type": OCI_MANIFEST})


def attach(client: httpx.Client, subject: Descriptor, kind: str, data: bytes, repository: str = "shop/web") -> bytes:
    """Attach one file to ``subject``, as ``oras attach --artifact-type KIND IMAGE FILE`` does."""
    push_blob(client, repository, data)
    push_blob(client, repository, EMPTY_BLOB)
    manifest = Manifest(
        media_type=OCI_MANIFEST,
        artifact_type=kind,
        config=EMPTY_DESCRIPTOR,
        layers=(Descriptor(kind, Digest.of(data), len(data), {"org.opencontainers.image.title": "evidence.json"}),),
        subject=subject,
        annotations={"org.opencontainers.image.created": "2026-11-23T09:30:00Z"},
    )
    body = encode_manifest(manifest)
    answer = put(client, repository, str(Digest.of(body)), body)
    assert answer.status_code == 201
    assert answer.headers["oci-subject"] == str(subject.digest), "else a client falls back to tags"
    return body


def resolve(client: httpx.Client, name: str) -> Descriptor:
    head = client.head(f"/v2/shop/web/manifests/{name}", headers=ACCEPT)
    assert head.status_code == 200
    digest = Digest.parse(head.headers["docker-content-digest"])
    return Descriptor(head.headers["content-type"], digest, int(head.headers["content-length"]))


def discover(client: httpx.Client, digest: Digest, kind: str | None = None, repository: str = "shop/web") -> Any:
    path = f"/v2/{repository}/referrers/{digest}"
    answer = client.get(path, params={"artifactType": kind} if kind else {})
    assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_INDEX)
    assert answer.headers.get("oci-filters-applied") == ("artifactType" if kind else None)
    index = answer.json()
    assert (index["schemaVersion"], index["mediaType"]) == (2, OCI_INDEX)
    return index["manifests"]


def test_what_was_attached_is_discovered_and_pulled(client: httpx.Client) -> None:
    push_image(client)
    subject = resolve(client, "1.0")
    bodies = [attach(client, subject, kind, kind.encode()) for kind in (SBOM, BUNDLE_V03, SBOM + ";v2")]
    found = discover(client, subject.digest)
    assert [entry["digest"] for entry in found] == [str(Digest.of(body)) for body in bodies]
    assert found[0] == {
        "mediaType": OCI_MANIFEST,
        "digest": str(Digest.of(bodies[0])),
        "size": len(bodies[0]),
        "artifactType": SBOM,
        "annotations": {"org.opencontainers.image.created": "2026-11-23T09:30:00Z"},
    }
    (bundle,) = discover(client, subject.digest, BUNDLE_V03)
    manifest = client.get(f"/v2/shop/web/manifests/{bundle['digest']}", headers=ACCEPT).json()
    (layer,) = manifest["layers"]
    assert client.get(f"/v2/shop/web/blobs/{layer['digest']}").content == BUNDLE_V03.encode()


def flood(stand: Stand, subject: Digest, numbers: range, kind: str) -> list[str]:
    """Put referrers into the database, as many pushes would; returns their digests in order."""
    row = {
        "repository": str(WEB),
        "media_type": OCI_MANIFEST,
        "artifact_type": kind,
        "subject": str(subject),
        "annotations": b"{}",
        "size": 2,
        "body": b"{}",
        "pushed_at": stand.clock.now(),
    }
    digests = [str(Digest.of(b"flood %d" % number)) for number in numbers]
    rows = [
        row | {"digest": digest, "fact_index": 10**6 + number} for number, digest in zip(numbers, digests, strict=True)
    ]
    with stand.database.database.writer.begin() as connection:
        connection.execute(MANIFEST.insert(), rows)
    return digests


def test_a_flood_of_referrers_is_listed_in_pages_that_a_client_walks_by_their_links(
    client: httpx.Client, stand: Stand
) -> None:
    push_image(client)
    subject = resolve(client, "1.0")
    others = flood(stand, subject.digest, range(600), "image/png;a=1&b")
    sboms = flood(stand, subject.digest, range(600, 1700), SBOM)
    path = f"/v2/shop/web/referrers/{subject.digest}"
    for kind, expected, sizes in (
        (None, others + sboms, [500, 500, 500, 200]),
        (SBOM, sboms, [500, 500, 100]),
        ("image/png;a=1&b", others, [500, 100]),
    ):
        pages = [client.get(path, params={"artifactType": kind} if kind else {})]
        while "next" in pages[-1].links:
            target = pages[-1].links["next"]["url"]
            assert target.startswith(f"{path}?")
            pages.append(client.get(target))
        assert {page.headers["content-type"] for page in pages} == {OCI_INDEX}
        assert all(("oci-filters-applied" in page.headers) is (kind is not None) for page in pages)
        assert [len(page.json()["manifests"]) for page in pages] == sizes
        assert [each["digest"] for page in pages for each in page.json()["manifests"]] == expected


@pytest.mark.parametrize("last", ["", "x", "1", "-1-sha256:0", "1-sha256:0", "1" * 16 + "-x", "%E2%91%A0-x", "1-"])
def test_a_place_in_a_list_of_referrers_that_we_never_gave_is_refused(client: httpx.Client, last: str) -> None:
    push_image(client)
    answer = client.get(f"/v2/shop/web/referrers/{Digest.of(b'x')}?last={last}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize("kind", ["%00", "a/b%0A", "%E2%91%A0"])
def test_an_artifact_type_that_no_database_could_hold_is_refused(client: httpx.Client, kind: str) -> None:
    push_image(client)
    answer = client.get(f"/v2/shop/web/referrers/{Digest.of(b'x')}?artifactType={kind}")
    assert answer.status_code == 400


def test_a_manifest_without_an_artifact_type_is_known_by_its_config(client: httpx.Client) -> None:
    push_image(client)
    subject = resolve(client, "1.0")
    body = encode_manifest(
        Manifest(media_type=OCI_MANIFEST, config=Descriptor(SBOM, Digest.of(EMPTY_BLOB), 2), subject=subject)
    )
    push_blob(client, "shop/web", EMPTY_BLOB)
    assert put(client, "shop/web", str(Digest.of(body)), body).status_code == 201
    assert [entry["artifactType"] for entry in discover(client, subject.digest, SBOM)] == [SBOM]
    assert discover(client, subject.digest, EMPTY_CONFIG) == []


def test_nothing_is_attached_to_what_nobody_knows(client: httpx.Client) -> None:
    nobody = Digest.of(b"nobody")
    assert discover(client, nobody) == discover(client, nobody, SBOM) == []
    assert client.get("/v2/shop/web/referrers/sha256:short").status_code == 400


def test_evidence_may_come_before_its_image_and_outlive_it(client: httpx.Client, stand: Stand) -> None:
    body = image_of(b"{}", b"layer")
    subject = Descriptor.of(body, OCI_MANIFEST)
    evidence = attach(client, subject, SBOM, b"sbom")
    push_image(client)
    stand.registry.deletions.manifest(WEB, subject.digest, ALICE)
    assert [entry["digest"] for entry in discover(client, subject.digest)] == [str(Digest.of(evidence))]


def test_an_index_may_be_evidence_and_have_some(client: httpx.Client) -> None:
    image = push_image(client)
    index = index_of(image)
    answer = client.put("/v2/shop/web/manifests/multi", content=index, headers={"Content-Type": OCI_INDEX})
    assert answer.status_code == 201
    attach(client, resolve(client, "multi"), SBOM, b"sbom of the index")
    assert len(discover(client, Digest.of(index))) == 1
    assert discover(client, Digest.of(image)) == []


def test_a_tree_of_evidence_is_copied_with_the_image(client: httpx.Client) -> None:
    image = push_image(client)
    subject = resolve(client, "1.0")
    sbom = attach(client, subject, SBOM, b"sbom")
    attach(client, Descriptor.of(sbom, OCI_MANIFEST), BUNDLE_V03, b"signature of the sbom")
    assert copy(client, subject.digest) == 3
    assert len(discover(client, subject.digest, repository="sandbox/web")) == 1
    assert len(discover(client, Digest.of(sbom), repository="sandbox/web")) == 1
    assert client.get(f"/v2/sandbox/web/manifests/{Digest.of(image)}").content == image


def copy(client: httpx.Client, digest: Digest) -> int:
    """Copy a manifest and all that refers to it, as ``oras copy --recursive`` does; returns how many."""
    answer = client.get(f"/v2/shop/web/manifests/{digest}", headers=ACCEPT)
    for blob in (answer.json()["config"], *answer.json()["layers"]):
        where = {"mount": blob["digest"], "from": "shop/web"}
        assert client.post("/v2/sandbox/web/blobs/uploads/", params=where).status_code == 201
    assert put(client, "sandbox/web", str(digest), answer.content).status_code == 201
    return 1 + sum(copy(client, Digest.parse(entry["digest"])) for entry in discover(client, digest))


def test_the_evidence_of_a_revoked_image_stays_readable_for_those_who_respond(
    client: httpx.Client, stand: Stand
) -> None:
    push_image(client)
    subject = resolve(client, "1.0")
    sbom = attach(client, subject, SBOM, b"sbom")
    stand.registry.revocations.revoke(subject.digest, "bad", ALICE)
    assert client.get(f"/v2/shop/web/manifests/{subject.digest}").status_code == 403
    assert len(discover(client, subject.digest)) == 1
    assert client.get(f"/v2/shop/web/manifests/{Digest.of(sbom)}").content == sbom
    assert client.get(f"/v2/shop/web/blobs/{Digest.of(b'sbom')}").content == b"sbom"
    attach(client, subject, "application/vnd.openvex+json", b"vex")
    assert len(discover(client, subject.digest)) == 2
