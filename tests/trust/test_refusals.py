"""Every refusal of these rooms has a code of its own and tells whoever meets it what to do next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from chainward.attest import errors as attest_errors
from chainward.kernel.problem import Problem
from chainward.keys import errors as keys_errors
from chainward.trust import errors as trust_errors

if TYPE_CHECKING:
    from types import ModuleType

MODULES = (keys_errors, trust_errors, attest_errors)


def problems_of(module: ModuleType) -> list[type[Problem]]:
    return [getattr(module, name) for name in module.__all__]


PROBLEMS = [problem for module in MODULES for problem in problems_of(module)]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.__name__)
def test_a_refusal_says_what_to_do_next(problem: type[Problem]) -> None:
    assert issubclass(problem, Problem)
    assert problem.hint != Problem.hint
    assert problem.code != Problem.code
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)+", problem.code)
    assert problem.__doc__


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.__name__)
def test_a_refusal_can_be_raised_caught_and_shown(problem: type[Problem]) -> None:
    with pytest.raises(problem, match="what happened") as caught:
        raise problem("what happened", hint="what to do", details={"fingerprint": "00"})
    assert (caught.value.hint, caught.value.details) == ("what to do", {"fingerprint": "00"})
    assert str(caught.value) == caught.value.message


def test_no_two_refusals_share_a_code() -> None:
    codes = [problem.code for problem in PROBLEMS]
    assert sorted(set(codes)) == sorted(codes)
