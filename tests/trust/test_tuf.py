"""The TUF repository, followed by python-tuf's own client from the first root on, past those who would mislead it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from tests.databases import ManualClock
from tests.platforms import CONTEXT, open_test_platform
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from chainward.adapters.keyring import OfflineKeys
from chainward.adapters.tuf import TufMetadata, _Signing, tuf_key_id
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.trust.authority import AuthorityKind
from chainward.trust.distribution import ONLINE_ROLES
from chainward.trust.errors import DistributionConflict, DistributionMissing, KeySealed, RootInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.platforms import TestPlatform

    from chainward.trust.distribution import Distribution

OFFLINE = OfflineKeys.fresh()
TUF = TufMetadata()


@dataclass
class Mirror(FetcherInterface):
    """What a client fetches: the repository as it is, but for what a test puts in its place."""

    distribution: Distribution
    instead: dict[str, bytes] = field(default_factory=dict)

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = urlsplit(url).path.removeprefix("/tuf/")
        try:
            yield self.instead.get(path) or self.distribution.file(path)
        except DistributionMissing:
            raise DownloadHTTPError("no such file", 404) from None


@dataclass
class TufClient:
    """A client with a folder of its own that began with root 1."""

    folder: Path
    mirror: Mirror
    first: bytes

    def documents(self, now: datetime) -> dict[str, Any]:
        """Update, and return what the client then believes."""
        (self.folder / "targets").mkdir(parents=True, exist_ok=True)
        with patch("tuf.ngclient._internal.trusted_metadata_set.datetime") as clock:
            clock.datetime.now.return_value = now
            updater = Updater(
                str(self.folder),
                "https://tuf.test/tuf/",
                str(self.folder / "targets"),
                "https://tuf.test/tuf/targets/",
                fetcher=self.mirror,
                config=UpdaterConfig(max_root_rotations=64),
                bootstrap=self.first,
            )
            updater.refresh()
            found = {}
            for name in ("trusted_root.json", "signing_config.v0.2.json"):
                info = updater.get_targetinfo(name)
                assert info is not None
                with open(updater.download_target(info), "rb") as file:  # noqa: PTH123 - the library gives a text
                    found[name] = json.loads(file.read())
        return found


@dataclass
class Stand:
    """A platform, its repository, and clients of it."""

    desk: TestPlatform
    folder: Path
    clock: ManualClock
    clients: int = 0

    @property
    def distribution(self) -> Distribution:
        return self.desk.platform.services.distribution

    def client(self, version: int = 1) -> TufClient:
        self.clients += 1
        return TufClient(
            self.folder / f"client-{self.clients}", Mirror(self.distribution), self.distribution.root(version)
        )

    def served(self, *names: str) -> dict[str, bytes]:
        """The repository as it stands: what an attacker keeps for later."""
        return {name: self.distribution.file(name) for name in names}

    def next_root(self, *signers: PrivateKey, **more: Any) -> bytes:
        return TUF.next_root(self.distribution.root(), signers, self.clock.now() + timedelta(days=365), **more)


@contextmanager
def opened(folder: Path) -> Iterator[Stand]:
    clock = ManualClock()
    with open_test_platform(folder / "p", clock=clock, offline=OFFLINE) as desk:
        yield Stand(desk, folder, clock)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A platform of one test."""
    with opened(tmp_path) as made:
        yield made


def current(stand: Stand) -> Mapping[str, Any]:
    documents = stand.desk.platform.services.documents.current()
    return {
        "trusted_root.json": json.loads(documents.trusted_root),
        "signing_config.v0.2.json": json.loads(documents.signing_config),
    }


def test_a_client_that_begins_with_root_1_gets_the_documents(stand: Stand) -> None:
    assert stand.client().documents(stand.clock.now()) == current(stand)


def test_a_rotation_reaches_a_client_that_was_there_before(stand: Stand) -> None:
    client = stand.client()
    before = client.documents(stand.clock.now())
    stand.desk.platform.services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
    after = client.documents(stand.clock.now())
    assert after == current(stand)
    assert len(after["trusted_root.json"]["tlogs"]) == len(before["trusted_root.json"]["tlogs"]) + 1


def test_a_compromised_instance_is_left_out_of_what_stock_clients_believe(stand: Stand) -> None:
    client = stand.client()
    assert len(client.documents(stand.clock.now())["trusted_root.json"]["timestampAuthorities"]) == 1
    authorities = stand.desk.platform.services.authorities
    authorities.mark_compromised("tsa-1", stand.clock.now(), "stolen", context=CONTEXT)
    assert client.documents(stand.clock.now())["trusted_root.json"]["timestampAuthorities"] == []


