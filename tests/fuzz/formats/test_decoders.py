"""No decoder lets anything but a Problem escape, whatever it is fed."""

from __future__ import annotations

import json
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.fuzz.formats.decoders import DECODERS, Decoder

import chainward.formats
from chainward.kernel.problem import Kind, Problem

FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
EVERY = pytest.mark.parametrize("decoder", DECODERS, ids=repr)
NEST = b"[" * 100_000 + b"]" * 100_000

AWKWARD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    10**30,
    1.5,
    "",
    "\x00",
    "é\u2028",
    "a" * 300,
    "sha256:" + "0" * 64,
    "AA==",
    "9" * 30,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"b": []}},
]


def problem_of(decoder: Decoder, data: bytes) -> Problem | None:
    try:
        decoder.decode(data)
    except Problem as problem:
        return problem
    return None


def check(decoder: Decoder, data: bytes) -> None:
    """Decode; only a Problem that blames the input, in few words, may come out."""
    problem = problem_of(decoder, data)
    assert problem is None or problem.kind in {Kind.INVALID, Kind.TOO_LARGE}
    assert problem is None or len(problem.message) < 1000


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    """Cut, overwrite, repeat or insert a few stretches of bytes."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        filler = st.binary(max_size=4) | st.sampled_from([b'"', b"{", b"]", b"null", b"-", b"\n\n", b"\xff", b"\\u"])
        data[start:end] = draw(filler | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in members for place in _places(member, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    first, rest = path[0], path[1:]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[first] = _replaced(value[first], rest, new)
    return copy


@EVERY
def test_a_decoder_reads_its_own_examples(decoder: Decoder) -> None:
    for seed in decoder.seeds:
        decoder.decode(seed)


@EVERY
@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=NEST)
@example(data=b'{"a":' * 100_000)
@example(data=b'"' + b"\\" * 10_001)
@FUZZ
def test_arbitrary_bytes_give_a_value_or_a_problem(decoder: Decoder, data: bytes) -> None:
    check(decoder, data)


@EVERY
@given(source=st.data())
@FUZZ
def test_damaged_documents_give_a_value_or_a_problem(decoder: Decoder, source: st.DataObject) -> None:
    check(decoder, source.draw(mutated(source.draw(st.sampled_from(decoder.seeds)))))


@pytest.mark.parametrize("decoder", [each for each in DECODERS if each.seeds[0].startswith(b"{")], ids=repr)
@given(source=st.data())
@FUZZ
def test_a_member_of_the_wrong_type_or_value_gives_a_value_or_a_problem(
    decoder: Decoder, source: st.DataObject
) -> None:
    document = json.loads(source.draw(st.sampled_from(decoder.seeds)))
    for _ in range(source.draw(st.integers(1, 2))):
        place = source.draw(st.sampled_from(_places(document)))
        document = _replaced(document, place, source.draw(st.sampled_from(AWKWARD)))
    check(decoder, json.dumps(document).encode())


@pytest.mark.parametrize("decoder", [each for each in DECODERS if each.seeds[0].startswith(b"{")], ids=repr)
def test_a_hundred_thousand_brackets_anywhere_are_refused(decoder: Decoder) -> None:
    seed = decoder.seeds[0]
    for data in (NEST, b'{"unknown":' + NEST + b"," + seed[1:], seed[:-1] + b',"unknown":' + NEST + b"}"):
        with pytest.raises(Problem) as caught:
            decoder.decode(data)
        assert caught.value.kind in {Kind.INVALID, Kind.TOO_LARGE}


def test_no_decoder_is_left_out() -> None:
    """Every module that offers ``decode_…`` or ``parse_…`` is imported by the list of harnesses."""
    harness = (Path(__file__).parent / "decoders.py").read_text()
    for module in pkgutil.iter_modules(chainward.formats.__path__):
        if module.ispkg or module.name in {"cyclonedx", "codec", "protojson", "errors"}:
            continue
        source = (Path(chainward.formats.__path__[0]) / f"{module.name}.py").read_text()
        for function in re.findall(r"^def ((?:decode|parse)_\w+)", source, re.MULTILINE):
            assert f"{module.name}.{function}" in harness or f"oci.{function}" in harness, function
