"""``/api/v1/services`` and ``/api/v1/environments``: what is run, by whom, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.name import RepositoryPattern
from chainward.portfolio.model import Environment, NamespacePattern, Service

if TYPE_CHECKING:
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES"]

_Name = Annotated[str, Meta(max_length=63)]
_Patterns = Annotated[tuple[Annotated[str, Meta(max_length=255)], ...], Meta(min_length=1, max_length=64)]


class ServiceBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service: its owner, how much depends on it, and where its images are."""

    name: _Name
    owner: Annotated[str, Meta(max_length=200)]
    tier: _Name
    repositories: _Patterns


class EnvironmentBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An environment: goods move from a lower ``order`` to a higher one."""

    name: _Name
    order: Annotated[int, Meta(ge=0, le=1000)]
    namespaces: _Patterns


class ServiceList(Struct, frozen=True, kw_only=True):
    """All services by name."""

    services: tuple[ServiceBody, ...]


class EnvironmentList(Struct, frozen=True, kw_only=True):
    """All environments by order."""

    environments: tuple[EnvironmentBody, ...]


def _services(call: Call) -> Answer:
    return json_answer(ServiceList(services=tuple(map(_service, call.platform.portfolios.current().services))))


def _environments(call: Call) -> Answer:
    found = call.platform.portfolios.current().environments
    return json_answer(EnvironmentList(environments=tuple(map(_environment, found))))


def _declare_service(call: Call) -> Answer:
    body = call.decode(ServiceBody, "service")
    patterns = tuple(RepositoryPattern(text) for text in body.repositories)
    service = Service(body.name, body.owner, body.tier, patterns)
    call.platform.portfolios.declare_service(service, context=call.context)
    return json_answer(_service(service), 201)


def _declare_environment(call: Call) -> Answer:
    body = call.decode(EnvironmentBody, "environment")
    patterns = tuple(NamespacePattern(text) for text in body.namespaces)
    environment = Environment(body.name, body.order, patterns)
    call.platform.portfolios.declare_environment(environment, context=call.context)
    return json_answer(_environment(environment), 201)


def _service(service: Service) -> ServiceBody:
    return ServiceBody(
        name=service.name, owner=service.owner, tier=service.tier, repositories=tuple(map(str, service.repositories))
    )


def _environment(environment: Environment) -> EnvironmentBody:
    return EnvironmentBody(
        name=environment.name, order=environment.order, namespaces=tuple(map(str, environment.namespaces))
    )


_READ = Needs(Permission.READ_LEDGER, Reach.ANYWHERE)
_ADMINISTER = Needs(Permission.ADMINISTER, Reach.PLATFORM)

ROUTES = (
    Route("GET", "/api/v1/services", _READ, _services, "List the services.", gives=ServiceList),
    Route(
        "POST",
        "/api/v1/services",
        _ADMINISTER,
        _declare_service,
        "Declare a service, or replace its declaration.",
        takes=ServiceBody,
        gives=ServiceBody,
    ),
    Route("GET", "/api/v1/environments", _READ, _environments, "List the environments.", gives=EnvironmentList),
    Route(
        "POST",
        "/api/v1/environments",
        _ADMINISTER,
        _declare_environment,
        "Declare an environment, or replace its declaration.",
        takes=EnvironmentBody,
        gives=EnvironmentBody,
    ),
)
