"""Sigstore trusted roots."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import origins

from chainward.formats.codec import encode_base64
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.trusted_root import (
    AuthorityChain,
    LogKey,
    TrustedRoot,
    decode_trusted_root,
    encode_trusted_root,
)
from chainward.kernel.instant import InvalidInstant

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

HASH = bytes(range(32))
START = datetime(2026, 11, 23, tzinfo=UTC)
KEY = LogKey(
    origin="log.example",
    base_url="https://log.example",
    public_key_der=b"key",
    key_details="PKIX_ED25519",
    key_id=HASH,
    start=START,
)
CHAIN = AuthorityChain(
    uri="https://ca.example",
    organization="example",
    common_name="example ca",
    certificates=(b"intermediate", b"root"),
    start=START,
)
ROOT = TrustedRoot((KEY,), (KEY,), (CHAIN,), (CHAIN,))


def changed(path: str, value: object) -> bytes:
    """Set the member of a root at ``path`` (numbers are list indexes); ``absent`` removes it."""
    whole = json.loads(encode_trusted_root(ROOT))
    *parents, last = path.split(".")
    target: Any = whole
    for parent in parents:
        target = target[int(parent) if parent.isdigit() else parent]
    if value == "absent":
        del target[last]
    else:
        target[last] = value
    return json.dumps(whole).encode()


def ends() -> SearchStrategy[datetime | None]:
    return st.none() | st.datetimes(timezones=st.just(UTC))


def log_keys() -> SearchStrategy[LogKey]:
    def key(origin: str, der: bytes, end: datetime | None) -> LogKey:
        return replace(KEY, origin=origin, base_url=f"https://{origin}", public_key_der=der, end=end)

    return st.builds(key, origins(), st.binary(max_size=40), ends())


def chains() -> SearchStrategy[AuthorityChain]:
    certificates = st.lists(st.binary(max_size=20), min_size=1, max_size=10).map(tuple)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    return st.builds(
        AuthorityChain,
        uri=text,
        organization=text,
        common_name=text,
        certificates=certificates,
        start=st.just(START),
        end=ends(),
    )


@given(
    st.builds(
        TrustedRoot,
        st.lists(log_keys(), max_size=3).map(tuple),
        st.lists(log_keys(), max_size=3).map(tuple),
        st.lists(chains(), max_size=3).map(tuple),
        st.lists(chains(), max_size=3).map(tuple),
    )
)
def test_a_trusted_root_reads_back_as_it_was_written(root: TrustedRoot) -> None:
    assert decode_trusted_root(encode_trusted_root(root)) == root


def test_a_trusted_root_has_the_lists_that_clients_look_for() -> None:
    document = json.loads(encode_trusted_root(TrustedRoot((KEY,))))
    assert document["mediaType"] == "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
    assert document["certificateAuthorities"] == document["ctlogs"] == document["timestampAuthorities"] == []
    assert document["tlogs"] == [
        {
            "baseUrl": "https://log.example",
            "hashAlgorithm": "SHA2_256",
            "logId": {"keyId": encode_base64(HASH)},
            "publicKey": {
                "keyDetails": "PKIX_ED25519",
                "rawBytes": "a2V5",
                "validFor": {"start": "2026-11-23T00:00:00.000000Z"},
            },
        }
    ]


def test_an_authority_is_written_with_the_members_that_clients_read() -> None:
    document = json.loads(encode_trusted_root(TrustedRoot((), (), (CHAIN,))))
    assert document["certificateAuthorities"] == [
        {
            "subject": {"organization": "example", "commonName": "example ca"},
            "uri": "https://ca.example",
            "certChain": {"certificates": [{"rawBytes": encode_base64(each)} for each in (b"intermediate", b"root")]},
            "validFor": {"start": "2026-11-23T00:00:00.000000Z"},
        }
    ]


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "application/vnd.dev.sigstore.trustedroot.v0.1+json",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
    ],
)
def test_a_trusted_root_is_read_under_each_of_its_media_types(media_type: str) -> None:
    assert decode_trusted_root(changed("mediaType", media_type)) == ROOT


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [("http://localhost:8000", "localhost:8000"), ("https://ct.example/2022/", "ct.example/2022")],
)
def test_the_url_of_a_foreign_log_may_have_a_port_or_a_path(base_url: str, origin: str) -> None:
    assert decode_trusted_root(changed("tlogs.0.baseUrl", base_url)).logs[0].origin == origin


def test_a_log_of_a_newer_root_may_be_named_by_its_checkpoint_key_alone() -> None:
    whole = json.loads(changed("tlogs.0.checkpointKeyId", {"keyId": encode_base64(HASH)}))
    del whole["tlogs"][0]["logId"]
    assert decode_trusted_root(json.dumps(whole).encode()).logs[0].key_id == HASH


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("mediaType", "application/vnd.dev.sigstore.trustedroot.v9.9+json", Unsupported),
        ("tlogs.0.hashAlgorithm", "SHA2_512", Unsupported),
        ("tlogs.0.baseUrl", "log.example", Malformed),
        ("tlogs.0.baseUrl", "https:///", Malformed),
        ("tlogs.0.publicKey.rawBytes", "*", Malformed),
        ("tlogs.0.publicKey.validFor", "absent", Malformed),
        ("tlogs.0.publicKey.validFor", {}, Malformed),
        ("tlogs.0.publicKey.validFor.start", "today", InvalidInstant),
        ("tlogs.0.logId", "absent", Malformed),
        ("ctlogs.0.logId.keyId", "*", Malformed),
        ("certificateAuthorities.0.validFor", {}, Malformed),
        ("certificateAuthorities.0.certChain", {"certificates": []}, Malformed),
        ("certificateAuthorities.0.certChain", {"certificates": [{"rawBytes": ""}] * 11}, Malformed),
        ("timestampAuthorities.0.certChain.certificates.0.rawBytes", "*", Malformed),
        ("timestampAuthorities.0.validFor.end", "later", InvalidInstant),
        ("timestampAuthorities", [{}] * 257, Malformed),
    ],
)
def test_a_trusted_root_with_a_wrong_part_is_refused(path: str, value: object, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        decode_trusted_root(changed(path, value))


def test_a_trusted_root_that_lists_more_instances_than_anybody_runs_is_refused() -> None:
    log = json.loads(encode_trusted_root(ROOT))["tlogs"][0]
    with pytest.raises(Malformed, match="256"):
        decode_trusted_root(changed("tlogs", [log] * 257))


def test_a_log_whose_base_url_does_not_name_its_origin_is_not_written() -> None:
    for base_url in ("https://other.example", "http://log.example", "https://log.example/"):
        with pytest.raises(Unwritable):
            encode_trusted_root(TrustedRoot((replace(KEY, base_url=base_url),)))


@pytest.mark.parametrize("count", [0, 11])
def test_a_chain_that_could_not_be_read_back_is_not_written(count: int) -> None:
    with pytest.raises(Unwritable):
        encode_trusted_root(TrustedRoot((), (), (replace(CHAIN, certificates=(b"x",) * count),)))
