"""Witnessing over HTTP: C2SP tlog-witness for other logs, and the witnesses of the platform's own.

The submission prefix of this witness is ``/witness`` (``POST /witness/add-checkpoint``), and so is its monitoring
prefix (``GET /witness/HASH/checkpoint``, where HASH is the SHA-256 of an origin). Both are public, as the protocol has
it: a request proves itself by the signature of a log that an administrator named before. Their errors are those of the
protocol: 400, 403, 404, 409 with the size, 422; the text is for people.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import NO_STORE, Answer, json_answer, no_content
from chainward.faces.http.routes import Needs, Public, Reach, Route
from chainward.formats.errors import Malformed, TooLarge
from chainward.formats.note import VerifierKey
from chainward.formats.witness import MAX_ADD_CHECKPOINT, SIZE_MEDIA_TYPE, format_size
from chainward.kernel.problem import Problem
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.checkpoint import CheckpointInvalid
from chainward.ledger.proofs import ProofInvalid
from chainward.ledger.witness import NamedWitness, WitnessAhead
from chainward.ledger.witnessed import LogNotWitnessed

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call
    from chainward.ledger.gather import Submission
    from chainward.ledger.witnessed import WitnessedLog

__all__ = ["ROUTES"]

_TEXT: Final = "text/plain; charset=utf-8"
_LOGS: Final = Public("a witness knows logs by their signatures, and a cosigned checkpoint is for everybody to check")
_READ: Final = Needs(Permission.READ_LEDGER, Reach.ANYWHERE)
_ADMINISTER: Final = Needs(Permission.ADMINISTER, Reach.PLATFORM)
_STATUS: Final[tuple[tuple[type[Problem], int], ...]] = (
    (Malformed, 400),
    (TooLarge, 413),
    (LogNotWitnessed, 404),
    (CheckpointInvalid, 403),
    (SignatureInvalid, 403),
    (ProofInvalid, 422),
)

_Key = Annotated[str, Meta(min_length=1, max_length=1024)]


class WitnessedLogRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A log to be cosigned: its verifier key, and its origin if that is not the name of the key."""

    key: _Key
    origin: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class WitnessedLogView(Struct, frozen=True, kw_only=True):
    """A log that is cosigned here, and how far; ``checkpoint`` is empty while nothing was cosigned."""

    origin: str
    keys: tuple[str, ...]
    size: int
    root: str
    checkpoint: str


class WitnessedLogList(Struct, frozen=True, kw_only=True):
    """The witness that this platform is, and the logs that it cosigns."""

    key: str
    logs: tuple[WitnessedLogView, ...]


class SplitView(Struct, frozen=True, kw_only=True):
    """Evidence that a log signed two trees of one size; ``evidence`` is the text of a file that proves it."""

    origin: str
    evidence: str


class SplitList(Struct, frozen=True, kw_only=True):
    """All evidence that this witness keeps."""

    splits: tuple[SplitView, ...]


class WitnessRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A witness to be asked: a name for it, its submission prefix, and its verifier key."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    url: Annotated[str, Meta(min_length=1, max_length=1024)]
    key: _Key


class WitnessView(Struct, frozen=True, kw_only=True):
    """A witness of this platform's logs."""

    name: str
    url: str
    key: str


class WitnessList(Struct, frozen=True, kw_only=True):
    """The witnesses of this platform's logs, and how many of them must agree."""

    threshold: int
    witnesses: tuple[WitnessView, ...]


class SubmissionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class SubmissionView(Struct, frozen=True, kw_only=True):
    """What one witness said about one log; ``code`` and ``message`` are empty when it cosigned."""

    witness: str
    origin: str
    size: int
    code: str
    message: str


class SubmissionList(Struct, frozen=True, kw_only=True):
    """What came of asking; logs that a witness has cosigned already are not in it."""

    submissions: tuple[SubmissionView, ...]


def _add_checkpoint(call: Call) -> Answer:
    try:
        lines = call.platform.witnessing.witness.add_checkpoint(call.body)
    except WitnessAhead as ahead:
        return Answer(format_size(ahead.size), 409, SIZE_MEDIA_TYPE)
    except Problem as problem:
        status = next((status for kind, status in _STATUS if isinstance(problem, kind)), None)
        if status is None:
            raise
        return Answer(f"{problem.code}: {problem.message}\n".encode(), status, _TEXT)
    return Answer(lines, 200, _TEXT, {"Cache-Control": NO_STORE})


def _seen(call: Call) -> Answer:
    wanted, witness = call.path["hash"], call.platform.witnessing.witness
    for log in witness.logs():
        if log.note and hashlib.sha256(log.origin.encode()).hexdigest() == wanted:
            return Answer(log.note, 200, _TEXT, {"Cache-Control": NO_STORE})
    raise LogNotWitnessed("no checkpoint of that log was cosigned here")


def _key(call: Call) -> Answer:
    return Answer(f"{call.platform.witnessing.witness.key}\n".encode(), 200, _TEXT)


def _logs(call: Call) -> Answer:
    witness = call.platform.witnessing.witness
    return json_answer(WitnessedLogList(key=str(witness.key), logs=tuple(map(_log_view, witness.logs()))))


