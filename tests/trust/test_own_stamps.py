"""What the platform signs itself carries the time of its own timestamp authority."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.platforms import open_test_platform
from tests.trust.world import key, statement

from chainward.formats.rfc3161 import decode_response
from chainward.trust.material import TrustMaterial
from chainward.trust.prove import prove_bundle
from chainward.trust.sign import sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

    from chainward.trust.ports import TimestampSource
    from chainward.wiring.trust import TrustServices


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    with open_test_platform(tmp_path_factory.mktemp("stamps")) as platform:
        yield platform


def test_the_platforms_own_stamps_are_over_what_they_should_be_and_of_now(furnished: TestPlatform) -> None:
    stamps: TimestampSource = furnished.platform.services.stamps()
    token = decode_response(stamps.stamp(b"signature"))
    assert token.digest == hashlib.sha256(b"signature").digest()
    assert abs(datetime.now(UTC) - token.gen_time) < timedelta(minutes=1)
    assert [authority.name for authority in stamps.authorities] == ["tsa-1"]


def test_a_bundle_of_the_platform_proves_when_it_was_signed(furnished: TestPlatform) -> None:
    services: TrustServices = furnished.platform.services
    signer = key("platform")
    bundle = sign_statement(statement(), signer, furnished.platform.rekor, stamps=services.stamps())
    material = TrustMaterial.from_authorities(services.authorities.snapshot().authorities)
    proven = prove_bundle(bundle, material, find_key={signer.public_key.fingerprint: signer.public_key}.get)
    assert [time.source for time in proven.times] == ["tsa-1"]
    assert proven.signed_at is not None


def test_the_summaries_of_promotions_are_stamped(furnished: TestPlatform, tmp_path: Path) -> None:
    """The promoter was given the stamps; a journey through the face shows the rest."""
    del tmp_path
    verifier = furnished.platform.promoter._verifier
    assert verifier.stamps is not None
    assert verifier.stamps.authorities[0].name == "tsa-1"
