"""The generated reference: fresh, complete, and without two problems of one code."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from tools.docs_api import render as render_api
from tools.docs_api import routes
from tools.docs_configuration import render as render_configuration
from tools.docs_facts import PLANNED, rooms
from tools.docs_facts import render as render_facts
from tools.docs_problems import problems
from tools.docs_problems import render as render_problems

from chainward.config import settings
from chainward.faces.cli.exits import EXIT_STATUS
from chainward.faces.http.problems import STATUS
from chainward.kernel.problem import Kind

if TYPE_CHECKING:
    from tests.platforms import TestPlatform


@pytest.mark.parametrize("name", ["api", "configuration", "facts", "problems"])
def test_a_generated_page_is_fresh(name: str) -> None:
    tool = import_module(f"tools.docs_{name}")
    page = tool.PAGE.read_text(encoding="utf-8")
    assert page == tool.render(), f"run: python tools/docs_{name}.py"


def test_no_two_problems_share_a_code() -> None:
    counted = Counter(kind.code for kind in problems())
    assert [code for code, count in counted.items() if count > 1] == []


def test_every_problem_is_documented_and_says_what_to_do_next() -> None:
    page = render_problems()
    for kind in problems():
        assert f"| `{kind.code}` |" in page
        assert kind.__doc__, kind
        assert kind.hint.strip(), kind
        if kind.kind is not Kind.INTERNAL:
            assert not kind.hint.startswith("Report this"), f"{kind.code} needs a next step of its own"


def test_codes_are_kebab_case_and_every_kind_has_a_status_and_an_exit() -> None:
    assert all(kind.code == kind.code.lower() and " " not in kind.code and "_" not in kind.code for kind in problems())
    assert set(STATUS) == set(EXIT_STATUS) == set(Kind)


def test_every_fact_is_documented_once_and_none_that_exists_is_planned() -> None:
    page = render_facts()
    schemas = [kind.schema for facts in rooms().values() for kind in facts]
    assert len(schemas) == len(set(schemas))
    for schema in schemas:
        assert page.count(f"### `{schema}`") == 1
        assert schema.partition(".")[0] in rooms()
    assert not {schema for schema, *_ in PLANNED} & set(schemas)


def test_every_measure_and_every_detection_is_fed_by_something() -> None:
    fed = {name for facts in rooms().values() for kind in facts for name in kind.feeds}
    fed |= {name for *_, feeds in PLANNED for name in feeds.split(", ")}
    assert fed == {f"M{number}" for number in range(1, 11)} | {f"F{number}" for number in range(1, 8)}


def test_every_route_and_every_setting_is_documented(desk: TestPlatform) -> None:
    api = render_api()
    assert {(route.method, route.path) for route in routes()} == {
        (route.method, route.path) for route in desk.app.routes
    }
    for route in routes():
        assert f"### {route.method} `{route.path}`" in api
    configuration = render_configuration()
    for setting in settings():
        assert f"| `{setting.key}` |" in configuration