def test_a_client_follows_every_root_from_the_first_to_the_last(stand: Stand) -> None:
    keys = list(OFFLINE.tuf)
    first, behind = stand.client(), stand.client()
    for number in range(2, 8):
        keys.append(generate(Scheme.ED25519))
        gone = keys.pop(0)
        candidate = stand.next_root(gone, *keys, remove=[tuf_key_id(gone.public_key)])
        assert stand.distribution.replace_root(candidate, context=CONTEXT).version == number
        assert first.documents(stand.clock.now()) == current(stand)
    assert behind.documents(stand.clock.now()) == current(stand)
    assert set(stand.distribution.summary().keys) == {tuf_key_id(key.public_key) for key in keys}
    for version in range(1, 8):
        assert stand.client(version).documents(stand.clock.now()) == current(stand)


def test_a_lost_root_key_is_replaced_by_the_two_others(stand: Stand) -> None:
    lost, *others = OFFLINE.tuf
    fresh = generate(Scheme.ECDSA_P256_SHA256)
    candidate = stand.next_root(*others, fresh, remove=[tuf_key_id(lost.public_key)])
    summary = stand.distribution.replace_root(candidate, context=CONTEXT)
    assert set(summary.keys) == {tuf_key_id(key.public_key) for key in (*others, fresh)}
    assert stand.client().documents(stand.clock.now()) == current(stand)


def test_online_keys_are_replaced_by_a_root_that_names_new_ones(stand: Stand) -> None:
    before = stand.distribution.summary().online
    online = stand.distribution.make_online_keys(context=CONTEXT)
    candidate = stand.next_root(*OFFLINE.tuf, online=online)
    after = stand.distribution.replace_root(candidate, context=CONTEXT).online
    assert all(before[role] != after[role] for role in ONLINE_ROLES)
    stand.desk.platform.services.authorities.rotate(AuthorityKind.CT, context=CONTEXT)
    assert stand.client().documents(stand.clock.now()) == current(stand)


def test_expiry_renews_itself_while_the_platform_runs(stand: Stand) -> None:
    client = stand.client()
    for _ in range(40):
        stand.clock.advance(timedelta(hours=13))
        stand.desk.platform.services.refresh()
        client.documents(stand.clock.now())
    state = stand.distribution.state()
    assert state.versions["timestamp"] == 41
    assert 3 < state.versions["snapshot"] < 12
    facts = stand.desk.platform.ledger.facts(schemas=frozenset({"trust.documents-published/1"}))
    assert len(facts) == 1, "a renewal is not news"


def test_what_is_fresh_is_not_published_again(stand: Stand) -> None:
    assert stand.distribution.refresh(context=CONTEXT) is False
    assert stand.distribution.state().versions["timestamp"] == 1


def test_a_platform_that_stands_still_is_noticed_after_a_day(stand: Stand) -> None:
    stand.clock.advance(timedelta(days=1, minutes=1))
    with pytest.raises(ExpiredMetadataError):
        stand.client().documents(stand.clock.now())


def test_a_freeze_attack_is_noticed_because_the_timestamp_expires(stand: Stand) -> None:
    client = stand.client()
    frozen = stand.served("timestamp.json")
    stand.desk.platform.services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
    stand.clock.advance(timedelta(hours=25))
    stand.desk.platform.services.refresh()
    client.mirror.instead = frozen
    with pytest.raises(ExpiredMetadataError):
        client.documents(stand.clock.now())


def test_a_rollback_attack_with_an_old_timestamp_is_refused(stand: Stand) -> None:
    client = stand.client()
    old = stand.served("timestamp.json")
    stand.desk.platform.services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
    client.documents(stand.clock.now())
    client.mirror.instead = old
    with pytest.raises(BadVersionNumberError):
        client.documents(stand.clock.now())


def test_a_rollback_attack_with_an_old_snapshot_is_refused(stand: Stand) -> None:
    client = stand.client()
    old = stand.served("1.snapshot.json", "1.targets.json")
    stand.desk.platform.services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
    client.mirror.instead = {"2.snapshot.json": old["1.snapshot.json"]}
    with pytest.raises(BadVersionNumberError):
        client.documents(stand.clock.now())
    client.mirror.instead = {"2.targets.json": old["1.targets.json"]}
    with pytest.raises(BadVersionNumberError):
        client.documents(stand.clock.now())


