"""Lists: ``/v2/``, ``/v2/_catalog``, tags and referrers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.access.model import Permission
from chainward.faces.http.answers import Answer, json_answer
from chainward.formats.oci import OCI_INDEX, Descriptor, Manifest, encode_manifest

if TYPE_CHECKING:
    from chainward.faces.http.oci.call import OciCall
    from chainward.registry.model import Referrer

__all__ = ["answer_base", "list_referrers", "list_repositories", "list_tags"]


def answer_base(call: OciCall) -> Answer:
    """Say that this is a registry, to whom it knows."""
    call.enter(None)
    return json_answer({})


def list_repositories(call: OciCall) -> Answer:
    """List the repositories that the caller may pull from."""
    call.enter(None)
    page = call.registry.listing.repositories(
        lambda repository: call.may(Permission.PULL, repository), call.query.get("last", ""), call.count("n")
    )
    headers = call.next_page("/v2/_catalog", page.names[-1]) if page.has_more and page.names else {}
    return json_answer({"repositories": page.names}, headers=headers)


def list_tags(call: OciCall) -> Answer:
    """List the tags of a repository."""
    call.enter(Permission.PULL)
    page = call.registry.listing.tags(call.repository, call.query.get("last", ""), call.count("n"))
    path = f"/v2/{call.repository}/tags/list"
    headers = call.next_page(path, page.names[-1]) if page.has_more and page.names else {}
    return json_answer({"name": str(call.repository), "tags": page.names}, headers=headers)


def list_referrers(call: OciCall) -> Answer:
    """List the manifests that name a digest as their subject, as an image index; an empty one if there are none."""
    call.enter(Permission.PULL)
    wanted = call.query.get("artifactType")
    found = call.registry.listing.referrers(call.repository, call.digest(), wanted)
    index = Manifest(media_type=OCI_INDEX, manifests=tuple(map(_descriptor, found)))
    headers = {"OCI-Filters-Applied": "artifactType"} if wanted is not None else {}
    return Answer(encode_manifest(index), 200, OCI_INDEX, headers)


def _descriptor(referrer: Referrer) -> Descriptor:
    return Descriptor(
        referrer.media_type,
        referrer.digest,
        referrer.size,
        annotations=referrer.annotations,
        artifact_type=referrer.artifact_type,
    )
