"""Admission reviews: what a Kubernetes API server asks a webhook, and what it may be answered.

Follows ``admission.k8s.io/v1`` as the API server of Kubernetes 1.36 speaks it. In: the bytes of an ``AdmissionReview``
request. Out: a :class:`Review` with every image the object would run or mount, each with the JSON pointer at which it
stands: containers, init containers, ephemeral containers and image volumes of a Pod or of the template of a workload.
Only those members are decoded; everything else in the object is skipped unseen.

``understood`` tells an object without images from one in which nobody looked: a kind that is neither a workload nor
known to carry none is not understood, and a gate must not let it pass for lack of images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_json, deterministic_json, encode_base64, without_empty
from chainward.formats.errors import Malformed, Unsupported, Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MAX_REVIEW", "ImageUse", "Operation", "Replacement", "Review", "decode_review", "encode_answer"]

MAX_REVIEW: Final = 8 * 1024 * 1024  # an update carries the object twice; 3 MiB were seen
_API_VERSION: Final = "admission.k8s.io/v1"
_KIND: Final = "AdmissionReview"
_WHAT: Final = "admission review"
_ANSWER: Final = "admission answer"
_MAX_WARNING: Final = 256  # runes each, and about 4 KiB together, the API server shows
_MAX_WARNINGS: Final = 4000
_MAX_MESSAGE: Final = 5000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_AUDIT_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")


class Operation(StrEnum):
    """What the API server is about to do."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