def test_a_document_swapped_on_the_way_is_refused(stand: Stand) -> None:
    client = stand.client()
    targets = json.loads(stand.distribution.file("1.targets.json"))["signed"]["targets"]
    described = targets["trusted_root.json"]
    path = f"targets/{described['hashes']['sha256']}.trusted_root.json"
    client.mirror.instead = {path: b" " * described["length"]}
    with pytest.raises(LengthOrHashMismatchError):
        client.documents(stand.clock.now())


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_metadata_of_a_stranger_is_refused(stand: Stand, name: str) -> None:
    client = stand.client()
    stranger, expires = generate(Scheme.ED25519), stand.clock.now() + timedelta(days=1)
    forged = {
        "timestamp.json": TUF.timestamp(1, expires, 1, stranger),
        "1.snapshot.json": TUF.snapshot(1, expires, 1, stranger),
        "1.targets.json": TUF.targets(1, expires, {"trusted_root.json": b"{}"}, stranger),
    }
    client.mirror.instead = {name: forged[name]}
    with pytest.raises(UnsignedMetadataError):
        client.documents(stand.clock.now())


def test_who_holds_the_server_alone_cannot_make_clients_believe_another_root(stand: Stand) -> None:
    strangers = [generate(Scheme.ED25519) for _ in range(3)]
    online = {role: generate(Scheme.ED25519).public_key for role in ONLINE_ROLES}
    own = json.loads(TUF.first_root(strangers, 2, online, stand.clock.now() + timedelta(days=9)))
    own["signed"]["version"] = 2
    client = stand.client()
    client.mirror.instead = {"2.root.json": json.dumps(own).encode()}
    with pytest.raises(UnsignedMetadataError):
        client.documents(stand.clock.now())


def test_one_stolen_root_key_is_not_enough(stand: Stand) -> None:
    thief = generate(Scheme.ED25519)
    with pytest.raises(RootInvalid, match="signatures"):
        stand.next_root(OFFLINE.tuf[0], thief)


def test_a_root_that_too_few_signed_is_not_published(stand: Stand) -> None:
    whole = json.loads(stand.next_root(*OFFLINE.tuf))
    whole["signatures"] = whole["signatures"][:1]
    with pytest.raises(RootInvalid, match="signatures"):
        stand.distribution.replace_root(json.dumps(whole).encode(), context=CONTEXT)
    assert stand.distribution.state().versions["root"] == 1


def test_a_root_that_its_own_keys_signed_and_not_the_present_ones_is_not_published(stand: Stand) -> None:
    """Whoever administers the platform, but has no root key, tries to put clients on keys of his own."""
    strangers = [generate(Scheme.ED25519) for _ in range(3)]
    online = {role: keys[0] for role, keys in stand.distribution.summary().online.items()}
    own = Metadata[Root].from_bytes(TUF.first_root(strangers, 2, online, stand.clock.now() + timedelta(days=365)))
    own.signed.version = 2
    for signers in (strangers, [*strangers, OFFLINE.tuf[0]]):
        own.signatures.clear()
        for signer in signers:
            own.sign(_Signing(signer), append=True)
        with pytest.raises(RootInvalid, match="that root 1 wants"):
            stand.distribution.replace_root(own.to_bytes(), context=CONTEXT)
    assert stand.distribution.state().versions["root"] == 1


def test_a_root_must_be_the_next_one(stand: Stand) -> None:
    second = stand.next_root(*OFFLINE.tuf)
    stand.distribution.replace_root(second, context=CONTEXT)
    with pytest.raises(RootInvalid, match="does not follow"):
        stand.distribution.replace_root(second, context=CONTEXT)
    with pytest.raises(RootInvalid, match="does not follow"):
        stand.distribution.replace_root(stand.distribution.root(1), context=CONTEXT)


def test_a_root_that_is_over_is_not_published(stand: Stand) -> None:
    late = TUF.next_root(stand.distribution.root(), OFFLINE.tuf, stand.clock.now() - timedelta(days=1))
    with pytest.raises(RootInvalid, match="date"):
        stand.distribution.replace_root(late, context=CONTEXT)


def test_a_root_may_not_want_fewer_signatures(stand: Stand) -> None:
    weak = json.loads(stand.next_root(*OFFLINE.tuf))
    weak["signed"]["roles"]["root"]["threshold"] = 1
    with pytest.raises(RootInvalid, match="fewer"):
        stand.distribution.replace_root(json.dumps(weak).encode(), context=CONTEXT)


