"""Gathering evidence: what verifies counts, what does not is kept with its reason, and a failure is no answer."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event
from tests.delivery.rig import CONTEXT, REPOSITORY, Release, Rig

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.adapters.sql.registry_tables import MANIFEST
from chainward.delivery.errors import GateTimeout
from chainward.delivery.evidence import Gathered, gather
from chainward.delivery.local import LocalRegistry
from chainward.delivery.referrer import MAX_BUNDLE, is_bundle
from chainward.formats.bundle import BUNDLE_V03
from chainward.formats.intoto import CYCLONEDX, Statement
from chainward.formats.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, OCI_MANIFEST, Descriptor, Manifest, encode_manifest
from chainward.kernel.digest import Digest
from chainward.policy.model import Gate

if TYPE_CHECKING:
    from collections.abc import Callable


def _gather(rig: Rig, release: Release, source: Any = None, check_time: Callable[[], None] = lambda: None) -> Gathered:
    root = rig.trust.snapshot().root
    return gather(source or rig.registry, REPOSITORY, release.digest, root, platform_key="", check_time=check_time)


def _attach_raw(rig: Rig, release: Release, *contents: bytes, artifact_type: str = BUNDLE_V03) -> None:
    """Attach anything at all under the type of a bundle."""
    client = LocalRegistry(rig.registry, CONTEXT)
    layers = tuple(Descriptor.of(content, artifact_type) for content in contents)
    for descriptor, content in ((EMPTY_DESCRIPTOR, EMPTY_BLOB), *zip(layers, contents, strict=True)):
        client.put_blob(REPOSITORY, descriptor.digest, descriptor.size, (content,))
    manifest = Manifest(
        media_type=OCI_MANIFEST,
        artifact_type=artifact_type,
        config=EMPTY_DESCRIPTOR,
        layers=layers,
        subject=release.manifest,
    )
    body = encode_manifest(manifest)
    client.put_manifest(REPOSITORY, str(Digest.of(body)), OCI_MANIFEST, body)


def test_every_verified_statement_counts_and_its_sbom_is_read(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    found = _gather(rig, release)
    assert len(found.statements) == 3
    assert found.rejected == ()
    (sbom,) = found.sboms
    assert (sbom.format, sbom.components, sbom.complete) == ("cyclonedx", 40, True)
    assert sbom.subject_digest == release.digest


@pytest.mark.parametrize(
    ("contents", "code"),
    [
        ((b"{}",), "bundle-malformed"),
        ((b"\xff" * 100,), "bundle-malformed"),
        ((b"[" * 100_000,), "bundle-malformed"),
        ((), "evidence-unreadable"),
        ((b"{}", b"[]"), "evidence-unreadable"),
        ((b" " * (MAX_BUNDLE + 1),), "evidence-too-large"),
    ],
)
def test_what_only_calls_itself_a_bundle_is_rejected_and_harms_nothing(
    rig: Rig, contents: tuple[bytes, ...], code: str
) -> None:
    release = rig.release()
    rig.push(release)
    _attach_raw(rig, release, *contents)
    found = _gather(rig, release)
    assert [each.code for each in found.rejected] == [code]
    assert len(found.statements) == 3


def test_other_referrers_are_not_looked_at(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    _attach_raw(rig, release, b"a picture", artifact_type="image/png")
    assert _gather(rig, release).rejected == ()
    assert not is_bundle(None)


def test_a_flood_of_bundles_costs_a_bounded_effort_and_hides_nothing_that_was_there(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    for number in range(260):
        _attach_raw(rig, release, b"%d" % number)
    looked: list[int] = []
    found = _gather(rig, release, check_time=lambda: looked.append(1))
    assert len(looked) == 256
    assert len(found.statements) == 3
    assert [each.code for each in found.rejected].count("evidence-too-large") == 1


class CountedRegistry:
    """The registry, counting what is asked of it and how many referrers it told."""

    def __init__(self, rig: Rig) -> None:
        self._registry = rig.registry
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any) -> Any:
            found = getattr(self._registry, name)(*arguments)
            self.asked[name] += len(found) if name == "referrers" else 1
            return found

        return ask


def _flood(rig: Rig, release: Release, numbers: range, artifact_type: str) -> None:
    """Put referrers without contents into the database, as many thousand pushes would."""
    row = {
        "repository": str(REPOSITORY),
        "media_type": OCI_MANIFEST,
        "artifact_type": artifact_type,
        "subject": str(release.digest),
        "annotations": b"{}",
        "pushed_at": rig.clock.now(),
    }
    bodies = [(number, b"flood %d" % number) for number in numbers]
    rows = [
        row | {"digest": str(Digest.of(body)), "size": len(body), "body": body, "fact_index": 10**6 + number}
        for number, body in bodies
    ]
    with rig.platform.database.writer.begin() as connection:
        connection.execute(MANIFEST.insert(), rows)


def _cost(rig: Rig, release: Release) -> tuple[Counter[str], Counter[str]]:
    """Return what one gathering asks of the registry, and which SQL it sends how often; others work meanwhile."""
    source, statements, here = CountedRegistry(rig), Counter[str](), threading.get_ident()

    def note(*call: Any) -> None:
        if threading.get_ident() == here:
            statements[call[2]] += 1

    event.listen(Engine, "before_cursor_execute", note)
    try:
        _gather(rig, release, source)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return source.asked, statements


def test_a_flood_of_2000_referrers_leaves_the_cost_of_a_decision_flat(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    _cost(rig, release)  # the first one looks up whom to trust as well
    alone = _cost(rig, release)
    assert alone[0]["referrers"] == 3
    _flood(rig, release, range(2000), "image/png")
    assert _cost(rig, release) == alone, "what is no bundle costs nothing"
    _flood(rig, release, range(2000, 2254), BUNDLE_V03)
    full = _cost(rig, release)
    assert full[0]["referrers"] == 257
    _flood(rig, release, range(2254, 4254), BUNDLE_V03)
    assert _cost(rig, release) == full, "bundles beyond those that are read cost nothing"


def test_a_flood_before_the_honest_evidence_can_only_deny(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=tuple(release.statements))
    assert not _allowed(rig, release)
    for number in range(256):
        _attach_raw(rig, release, b"%d" % number)
    for statement in release.statements.values():
        rig.attach(release, rig.sign(statement))
    found = _gather(rig, release)
    assert found.statements == ()
    assert len(found.rejected) == 257
    assert not _allowed(rig, release)
    for referrer in rig.registry.referrers(REPOSITORY, release.digest, limit=3):
        rig.registry.deletions.manifest(REPOSITORY, referrer.digest, CONTEXT)
    assert _allowed(rig, release), "who cleans up opens it again"


def _allowed(rig: Rig, release: Release) -> bool:
    """Whether the image would be promoted to where the policy demands signatures, provenance, SBOM and tests."""
    return rig.judge.ask(REPOSITORY, release.digest, "prod", Gate.PROMOTE)[1].allowed


def test_bundles_together_may_not_exceed_what_is_read_for_one_artifact(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    for number in range(9):
        _attach_raw(rig, release, b"%d" % number + b" " * (MAX_BUNDLE - 1))
    codes = [each.code for each in _gather(rig, release).rejected]
    assert codes.count("evidence-too-large") == 2


def test_a_signed_sbom_that_cannot_be_read_is_rejected_with_its_reason(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=("sbom",))
    release.statements["sbom"].predicate["components"] = "none"
    rig.attach(release, rig.sign(release.statements["sbom"]))
    found = _gather(rig, release)
    assert found.sboms == ()
    assert [each.code for each in found.rejected] == ["input-malformed"]
    assert any(each.predicate_type == CYCLONEDX for each in found.statements)


def test_a_summary_of_the_platform_that_cannot_be_read_promotes_nothing(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    subject = release.statements["tests"].subjects
    broken = Statement(subject, "https://slsa.dev/verification_summary/v1", {"verifier": 1})
    rig.attach(release, rig.sign(broken, rig.platform_key))
    root, key = rig.trust.snapshot().root, rig.platform_key.public_key.fingerprint
    found = gather(rig.registry, REPOSITORY, release.digest, root, platform_key=key, check_time=lambda: None)
    assert found.promotions == ()
    assert [each.code for each in found.rejected] == ["input-malformed"]


class Failing:
    """A registry of which one method fails."""

    def __init__(self, rig: Rig, method: str) -> None:
        self._rig = rig
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return self._fail
        return getattr(self._rig.registry, name)

    def _fail(self, *_: object) -> None:
        raise DatabaseUnavailable("gone")


@pytest.mark.parametrize("method", ["referrers", "manifest", "blob_bytes"])
def test_a_registry_that_fails_is_not_the_absence_of_evidence(rig: Rig, method: str) -> None:
    release = rig.release()
    rig.push(release)
    with pytest.raises(DatabaseUnavailable):
        _gather(rig, release, Failing(rig, method))


def test_time_is_looked_at_before_every_bundle(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    looked: list[int] = []

    def check_time() -> None:
        looked.append(1)
        if len(looked) == 2:
            raise GateTimeout("over")

    with pytest.raises(GateTimeout):
        _gather(rig, release, check_time=check_time)
