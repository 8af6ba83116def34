"""Bundles that were valid and then changed in one place: they never verify as something else, and never crash.

Each draw takes one valid bundle (a file or a statement, Rekor v1 or v2, a certificate or a key), one member of it,
however deep, and changes that: another value of its type or of another, bytes flipped or cut, gone, or doubled. Where
base64 holds a structure (a certificate, a timestamp, a body), the bytes within are changed. The answer is a Problem, or
what the unchanged bundle proves: some members say nothing, such as ``keyid``, and text may be spelled otherwise. Less
may be proven: whoever changes a timestamp that is not needed could as well have taken it out.
"""

from __future__ import annotations

import base64
import binascii
import json
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tests.trust.sigstore_world import World, as_version, new_key
from tests.trust.test_prove import nobody

from chainward.formats.bundle import encode_bundle
from chainward.kernel.problem import Problem
from chainward.keys.local import PrivateKey
from chainward.trust.prove import Thresholds, prove_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn, SearchStrategy

    from chainward.keys.model import PublicKey
    from chainward.trust.proven import Proven

Path = tuple[str | int, ...]
KEY: Final = new_key()
OWN: Final = PrivateKey.of(KEY).public_key
TRUSTING: Final = Thresholds(promise_suffices=True)
# cryptography warns of certificates that nobody should make; here they are made on purpose
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def find_key(fingerprint: str) -> PublicKey | None:
    return OWN if fingerprint == OWN.fingerprint else nobody(fingerprint)


@cache
def world() -> World:
    return World()


@cache
def valid() -> tuple[bytes, ...]:
    """One bundle of each form."""
    made = world()
    new = (made.sign(), made.state(), made.sign(key=KEY, certificate="none"))
    old = [made.sign_old(kind) for kind in ("hashedrekord", "dsse", "intoto")]
    bare = json.loads(as_version(old[0], "0.1"))
    del bare["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    return (
        *map(encode_bundle, (*new, *old)),
        as_version(new[0], "0.2", made.material.certificate_authorities[0].certificates[0].public_bytes(_der())),
        json.dumps(bare).encode(),
    )


def _der() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def proves(data: bytes) -> Proven:
    return prove_bundle(data, world().material, find_key=find_key, thresholds=TRUSTING)


def told(proven: Proven) -> tuple[Any, ...]:
    """What a proven value says, but for the bytes that said it, and for its times."""
    return proven.payload, proven.signer, proven.log.origin


def no_more(proven: Proven, *originals: bytes) -> bool:
    """Whether one of the originals proves the same, with at least these times."""
    wholes = [proves(original) for original in originals]
    return any(told(proven) == told(whole) and set(proven.times) <= set(whole.times) for whole in wholes)


def members(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document, the whole of it first."""
    yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from members(member, (*path, name))
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from members(member, (*path, position))


def at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


JUNK: SearchStrategy[Any] = st.sampled_from(
    (None, True, 0, -1, 2**63, 2**70, 1.5, "", "x", "=", "AAAA", "0", "-1", [], {}, [[]], {"a": 1}, "\u0000")
)


def flipped(data: bytes, position: int, bit: int) -> bytes:
    """Return bytes with one bit of one byte changed."""
    changed = bytearray(data)
    changed[position % len(data)] ^= 1 << bit
    return bytes(changed)


@st.composite
def changed_text(draw: DrawFn, text: str) -> Any:
    """Another text: junk, cut, longer, or with the bytes behind its base64 changed."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or draw(st.integers(0, 3)) == 0:
        cut = draw(st.integers(0, len(text)))
        return draw(st.one_of(JUNK, st.just(text[:cut]), st.just(text + "\n"), st.just(text.swapcase())))
    kind = draw(st.sampled_from(["flip", "flip", "flip", "cut", "grow", "swap"]))
    position = draw(st.integers(0, len(raw) - 1))
    if kind == "flip":
        raw = flipped(raw, position, draw(st.integers(0, 7)))
    elif kind == "cut":
        raw = raw[:position]
    elif kind == "grow":
        raw = raw[:position] + draw(st.binary(min_size=1, max_size=4)) + raw[position:]
    else:
        raw = raw[position:] + raw[:position]
    return base64.b64encode(raw).decode()


@st.composite
def changed_bundles(draw: DrawFn) -> tuple[bytes, bytes, str]:
    """A valid bundle, the same with one member changed, and what was changed."""
    original = draw(st.sampled_from(valid()))
    document = json.loads(original)
    path = draw(st.sampled_from(list(members(document))[1:]))
    holder, last = at(document, path[:-1]), path[-1]
    value = holder[last]
    how = draw(st.sampled_from(["change", "change", "change", "drop", "double", "junk"]))
    if how == "drop":
        del holder[last]
    elif how == "double" and isinstance(value, list) and value:
        value.append(deepcopy(value[0]))
    elif isinstance(value, str) and how == "change":
        holder[last] = draw(changed_text(value))
    else:
        holder[last] = draw(JUNK)
    return original, json.dumps(document).encode(), f"{how} at {path}"


@given(changed_bundles())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_bundle_with_one_member_changed_never_proves_anything_else(drawn: tuple[bytes, bytes, str]) -> None:
    original, changed, how = drawn
    note(how)
    try:
        proven = proves(changed)
    except Problem:
        return
    assert no_more(proven, original)


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_parts_of_two_valid_bundles_never_make_a_third(data: st.DataObject) -> None:
    """Any member of one put in the place of the same member of another."""
    one, two = (json.loads(each) for each in data.draw(st.tuples(st.sampled_from(valid()), st.sampled_from(valid()))))
    shared = [path for path in members(one) if path and path in set(members(two))]
    path = data.draw(st.sampled_from(shared))
    mixed = deepcopy(one)
    at(mixed, path[:-1])[path[-1]] = deepcopy(at(two, path))
    note(str(path))
    try:
        proven = proves(json.dumps(mixed).encode())
    except Problem:
        return
    assert no_more(proven, *(json.dumps(each).encode() for each in (one, two)))


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_bundle_with_raw_bytes_changed_never_proves_anything_else(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(valid()))
    position = data.draw(st.integers(0, len(original) - 1))
    changed = flipped(original, position, data.draw(st.integers(0, 7)))
    try:
        proven = proves(changed)
    except Problem:
        return
    assert no_more(proven, original)


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_bytes_that_are_no_bundle_are_refused(data: bytes) -> None:
    with pytest.raises(Problem):
        proves(data)


def test_every_form_that_is_mutated_is_valid_before() -> None:
    assert len({told(proves(each)) for each in valid()}) == len(valid()) - 2  # v0.2 and the bare promise say the same