def _trust_log(call: Call) -> Answer:
    request = call.decode(WitnessedLogRequest, "log")
    key = VerifierKey.parse(request.key)
    log = call.platform.witnessing.witness.trust_log(key, request.origin, context=call.context)
    return json_answer(_log_view(log), 201)


def _distrust_log(call: Call) -> Answer:
    call.platform.witnessing.witness.distrust_log(call.required("origin"), context=call.context)
    return no_content()


def _splits(call: Call) -> Answer:
    found = call.platform.witnessing.witness.splits()
    return json_answer(
        SplitList(splits=tuple(SplitView(origin=origin, evidence=text.decode()) for origin, text in found))
    )


def _log_view(log: WitnessedLog) -> WitnessedLogView:
    return WitnessedLogView(
        origin=log.origin,
        keys=tuple(map(str, log.keys)),
        size=log.size,
        root=base64.b64encode(log.root).decode(),
        checkpoint=log.note.decode(),
    )


def _witnesses(call: Call) -> Answer:
    services = call.platform.witnessing.witnesses
    return json_answer(WitnessList(threshold=services.threshold, witnesses=tuple(map(_view, services.listed()))))


def _add(call: Call) -> Answer:
    request = call.decode(WitnessRequest, "witness")
    witness = NamedWitness(request.name, request.url, VerifierKey.parse(request.key))
    call.platform.witnessing.witnesses.add(witness, context=call.context)
    return json_answer(_view(witness), 201)


def _remove(call: Call) -> Answer:
    call.platform.witnessing.witnesses.remove(call.path["name"], context=call.context)
    return no_content()


def _submit(call: Call) -> Answer:
    call.decode(SubmissionRequest, "submission")
    submissions = call.platform.witnessing.witnesses.submit()
    return json_answer(SubmissionList(submissions=tuple(map(_submission, submissions))))


def _view(witness: NamedWitness) -> WitnessView:
    return WitnessView(name=witness.name, url=witness.url, key=str(witness.key))


def _submission(submission: Submission) -> SubmissionView:
    problem = submission.problem
    return SubmissionView(
        witness=submission.witness,
        origin=submission.origin,
        size=submission.size,
        code="" if problem is None else problem.code,
        message="" if problem is None else problem.message,
    )


def _witnessed(call: Call) -> Answer:
    origin = call.platform.shards.of_origin(call.path["origin"]).log.origin
    found = call.platform.witnessing.witnesses.cosigned(origin)
    return Answer(found.note, 200, _TEXT, {"Cache-Control": NO_STORE})


ROUTES = (
    Route(
        "POST",
        "/witness/add-checkpoint",
        _LOGS,
        _add_checkpoint,
        "Cosign a checkpoint of a log that is known here, if it extends the one before (C2SP tlog-witness).",
        gives=_TEXT,
        media_types=("*/*",),
        limit=MAX_ADD_CHECKPOINT,
    ),
    Route("GET", "/witness/key", _LOGS, _key, "The verifier key of this witness.", gives=_TEXT),
    Route(
        "GET",
        "/witness/{hash}/checkpoint",
        _LOGS,
        _seen,
        "The newest checkpoint that was cosigned here, of the log whose origin has this SHA-256 (hex).",
        gives=_TEXT,
    ),
    Route(
        "GET",
        "/log/{origin}/witnessed-checkpoint",
        _LOGS,
        _witnessed,
        "The newest checkpoint of a log that enough witnesses cosigned, with their lines.",
        gives=_TEXT,
    ),
    Route("GET", "/api/v1/witness/logs", _READ, _logs, "List the logs that are cosigned here.", gives=WitnessedLogList),
    Route(
        "POST",
        "/api/v1/witness/logs",
        _ADMINISTER,
        _trust_log,
        "Be a witness of a log, or give one a further key.",
        takes=WitnessedLogRequest,
        gives=WitnessedLogView,
    ),
    Route(
        "DELETE",
        "/api/v1/witness/logs",
        _ADMINISTER,
        _distrust_log,
        "Cosign a log no longer; what was cosigned stays remembered.",
        parameters=(("origin", "Which log; required."),),
    ),
    Route(
        "GET",
        "/api/v1/witness/splits",
        _READ,
        _splits,
        "List the evidence of logs that asked for cosignatures on two trees of one size.",
        gives=SplitList,
    ),
    Route("GET", "/api/v1/witnesses", _READ, _witnesses, "List the witnesses of the own logs.", gives=WitnessList),
    Route(
        "POST",
        "/api/v1/witnesses",
        _ADMINISTER,
        _add,
        "Ask a witness to cosign the own logs from now on.",
        takes=WitnessRequest,
        gives=WitnessView,
    ),
    Route("DELETE", "/api/v1/witnesses/{name}", _ADMINISTER, _remove, "Ask a witness no longer."),
    Route(
        "POST",
        "/api/v1/witnesses/submit",
        _ADMINISTER,
        _submit,
        "Submit the newest checkpoints to all witnesses now.",
        takes=SubmissionRequest,
        gives=SubmissionList,
    ),
)
