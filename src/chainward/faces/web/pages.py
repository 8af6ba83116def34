"""The pages and their routes.

Whoever is not logged in is sent to the login page; a Problem becomes a page with its message and its next step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote

from chainward.access.model import Permission
from chainward.faces.http.answers import Answer
from chainward.faces.http.artifacts import LIST, READ, inspect, rows_of
from chainward.faces.http.errors import ParameterInvalid
from chainward.faces.http.facts import index_of
from chainward.faces.http.images import own_image
from chainward.faces.http.problems import answer_of, status_of
from chainward.faces.http.routes import Needs, Public, Reach, Route
from chainward.faces.http.sessions import check_same_site
from chainward.faces.http.timeline import events_of, visible
from chainward.faces.web.assets import Assets
from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from chainward.delivery.timeline import Event
    from chainward.faces.http.requests import Call
    from chainward.faces.http.sessions import Sessions
    from chainward.faces.http.trace import Trace

__all__ = ["Pages"]

_LEDGER: Final = Needs(Permission.READ_LEDGER, Reach.REPOSITORY)
_FORM: Final = "application/x-www-form-urlencoded"
_FORM_LIMIT: Final = 4096


class Pages:
    """The translators of all pages."""

    def __init__(self, sessions: Sessions, instance: str) -> None:
        self._sessions = sessions
        self._instance = instance
        self._assets = Assets()

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of all pages."""
        form = Public("who logs in has no session yet; the form carries the token")
        return (
            Route("GET", "/", LIST, self._artifacts, "Page: the artifacts.", gives="text/html", page=True),
            Route(
                "GET",
                "/artifacts/{repository:path}@{digest}",
                READ,
                self._artifact,
                "Page: one artifact.",
                gives="text/html",
                page=True,
            ),
            Route(
                "GET",
                "/timeline/{repository:path}@{digest}",
                _LEDGER,
                self._timeline,
                "Page: the timeline of one artifact.",
                gives="text/html",
                page=True,
                parameters=(("before", "Only facts before this one."),),
            ),
            Route(
                "GET",
                "/proof/{index}",
                Needs(Permission.READ_LEDGER, Reach.ANYWHERE),
                self._proof,
                "Page: the proof that a fact is in the log; the fact itself is not shown.",
                gives="text/html",
                page=True,
            ),
            Route("GET", "/login", form, self._form, "Page: the login form.", gives="text/html", page=True),
            Route(
                "POST",
                "/login",
                form,
                self._log_in,
                "Begin a session with a token.",
                media_types=(_FORM,),
                limit=_FORM_LIMIT,
                page=True,
            ),
            Route(
                "POST",
                "/logout",
                Public("it ends the session that it is sent with, if any"),
                self._log_out,
                "End a session.",
                page=True,
            ),
            Route("GET", "/static/{name}", Public("style and script of the pages"), self._static, "A static file."),
            Route("GET", "/favicon.ico", Public("browsers ask for it unasked"), self._favicon, "The icon."),
        )

    def error(self, problem: Problem, trace: Trace) -> Answer:
        """Return the page that tells a problem, or the way to the login page."""
        if problem.kind is Kind.UNAUTHENTICATED and trace.route != "/login":
            return _see_other("/login")
        if problem.kind is Kind.UNAUTHENTICATED:
            return self._page("login.html", 401, title="Log in", problem=problem)
        status = status_of(problem)
        headers = {key: value for key, value in answer_of(problem, "").headers.items() if key != "WWW-Authenticate"}
        values = {"title": "That did not work", "problem": problem, "request_id": trace.request_id}
        return self._assets.page("error.html", {**values, **self._frame(None)}, status, headers)

    def _artifacts(self, call: Call) -> Answer:
        found, following = rows_of(call)
        rows = [
            {
                "repository": row.repository,
                "tag": row.tag,
                "digest": row.digest,
                "pushed_at": row.pushed_at,
                "revoked": row.revoked,
                "link": f"/artifacts/{quote(row.repository)}@{row.digest}",
            }
            for row in found
        ]
        return self._page("artifacts.html", call=call, title="Artifacts", rows=rows, next=following)

    def _artifact(self, call: Call) -> Answer:
        name = own_image(call, f"{call.path['repository']}@{call.path['digest']}")
        artifact = inspect(call, name.repository, Digest.parse(call.path["digest"]))
        link = f"/timeline/{quote(artifact.repository)}@{artifact.digest}"
        return self._page("artifact.html", call=call, title=artifact.repository, artifact=artifact, timeline=link)

    def _timeline(self, call: Call) -> Answer:
        name = own_image(call, f"{call.path['repository']}@{call.path['digest']}")
        timeline = events_of(call, Digest.parse(call.path["digest"]))
        known = {str(name.repository), str(timeline.digest)}
        facts = [_fact_row(event, known) for event in timeline.events if visible(event, name.repository)]
        path = f"{quote(str(name.repository))}@{timeline.digest}"
        older = timeline.events[0].fact.index if timeline.is_cut and timeline.events else None
        return self._page(
            "timeline.html",
            call=call,
            title=f"Timeline of {name.repository}",
            repository=str(name.repository),
            digest=str(timeline.digest),
            facts=facts,
            artifact=f"/artifacts/{path}",
            older=f"/timeline/{path}?before={older}" if older is not None else None,
        )

    def _proof(self, call: Call) -> Answer:
        index = index_of(call.path["index"])
        proof = call.platform.timelines.proof(index)
        shown = {
            "origin": proof.origin,
            "index": proof.index,
            "size": proof.size,
            "leaf_hash": proof.leaf_hash.hex(),
            "root": proof.root.hex(),
            "hashes": [value.hex() for value in proof.hashes],
            "checkpoint": proof.checkpoint.decode(),
        }
        template = "proof.html" if (b"hx-request", b"true") in call.headers else "proof_page.html"
        return self._page(template, call=call, title=f"Proof of fact {index}", proof=shown)

    def _form(self, call: Call) -> Answer:
        del call
        return self._page("login.html", title="Log in", problem=None)

    def _log_in(self, call: Call) -> Answer:
        check_same_site(call.headers)
        try:
            fields = parse_qs(call.body.decode("ascii"), strict_parsing=True, max_num_fields=4)
        except ValueError:
            raise ParameterInvalid("the form cannot be read") from None
        token = fields.get("token", [""])[0].strip()
        cookie = self._sessions.open(token, call.platform.authenticator)
        return _see_other("/", {"Set-Cookie": cookie})

    def _log_out(self, call: Call) -> Answer:
        check_same_site(call.headers)
        return _see_other("/login", {"Set-Cookie": self._sessions.close(call.headers)})

    def _static(self, call: Call) -> Answer:
        return self._assets.file(call.path["name"])

    def _favicon(self, call: Call) -> Answer:
        del call
        return _see_other(self._assets.url("favicon.svg"))

    def _page(self, template: str, status: int = 200, *, call: Call | None = None, **values: object) -> Answer:
        return self._assets.page(template, {**values, **self._frame(call)}, status)

    def _frame(self, call: Call | None) -> dict[str, object]:
        return {"actor": str(call.principal.actor) if call else None, "instance": self._instance}


def _fact_row(event: Event, known: set[str]) -> dict[str, object]:
    """Return what a page shows of a fact: all that it says but what stands at the head of the page already."""
    fact = event.fact
    what = fact.schema.rpartition("/")[0].replace(".", ": ", 1).replace("-", " ")
    shown = {key: value for key, value in (fact.body or {}).items() if value not in (None, "", [], {}, *known)}
    members = [
        (key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for key, value in shown.items()
    ]
    return {
        "title": what,
        "schema": fact.schema,
        "actor": fact.actor,
        "index": fact.index,
        "recorded_at": rfc3339(fact.recorded_at),
        "is_pruned": fact.body is None,
        "members": members,
        "proof_link": f"/proof/{fact.index}",
    }


def _see_other(path: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(b"", 303, "", {"Location": path, **(headers or {})})
