"""The YAML of a policy: what is read, and that every mistake is told with its line and column."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.evidence import policy

from chainward.formats.errors import TooLarge
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryPattern
from chainward.policy.document import parse_policy
from chainward.policy.errors import PolicyInvalid
from chainward.policy.model import Gate, Match, Requirement
from chainward.policy.rules.age import Age, Of
from chainward.policy.rules.promotion import PromotedFrom
from chainward.policy.rules.provenance import Provenance
from chainward.policy.rules.registry import Registry
from chainward.policy.rules.sbom import Sbom
from chainward.policy.rules.signature import Signature
from chainward.policy.rules.tests import PassedTests
from chainward.policy.starter import starter_policy
from chainward.policy.tree import MAX_DOCUMENT

FULL = b"""\
# everything that can be said
apiVersion: chainward.dev/v1
kind: Policy
name: full
description: "Every key"
rules:
  - id: release.all
    description: Everything at once
    match:
      repositories: ["shop/**", bank/core]
      environments: [staging, prod]
      tiers: [critical]
      gates: [admit]
    signers: [release]
    require:
      signature: {signers: [release, security], all: true}
      provenance:
        builders: ["https://ci.example/*"]
        source: ["git+https://git.example/shop/**"]
      sbom: {signers: ["ci-*"], formats: [cyclonedx], complete: false, max-age: 12h}
      tests: {result: passed}
      registry: {hosts: ["Registry.example:8420"], repositories: ["shop/**"]}
      age: {max-days: 90, of: predicate}
      promotion: {from: staging}
  - id: other
    require:
      age: {max-days: 1}