def test_a_root_whose_online_keys_are_not_ours_would_stop_everything_and_is_refused(stand: Stand) -> None:
    online = {role: generate(Scheme.ED25519).public_key for role in ONLINE_ROLES}
    candidate = stand.next_root(*OFFLINE.tuf, online=online)
    with pytest.raises(RootInvalid, match="ours"):
        stand.distribution.replace_root(candidate, context=CONTEXT)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"no json", b"\xff", b" " * 600_000, b'{"signed":{"_type":"root"},"signatures":[]}']
)
def test_bytes_that_are_no_root_are_refused(stand: Stand, content: bytes) -> None:
    with pytest.raises(RootInvalid):
        stand.distribution.replace_root(content, context=CONTEXT)


def test_other_metadata_is_no_root(stand: Stand) -> None:
    with pytest.raises(RootInvalid, match="not that of a root"):
        stand.distribution.replace_root(stand.distribution.file("1.targets.json"), context=CONTEXT)


def test_a_key_that_is_no_root_key_cannot_be_removed(stand: Stand) -> None:
    with pytest.raises(RootInvalid, match="not the id"):
        stand.next_root(*OFFLINE.tuf, remove=["0" * 64])


def test_a_repository_is_founded_once_and_by_enough_keys(stand: Stand) -> None:
    with pytest.raises(DistributionConflict):
        stand.distribution.found(OFFLINE.tuf, context=CONTEXT)
    with pytest.raises(RootInvalid, match="signatures"):
        stand.distribution.found(OFFLINE.tuf[:1], context=CONTEXT)


@pytest.mark.parametrize(
    "path", ["2.root.json", "root.json", "../chainward.db", "targets/x", "", "a" * 300, "1.root.json/"]
)
def test_what_was_not_published_is_not_there(stand: Stand, path: str) -> None:
    with pytest.raises(DistributionMissing):
        stand.distribution.file(path)


def test_roots_and_documents_become_facts(stand: Stand) -> None:
    stand.distribution.replace_root(stand.next_root(*OFFLINE.tuf), context=CONTEXT)
    stand.desk.platform.services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
    ledger = stand.desk.platform.ledger
    roots = [fact.body for fact in ledger.facts(schemas=frozenset({"trust.root-published/1"}))]
    assert [(root["version"], root["threshold"]) for root in roots if root] == [(1, 2), (2, 2)]
    documents = [fact.body for fact in ledger.facts(schemas=frozenset({"trust.documents-published/1"}))]
    assert [body["version"] for body in documents if body] == [1, 3]
    assert all(
        set(body["documents"]) == {"trusted_root.json", "signing_config.v0.2.json"} for body in documents if body
    )


def test_the_files_are_served_over_http_as_stock_clients_ask_for_them(stand: Stand) -> None:
    from tests.platforms import in_process

    with in_process(stand.desk) as admin:
        nobody = admin.with_token(None)
        first, timestamp = nobody.get("/tuf/1.root.json"), nobody.get("/tuf/timestamp.json")
        assert first.content == stand.distribution.root(1)
        assert "immutable" in first.headers["cache-control"]
        assert timestamp.headers["cache-control"] == "no-store"
        assert nobody.get("/tuf/2.root.json").status_code == 404
        described = nobody.get("/tuf/1.targets.json").json()["signed"]["targets"]
        for name, each in described.items():
            body = nobody.get(f"/tuf/targets/{each['hashes']['sha256']}.{name}").content
            assert body == nobody.get(f"/{name}").content


def test_a_rotation_that_cannot_be_published_now_is_published_by_the_next_renewal(stand: Stand) -> None:
    services = stand.desk.platform.services
    with stand.desk.platform.database.writer.begin() as connection:
        sealed = connection.exec_driver_sql("SELECT sealed_key FROM tuf_key WHERE name = 'tuf-targets-1'").scalar()
        connection.exec_driver_sql("UPDATE tuf_key SET sealed_key = x'00' WHERE name = 'tuf-targets-1'")
    made = services.authorities.rotate(AuthorityKind.LOG, context=CONTEXT)
    assert services.authorities.active(AuthorityKind.LOG) == made, "the rotation itself is durable"
    assert stand.distribution.state().versions["targets"] == 1
    with pytest.raises(KeySealed):
        services.refresh()
    with stand.desk.platform.database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE tuf_key SET sealed_key = ? WHERE name = 'tuf-targets-1'", (sealed,))
    services.refresh()
    assert stand.client().documents(stand.clock.now()) == current(stand)
