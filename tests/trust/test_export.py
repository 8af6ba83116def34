"""The export: one file, read strictly, that says the same as the platform did."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.platforms import CONTEXT, open_test_platform
from tests.trust.world import key

from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Problem
from chainward.trust.export import MAX_EXPORT, decode_export, encode_export, is_export, material_of
from chainward.trust.identity import IdentityMatch
from chainward.trust.revocations import RevokedBy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a platform exports that has everything: signers of both kinds, revocations, a compromise."""
    folder: Path = tmp_path_factory.mktemp("export")
    with open_test_platform(folder / "p") as desk:
        platform = desk.platform
        scope = [RepositoryPattern("shop/**")]
        platform.signers.add("release", key("release").public_key, scope, ["*"], context=CONTEXT)
        ci = IdentityMatch(subject="ci@example.test", issuer_regex="https://.*", claims=(("workflow_name", "x"),))
        platform.signers.add("ci", ci, scope, ["*"], portable=True, context=CONTEXT)
        platform.signers.distrust("release", "stolen", since=platform.clock.now(), context=CONTEXT)
        revocations = platform.signature_revocations
        since = datetime(2026, 1, 1, tzinfo=UTC)
        for drafted in (
            revocations.draft(RevokedBy.KEY, "ab" * 32, since=since, reason="stolen"),
            revocations.draft(
                RevokedBy.IDENTITY, "", match=ci, since=since, until=since + timedelta(days=1), reason="stolen"
            ),
        ):
            revocations.revoke(drafted, context=CONTEXT)
        platform.anchor()
        platform.services.authorities.mark_compromised("tsa-1", platform.clock.now(), "stolen", context=CONTEXT)
        exported = platform.trust_export()
        assert decode_export(exported).root() == platform.trust.snapshot().root
    return exported


def changed(document: bytes, path: str, value: Any) -> bytes:
    """The file with one member replaced."""
    whole = json.loads(document)
    *way, last = path.split(".")
    place = whole
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(whole).encode()


def test_what_is_written_is_read_again_byte_for_byte(document: bytes) -> None:
    export = decode_export(document)
    assert encode_export(export) == document
    assert [signer.name for signer in export.signers if signer.distrusted_at] == ["release"]
    assert len(export.revocations) == 2
    assert [each.name for each in export.authorities if each.compromise] == ["tsa-1"]


def test_an_export_and_a_trusted_root_are_told_apart(document: bytes) -> None:
    standard = decode_export(document).trusted_root
    assert is_export(document)
    assert not is_export(standard)
    assert len(material_of(document).timestamp_authorities) == 1
    assert material_of(standard).timestamp_authorities == ()
    assert material_of(standard).logs == material_of(document).logs


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("authorities.0.publicKey", "AAAA"),
        ("authorities.0.kind", "dns"),
        ("authorities.0.name", "log-1"),
        ("authorities.3.compromise.checkpoints.0.root", "xyz"),
        ("authorities.3.compromise.checkpoints.0.size", -1),
        ("authorities.0.start", "yesterday"),
        ("authorities.0.private", "member"),
        ("signers.0.repositories", []),
        ("signers.0.publicKey", None),
        ("revocations.0.by", "name"),
        ("revocations.0.target", "short"),
        ("exportedAt", ""),
        ("witnesses", None),
        ("extra", 1),
    ],
)
def test_a_part_that_cannot_be_is_refused(document: bytes, path: str, value: Any) -> None:
    with pytest.raises(Problem):
        decode_export(changed(document, path, value))


def test_another_version_is_not_read(document: bytes) -> None:
    with pytest.raises(Unsupported):
        decode_export(changed(document, "mediaType", "application/vnd.chainward.trust-export.v2+json"))


def test_a_huge_file_is_not_parsed() -> None:
    with pytest.raises(TooLarge):
        decode_export(b" " * (MAX_EXPORT + 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises((Malformed, Unsupported)):
        decode_export(data)
