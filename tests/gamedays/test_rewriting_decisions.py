"""Whoever can write to the database changes what the gates decide by, and leaves the log alone: the audit names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from tests.platforms import CONTEXT, in_process, open_test_platform

from chainward.access.model import PLATFORM_PRINCIPAL
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.identity import IdentityMatch
from chainward.trust.revocations import RevokedBy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import Client, TestPlatform

IMAGE = Digest.of(b"image")
LAYER = Digest.of(b"layer")
CI = IdentityMatch(subject="ci@example.test", issuer="https://issuer.example.test")


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[tuple[TestPlatform, Client]]:
    """A platform on which digests and signatures were revoked, signers trusted and distrusted, and a token revoked."""
    with open_test_platform(tmp_path) as test, in_process(test) as client:
        platform = test.platform
        platform.registry.revocations.revoke(IMAGE, "stolen key", CONTEXT)
        platform.registry.revocations.revoke(LAYER, "malware", CONTEXT, repository=RepositoryName("shop/web"))
        for name in ("release", "thief"):
            key = generate(Scheme.ECDSA_P256_SHA256).public_key
            platform.signers.add(name, key, [RepositoryPattern("shop/**")], ["*"], context=CONTEXT)
        platform.signers.distrust("thief", "its key was stolen", context=CONTEXT)
        platform.signers.add("ci", CI, [RepositoryPattern("shop/**")], ["*"], context=CONTEXT)
        revocations = platform.signature_revocations
        for by, target in ((RevokedBy.KEY, "a" * 64), (RevokedBy.ENTRY, "log.test/7")):
            revocations.revoke(revocations.draft(by, target, reason="lost"), context=CONTEXT)
        test.token("reader:shop/**", name="reader")
        revoked = next(each for each in platform.tokens.issued() if each.name == "reader")
        platform.tokens.revoke(PLATFORM_PRINCIPAL, revoked.id, "leaked", context=CONTEXT)
        yield test, client


def _findings(client: Client) -> list[str]:
    answer = client.post("/api/v1/logs/audit", {})
    found: list[str] = answer.json()["findings"]
    return found


def _edit(test: TestPlatform, statement: str, **values: Any) -> None:
    with test.platform.database.writer.begin() as connection:
        assert connection.execute(text(statement), values).rowcount > 0


def test_rows_that_nobody_touched_are_what_the_facts_state(attacked: tuple[TestPlatform, Client]) -> None:
    _, client = attacked
    assert _findings(client) == []


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("DELETE FROM registry_revocation WHERE scope = ''", f"the revocation of {IMAGE}"),
        ("UPDATE registry_revocation SET scope = 'a/b' WHERE scope = ''", f"the revocation of {IMAGE}"),
        ("UPDATE registry_revocation SET reason = 'x' WHERE scope != ''", f"the revocation of {LAYER}"),
        ("UPDATE registry_revocation SET fact_index = 1 WHERE scope = ''", f"the revocation of {IMAGE}"),
        ("UPDATE signer SET distrusted_at = NULL WHERE name = 'thief'", "the signer thief"),
        ("DELETE FROM signer WHERE name = 'release'", "the signer release"),
        ("UPDATE signer SET predicates = '*' WHERE name = 'platform'", "the signer platform"),
        ("UPDATE signer SET repositories = '**' WHERE name = 'release'", "the signer release"),
        ("UPDATE signer SET portable = (1 = 1) WHERE name = 'release'", "the signer release"),
        ("UPDATE signer SET distrusted_since = distrusted_at WHERE name = 'thief'", "the signer thief"),
        ("UPDATE signer SET identity = :anybody WHERE name = 'ci'", "the signer ci"),
        ("DELETE FROM signature_revocation WHERE revoked_by = 'key'", "the revocation of signatures 0"),
        ("UPDATE signature_revocation SET target = 'x/1' WHERE revoked_by = 'entry'", "the revocation of signatures 1"),
        ("UPDATE signature_revocation SET reason = '' WHERE revoked_by = 'entry'", "cannot be read"),
        ("UPDATE signer SET repositories = '[' WHERE name = 'release'", "the signers in the tables cannot be read"),
        ("UPDATE policy_epoch SET document = :document", "the policy of epoch"),
        ("UPDATE policy_epoch SET epoch = epoch + 1", "the policy of epoch"),
        ("UPDATE access_token SET revoked_at = NULL WHERE name = 'reader'", "the token"),
        ("UPDATE access_token SET expires_at = expires_at + 1000000 WHERE name = 'reader'", "the token"),
        ("UPDATE access_token SET bindings = :admin WHERE name = 'reader'", "the token"),
        ("UPDATE access_token SET id = 'x' || id WHERE name = 'reader'", "the token"),
    ],
)
def test_a_row_that_decides_and_was_rewritten_is_named(
    attacked: tuple[TestPlatform, Client], statement: str, finding: str
) -> None:
    test, client = attacked
    with test.platform.database.read() as connection:
        query = text("SELECT bindings FROM access_token WHERE name = 'first-admin'")
        anybody = '{"issuer_regex":".*","subject_regex":".*"}'
        values = {"document": b"kind: Policy", "admin": connection.execute(query).scalar(), "anybody": anybody}
    _edit(test, statement, **{name: value for name, value in values.items() if f":{name}" in statement})
    found = _findings(client)
    assert found
    assert any(finding in each for each in found)
