"""Around every request: logs without secrets, metrics without names, failures without internals."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING

import anyio
import pytest

from chainward.adapters.system import SystemEntropy
from chainward.faces.http.answers import Answer, json_answer, send_answer
from chainward.faces.http.envelope import Envelope, Traffic
from chainward.faces.http.logs import adopt_standard_logging, logger_to
from chainward.faces.http.metrics import Metrics
from chainward.faces.http.problems import answer_of
from chainward.faces.http.trace import RequestIds, trace_of
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import Any

    from starlette.types import Receive, Scope, Send
    from tests.platforms import Client, TestPlatform

    from chainward.faces.http.trace import Trace


def lines(log: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def _page(problem: Problem, trace: Trace) -> Answer:
    return answer_of(problem, trace.request_id)


class Wrapped:
    """An envelope around one ASGI application, and what it logged."""

    def __init__(self, answer: Callable[[Send], Awaitable[None]]) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive
            await answer(send)

        self.log = io.StringIO()
        self.traffic = Traffic()
        self.metrics = Metrics()
        self.envelope = Envelope(
            app,
            traffic=self.traffic,
            metrics=self.metrics,
            logger=logger_to(self.log),
            entropy=SystemEntropy(),
            error_page=_page,
            tls=True,
        )

    async def call(self, path: str = "/") -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
        await self.envelope(scope, receive, send)
        return sent


def test_a_failure_is_told_without_internals_and_logged_with_them() -> None:
    async def app(send: Send) -> None:
        del send
        raise RuntimeError("the secret inner workings\nsecond line")

    wrapped = Wrapped(app)
    start, body = anyio.run(wrapped.call)
    assert start["status"] == 500
    assert b"inner workings" not in body["body"]
    assert b"RuntimeError" not in body["body"]
    assert json.loads(body["body"])["code"] == "internal-error"
    failed, request = lines(wrapped.log)
    assert failed["error"] == "RuntimeError"
    assert failed["message"] == "the secret inner workings"
    assert "test_envelope.py" in str(failed["frames"])
    assert failed["request_id"] == request["request_id"] == json.loads(body["body"])["request_id"]


def test_an_internal_problem_keeps_its_details_to_itself() -> None:
    class Broken(Problem):
        """Something of ours is broken."""

        kind = Kind.INTERNAL
        code = "test-broken"

    async def app(send: Send) -> None:
        del send
        raise Broken("row 7 of table x", details={"row": "x"})

    start, body = anyio.run(Wrapped(app).call)
    assert start["status"] == 500
    assert json.loads(body["body"])["failure"] == "test-broken"
    assert b"row 7" not in body["body"]


def test_details_of_a_problem_never_hide_its_code() -> None:
    class Odd(Problem):
        """Its details have names that the document uses itself."""

        kind = Kind.CONFLICT
        code = "test-odd"

    document = json.loads(answer_of(Odd("m", details={"code": "fake", "status": 200, "more": [1]}), "r").body)
    assert (document["code"], document["status"], document["more"]) == ("test-odd", 409, [1])


def test_a_failure_after_the_answer_began_is_logged_and_ends_the_answer() -> None:
    async def app(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("midway")

    wrapped = Wrapped(app)
    with pytest.raises(RuntimeError, match="midway"):
        anyio.run(wrapped.call)
    assert [line["event"] for line in lines(wrapped.log)] == ["request failed", "request"]


def test_transport_security_is_demanded_where_tls_is_spoken() -> None:
    async def app(send: Send) -> None:
        await send_answer(json_answer({}), send)

    start, _ = anyio.run(Wrapped(app).call)
    assert (b"strict-transport-security", b"max-age=31536000") in start["headers"]


def test_a_drain_waits_for_what_is_under_way_and_refuses_what_is_new() -> None:
    async def scenario() -> tuple[int, int, int]:
        release = anyio.Event()

        async def app(send: Send) -> None:
            await release.wait()
            await send_answer(json_answer({}), send)

        wrapped = Wrapped(app)
        old: list[dict[str, Any]] = []
        async with anyio.create_task_group() as group:

            async def under_way() -> None:
                old.extend(await wrapped.call())

            group.start_soon(under_way)
            await anyio.wait_all_tasks_blocked()
            wrapped.traffic.closing = True
            refused = await wrapped.call()
            release.set()
            cut = await wrapped.traffic.drain(5)
        return old[0]["status"], refused[0]["status"], cut

    assert anyio.run(scenario) == (200, 503, 0)


def test_a_drain_cuts_off_what_does_not_end() -> None:
    async def scenario() -> tuple[int, bool]:
        async def app(send: Send) -> None:
            del send
            await anyio.sleep_forever()

        wrapped = Wrapped(app)
        task = asyncio.create_task(wrapped.call())
        await anyio.wait_all_tasks_blocked()
        return await wrapped.traffic.drain(0.05), task.cancelled()

    assert asyncio.run(scenario()) == (1, True)


def test_readiness_says_no_while_the_platform_shuts_down(desk: TestPlatform, admin: Client) -> None:
    assert admin.get("/readyz").json() == {"status": "ready"}
    desk.app.traffic.closing = True
    try:
        answer = admin.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "shutting-down"})
        assert admin.get("/healthz").status_code == 200
        refused = admin.get("/api/v1/services")
        assert (refused.status_code, refused.json()["code"]) == (503, "shutting-down")
        assert refused.headers["retry-after"]
    finally:
        desk.app.traffic.closing = False


def test_the_access_log_says_who_did_what_and_how_long_it_took(desk: TestPlatform, admin: Client) -> None:
    answer = admin.get("/api/v1/logs/facts/proof?index=1", headers={"X-Request-Id": "log-line-test"})
    admin.get("/healthz")  # a line is written at the end of the turn of the loop: it may come just after its answer
    (line,) = [line for line in lines(desk.log) if line.get("request_id") == "log-line-test"]
    assert line["route"] == "/api/v1/logs/{log}/proof"
    assert line["status"] == 200
    assert line["bytes"] == len(answer.content)
    assert str(line["actor"]).startswith("token:first-admin/")
    assert isinstance(line["ms"], float)


def test_no_token_is_ever_logged_or_counted(desk: TestPlatform, admin: Client) -> None:
    other = desk.token("reader:**", name="quiet")
    secrets = (desk.admin, other)
    for token in secrets:
        client = admin.with_token(token)
        client.get(f"/api/v1/facts?limit=1&token={token}")
        client.get(f"/api/v1/{token}")
        client.post("/api/v1/services", {"name": token})
        client.request("POST", "/login", data={"token": token})
        client.request("POST", "/login", data={"token": token + "x"})
        admin.get("/api/v1/facts", headers={"Authorization": f"Bearer {token}tail"})
        admin.get("/api/v1/facts", headers={"X-Request-Id": token})
    created = admin.post("/api/v1/tokens", {"name": "new", "bindings": ["reader:**"]}).json()["token"]
    written = desk.log.getvalue() + admin.get("/metrics").text
    for token in (*secrets, created):
        assert token.rpartition("_")[2] not in written


def test_metrics_name_routes_and_codes_but_no_repository(admin: Client) -> None:
    admin.get(f"/api/v1/artifacts/secret/project@sha256:{'0' * 64}")
    text = admin.get("/metrics").text
    assert 'chainward_http_requests_total{method="GET",route="/api/v1/artifacts/{repository:path}@{digest}"' in text
    assert "secret/project" not in text
    assert 'chainward_problems_total{code="manifest-unknown"}' in text
    assert "chainward_log_leaves" in text
    assert admin.request("PROPFIND", "/healthz").status_code == 405
    assert "PROPFIND" not in admin.get("/metrics").text


def test_text_from_outside_cannot_forge_a_log_line() -> None:
    for form in ("json", "text"):
        log = io.StringIO()
        logger_to(log, form=form).info("request", route='x"\n{"level":"info","event":"forged"}')
        assert len(log.getvalue().splitlines()) == 1


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_what_libraries_log_comes_out_the_same_way(root_logger: logging.Logger) -> None:
    log = io.StringIO()
    adopt_standard_logging(logger_to(log))
    root_logger.info("too talkative")
    logging.getLogger("somelib").warning("disk %s", "nearly full")
    logging.getLogger("somelib").warning("broken %d", "text")
    logging.getLogger("somelib").error("failed", exc_info=ValueError("inner"))
    first, second, third = lines(log)
    assert (first["event"], first["logger"], first["level"]) == ("disk nearly full", "somelib", "warning")
    assert "cannot be formatted" in str(second["event"])
    assert (third["error"], third["message"]) == ("ValueError", "inner")


def test_an_application_used_on_its_own_has_a_trace_all_the_same() -> None:
    scope: dict[str, object] = {}
    assert trace_of(scope) is trace_of(scope)


def test_what_a_turn_of_the_loop_logs_is_written_together_and_in_order() -> None:
    class Counted(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    log = Counted()
    logger = logger_to(log)

    async def talk() -> None:
        for number in range(3):
            logger.info("turn", number=number)
        assert log.writes == 0
        logger.warning("at once", number=3)
        assert log.writes == 1
        logger.info("turn", number=4)

    anyio.run(talk)
    logger.info("turn", number=5)
    assert [line["number"] for line in lines(log)] == [0, 1, 2, 3, 4, 5]
    assert log.writes == 3


def test_a_long_turn_of_the_loop_keeps_few_lines_to_itself() -> None:
    log = io.StringIO()
    logger = logger_to(log)

    async def talk() -> None:
        for number in range(600):
            logger.info("turn", number=number)
        assert len(lines(log)) >= 512

    anyio.run(talk)
    assert [line["number"] for line in lines(log)] == list(range(600))


def test_every_request_gets_an_id_of_its_own() -> None:
    ids = RequestIds(SystemEntropy())
    given = {ids.of({"headers": []}) for _ in range(1_000)}
    assert len(given) == 1_000
    assert {len(each) for each in given} == {24}
    assert ids.of({"headers": [(b"x-request-id", b"from-a-client")]}) == "from-a-client"
