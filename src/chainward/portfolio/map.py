"""The portfolio at one moment: which service a repository belongs to, which environment a namespace belongs to.

Where several patterns match, the most specific one decides. So that there always is exactly one such, two declarations
may only meet if one pattern lies wholly within the other; :func:`check_service` and :func:`check_environment` see to
that before a declaration becomes durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from chainward.kernel.pattern import covers, matches, overlap
from chainward.portfolio.errors import DeclarationAmbiguous, EnvironmentUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainward.kernel.name import RepositoryName
    from chainward.portfolio.model import Environment, Service

__all__ = ["Portfolio", "check_environment", "check_service"]

T = TypeVar("T")
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All services and environments. ``epoch`` grows with every declaration."""

    epoch: int
    services: tuple[Service, ...]
    environments: tuple[Environment, ...]
    _services: dict[str, Service | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    _places: dict[str, Environment | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def service_of(self, repository: RepositoryName) -> Service | None:
        """Return the service that a repository belongs to, or None when nobody declared one."""
        pairs = ((pattern.text, service) for service in self.services for pattern in service.repositories)
        return _remembered(self._services, repository.text, pairs)

    def environment_of(self, namespace: str) -> Environment | None:
        """Return the environment that a namespace belongs to; None means unmapped, and a gate says no to that."""
        pairs = ((pattern.text, place) for place in self.environments for pattern in place.namespaces)
        return _remembered(self._places, namespace, pairs)

    def environment(self, name: str) -> Environment:
        """Return an environment by name; raises EnvironmentUnknown."""
        for environment in self.environments:
            if environment.name == name:
                return environment
        known = ", ".join(each.name for each in self.environments) or "none is declared"
        raise EnvironmentUnknown(f"there is no environment {name[:80]!r} (known: {known})")

    def before(self, environment: Environment) -> Environment | None:
        """Return the environment that goods leave to come into ``environment``; None for the first one."""
        earlier = [each for each in self.environments if each.order < environment.order]
        return max(earlier, key=lambda each: each.order, default=None)


def check_service(service: Service, others: Iterable[Service]) -> None:
    """Raise DeclarationAmbiguous when a repository could belong to ``service`` and to one of ``others`` alike."""
    own = [pattern.text for pattern in service.repositories]
    for other in others:
        if other.name != service.name:
            theirs = [pattern.text for pattern in other.repositories]
            _check_patterns(f"service {service.name}", own, f"service {other.name}", theirs)


def check_environment(environment: Environment, others: Iterable[Environment]) -> None:
    """Raise DeclarationAmbiguous when a namespace, or a place in line, could belong to two environments alike."""
    own = [pattern.text for pattern in environment.namespaces]
    for other in others:
        if other.name == environment.name:
            continue
        if other.order == environment.order:
            raise DeclarationAmbiguous(
                f"environments {environment.name} and {other.name} both have the order {other.order}",
                hint="Give the environment another order.",
            )
        theirs = [pattern.text for pattern in other.namespaces]
        _check_patterns(f"environment {environment.name}", own, f"environment {other.name}", theirs)


def _check_patterns(one: str, own: Sequence[str], other: str, theirs: Sequence[str]) -> None:
    for mine in own:
        for their in theirs:
            if overlap(mine, their) and covers(mine, their) == covers(their, mine):
                raise DeclarationAmbiguous(
                    f"{mine!r} of {one} and {their!r} of {other} match the same names, and neither is more specific",
                    details={"pattern": mine, "other": their},
                )


def _remembered(memory: dict[str, T | None], name: str, pairs: Iterable[tuple[str, T]]) -> T | None:
    try:
        return memory[name]
    except KeyError:
        found = _most_specific(name, pairs)
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[name] = found
    return found


def _most_specific(name: str, pairs: Iterable[tuple[str, T]]) -> T | None:
    best: tuple[str, T] | None = None
    for pair in pairs:
        if matches(pair[0], name) and (best is None or covers(best[0], pair[0])):
            best = pair
    return None if best is None else best[1]
