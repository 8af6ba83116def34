"""Whatever is done to a valid bundle, it stops verifying, or says exactly what it said before.

The mutations work on the JSON, field by field, and on the bytes. What counts as evidence is everything that a decoded
bundle holds, without the members that nobody signed and nobody believes (key hint, keyid, integrated time, promise,
timestamps, media type): a bundle whose evidence differs must be refused with a Problem, one whose evidence is the same
may be refused, and if it is not, it must give the same verified value.
"""

from __future__ import annotations

import base64
import binascii
import copy
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import json_values
from tests.trust.world import (
    IMAGE,
    OTHER_IMAGE,
    SHOP,
    MemoryLog,
    b64,
    bundle_of,
    closed,
    key,
    opened,
    root_of,
    statement,
    trusted,
)

from chainward.formats.bundle import Bundle, decode_bundle
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Kind, Problem
from chainward.trust.sign import sign_digest
from chainward.trust.verify import verify_artifact, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import DataObject, SearchStrategy

FILE = Digest.of(b"a file")
LOG = MemoryLog(leaves=[b"%d" % number for number in range(6)])
SIGNED = bundle_of(log=LOG)
ANOTHER = bundle_of(statement(OTHER_IMAGE), signer="nightly", log=LOG)
MESSAGE = sign_digest(FILE, key("release"), LOG)
ROOT = root_of(trusted(), trusted("nightly"))

Path = tuple[str | int, ...]
What = tuple[object, ...]


def said_by_statement(bundle: bytes) -> What:
    found = verify_bundle(bundle, ROOT, subject=IMAGE, repository=SHOP)
    return found.statement, found.signer, found.fingerprint, found.subjects, found.log_origin, found.log_index


def said_by_file(bundle: bytes) -> What:
    found = verify_artifact(bundle, ROOT, digest=FILE, repository=SHOP)
    return found.digest, found.signer, found.fingerprint, found.log_origin, found.log_index


SUBJECTS = [
    pytest.param(SIGNED, said_by_statement, id="statement"),
    pytest.param(MESSAGE, said_by_file, id="file"),
]


def evidence_of(bundle: bytes) -> Bundle | None:
    """What a bundle holds that anybody signed; None if it cannot be read."""
    try:
        read = decode_bundle(bundle)
    except Problem:
        return None
    envelope = read.envelope
    if envelope is not None:
        envelope = replace(envelope, signatures=tuple(replace(each, keyid="") for each in envelope.signatures))
    entries = tuple(replace(entry, integrated_time=0, promise=b"") for entry in read.entries)
    return replace(read, media_type="", key_hint=None, envelope=envelope, entries=entries, timestamps=())


def check(original: bytes, mutated: bytes, said: Callable[[bytes], What]) -> None:
    if evidence_of(mutated) != evidence_of(original):
        with pytest.raises(Problem) as refused:
            said(mutated)
        assert refused.value.kind in {Kind.UNTRUSTED, Kind.INVALID, Kind.TOO_LARGE}
        assert refused.value.hint
        return
    with suppress(Problem):
        assert said(mutated) == said(original)


