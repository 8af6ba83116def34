"""Write ``docs/reference/api.md`` from the route table, or check with ``--check`` that it is fresh."""

from __future__ import annotations

import sys
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.config import Config
from chainward.faces.http.envelope import Traffic
from chainward.faces.http.health import Health
from chainward.faces.http.metrics import Metrics
from chainward.faces.http.oci.call import Place
from chainward.faces.http.problems import STATUS
from chainward.faces.http.routes import Public, Route
from chainward.faces.http.sessions import Sessions
from chainward.faces.http.table import table_of
from chainward.faces.web.pages import Pages

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
GROUPS = {
    "/api/v1/": "REST interface",
    "/api/v2/": "Signature log, in the shape of Rekor v2",
    "/admission/": "Admission webhooks",
    "/": "Process, trust and pages",
}
HEAD = """# HTTP interface

Every request carries `Authorization: Bearer <token>`, or Basic with any user name and the token as password. A route
that needs a permission for *the repository of the request* looks at the repository that the path, the query or the body
names; *any repository* means that the token must hold the permission somewhere.

JSON bodies are strict: an unknown member is an error. A failed request is answered with `application/problem+json`
(RFC 9457): `type`, `title`, `status`, `detail`, `code`, `kind`, `hint`, `request_id`, and the details of the problem.
All codes stand in [problems](problems.md). `X-Request-Id` of the request is kept if it has 8 to 64 letters, digits,
dots, dashes and underscores; it is in the answer, in the log and in every fact that the request states.

Lists are paged: `next` of an answer is the `after` (or `last`) of the next request, and null at the end.
"""


def routes() -> tuple[Route, ...]:
    """Return the route table of a platform with default settings."""
    clock = SystemClock()
    sessions = Sessions(clock, SystemEntropy(), timedelta(hours=8), secure=True)
    return table_of(Config(), Health(Traffic(), Metrics()), Pages(sessions, "chainward.local"))


def _group(route: Route) -> str:
    return next(title for prefix, title in GROUPS.items() if route.path.startswith(prefix))


def _schema_text(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_schema_text(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_schema_text(schema.get('items', {}))}"
    text = str(schema.get("type", "anything"))
    limits = [
        f"{word} {schema[key]}"
        for key, word in (("minLength", "at least"), ("maxLength", "at most"), ("minimum", "from"), ("maximum", "to"))
        if key in schema
    ]
    return f"{text} ({', '.join(limits)})" if limits else text


def _structs(shapes: list[type]) -> list[str]:
    _, components = msgspec.json.schema_components(shapes, ref_template="#/{name}")
    lines: list[str] = []
    for name, schema in sorted(components.items()):
        lines += [f"### {name}", "", str(schema.get("description", "")), "", "| member | type | |", "|---|---|---|"]
        required = set(schema.get("required", ()))
        for member, shape in schema.get("properties", {}).items():
            lines.append(f"| `{member}` | {_schema_text(shape)} | {'' if member in required else 'optional'} |")
        lines.append("")
    return lines


def _route(route: Route) -> list[str]:
    needs = (
        f"public: {route.access.because}"
        if isinstance(route.access, Public)
        else f"`{route.access.permission.value}` for {route.access.reach.value}"
    )
    lines = [f"### {route.method} `{route.path}`", "", route.summary, "", f"- Needs: {needs}"]
    lines += [f"- Query `{name}`: {what}" for name, what in route.parameters]
    if route.accepts:
        body = f" {route.takes.__name__}" if route.takes else ""
        lines.append(f"- Takes: {' or '.join(route.accepts)}{body}, at most {route.limit} bytes")
    if route.gives is not None:
        lines.append(f"- Gives: {route.gives if isinstance(route.gives, str) else route.gives.__name__}")
    return [*lines, ""]


def render() -> str:
    """Return the page."""
    table = routes()
    lines = [HEAD, "| kind of problem | status |", "|---|---|"]
    lines += [f"| {kind.value} | {status} |" for kind, status in STATUS.items()]
    lines.append("")
    for title in GROUPS.values():
        found = [route for route in table if _group(route) == title]
        if not found:
            continue
        lines += [f"## {title}", ""]
        for _, group in groupby(found, key=lambda route: route.path):
            for route in group:
                lines += _route(route)
    lines += [
        "## Registry",
        "",
        "OCI distribution-spec 1.1.1; errors have the form that the specification gives them.",
        "",
    ]
    lines += [*(f"- `{place.value}`" for place in Place), "", "## Bodies", ""]
    shapes = {shape for route in table for shape in (route.takes, route.gives) if isinstance(shape, type)}
    lines += _structs(sorted(shapes, key=lambda shape: shape.__name__))
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or check the page; returns 1 if a check finds it stale."""
    page = render()
    if "--check" in sys.argv:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