"""


def refusal(document: str | bytes) -> PolicyInvalid:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(document if isinstance(document, bytes) else document.encode())
    return refused.value


def problem_of(document: bytes) -> PolicyInvalid | None:
    try:
        parse_policy(document)
    except PolicyInvalid as problem:
        return problem
    return None


def broken(old: str, new: str) -> PolicyInvalid:
    """The refusal of the full policy with one change."""
    text = FULL.decode()
    assert text.count(old) >= 1
    return refusal(text.replace(old, new, 1))


def test_everything_that_can_be_said_is_read() -> None:
    full = parse_policy(FULL)
    first, second = full.rules
    assert (full.name, full.digest) == ("full", Digest.of(FULL))
    assert first.match == Match(
        (RepositoryPattern("shop/**"), RepositoryPattern("bank/core")),
        ("staging", "prod"),
        ("critical",),
        (Gate.ADMIT,),
    )
    assert first.requirements == (
        Requirement("signature", Signature(("release", "security"), all=True)),
        Requirement(
            "provenance",
            Provenance(("release",), ("https://ci.example/*",), ("git+https://git.example/shop/**",)),  # type: ignore[arg-type]  # Globs are tuples and equal to them
        ),
        Requirement("sbom", Sbom(("ci-*",), ("cyclonedx",), complete=False, max_age=timedelta(hours=12))),
        Requirement("tests", PassedTests(("release",))),
        Requirement("registry", Registry(("registry.example:8420",), (RepositoryPattern("shop/**"),))),
        Requirement("age", Age(timedelta(days=90), Of.PREDICATE, ("release",))),
        Requirement("promotion", PromotedFrom("staging")),
    )
    assert second.match == Match()
    assert second.requirements == (Requirement("age", Age(timedelta(days=1), Of.IMAGE)),)
    assert full.environments == {"staging", "prod"}


def test_the_signers_of_a_check_go_before_those_of_the_rule_and_those_before_the_signature() -> None:
    rule = "signers: [team]"
    tests, named = "tests: {}, signature: {signers: [release]}", "tests: {signers: [ci]}"
    assert policy(named, rule=rule).rules[0].requirements[0].parameters.signers == ("ci",)
    assert policy(tests, rule=rule).rules[0].requirements[1].parameters.signers == ("team",)
    assert policy(tests).rules[0].requirements[1].parameters.signers == ("release",)


@pytest.mark.parametrize(
    "check",
    ["signature: {}", "provenance: {builders: [x:y]}", "sbom: {}", "tests: {}", "age: {max-days: 1, of: predicate}"],
)
def test_a_check_that_says_nowhere_by_whom_is_refused(check: str) -> None:
    with pytest.raises(PolicyInvalid, match="must say by whom"):
        policy(check)


MISTAKES = [
    ("kind: Policy", "kind: Polcy", 3, 7, "'Polcy' cannot be a value of 'kind'; did you mean 'Policy'?"),
    ("chainward.dev/v1", "chainward.dev/v2", 2, 13, "did you mean 'chainward.dev/v1'?"),
    ("name: full\n", "", 2, 1, "a policy lacks the key 'name'"),
    ("name: full", "name: Full", 4, 7, "expected lowercase letters"),
    ("name: full", "name:", 4, 6, "found nothing"),
    ("name: full", "name: 5", 4, 7, "expected text for 'name', found '5'; put quotes"),
    ("name: full", "name: [full]", 4, 7, "expected text for 'name', found a list"),
    ("name: full", "name: full\nname: again", 5, 1, "the key 'name' stands here twice, first in line 4"),
    ("rules:", "ruels:", 6, 1, "a policy has no key 'ruels'; did you mean 'rules'?"),
    ("  - id: other", "  - id: release.all", 25, 9, "the rule id 'release.all' is used twice, first in line 7"),
    ("    match:\n", "    macth:\n", 9, 5, "a rule has no key 'macth'; did you mean 'match'?"),
    ("environments: [", "enviroments: [", 11, 7, "did you mean 'environments'?"),
    ("[admit]", "[admti]", 13, 15, "'admti' cannot be a value of 'gates'; did you mean 'admit'?"),
    ("[staging, prod]", "[]", 11, 21, "expected a list of 1 to 256 for 'environments', found a list of 0"),
    ("[staging, prod]", "prod", 11, 21, "expected a list of 1 to 256 for 'environments', found 'prod'"),
    ("[staging, prod]", "[prod, on, 1.10]", 11, 32, "found '1.10'; put quotes"),
    ("[staging, prod]", "[prod, yes, null]", 11, 33, "found 'null'; put quotes"),
    ("[staging, prod]", "[prod, prod]", 11, 28, "'prod' stands in 'environments' twice"),
    ('"shop/**", bank/core', '"SHOP/**"', 10, 22, "'SHOP/**' is not a repository pattern"),
    ("signature: {", "signatures: {", 16, 7, "require has no key 'signatures'; did you mean 'signature'?"),
    ("[release, security]", "[Release]", 16, 29, "expected the name of a signer"),
    ("[release, security]", "[release, rel*]", 16, 18, "all: true needs every signer by name"),
    ("all: true", "all: yes", 16, 54, "expected true or false for 'all', found 'yes'"),
    ("all: true", 'all: "true"', 16, 54, "expected true or false"),
    ('        builders: ["https://ci.example/*"]\n', "", 18, 9, "provenance lacks the key 'builders'"),
    ('"https://ci.example/*"', '"https://ci example/*"', 18, 20, "expected a URI"),
    ('"https://ci.example/*"', '"https://***"', 18, 20, "expected a URI"),
    ("[cyclonedx]", "[spdx]", 20, 43, "'spdx' cannot be a value of 'formats'"),
    ("max-age: 12h", "max-age: 12", 20, 81, "expected a duration such as 30d or 12h"),
    ("max-age: 12h", "max_age: 12h", 20, 72, "did you mean 'max-age'?"),
    ("result: passed", "result: failed", 21, 23, "'failed' cannot be a value of 'result'"),
    ('{hosts: ["Registry.example:8420"], repositories: ["shop/**"]}', "{}", 22, 17, "registry needs hosts"),
    ("max-days: 90", "max-days: 0", 23, 23, "expected a whole number from 1 to 3650 for 'max-days', found 0"),
    ("max-days: 90", "max-days: 1.5", 23, 23, "found '1.5'"),
    ("max-days: 90", "max-days: -1", 23, 23, "found '-1'"),
    ("max-days: 90", 'max-days: "90"', 23, 23, "found '90'"),
    ("max-days: 90, ", "", 23, 12, "either max-days or max-hours"),
    ("of: predicate", "of: predicte", 23, 31, "did you mean 'predicate'?"),
    ("{from: staging}", "staging", 24, 18, "expected promotion with keys (from), found 'staging'"),
    ("require:\n      age: {max-days: 1}", "require: {}", 26, 14, "require demands nothing"),
    ("require:\n      age: {max-days: 1}", "require:", 26, 13, "expected require with keys"),
    ("    require:\n      age: {max-days: 1}\n", "", 25, 5, "a rule lacks the key 'require'"),
]


@pytest.mark.parametrize(("old", "new", "line", "column", "words"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_mistake_is_told_with_its_place_and_what_was_expected(
    old: str, new: str, line: int, column: int, words: str
) -> None:
    problem = broken(old, new)
    assert words in problem.message
    assert problem.details == {"line": line, "column": column}
    assert problem.message.startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize("document", ["", "# nothing", "---\n", "null", "[]", "a", "- a", "{}", "rules: []"])
def test_a_document_that_is_no_policy_is_refused(document: str) -> None:
    assert re.match(r"line \d+, column \d+: ", refusal(document).message)


@pytest.mark.parametrize("rules", ["rules: []", "rules: {}", "rules: a", "rules:"])
def test_a_policy_without_rules_is_refused(rules: str) -> None:
    document = f"apiVersion: chainward.dev/v1\nkind: Policy\nname: a\n{rules}\n"
    assert "expected a list of 1 to 200 rules" in refusal(document).message


# Attacks on the reader


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    problem = refusal("\n".join(lines))
    assert "anchors and aliases are not allowed" in problem.message
    assert problem.details == {"line": 1, "column": 4}


@pytest.mark.parametrize("text", ["&x a", "*x", "&x [a]", "&x {a: b}"])
def test_anchors_and_aliases_are_refused_everywhere(text: str) -> None:
    assert "anchors and aliases" in refusal(f"name: {text}").message


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system [id]", "!!str a", "!x a", "!!binary aGk=", "!<tag:x> {}"]
)
def test_tags_are_refused(text: str) -> None:
    assert "tags such as" in refusal(f"name: {text}").message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_without_reading_it_all(opening: str) -> None:
    assert "nested more than 16 levels" in refusal(opening * 60_000).message


def test_a_document_beyond_256_kib_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge, match="262145 bytes"):
        parse_policy(b"&" * (MAX_DOCUMENT + 1))


def test_a_second_document_is_refused() -> None:
    assert "found a second one" in refusal(FULL + b"---\nkind: Policy\n").message


def test_a_key_that_is_no_text_is_refused() -> None:
    assert "expected a key" in refusal("? [a, b]\n: c\n").message


def test_merge_keys_are_keys_like_any_other() -> None:
    assert "no key '<<'" in refusal("<<: {name: a}\n").message


@pytest.mark.parametrize(
    ("document", "line"), [(b"name: a\nkind: \xff", 2), (b"name: a\n\x00", 2), (b"name: a\n\tb: c", 2), (b"a: b: c", 1)]
)
def test_bytes_that_are_no_yaml_are_told_with_their_line(document: bytes, line: int) -> None:
    problem = refusal(document)
    assert problem.details["line"] == line
    assert "expected" in problem.message


def test_a_hostile_key_is_not_repeated_at_length() -> None:
    assert len(refusal(f"{'x' * 5000}: a").message) < 400


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="ignore")))
def test_arbitrary_bytes_give_a_problem_with_a_place(document: bytes) -> None:
    problem = problem_of(document)
    assert problem is None or isinstance(problem.details["line"], int)


@given(st.data())
def test_a_policy_with_anything_changed_is_read_or_refused_with_a_place(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(FULL) - 1))
    length = data.draw(st.integers(0, 30))
    changed = FULL[:start] + data.draw(st.binary(max_size=12)) + FULL[start + length :]
    problem = problem_of(changed)
    if problem is None:
        assert all(rule.requirements for rule in parse_policy(changed).rules)
    else:
        assert re.match(r"line \d+, column \d+: ", problem.message)


def test_both_parsers_of_yaml_see_the_same_scalars(monkeypatch: pytest.MonkeyPatch) -> None:
    with_c = parse_policy(FULL)
    monkeypatch.setattr("chainward.policy.tree._LOADER", yaml.SafeLoader)
    assert parse_policy(FULL) == with_c
    assert broken("all: true", 'all: "true"').details == {"line": 16, "column": 54}


def test_the_starter_policy_is_a_policy() -> None:
    starter = parse_policy(starter_policy())
    assert [rule.id for rule in starter.rules] == ["dev-signed", "staging-evidence", "prod-evidence"]
    assert starter.environments == {"dev", "staging", "prod"}
