"""``/admission/v1/…``: the webhooks that a cluster's API server calls before it admits a workload.

Follows ``admission.k8s.io/v1``. The time that the API server allows comes as ``?timeout=10s``. A decision is an answer
with status 200; everything else (a body that is no review, a database that fails, no time left) is a call failure,
about which the cluster's ``failurePolicy`` decides.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.access.model import Permission
from chainward.faces.http.answers import JSON, Answer
from chainward.faces.http.errors import ParameterInvalid
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.formats.admission import MAX_REVIEW, decode_review, encode_answer

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES", "timeout_in"]

_DURATION: Final = re.compile(r"(?:([0-9]{1,4})m)?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,7})ms)?\Z")
_LONGEST: Final = timedelta(seconds=30)  # an API server waits no longer


def timeout_in(text: str | None) -> timedelta | None:
    """Return the time limit in a ``timeout`` parameter as Go writes durations; raises ParameterInvalid.

    >>> timeout_in("2.5s")
    datetime.timedelta(seconds=2, microseconds=500000)
    """
    if text is None:
        return None
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        raise ParameterInvalid(f"timeout must be a duration such as 10s, not {text[:40]!r}")
    minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    found = timedelta(minutes=minutes, seconds=seconds, milliseconds=milliseconds)
    if not found:
        raise ParameterInvalid("a timeout of nothing leaves no time to decide")
    return min(found, _LONGEST)


def _validate(call: Call) -> Answer:
    timeout = timeout_in(call.text("timeout"))
    review = decode_review(call.body)
    answer = call.platform.admission.validate(review, context=call.context, timeout=timeout)
    body = encode_answer(
        review,
        allowed=answer.allowed,
        message=answer.message,
        warnings=answer.warnings,
        audit_annotations=answer.audit,
    )
    return Answer(body, 200, JSON)


def _mutate(call: Call) -> Answer:
    review = decode_review(call.body)
    patches = call.platform.admission.mutate(review)
    return Answer(encode_answer(review, allowed=True, patches=patches), 200, JSON)


ROUTES: Final = (
    Route(
        "POST",
        "/admission/v1/validate",
        Needs(Permission.ADMIT, Reach.PLATFORM),
        _validate,
        "Decide whether the images of a workload may run; the decision is durable before the answer.",
        gives=JSON,
        parameters=(("timeout", "How long the API server waits, such as 10s."),),
        media_types=(JSON,),
        limit=MAX_REVIEW,
    ),
    Route(
        "POST",
        "/admission/v1/mutate",
        Needs(Permission.ADMIT, Reach.PLATFORM),
        _mutate,
        "Replace image names by digests in Pods.",
        gives=JSON,
        parameters=(("timeout", "How long the API server waits, such as 10s."),),
        media_types=(JSON,),
        limit=MAX_REVIEW,
    ),
)
