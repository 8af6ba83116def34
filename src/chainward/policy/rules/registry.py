"""``registry``: the image comes from an accepted registry and repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.name import RepositoryPattern
from chainward.policy.fields import refuse
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import Code, Parameter, RuleKind, failed, passed
from chainward.policy.rules.statements import listed

if TYPE_CHECKING:
    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement

__all__ = ["KIND", "Registry"]


@dataclass(frozen=True, slots=True)
class Registry:
    """Which hosts and which repositories; none named: any."""

    hosts: tuple[str, ...]
    repositories: tuple[RepositoryPattern, ...]


def _read(fields: Fields) -> Registry:
    if not fields.has("hosts") and not fields.has("repositories"):
        refuse(fields.node, "registry needs hosts, or repositories, or both")
    hosts = tuple(host.lower() for host in fields.texts("hosts"))
    return Registry(hosts, fields.parsed("repositories", RepositoryPattern))


def _judge(wanted: Registry, question: Question, evidence: Evidence) -> Judgement:
    host = evidence.host.lower()
    step = "chainward push OUT REPOSITORY:TAG"
    if wanted.hosts and host not in wanted.hosts:
        named = f"registry {host[:200]}" if host else "no registry that is named"
        return failed("registry-wrong-host", f"the image comes from {named}, not from {listed(wanted.hosts)}", step)
    if wanted.repositories and not any(each.matches(question.repository) for each in wanted.repositories):
        accepted = listed(map(str, wanted.repositories))
        return failed("registry-wrong-repository", f"{question.repository} does not lie in {accepted}", step)
    return passed("registry-accepted", f"the image comes from {host or 'this platform'}, {question.repository}")


KIND: Final = RuleKind(
    name="registry",
    summary="The image comes from an accepted registry and repository.",
    explanation=(
        "Hosts are compared whole, port included. At least one of the two keys is needed. Leave hosts out to accept an "
        "image that was named without a registry, as this platform's own."
    ),
    reads=("host",),
    parameters=(
        Parameter("hosts", "list of host names, with port where there is one", "Which registries.", "any"),
        Parameter("repositories", "list of repository patterns", "Which repositories.", "any"),
    ),
    codes=(
        Code("registry-accepted", Outcome.PASS, "Registry and repository are accepted."),
        Code("registry-wrong-repository", Outcome.FAIL, "The repository is not accepted."),
        Code("registry-wrong-host", Outcome.FAIL, "The registry is not accepted."),
    ),
    example="registry: {hosts: ['registry.example:8420'], repositories: ['shop/**']}",
    read=_read,
    judge=_judge,
)