@dataclass(frozen=True, slots=True)
class ImageUse:
    """An image as the object names it (perhaps empty), and the JSON pointer to that text within the object."""

    pointer: str
    text: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """One text of the object to be replaced, and what must stand there for the patch to apply."""

    pointer: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A question of the API server; ``images`` of the object to be, ``previous_images`` of the one before.

    ``deleting`` says that the object to be is on its way out: it only waits for its finalizers to be taken off.
    """

    uid: str
    operation: Operation
    subresource: str
    group: str
    kind: str
    resource: str
    namespace: str
    name: str
    username: str
    dry_run: bool
    images: tuple[ImageUse, ...]
    previous_images: tuple[ImageUse, ...]
    understood: bool
    deleting: bool = False


class _GroupKind(msgspec.Struct, frozen=True):
    kind: str
    group: str = ""


class _GroupResource(msgspec.Struct, frozen=True):
    resource: str
    group: str = ""


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    uid: str
    kind: _GroupKind
    resource: _GroupResource
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    operation: Operation
    user_info: _User = _User()
    dry_run: bool | None = None
    object: msgspec.Raw = msgspec.Raw(b"null")
    old_object: msgspec.Raw = msgspec.Raw(b"null")


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    request: _Request


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    deletion_timestamp: str | None = None


class _Thing(msgspec.Struct, frozen=True):
    """Any object, as far as its life goes."""

    metadata: _Metadata | None = None


class _Container(msgspec.Struct, frozen=True):
    image: str | None = None


class _ImageSource(msgspec.Struct, frozen=True):
    reference: str | None = None


class _Volume(msgspec.Struct, frozen=True):
    image: _ImageSource | None = None


class _PodSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    ephemeral_containers: list[_Container] | None = None
    volumes: list[_Volume] | None = None


class _Pod(msgspec.Struct, frozen=True):
    """A Pod, or the template of one."""

    spec: _PodSpec | None = None


class _Template(msgspec.Struct, frozen=True):
    """Whatever has the template of a Pod: a PodTemplate, or the ``spec`` of a workload."""

    template: _Pod | None = None


class _Workload(msgspec.Struct, frozen=True):
    spec: _Template | None = None


class _CronJobSpec(msgspec.Struct, frozen=True, rename="camel"):
    job_template: _Workload | None = None


class _CronJob(msgspec.Struct, frozen=True):
    spec: _CronJobSpec | None = None


_SHAPES: Final[dict[tuple[str, str], type[_Pod | _Template | _Workload | _CronJob]]] = {
    ("", "Pod"): _Pod,
    ("", "PodTemplate"): _Template,
    ("", "ReplicationController"): _Workload,
    ("apps", "DaemonSet"): _Workload,
    ("apps", "Deployment"): _Workload,
    ("apps", "ReplicaSet"): _Workload,
    ("apps", "StatefulSet"): _Workload,
    ("batch", "CronJob"): _CronJob,
    ("batch", "Job"): _Workload,
}
_WITHOUT_IMAGES: Final = frozenset(
    {
        ("", "Binding"),
        ("", "PodAttachOptions"),
        ("", "PodExecOptions"),
        ("", "PodPortForwardOptions"),
        ("", "PodProxyOptions"),
        ("autoscaling", "Scale"),
        ("policy", "Eviction"),
    }
)


def decode_review(data: bytes, limit: int = MAX_REVIEW) -> Review:
    """Read a review.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Unsupported: another version than ``admission.k8s.io/v1``.
        Malformed: anything else, among it a workload to be created or updated without the workload.
    """
    review = decode_json(data, _Review, limit=limit, what=_WHAT, depth=None)
    if (review.api_version, review.kind) != (_API_VERSION, _KIND):
        raise Unsupported(_WHAT, f"{review.api_version[:60]} {review.kind[:60]} is not {_API_VERSION} {_KIND}")
    request = review.request
    kind = (request.kind.group, request.kind.kind)
    images = _images(request.object, kind)
    if images is None and kind in _SHAPES and request.operation in {Operation.CREATE, Operation.UPDATE}:
        raise Malformed(_WHAT, f"there is no object to {request.operation.value.lower()}")
    if not request.uid:
        raise Malformed(_WHAT, "uid is empty")
    if "\x00" in request.uid + request.namespace + request.name + request.user_info.username:
        raise Malformed(_WHAT, "a name holds a NUL character")
    return Review(
        uid=request.uid,
        operation=request.operation,
        subresource=request.sub_resource,
        group=request.kind.group,
        kind=request.kind.kind,
        resource=request.resource.resource,
        namespace=request.namespace,
        name=request.name,
        username=request.user_info.username,
        dry_run=bool(request.dry_run),
        images=images or (),
        previous_images=_images(request.old_object, kind) or (),
        understood=kind in _SHAPES or kind in _WITHOUT_IMAGES,
        deleting=request.operation is Operation.UPDATE and _is_deleting(request.object),
    )


def encode_answer(
    review: Review,
    *,
    allowed: bool,
    message: str = "",
    code: int = 403,
    reason: str = "Forbidden",
    warnings: Sequence[str] = (),
    audit_annotations: Mapping[str, str] | None = None,
    patches: Sequence[Replacement] | None = None,
) -> bytes:
    """Write the answer to ``review``.

    ``patches`` are for mutating webhooks; a validating one gives None. All ``test`` operations stand before the first
    ``replace``, so that the patch applies as a whole or not at all. ``code`` and ``reason`` shape the client's error
    and are only sent with a denial. Warnings are cut to what the API server shows.

    Raises:
        Unwritable: an annotation key that the API server would drop, or patches with a denial.
    """
    if patches and not allowed:
        raise Unwritable(_ANSWER, "a denial carries no patches")
    annotations = dict(audit_annotations or {})
    for key in annotations:
        if _AUDIT_KEY.match(key) is None:
            raise Unwritable(_ANSWER, f"{key[:80]!r} cannot be the key of an audit annotation")
    response: dict[str, Any] = {"uid": review.uid, "allowed": allowed}
    denial = {} if allowed else {"code": code, "reason": reason}
    optional = {
        "status": without_empty(denial | {"message": message[:_MAX_MESSAGE]}),
        "warnings": list(_fitting(warnings)),
        "auditAnnotations": annotations,
    }
    if patches:
        optional |= {"patchType": "JSONPatch", "patch": encode_base64(_json_patch(patches))}
    return deterministic_json(
        {
            "apiVersion": _API_VERSION,
            "kind": _KIND,
            "response": response | without_empty(optional),
        }
    )


def _images(raw: msgspec.Raw, kind: tuple[str, str]) -> tuple[ImageUse, ...] | None:
    """Return the images of an object, or None where there is no object or its kind has none."""
    shape = _SHAPES.get(kind)
    data = bytes(raw)
    if shape is None or data == b"null":
        return None
    thing = decode_json(data, shape, limit=len(data), what=f"{_WHAT}: {kind[1]}", depth=None)
    pod, pointer = _pod(thing)
    return () if pod is None or pod.spec is None else tuple(_uses(pod.spec, f"{pointer}/spec"))


def _is_deleting(raw: msgspec.Raw) -> bool:
    data = bytes(raw)
    if data == b"null":
        return False
    metadata = decode_json(data, _Thing, limit=len(data), what=f"{_WHAT}: metadata", depth=None).metadata
    return metadata is not None and metadata.deletion_timestamp is not None


def _pod(thing: _Pod | _Template | _Workload | _CronJob) -> tuple[_Pod | None, str]:
    match thing:
        case _Pod():
            return thing, ""
        case _Template(template=template):
            return template, "/template"
        case _Workload(spec=_Template(template=template)):
            return template, "/spec/template"
        case _CronJob(spec=_CronJobSpec(job_template=_Workload(spec=_Template(template=template)))):
            return template, "/spec/jobTemplate/spec/template"
        case _:
            return None, ""


def _uses(spec: _PodSpec, pointer: str) -> Iterator[ImageUse]:
    for field, containers in (
        ("containers", spec.containers),
        ("initContainers", spec.init_containers),
        ("ephemeralContainers", spec.ephemeral_containers),
    ):
        for index, container in enumerate(containers or ()):
            yield ImageUse(f"{pointer}/{field}/{index}/image", container.image or "")
    for index, volume in enumerate(spec.volumes or ()):
        if volume.image is not None:
            yield ImageUse(f"{pointer}/volumes/{index}/image/reference", volume.image.reference or "")


def _fitting(warnings: Sequence[str]) -> Iterator[str]:
    room = _MAX_WARNINGS
    for warning in warnings:
        line = _CONTROL.sub(" ", warning)[:_MAX_WARNING]
        room -= len(line.encode())
        if room < 0:
            return
        yield line


def _json_patch(patches: Sequence[Replacement]) -> bytes:
    tests = [{"op": "test", "path": patch.pointer, "value": patch.old} for patch in patches]
    changes = [{"op": "replace", "path": patch.pointer, "value": patch.new} for patch in patches]
    return deterministic_json([*tests, *changes])
