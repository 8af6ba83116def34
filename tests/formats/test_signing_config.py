"""Signing configs and client trust configs: what we write, stock models read; what we read is held to its form."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sigstore_models.trustroot.v1 import ClientTrustConfig as StockClientTrustConfig
from sigstore_models.trustroot.v1 import SigningConfig as StockSigningConfig

from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.signing_config import (
    ClientTrustConfig,
    Service,
    SigningConfig,
    decode_client_trust_config,
    decode_signing_config,
    encode_client_trust_config,
    encode_signing_config,
)
from chainward.formats.trusted_root import TrustedRoot

START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
END = datetime(2027, 11, 23, 9, 30, tzinfo=UTC)
CA = Service(url="https://trust.example.test", version=1, start=START, operator="example")
OLD = replace(CA, start=datetime(2025, 1, 1, tzinfo=UTC), end=END)
LOG = replace(CA, version=2)
TSA = replace(CA, url="https://trust.example.test/api/v1/timestamp")
CONFIG = SigningConfig((CA, OLD), (replace(CA, url="http://127.0.0.1:8420/dev/oidc"),), (LOG,), (TSA,))
BOTH = ClientTrustConfig(TrustedRoot(()), CONFIG)


def changed(path: str, value: Any) -> bytes:
    """The document with one member replaced."""
    document = json.loads(encode_signing_config(CONFIG))
    *way, last = path.split(".")
    place = document
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    return json.dumps(document).encode()


def test_what_is_written_is_read_again() -> None:
    assert decode_signing_config(encode_signing_config(CONFIG)) == CONFIG
    assert decode_client_trust_config(encode_client_trust_config(BOTH)) == BOTH
    assert decode_signing_config(encode_signing_config(SigningConfig())) == SigningConfig()


def test_strict_stock_models_read_what_is_written() -> None:
    config = StockSigningConfig.from_json(encode_signing_config(CONFIG))
    assert [service.url for service in config.ca_urls] == [CA.url, OLD.url]
    assert [service.major_api_version for service in config.rekor_tlog_urls] == [2]
    assert config.rekor_tlog_config is not None
    assert config.rekor_tlog_config.selector.value == "ANY"
    assert StockClientTrustConfig.from_json(encode_client_trust_config(BOTH)).signing_config == config


@pytest.mark.parametrize(
    "url",
    [
        "",
        "trust.example.test",
        "ftp://trust.example.test",
        "https://",
        "https://user@trust.example.test",
        "https://trust.example.test:port",
        "https://trust.example.test#part",
        "https://[::1",
        "https://" + "a" * 2048,
    ],
)
def test_what_is_no_url_of_a_service_is_neither_read_nor_written(url: str) -> None:
    with pytest.raises(Malformed):
        decode_signing_config(changed("caUrls.0.url", url))
    with pytest.raises(Unwritable):
        encode_signing_config(SigningConfig((replace(CA, url=url),)))


def test_a_service_is_written_with_version_and_operator() -> None:
    for wrong in (replace(CA, version=0), replace(CA, operator="")):
        with pytest.raises(Unwritable):
            encode_signing_config(SigningConfig((wrong,)))


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.dev.sigstore.signingconfig.v0.1+json"])
def test_another_version_is_not_read(kind: str) -> None:
    with pytest.raises(Unsupported):
        decode_signing_config(changed("mediaType", kind))
    both = json.loads(encode_client_trust_config(BOTH)) | {"mediaType": kind}
    with pytest.raises(Unsupported):
        decode_client_trust_config(json.dumps(both).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        changed("caUrls.0.majorApiVersion", "one"),
        changed("caUrls.0.validFor", None),
        changed("caUrls", [json.loads(changed("mediaType", ""))["caUrls"][0]] * 257),
    ],
)
def test_what_is_no_signing_config_is_refused(data: bytes) -> None:
    with pytest.raises((Malformed, Unsupported)):
        decode_signing_config(data)


def test_a_huge_document_is_not_parsed() -> None:
    with pytest.raises(TooLarge):
        decode_signing_config(b" " * (1024 * 1024 + 1))
    with pytest.raises(TooLarge):
        decode_client_trust_config(b" " * (2 * 1024 * 1024 + 1))
