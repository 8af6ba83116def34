"""Promoting: one environment at a time, with evidence verified anew, and a signed summary of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.delivery.rig import CONTEXT, POLICY, REPOSITORY, Rig

from chainward.delivery.errors import ArtifactUnknown, PromotionDenied, PromotionOutOfOrder
from chainward.delivery.evidence import gather
from chainward.delivery.summary import level_of, promotions_in, resource_uri
from chainward.formats.intoto import VSA
from chainward.formats.vsa import VerificationResult, decode_summary
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.portfolio.errors import EnvironmentUnknown
from chainward.trust.sign import sign_statement

if TYPE_CHECKING:
    from chainward.delivery.evidence import Gathered
    from chainward.delivery.writes import KeepPromotion

_PLAIN = b"    require:\n      signature: {}\n"
STRICT = POLICY.replace(_PLAIN, _PLAIN + b"      promotion: {from: dev}\n")


def _gathered(rig: Rig, digest: Digest, repository: RepositoryName = REPOSITORY) -> Gathered:
    return gather(
        rig.registry,
        repository,
        digest,
        rig.trust.snapshot().root,
        platform_key=rig.platform_key.public_key.fingerprint,
        check_time=lambda: None,
    )


def test_an_image_goes_up_step_by_step_and_each_step_is_summarised(rig: Rig) -> None:
    digest = rig.push(rig.release())
    for environment in ("dev", "staging", "prod"):
        rig.promoter.promote(REPOSITORY, Tag("1"), environment, context=CONTEXT)
    gathered = _gathered(rig, digest)
    assert [promotion.environment for promotion in gathered.promotions] == ["dev", "staging", "prod"]
    assert gathered.rejected == ()
    assert rig.schemas() == ["promoted/1"] * 3
    assert [each.environment for each in rig.promoter.promotions(REPOSITORY, digest)] == ["dev", "staging", "prod"]


def test_the_summary_says_who_verified_what_against_which_policy_with_which_evidence(rig: Rig) -> None:
    digest = rig.push(rig.release())
    promotion = rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    found = [each for each in _gathered(rig, digest).statements if each.predicate_type == VSA]
    assert [each.bundle_digest for each in found] == [promotion.vsa]
    summary = decode_summary(found[0].statement.predicate)
    assert summary.verifier_id == "https://platform.test"
    assert summary.resource_uri == f"oci://reg.example/shop/web@{digest}"
    assert summary.result is VerificationResult.PASSED
    assert summary.verified_levels == ("CHAINWARD_PROMOTED_DEV",)
    assert summary.policy_digest == Digest.of(POLICY)
    assert len(summary.input_attestations) == 3


def test_no_environment_is_skipped(rig: Rig) -> None:
    digest = rig.push(rig.release())
    with pytest.raises(PromotionOutOfOrder, match="not promoted to dev") as caught:
        rig.promoter.promote(REPOSITORY, digest, "staging", context=CONTEXT)
    assert "--to dev" in caught.value.hint
    rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    with pytest.raises(PromotionOutOfOrder, match="not promoted to staging"):
        rig.promoter.promote(REPOSITORY, digest, "prod", context=CONTEXT)
    assert rig.schemas() == ["promotion-denied/1", "promoted/1", "promotion-denied/1"]


def test_the_same_promotion_twice_changes_nothing_and_answers_the_same(rig: Rig) -> None:
    digest = rig.push(rig.release())
    first = rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    assert rig.promoter.promote(REPOSITORY, Tag("1"), "dev", context=CONTEXT) == first
    assert rig.schemas() == ["promoted/1"]
    assert len(rig.registry.referrers(REPOSITORY, digest)) == 4


def test_a_denied_promotion_is_a_fact_and_says_what_to_do(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=("tests", "sbom"))
    rig.promoter.promote(REPOSITORY, release.digest, "dev", context=CONTEXT)
    with pytest.raises(PromotionDenied) as caught:
        rig.promoter.promote(REPOSITORY, release.digest, "staging", context=CONTEXT)
    assert caught.value.details["checks"] == ["sbom-missing", "tests-missing"]
    assert "chainward sbom" in caught.value.hint
    (fact,) = rig.bodies("delivery.promotion-denied/1")
    assert fact["codes"] == ["sbom-missing", "tests-missing"]
    assert len(_gathered(rig, release.digest).promotions) == 1


def test_evidence_is_verified_anew_whatever_was_decided_before(rig: Rig) -> None:
    digest = rig.push(rig.release())
    rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    looked: list[Digest] = []
    inner = rig.judge._evidence

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

        def referrers(self, repository: RepositoryName, of: Digest, *bounds: Any) -> Any:
            looked.append(of)
            return inner.referrers(repository, of, *bounds)

    rig.judge._evidence = Counting()
    rig.promoter.promote(REPOSITORY, digest, "staging", context=CONTEXT)
    assert looked == [digest]


def test_a_revoked_image_goes_nowhere_not_even_where_it_is(rig: Rig) -> None:
    digest = rig.push(rig.release())
    rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    for environment in ("dev", "staging"):
        with pytest.raises(PromotionDenied, match="key leaked") as caught:
            rig.promoter.promote(REPOSITORY, digest, environment, context=CONTEXT)
        assert caught.value.details["checks"] == ["artifact-revoked"]


def test_a_revocation_that_comes_while_the_gate_decides_wins(rig: Rig) -> None:
    digest = rig.push(rig.release())
    inner = rig.promoter._ledger

    class Late:
        """Revokes just before the promotion is committed."""

        def commit(self, facts: Any, writes: Any = (), **more: Any) -> Any:
            held: tuple[KeepPromotion, ...] = tuple(writes)
            if held:
                rig.registry.revocations.revoke(digest, "just now", CONTEXT)
            return inner.commit(facts, held, **more)

    rig.promoter._ledger = Late()  # type: ignore[assignment]  # it stands in for the one method that is used
    with pytest.raises(PromotionDenied, match="revoked"):
        rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    assert rig.promoter.promotions(REPOSITORY, digest) == ()
    assert rig.schemas() == ["promotion-denied/1"]


def test_after_a_crash_between_summary_and_fact_the_promotion_can_be_repeated(rig: Rig) -> None:
    digest = rig.push(rig.release())
    inner = rig.promoter._ledger

    class Crashing:
        def commit(self, *_: Any, **__: Any) -> Any:
            raise OSError("power loss")

    rig.promoter._ledger = Crashing()  # type: ignore[assignment]  # it stands in for the one method that is used
    with pytest.raises(OSError, match="power loss"):
        rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    rig.promoter._ledger = inner
    assert rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT).environment == "dev"
    assert rig.schemas() == ["promoted/1"]


def test_what_does_not_exist_is_named(rig: Rig) -> None:
    digest = rig.push(rig.release())
    with pytest.raises(EnvironmentUnknown):
        rig.promoter.promote(REPOSITORY, digest, "moon", context=CONTEXT)
    with pytest.raises(ArtifactUnknown):
        rig.promoter.promote(REPOSITORY, Tag("none"), "dev", context=CONTEXT)


def test_a_policy_may_ask_for_the_promotion_itself(rig: Rig) -> None:
    rig.policies.activate(STRICT, context=CONTEXT)
    digest = rig.push(rig.release())
    rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    assert rig.promoter.promote(REPOSITORY, digest, "staging", context=CONTEXT).environment == "staging"


def _forged(rig: Rig, digest: Digest, repository: RepositoryName = REPOSITORY) -> Any:
    from chainward.attest.vsa import statement_of_summary, summary_of

    summary = summary_of(
        verifier_id="https://platform.test",
        verified_at=rig.clock.now(),
        resource_uri=resource_uri("reg.example", repository, digest),
        policy_uri="urn:chainward:policy:1",
        policy_digest=Digest.of(POLICY),
        passed=True,
        evidence=(),
        levels=(level_of("prod"),),
    )
    return statement_of_summary("web", digest, summary)


def test_a_summary_signed_by_anybody_else_promotes_nothing(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    rig.attach(release, rig.sign(_forged(rig, release.digest)))
    stranger = generate(Scheme.ECDSA_P256_SHA256)
    rig.attach(release, sign_statement(_forged(rig, release.digest), stranger, rig.rekor))
    assert _gathered(rig, release.digest).promotions == ()


def test_a_summary_replayed_in_another_repository_promotes_nothing_there(rig: Rig) -> None:
    release = rig.release()
    api = RepositoryName("shop/api")
    rig.push(release)
    rig.push(release, "1", repository=api)
    bundle = rig.sign(_forged(rig, release.digest), rig.platform_key)
    rig.attach(release, bundle)
    rig.attach(release, bundle, repository=api)
    assert len(_gathered(rig, release.digest).promotions) == 1
    assert _gathered(rig, release.digest, api).promotions == ()


def test_environments_with_dashes_survive_the_way_through_a_summary(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    statement = _forged(rig, release.digest)
    statement.predicate["verifiedLevels"] = ["SLSA_BUILD_LEVEL_2", level_of("pre-prod-eu")]
    rig.attach(release, rig.sign(statement, rig.platform_key))
    (found,) = [each for each in _gathered(rig, release.digest).statements if each.predicate_type == VSA]
    assert [each.environment for each in promotions_in(found, REPOSITORY, release.digest)] == ["pre-prod-eu"]
