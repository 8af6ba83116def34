"""``/api/v1/timeline``: everything that is known to have happened to one artifact."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.errors import ParameterInvalid
from chainward.faces.http.facts import FactView, view_of
from chainward.faces.http.images import digest_of, own_image
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.ledger.errors import FollowerBehind

if TYPE_CHECKING:
    from chainward.delivery.timeline import Event, Timeline
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES", "events_of", "visible"]

_PATIENCE = 1.0
_LIMIT = 500


class TimelineView(Struct, frozen=True, kw_only=True):
    """Facts about an artifact and what is attached to it, in order; ask for older ones with ``before=previous``.

    ``leaf_hashes`` stand beside the facts: base64 of their leaves in the facts log.
    """

    digest: str
    facts: tuple[FactView, ...]
    leaf_hashes: tuple[str, ...]
    previous: int | None


def events_of(call: Call, digest: Digest) -> Timeline:
    """Return the timeline of a digest, in every repository.

    Waits a moment for the index of subjects, so that what was just answered is in it.
    """
    newest = call.platform.log_sizes()[call.platform.facts_origin] - 1
    with suppress(FollowerBehind):  # the timeline is then as old as the index; every fact in it is true all the same
        call.platform.followers.wait_until(newest, _PATIENCE)
    limit = call.number("limit", _LIMIT, 1, _LIMIT)
    before = call.number("before", -1, -1)
    return call.platform.timelines.of(digest, limit=limit, before=before if before >= 0 else None)


def visible(event: Event, repository: RepositoryName | None) -> bool:
    """Whether an event concerns a repository: it names it, or names none."""
    named = (event.fact.body or {}).get("repository")
    return repository is None or named is None or named == str(repository)


def _show(call: Call) -> Answer:
    repository, digest = _subject(call)
    timeline = events_of(call, digest)
    shown = [event for event in timeline.events if visible(event, repository)]
    view = TimelineView(
        digest=str(digest),
        facts=tuple(view_of(event.fact) for event in shown),
        leaf_hashes=tuple(base64.b64encode(event.leaf_hash).decode() for event in shown),
        previous=timeline.events[0].fact.index if timeline.is_cut and timeline.events else None,
    )
    return json_answer(view)


def _subject(call: Call) -> tuple[RepositoryName | None, Digest]:
    image, digest, repository = call.text("image"), call.text("digest"), call.text("repository")
    if image is not None and digest is None and repository is None:
        name = own_image(call, image)
        return name.repository, digest_of(call, name)
    if digest is None or image is not None:
        raise ParameterInvalid("name either an image, or a digest with or without a repository")
    named = RepositoryName(repository) if repository is not None else None
    call.authorize(named)
    return named, Digest.parse(digest)


ROUTES = (
    Route(
        "GET",
        "/api/v1/timeline",
        Needs(Permission.READ_LEDGER, Reach.REPOSITORY),
        _show,
        "Show what happened to an artifact: every fact about it and about what is attached to it.",
        gives=TimelineView,
        parameters=(
            ("image", "Name of an image, with tag or digest; or else:"),
            ("digest", "A digest, in every repository (needs the right over all) or in one:"),
            ("repository", "The repository that is meant."),
            ("before", "Only facts before this one."),
            ("limit", "1 to 500, 500 if not given."),
        ),
    ),
)
