"""What can be believed, and that nobody but verification makes verified values."""

from __future__ import annotations

import ast
import copy
import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.trust.world import (
    IMAGE,
    ORIGIN,
    THEN,
    MemoryLog,
    bundle_of,
    key,
    log_key,
    root_of,
    statement,
    trusted,
    trusted_root_json,
    verified,
)

from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.documents import logs_of_trusted_root
from chainward.trust.errors import LogKeyInvalid, SignerInvalid
from chainward.trust.model import (
    TrustedLog,
    TrustedSigner,
    TrustMaterial,
    TrustRoot,
    VerifiedArtifact,
    VerifiedStatement,
    _Seal,
)
from chainward.trust.verify import verify_bundle

SOURCE = Path(__file__).parents[2] / "src" / "chainward"


def test_a_verified_statement_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError, match="only verification"):
        VerifiedStatement(
            statement=statement(),
            signers=("release",),
            fingerprint="0" * 64,
            subjects=(IMAGE,),
            log_origin=ORIGIN,
            log_index=1,
            bundle_digest=Digest.of(b""),
            seal=_Seal(),
        )
    with pytest.raises(TypeError, match="only verification"):
        VerifiedArtifact(
            digest=IMAGE,
            signers=("release",),
            fingerprint="0" * 64,
            log_origin=ORIGIN,
            log_index=1,
            bundle_digest=Digest.of(b""),
            seal=_Seal(),
        )


def test_a_verified_statement_cannot_be_altered() -> None:
    found = verified()
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(found, signers=("somebody else",))  # type: ignore[call-arg]  # the seal is what lacks
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.signers = ("somebody else",)  # type: ignore[misc]  # that it cannot be done is the point
    assert copy.copy(found) == found


def test_a_verified_statement_is_no_statement_and_the_reverse() -> None:
    assert not isinstance(verified(), type(statement()))
    assert not isinstance(statement(), VerifiedStatement)


def names_in(path: Path) -> set[str]:
    """Every name that a module imports, reads or reaches for."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name():
                found.add(node.id)
            case ast.Attribute():
                found.add(node.attr)
            case ast.alias():
                found.add(node.name)
            case ast.ImportFrom() if node.module:
                found.add(node.module)
    return found


def test_only_verification_holds_the_seal() -> None:
    holders = {
        path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if names_in(path) & {"SEAL", "_Seal"}
    }
    proven = {"trust/proven.py", "trust/prove.py"}  # another seal, of which verification takes what it opens
    assert holders == {"trust/model.py", "trust/verify.py"} | proven


def test_verification_reaches_for_no_network_file_clock_or_randomness() -> None:
    outside = {
        "socket",
        "ssl",
        "httpx",
        "urllib",
        "requests",
        "os",
        "time",
        "datetime",
        "random",
        "secrets",
        "open",
        "now",
    }
    for name in ("verify.py", "logged.py", "model.py"):
        at_run_time = names_in(SOURCE / "trust" / name) - {
            "datetime"
        }  # a type of model.py's, imported for checking only
        assert at_run_time & outside == set()
    bundle = bundle_of()
    first = verify_bundle(bundle, root_of(), subject=IMAGE, repository=None)
    assert first == verify_bundle(bundle, root_of(), subject=IMAGE, repository=None)


@pytest.mark.parametrize("name", ["", "Release", "re lease", "-release", "x" * 65, "a/b", "release\n"])
def test_a_name_that_would_confuse_a_reader_is_refused(name: str) -> None:
    with pytest.raises(SignerInvalid, match="not a name"):
        dataclasses.replace(trusted(), name=name)


@pytest.mark.parametrize(
    ("repositories", "predicates"),
    [
        pytest.param([], ["*"], id="no repositories"),
        pytest.param(["**"], [], id="no predicates"),
        pytest.param([f"r{number}" for number in range(65)], ["*"], id="too many repositories"),
        pytest.param(["**"], [f"p:{number}" for number in range(65)], id="too many predicates"),
        pytest.param(["**"], [""], id="an empty predicate"),
        pytest.param(["**"], ["two words"], id="a predicate that would read back as two"),
        pytest.param(["**"], ["x" * 513], id="an endless predicate"),
    ],
)
def test_a_scope_that_is_empty_or_beyond_bounds_is_refused(repositories: list[str], predicates: list[str]) -> None:
    with pytest.raises(SignerInvalid):
        trusted(repositories=repositories, predicates=predicates)


def test_a_key_whose_signatures_cannot_be_logged_is_not_trusted() -> None:
    with pytest.raises(SignerInvalid, match="over digests"):
        dataclasses.replace(trusted(), public_key=log_key().public_key)


def test_the_scope_of_a_signer_is_what_was_written() -> None:
    signer = trusted(repositories=("shop/*", "bank/core"), predicates=("a:b",))
    assert [signer.covers(RepositoryName(name)) for name in ("shop/web", "bank/core", "shop/web/api", "bank/api")] == [
        True,
        True,
        False,
        False,
    ]
    assert [signer.states(predicate) for predicate in ("a:b", "a:bc", "*")] == [True, False, False]
    assert trusted(predicates=("*",)).states("anything:at-all")


def test_a_root_that_names_a_key_twice_is_refused() -> None:
    again = dataclasses.replace(trusted(), name="again", repositories=(RepositoryPattern("**"),))
    with pytest.raises(SignerInvalid, match="twice"):
        TrustRoot((trusted(), again), TrustMaterial())


def test_roots_with_the_same_content_are_equal() -> None:
    assert root_of() == root_of()
    assert root_of() != root_of(trusted("nightly"))
    assert root_of().signer(key("release").public_key.fingerprint) == trusted()
    assert root_of().signer("0" * 64) is None


def test_the_key_id_of_a_log_must_be_derived_from_its_origin_and_key() -> None:
    log = MemoryLog().log
    with pytest.raises(LogKeyInvalid):
        TrustedLog("other.example.test", log.public_key, log.key_id)
    with pytest.raises(LogKeyInvalid):
        TrustedLog(log.origin, log.public_key, log.key_id[:4])
    old = generate(Scheme.ECDSA_P256_SHA256).public_key
    assert TrustedLog.of(ORIGIN, old).key_id == bytes.fromhex(old.fingerprint)


def test_a_trusted_root_gives_the_logs_it_was_made_of() -> None:
    logs = (MemoryLog().log, MemoryLog(origin="log2.example.test", name="log2").log)
    document = trusted_root_json(logs, THEN)
    found = logs_of_trusted_root(document)
    assert [(log.origin, log.public_key, log.key_id) for log in found] == [
        (log.origin, log.public_key, log.key_id) for log in logs
    ]
    assert b'"baseUrl":"https://log.example.test"' in document
    assert b'"start":"2026-11-23T09:30:00' in document


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"https://log.example.test", b"https://log.attacker.test"), (b'"rawBytes":"MCow', b'"rawBytes":"AAAA')],
)
def test_a_log_whose_parts_do_not_belong_together_is_not_believed(old: bytes, new: bytes) -> None:
    document = trusted_root_json([MemoryLog().log], THEN)
    assert old in document
    assert logs_of_trusted_root(document.replace(old, new)) == ()


def test_instants_of_trust_are_kept_as_given() -> None:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    signer = TrustedSigner(
        name="later",
        public_key=key("later").public_key,
        repositories=(RepositoryPattern("**"),),
        predicates=("*",),
        trusted_since=since,
    )
    assert (signer.trusted_since, signer.distrusted_at) == (since, None)
