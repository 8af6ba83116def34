"""Hypothesis strategies for the words that all rooms share; each draws only valid values unless its name says not."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from chainward.formats.bundle import Bundle, InclusionProof, LogEntry, MessageSignature
from chainward.formats.checkpoint import Checkpoint
from chainward.formats.dsse import Envelope, Signature
from chainward.formats.note import Note, NoteSignature
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.name import RepositoryName, Tag

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_LOWER = string.ascii_lowercase + string.digits


def digests(algorithm: Algorithm | None = None) -> SearchStrategy[Digest]:
    chosen = st.sampled_from(Algorithm) if algorithm is None else st.just(algorithm)
    return st.builds(Digest.of, st.binary(max_size=8), chosen)


def repository_names() -> SearchStrategy[RepositoryName]:
    component = st.from_regex(r"[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
    return st.lists(component, min_size=1, max_size=4).map(lambda parts: RepositoryName("/".join(parts)))


def tags() -> SearchStrategy[Tag]:
    return st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True).map(Tag)


def lines(*, min_size: int = 0) -> SearchStrategy[str]:
    """One line of note text: no control characters, no lone surrogates."""
    return st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=min_size, max_size=30)


def signer_names() -> SearchStrategy[str]:
    """Names of note signers: not empty, no spaces, no plus."""
    letters = st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="+")
    return st.text(letters, min_size=1, max_size=30)


def origins() -> SearchStrategy[str]:
    """Origins of logs: host names."""
    label = st.text(_LOWER, min_size=1, max_size=8)
    return st.lists(label, min_size=2, max_size=4).map(".".join)


def note_signatures() -> SearchStrategy[NoteSignature]:
    return st.builds(NoteSignature, signer_names(), st.binary(min_size=4, max_size=4), st.binary(min_size=1))


def notes() -> SearchStrategy[Note]:
    text = st.lists(lines(), min_size=1, max_size=6).map(lambda parts: "".join(f"{part}\n" for part in parts))
    return st.builds(Note, text, st.lists(note_signatures(), min_size=1, max_size=4).map(tuple))


def checkpoints() -> SearchStrategy[Checkpoint]:
    return st.builds(
        Checkpoint,
        origins(),
        st.integers(0, 2**63 - 1),
        st.binary(min_size=32, max_size=32),
        st.lists(lines(min_size=1), max_size=3).map(tuple),
    )


def json_values(*, floats: bool = False) -> SearchStrategy[Any]:
    """JSON values that survive a round trip through any reader: ASCII keys, exact integers."""
    leaves: SearchStrategy[Any] = (
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
    )
    if floats:
        leaves |= st.floats(allow_nan=False, allow_infinity=False)
    keys = st.text(st.characters(max_codepoint=0x7F), max_size=8)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))


def json_objects(*, floats: bool = False) -> SearchStrategy[dict[str, Any]]:
    return st.dictionaries(
        st.text(st.characters(max_codepoint=0x7F), max_size=8), json_values(floats=floats), max_size=5
    )


def inclusion_proofs() -> SearchStrategy[InclusionProof]:
    """Inclusion proofs in form only: their hashes prove nothing."""
    hashes = st.binary(min_size=32, max_size=32)
    sizes = st.integers(0, 2**63 - 1)
    return st.builds(
        InclusionProof, sizes, sizes, hashes, st.lists(hashes, max_size=3).map(tuple), st.text(max_size=20)
    )


def log_entries() -> SearchStrategy[LogEntry]:
    """Log entries in form only."""
    words, data = st.text(max_size=8), st.binary(min_size=1, max_size=8)
    sizes = st.integers(0, 2**63 - 1)
    return st.builds(LogEntry, sizes, data, words, words, sizes, inclusion_proofs(), data, st.binary(max_size=4))


def bundles() -> SearchStrategy[Bundle]:
    """Sigstore bundles in form only: with key hint or certificate, envelope or message signature."""
    data = st.binary(min_size=1, max_size=20)
    envelope = st.builds(Envelope, data, st.text(min_size=1, max_size=8), st.tuples(st.builds(Signature, data)))
    message = st.builds(MessageSignature, st.just("SHA2_256"), st.binary(min_size=32, max_size=32), data)
    some = {
        "entries": st.lists(log_entries(), max_size=2).map(tuple),
        "timestamps": st.lists(data, max_size=2).map(tuple),
    }
    return st.one_of(
        st.builds(Bundle, envelope=envelope, key_hint=st.text(max_size=8), **some),
        st.builds(Bundle, message_signature=message, certificates=st.tuples(data), **some),
    )
