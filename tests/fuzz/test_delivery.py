"""Whatever bytes come, the documents of a build are read or refused with a Problem; nothing else escapes."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from chainward.delivery.build import decode_record
from chainward.delivery.testresults import decode_test_results
from chainward.kernel.name import ImageName
from chainward.kernel.problem import Problem

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
MEMBERS = st.fixed_dictionaries(
    {"passed": st.integers(), "failed": st.integers()},
    optional={"skipped": JSON, "tests": JSON | st.lists(st.fixed_dictionaries({"name": JSON, "outcome": JSON}))},
)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_readers_of_build_documents(data: bytes) -> None:
    for decode in (decode_record, decode_test_results):
        with suppress(Problem):
            decode(data)


@given(MEMBERS)
def test_no_test_results_are_believed_that_contradict_themselves(document: dict[str, object]) -> None:
    import orjson

    try:
        data = orjson.dumps(document)
    except (TypeError, ValueError):
        return  # no JSON has such an integer or text
    with suppress(Problem):
        counts = decode_test_results(data)
        assert counts.passed + counts.failed > 0
        assert min(counts.passed, counts.failed, counts.skipped) >= 0


@given(st.text(max_size=300))
def test_every_image_name_is_read_or_refused(text: str) -> None:
    with suppress(Problem):
        assert ImageName.parse(str(ImageName.parse(text))) == ImageName.parse(text)
