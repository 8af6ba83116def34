"""A policy document (YAML) to a :class:`Policy`, or the line and column of the first thing that is wrong with it.

The document has ``apiVersion: chainward.dev/v1``, ``kind: Policy``, a ``name`` and ``rules``; each rule has an ``id``,
optionally ``match`` and ``signers``, and ``require`` with one key for each check. The kinds of checks are declared in
:mod:`chainward.policy.rules`.
"""

from __future__ import annotations

import re
from typing import Final

from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryPattern
from chainward.policy.fields import Fields, refuse
from chainward.policy.model import Gate, Match, Policy, Requirement, Rule
from chainward.policy.rules import BY_NAME, KINDS
from chainward.policy.tree import Branch, Many, Node, read_tree

__all__ = ["API_VERSION", "parse_policy"]

API_VERSION: Final = "chainward.dev/v1"
_KIND: Final = "Policy"
_POLICY_KEYS: Final = ("apiVersion", "kind", "name", "description", "rules")
_RULE_KEYS: Final = ("id", "description", "match", "signers", "require")
_MATCH_KEYS: Final = ("repositories", "environments", "tiers", "gates")
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?\Z")
_MAX_RULES: Final = 200


def parse_policy(document: bytes) -> Policy:
    """Read a policy; its digest is that of the very bytes.

    Raises:
        TooLarge: the document has more than 256 KiB.
        PolicyInvalid: anything else, with line and column.
    """
    fields = Fields(read_tree(document), "a policy", _POLICY_KEYS)
    fields.constant("apiVersion", API_VERSION)
    fields.constant("kind", _KIND)
    name = _identifier(fields, "name")
    fields.optional_text("description")
    listed = fields.need("rules")
    if not isinstance(listed, Many) or not 0 < len(listed.items) <= _MAX_RULES:
        refuse(listed, f"expected a list of 1 to {_MAX_RULES} rules")
    seen: dict[str, int] = {}
    rules = tuple(_rule(node, seen) for node in listed.items)
    return Policy(name, rules, Digest.of(document))


def _identifier(fields: Fields, key: str) -> str:
    text = fields.text(key)
    if _ID.match(text) is None:
        refuse(
            fields.need(key), f"expected lowercase letters, digits, dots and hyphens for {key!r}, found {text[:60]!r}"
        )
    return text


def _rule(node: Node, seen: dict[str, int]) -> Rule:
    fields = Fields(node, "a rule", _RULE_KEYS)
    rule_id = _identifier(fields, "id")
    place = fields.need("id")
    if rule_id in seen:
        refuse(place, f"the rule id {rule_id!r} is used twice, first in line {seen[rule_id]}")
    seen[rule_id] = place.line
    requirements = _requirements(fields)
    return Rule(rule_id, _match(fields.find("match")), requirements, fields.optional_text("description"))


def _match(node: Node | None) -> Match:
    if node is None:
        return Match()
    fields = Fields(node, "match", _MATCH_KEYS)
    return Match(
        fields.parsed("repositories", RepositoryPattern),
        fields.texts("environments"),
        fields.texts("tiers"),
        tuple(map(Gate, fields.choices("gates", tuple(Gate)))),
    )


def _requirements(rule: Fields) -> tuple[Requirement, ...]:
    node = rule.need("require")
    if isinstance(node, Branch) and not node.members:
        refuse(node, "require demands nothing, so everything would pass; name at least one check")
    fields = Fields(node, "require", tuple(BY_NAME))
    above = rule.signers() if rule.has("signers") else _signers_of_signature(fields)
    requirements: list[Requirement] = []
    for kind in KINDS:
        member = fields.find(kind.name)
        if member is not None:
            own = Fields(member, kind.name, kind.keys, signers_above=above)
            requirements.append(Requirement(kind.name, kind.read(own)))
    return tuple(requirements)


def _signers_of_signature(fields: Fields) -> tuple[str, ...]:
    node = fields.find("signature")
    if node is None:
        return ()
    signature = Fields(node, "signature", BY_NAME["signature"].keys)
    return signature.signers() if signature.has("signers") else ()