def paths(value: object, at: Path = ()) -> Iterator[Path]:
    yield at
    if isinstance(value, dict):
        for name, member in value.items():
            yield from paths(member, (*at, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from paths(member, (*at, index))


def value_at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def put(document: Any, path: Path, value: object) -> Any:
    """Return the document with ``value`` at ``path``."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    value_at(changed, path[:-1])[path[-1]] = value
    return changed


def removed(document: Any, path: Path) -> Any:
    changed = copy.deepcopy(document)
    del value_at(changed, path[:-1])[path[-1]]
    return changed


def altered_bytes(data: bytes) -> SearchStrategy[bytes]:
    flipped = st.builds(
        lambda place, flip: bytes(byte ^ flip if at == place else byte for at, byte in enumerate(data)),
        st.integers(0, max(len(data) - 1, 0)),
        st.integers(1, 255),
    )
    return flipped | st.just(data[:-1]) | st.just(data + b"\x00") | st.just(b"") | st.binary(max_size=80)


def altered_text(text: str) -> SearchStrategy[object]:
    """Strings like ``text``: another number, other bytes in base64, other characters."""
    options: list[SearchStrategy[object]] = [st.text(max_size=12), st.just(text + " "), st.just(text.swapcase())]
    if text.isdigit():
        options.append(st.integers(-2, 2**64).map(str) | st.integers(-2, 2**64))
    try:
        options.append(altered_bytes(base64.b64decode(text, validate=True)).map(b64))
    except (binascii.Error, ValueError):
        options.append(altered_bytes(text.encode()).map(lambda data: data.decode("utf-8", "replace")))
    return st.one_of(options)


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """A bundle with one to three changes to its JSON."""
    document: Any = opened(original)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(paths(document))))
        value = value_at(document, path)
        kinds = ["replace", "swap"] + ["remove"] * bool(path)
        kinds += ["alter"] * (4 * isinstance(value, str)) + ["repeat"] * isinstance(value, list)
        kinds += ["add"] * isinstance(value, dict)
        document = mutated(draw, document, path, draw(st.sampled_from(kinds)))
    return closed(document)


def mutated(draw: st.DrawFn, document: Any, path: Path, kind: str) -> Any:
    value = value_at(document, path)
    match kind:
        case "alter":
            return put(document, path, draw(altered_text(value)))
        case "remove":
            return removed(document, path)
        case "repeat":
            return put(document, path, [*value, *value[:1]])
        case "add":
            return put(document, path, {**value, draw(st.text(max_size=8)): draw(json_values())})
        case "swap":
            other = draw(st.sampled_from(list(paths(document))))
            return put(document, path, copy.deepcopy(value_at(document, other)))
        case _:
            return put(document, path, draw(json_values(floats=True)))


@pytest.mark.parametrize(("original", "said"), SUBJECTS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_bundle_mutated_field_by_field_never_says_anything_else(
    original: bytes, said: Callable[[bytes], What], data: DataObject
) -> None:
    check(original, data.draw(mutations(original)), said)


@pytest.mark.parametrize(("original", "said"), SUBJECTS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_bundle_with_changed_bytes_never_says_anything_else(
    original: bytes, said: Callable[[bytes], What], data: DataObject
) -> None:
    check(original, data.draw(altered_bytes(original)), said)


@pytest.mark.parametrize(("original", "said"), SUBJECTS)
def test_every_single_field_left_out_or_emptied_is_refused_or_changes_nothing(
    original: bytes, said: Callable[[bytes], What]
) -> None:
    document = opened(original)
    believed = []
    for path in paths(document):
        value = value_at(document, path)
        empties: tuple[object, ...] = (None, "", 0, [], {}, True)
        tampered = [put(document, path, empty) for empty in empties]
        for each in [*tampered, removed(document, path)] if path else tampered:
            check(original, closed(each), said)
        if path and not isinstance(value, dict | list):
            try:
                said(closed(removed(document, path)))
            except Problem:
                continue
            believed.append(path[-1])
    assert believed == ["hint", "integratedTime"]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_mixture_of_two_valid_bundles_is_believed(data: DataObject) -> None:
    """Both are about something, by trusted signers, in one log: no part of one lends anything to the other."""
    one, other = opened(SIGNED), opened(ANOTHER)
    shared = [path for path in paths(one) if path]
    document = one
    for path in data.draw(st.lists(st.sampled_from(shared), min_size=1, max_size=6)):
        document = put(document, path, copy.deepcopy(value_at(other, path)))
    mixed = closed(document)
    if evidence_of(mixed) == evidence_of(ANOTHER):
        with pytest.raises(Problem):
            said_by_statement(mixed)  # it is the other bundle: about another image
    else:
        check(SIGNED, mixed, said_by_statement)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400) | st.recursive(st.just(b""), lambda inner: inner.map(lambda data: b"{" + data + b"}")))
def test_noise_is_refused_with_a_problem(noise: bytes) -> None:
    for said in (said_by_statement, said_by_file):
        with pytest.raises(Problem):
            said(noise)
