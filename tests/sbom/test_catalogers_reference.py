"""The family's list and its page: nobody is missing, and every member keeps what its declaration says."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from tools.docs_catalogers import PAGE, render

import chainward.sbom.catalogers as family
from chainward.sbom.catalogers import ALL
from chainward.sbom.catalogers.declaration import Cataloger


def test_every_declaration_in_the_family_is_in_the_list() -> None:
    declared: set[str] = set()
    for module in pkgutil.walk_packages(family.__path__, f"{family.__name__}."):
        members = vars(import_module(module.name)).values()
        declared |= {member.name for member in members if isinstance(member, Cataloger)}
    assert declared == {cataloger.name for cataloger in ALL}


def test_no_two_catalogers_share_a_name() -> None:
    assert len({cataloger.name for cataloger in ALL}) == len(ALL)


def test_the_reference_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python tools/docs_catalogers.py"


@pytest.mark.parametrize("cataloger", ALL, ids=lambda cataloger: cataloger.name)
def test_a_declaration_is_complete(cataloger: Cataloger) -> None:
    assert cataloger.globs
    assert cataloger.purl_types
    assert cataloger.gives
    assert 0 < cataloger.confidence <= 100
    assert 0 < cataloger.limit <= 64 * 1024 * 1024
    assert cataloger.parse.__name__ == cataloger.parse.__module__.rpartition(".")[2]
    assert f"## {cataloger.name}\n" in render()
