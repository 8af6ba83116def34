"""Lists: ``/v2/``, ``/v2/_catalog``, tags and referrers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from chainward.access.model import Permission
from chainward.faces.http.answers import Answer, json_answer
from chainward.faces.http.errors import CredentialsMissing, ParameterInvalid
from chainward.formats.oci import OCI_INDEX, Descriptor, Manifest, encode_manifest
from chainward.kernel.digest import Digest
from chainward.registry.model import ArtifactTypes, Position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainward.faces.http.oci.call import OciCall
    from chainward.registry.model import Referrer

__all__ = ["answer_base", "list_referrers", "list_repositories", "list_tags"]

_POSITION: Final = re.compile(r"([0-9]{1,15})-(.+)", re.ASCII)


def answer_base(call: OciCall) -> Answer:
    """Say that this is a registry, to whom it knows; by what is answered to others, clients find the token service."""
    call.enter(None)
    if call.principal.is_bounded and call.principal.limits is None and not call.principal.may_anywhere(Permission.PUSH):
        raise CredentialsMissing("this needs a token, or a session of nobody")
    return json_answer({})


def list_repositories(call: OciCall) -> Answer:
    """List the repositories that the caller may pull from."""
    call.enter(None)
    page = call.registry.listing.repositories(call.principal.may_list, call.query.get("last", ""), call.count("n"))
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
    """List the manifests that name a digest as their subject, as an image index; an empty one if there are none.

    Each page is an index of its own (distribution-spec 1.1.1, "Listing Referrers").
    """
    call.enter(Permission.PULL)
    wanted, digest = call.query.get("artifactType"), call.digest()
    if wanted is not None and not (wanted.isascii() and wanted.isprintable()):
        raise ParameterInvalid("artifactType is no media type", details={"parameter": "artifactType"})
    types = None if wanted is None else ArtifactTypes(wanted)
    page = call.registry.listing.referrer_page(call.repository, digest, types, _position(call.query.get("last")))
    found = tuple(_descriptor(each, page.annotations[each.digest]) for each in page.referrers)
    headers = {} if wanted is None else {"OCI-Filters-Applied": "artifactType"}
    if page.last is not None:
        last = f"{page.last.fact_index}-{page.last.digest}"
        headers |= call.next_page(f"/v2/{call.repository}/referrers/{digest}", last, "artifactType")
    return Answer(encode_manifest(Manifest(media_type=OCI_INDEX, manifests=found)), 200, OCI_INDEX, headers)


def _position(text: str | None) -> Position | None:
    """Read the ``last`` of a page of referrers as we wrote it; raises ParameterInvalid or InvalidDigest."""
    if text is None:
        return None
    match = _POSITION.fullmatch(text)
    if match is None:
        raise ParameterInvalid("last must come from the link to the next page", details={"parameter": "last"})
    return Position(int(match[1]), Digest.parse(match[2]))


def _descriptor(referrer: Referrer, annotations: Mapping[str, str]) -> Descriptor:
    return Descriptor(
        referrer.media_type,
        referrer.digest,
        referrer.size,
        annotations=annotations,
        artifact_type=referrer.artifact_type,
    )
