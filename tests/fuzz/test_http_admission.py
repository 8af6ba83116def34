"""Reviews of a real API server, damaged: an answer to that very review or a coded refusal, and never a wrong yes."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delivery.rig import HOST, REPOSITORY
from tests.flows.test_admission import PlatformRig
from tests.hostile import Door, doors, hold
from tests.platforms import CONTEXT, Client, in_process, open_test_platform

from chainward.kernel.name import ImageName
from chainward.kernel.problem import Problem
from chainward.portfolio.model import Environment, NamespacePattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.kernel.digest import Digest

FOLDER = Path(__file__).parent.parent / "data/admission-reviews"
REVIEWS = [line for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
POD = (FOLDER / "pod-create.jsonl").read_bytes().splitlines()[0]
IMAGES = ("app:1", "init:1", "data:1")
VALIDATE, MUTATE = (door for door in doors() if door.template.startswith("/admission/"))
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("reviews")
    with open_test_platform(folder, settings={("instance", "hosts"): (HOST,)}) as made, in_process(made) as client:
        yield client


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Digest]]:
    """A platform with an image that may run in the namespace of the Pod, and its digest."""
    folder = tmp_path_factory.mktemp("signed")
    with open_test_platform(folder, settings={("instance", "hosts"): (HOST,)}) as made, in_process(made) as client:
        rig = PlatformRig(made)
        digest = rig.push(rig.release())
        patterns = (NamespacePattern("dev"), NamespacePattern("default"))
        rig.portfolios.declare_environment(Environment("dev", 10, patterns), context=CONTEXT)
        yield client, digest


def ask(client: Client, door: Door, body: bytes) -> dict[str, Any] | None:
    """Send a review; return the response to it, or None when it was refused with a code."""
    answer = client.request(door.method, door.path(), content=body, headers=door.headers())
    code = hold(answer, door)
    if answer.status_code != 200:
        assert code.startswith("input-")
        return None
    review = answer.json()
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = review["response"]
    assert response["uid"] == json.loads(body)["request"]["uid"]
    assert response["allowed"] in {True, False}
    assert response["allowed"] or response["status"]["message"]
    return response


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of everything within a document."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from places(member, (*path, key))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A captured review in which up to three things were replaced, dropped or doubled."""
    review = json.loads(draw(st.sampled_from(REVIEWS)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(review))))
        holder = review
        for key in path[:-1]:
            holder = holder[key]
        what = draw(st.sampled_from(["replace", "drop", "nest"]))
        if what == "drop":
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(JUNK) if what == "replace" else [holder[path[-1]]]
        if not review:
            break
    return json.dumps(review).encode()


@settings(max_examples=120)
@given(body=damaged())
def test_a_damaged_review_is_answered_as_itself_or_refused(client: Client, body: bytes) -> None:
    ask(client, VALIDATE, body)
    ask(client, MUTATE, body)


@settings(max_examples=60)
@given(review=st.sampled_from(REVIEWS), data=st.data())
def test_a_review_with_broken_bytes_is_answered_as_itself_or_refused(
    client: Client, review: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(review)))
    until = data.draw(st.integers(at, min(len(review), at + 40)))
    body = review[:at] + data.draw(st.binary(max_size=8)) + review[until:]
    ask(client, VALIDATE, body)
    ask(client, MUTATE, body)


def pod_with(images: dict[str, Any]) -> bytes:
    """Return the captured Pod with other images; None takes the member out."""
    review = json.loads(POD)
    spec = review["request"]["object"]["spec"]
    for holder, member in (
        (spec["containers"][0], "image"),
        (spec["initContainers"][0], "image"),
        (next(volume["image"] for volume in spec["volumes"] if "image" in volume), "reference"),
    ):
        new = images[holder[member].rpartition("/")[2]]
        if new is None:
            del holder[member]
        else:
            holder[member] = new
    return json.dumps(review).encode()


def is_signed(text: Any, digest: Digest) -> bool:
    """Whether a text names the signed image and nothing else, by digest or by the tag that never moves."""
    try:
        name = ImageName.parse(text)
    except (Problem, TypeError, AttributeError):
        return False
    named = name.digest == digest if name.digest is not None else str(name.tag) == "1"
    return (name.host, name.repository) == (HOST, REPOSITORY) and named


@st.composite
def corrupted(draw: st.DrawFn, good: str) -> Any:
    """A name that was tampered with."""
    kind = draw(st.sampled_from(["gone", "junk", "cut", "flip", "insert", "host", "tag", "digest", "case"]))
    at = draw(st.integers(0, len(good) - 1))
    character = draw(st.characters())
    return {
        "gone": None,
        "junk": draw(JUNK),
        "cut": good[:at],
        "flip": good[:at] + character + good[at + 1 :],
        "insert": good[:at] + character + good[at:],
        "host": "evil.example" + good.removeprefix(HOST),
        "tag": good.partition("@")[0] + draw(st.sampled_from([":2", ":latest", "", ":1 ", ":1\n", ":1\x00"])),
        "digest": f"{good.partition('@')[0]}@sha256:{draw(st.text('0123456789abcdef', min_size=64, max_size=64))}",
        "case": good.swapcase(),
    }[kind]


def test_the_pod_as_it_should_be_is_let_in(signed: tuple[Client, Digest]) -> None:
    client, digest = signed
    response = ask(client, VALIDATE, pod_with(dict.fromkeys(IMAGES, f"{HOST}/{REPOSITORY}@{digest}")))
    assert response
    assert response["allowed"]


@settings(max_examples=150)
@given(data=st.data())
def test_a_pod_whose_images_were_tampered_with_is_never_let_in(
    signed: tuple[Client, Digest], data: st.DataObject
) -> None:
    client, digest = signed
    good = f"{HOST}/{REPOSITORY}@{digest}"
    victims = data.draw(st.sets(st.sampled_from(IMAGES), min_size=1))
    images = {name: data.draw(corrupted(good)) if name in victims else good for name in IMAGES}
    response = ask(client, VALIDATE, pod_with(deepcopy(images)))
    if response is not None and response["allowed"]:
        assert all(is_signed(text, digest) for text in images.values()), images
