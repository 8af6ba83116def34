"""What is believed of a platform follows from the root that was pinned, whoever answers at its address later."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from securesystemslib.signer._crypto_signer import CryptoSigner
from tests.loopback import Asked, Reply, served
from tuf.api._payload import MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.metadata import Metadata

from chainward.adapters.exchange import Exchange
from chainward.adapters.pinned import PinnedTrust, TrustExpired, TrustFolderUnusable, TrustPinBroken, folder_name
from chainward.adapters.remote import AnswerUnexpected, PlatformUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLES: Final = ("root", "timestamp", "snapshot", "targets")
FAR: Final = timedelta(days=3650)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Repository:
    """A TUF repository in memory with one key for everything, as a platform would serve it."""

    document: bytes = b'{"first":1}'
    signer: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)
    life: timedelta = FAR
    version: int = 1
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root(1)
        self.publish(self.document)

    def root(self, version: int, *former: CryptoSigner) -> None:
        root = Root(version=version, expires=now() + FAR, consistent_snapshot=True)
        for role in ROLES:
            root.add_key(self.signer.public_key, role)
        metadata = Metadata(root)
        for signer in (self.signer, *former):
            metadata.sign(signer, append=True)
        self.files[f"{version}.root.json"] = metadata.to_bytes()

    def publish(self, document: bytes) -> None:
        target = TargetFile.from_data("trusted_root.json", document, ["sha256"])
        targets = Targets(self.version, expires=now() + FAR, targets={target.path: target})
        snapshot = Snapshot(self.version, expires=now() + FAR, meta={"targets.json": MetaFile(self.version)})
        timestamp = Timestamp(self.version, expires=now() + self.life, snapshot_meta=MetaFile(self.version))
        self.files[f"{self.version}.targets.json"] = self._signed(targets)
        self.files[f"{self.version}.snapshot.json"] = self._signed(snapshot)
        self.files["timestamp.json"] = self._signed(timestamp)
        self.files[f"targets/{hashlib.sha256(document).hexdigest()}.trusted_root.json"] = document
        self.version += 1

    def _signed(self, content: Signed) -> bytes:
        metadata: Metadata[Any] = Metadata(content)
        metadata.sign(self.signer)
        return metadata.to_bytes()

    def answer(self, asked: Asked) -> Reply:
        name = asked.path.removeprefix("/tuf/")
        self.asked.append(name)
        content = self.files.get(name)
        return (404, {}, b"") if content is None else (200, {}, content)


@dataclass
class Client:
    """A machine that pinned what it met first."""

    url: str
    folder: Path
    repository: Repository
    pins: list[str] = field(default_factory=list)

    def ask(self, at: datetime | None = None, root: bytes | None = None) -> bytes:
        with Exchange(seconds=5, pause=lambda _: None) as exchange:
            pinned = PinnedTrust(self.url, self.folder, exchange, self.pins.append)
            return pinned.trusted_root(at or now(), root=root)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    known = Client("", tmp_path / "trust", Repository())

    def answer(asked: Asked) -> Reply:
        return known.repository.answer(asked)

    with served(answer) as (known.url, _):
        yield known


def test_the_first_root_that_is_met_is_pinned_and_said(client: Client) -> None:
    assert client.ask() == b'{"first":1}'
    assert client.ask() == b'{"first":1}'
    assert client.pins == [hashlib.sha256(client.repository.files["1.root.json"]).hexdigest()]


def test_new_documents_follow_from_the_pin(client: Client) -> None:
    client.ask()
    client.repository.publish(b'{"second":2}')
    assert client.ask() == b'{"second":2}'
    assert len(client.pins) == 1


def test_a_rotated_root_follows_from_the_pin(client: Client) -> None:
    client.ask()
    former, client.repository.signer = client.repository.signer, CryptoSigner.generate_ed25519()
    client.repository.root(2, former)
    client.repository.publish(b'{"rotated":2}')
    assert client.ask() == b'{"rotated":2}'


def test_what_did_not_change_is_not_fetched_and_verified_again(client: Client) -> None:
    client.ask()
    client.repository.asked.clear()
    client.ask()
    assert sorted(client.repository.asked) == ["2.root.json", "timestamp.json"]


def test_whoever_takes_the_address_over_is_not_believed(client: Client) -> None:
    client.ask()
    client.repository = Repository(b'{"forged":1}')
    with pytest.raises(TrustPinBroken) as caught:
        client.ask()
    assert caught.value.details == {"pin": str(client.folder)}


def test_a_root_that_the_pinned_one_did_not_sign_is_not_believed(client: Client) -> None:
    client.ask()
    client.repository.signer = CryptoSigner.generate_ed25519()
    client.repository.root(2)
    client.repository.publish(b'{"forged":2}')
    with pytest.raises(TrustPinBroken):
        client.ask()


def test_a_document_that_nobody_vouched_for_is_not_believed(client: Client) -> None:
    name = next(name for name in client.repository.files if name.startswith("targets/"))
    client.repository.files[name] = b'{"forge":1}'
    with pytest.raises(TrustPinBroken):
        client.ask()
    assert not client.pins


def test_old_documents_that_are_given_out_again_are_not_believed(client: Client) -> None:
    old = dict(client.repository.files)
    client.ask()
    client.repository.publish(b'{"second":2}')
    client.ask()
    client.repository.files = old
    with pytest.raises(TrustPinBroken):
        client.ask()


def test_expired_documents_are_not_believed(tmp_path: Path) -> None:
    stale = Repository(life=timedelta(seconds=-10))
    with served(stale.answer) as (url, _), pytest.raises(TrustExpired):
        Client(url, tmp_path, stale).ask()


def test_what_was_kept_is_not_believed_past_its_date(client: Client) -> None:
    client.ask()
    client.repository.asked.clear()
    client.ask(now() + FAR + FAR)
    assert "1.targets.json" in client.repository.asked or len(client.repository.asked) > 2


def test_a_root_that_was_given_is_believed_instead_of_the_one_that_is_met(client: Client) -> None:
    given = client.repository.files["1.root.json"]
    assert client.ask(root=given) == b'{"first":1}'
    assert client.pins == []
    client.ask()  # pins what is met
    other = Repository().files["1.root.json"]
    with pytest.raises(TrustPinBroken):
        client.ask(root=other)
    assert client.ask(root=given) == b'{"first":1}'


@pytest.mark.parametrize("content", [b"<html>login</html>", b"{}", b'{"signed":{"version":"1"}}'])
def test_an_error_page_is_never_pinned(client: Client, content: bytes) -> None:
    good = client.repository.files["1.root.json"]
    client.repository.files["1.root.json"] = content
    with pytest.raises(AnswerUnexpected):
        client.ask()
    client.repository.files["1.root.json"] = good
    assert client.ask() == b'{"first":1}'


def test_a_platform_without_trust_documents_is_named(tmp_path: Path) -> None:
    with served((404, {}, b"")) as (url, _), pytest.raises(AnswerUnexpected, match="no root of trust"):
        Client(url, tmp_path, Repository()).ask()
    with served((500, {}, b"")) as (url, _), pytest.raises(PlatformUnreachable, match="500"):
        Client(url, tmp_path, Repository()).ask()


def test_a_platform_that_vouches_for_no_trusted_root_is_named(client: Client) -> None:
    targets: Metadata[Targets] = Metadata(Targets(1, expires=now() + FAR))
    targets.sign(client.repository.signer)
    client.repository.files["1.targets.json"] = targets.to_bytes()
    with pytest.raises(AnswerUnexpected, match=r"no trusted_root\.json"):
        client.ask()


def test_documents_that_cannot_be_fetched_are_not_replaced_by_old_ones(client: Client) -> None:
    client.ask()
    del client.repository.files["timestamp.json"]
    with pytest.raises(PlatformUnreachable):
        client.ask()


def test_damaged_files_of_ours_are_fetched_anew(client: Client) -> None:
    client.ask()
    (client.folder / "timestamp.json").write_text(json.dumps({"signed": 1}))
    assert client.ask() == b'{"first":1}'


def test_a_folder_that_cannot_be_used_is_named(client: Client) -> None:
    client.folder.write_text("a file")
    with pytest.raises(TrustFolderUnusable, match="File exists"):
        client.ask()


def test_every_address_has_a_folder_of_its_own() -> None:
    addresses = ("http://127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1:2", "https://[::1]:1")
    assert len({folder_name(each) for each in addresses}) == len(addresses)
    assert "/" not in folder_name("https://evil.example/../../etc")
