"""Faults of the store, twice: before it persisted, and after it persisted but was reported as failed.

Whatever happened, repeating the call must lead to where one good call leads, with each fact stated once.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.registry_stand import ALICE, BOB, SANDBOX, WEB, Stand, image_of

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.adapters.system import SystemEntropy
from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag
from chainward.kernel.problem import Kind, Problem
from chainward.ledger.commit import Ledger
from chainward.ledger.errors import CommitUncertain
from chainward.registry import open_registry
from chainward.registry.errors import ArtifactRevoked, IntegrityViolated, UploadUnknown
from chainward.registry.upload import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from chainward.ledger.model import Receipt, Unit
    from chainward.ledger.ports import LedgerStore, LogView
    from chainward.registry.ports import RegistryStore
    from chainward.registry.registry import Registry


@dataclass(slots=True)
class FaultyLedger:
    """A LedgerStore that fails once, before or after it made a unit durable."""

    store: LedgerStore
    fault: str = ""

    def append(self, unit: Unit) -> Receipt:
        fault, self.fault = self.fault, ""
        if fault == "before":
            raise CommitUncertain("the store failed before it persisted anything")
        receipt = self.store.append(unit)
        if fault == "after":
            raise CommitUncertain("the store failed after it had persisted everything")
        return receipt

    def view(self) -> AbstractContextManager[LogView]:
        return self.store.view()


class SilentStore:
    """A RegistryStore whose database does not answer."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*_: object) -> object:
            raise DatabaseUnavailable(f"the database did not answer {name}")

        return fail


@pytest.fixture
def ledger(stand: Stand) -> FaultyLedger:
    faulty = FaultyLedger(stand.ledger._store)
    stand.registry = registry_over(stand, Ledger(faulty, SystemEntropy()), stand.registry.store)  # type: ignore[arg-type]  # the reads are not used
    return faulty


def registry_over(stand: Stand, ledger: Ledger, store: RegistryStore) -> Registry:
    return open_registry(store, stand.blobs, stand.blobs, ledger, stand.clock, SystemEntropy())


@contextmanager
def failing(ledger: FaultyLedger, fault: str) -> Iterator[None]:
    ledger.fault = fault
    with pytest.raises(CommitUncertain):
        yield


faults = pytest.mark.parametrize("fault", ["before", "after"])


@faults
def test_a_push_that_failed_can_be_repeated(stand: Stand, ledger: FaultyLedger, fault: str) -> None:
    for blob in (b"{}", b"layer"):
        stand.push_blob(blob)
    body = image_of(b"{}", b"layer")
    with failing(ledger, fault):
        stand.put(body, "v1")
    stand.put(body, "v1")
    assert stand.pull("v1") == body
    assert stand.schemas() == ["pushed", "tagged"]


@faults
def test_a_blob_whose_keeping_failed_can_be_pushed_again(stand: Stand, ledger: FaultyLedger, fault: str) -> None:
    with failing(ledger, fault):
        stand.push_blob(b"layer")
    stand.push_blob(b"layer")
    assert stand.read(Digest.of(b"layer")) == b"layer"
    assert len(stand.files()) == 1
    assert stand.uploads() == []


def test_a_blob_whose_keeping_failed_is_visible_to_nobody(stand: Stand, ledger: FaultyLedger) -> None:
    with failing(ledger, "before"):
        stand.push_blob(b"layer")
    with stand.registry.store.view() as view:
        assert view.any_blob(Digest.of(b"layer")) is None
    assert not stand.registry.mounts.mount(SANDBOX, Digest.of(b"layer"), WEB, ALICE)


@faults
def test_an_upload_that_failed_at_its_end_is_started_anew(stand: Stand, ledger: FaultyLedger, fault: str) -> None:
    uploads = stand.registry.uploads
    upload = uploads.start(WEB, ALICE).id
    with closing(uploads.receive(WEB, upload, Span(), ALICE)) as reception:
        reception.write([b"layer"])
    with failing(ledger, fault):
        uploads.finish(WEB, upload, Digest.of(b"layer"), ALICE)
    with pytest.raises(UploadUnknown):
        uploads.finish(WEB, upload, Digest.of(b"layer"), ALICE)
    stand.push_blob(b"layer")
    assert stand.read(Digest.of(b"layer")) == b"layer"


@faults
def test_a_start_that_failed_leaves_nothing(stand: Stand, ledger: FaultyLedger, fault: str) -> None:
    with failing(ledger, fault):
        stand.registry.uploads.start(WEB, ALICE)
    assert stand.uploads() == []
    stand.clock.advance(timedelta(hours=25))
    assert stand.registry.uploads.expire() == (1 if fault == "after" else 0)


@faults
def test_a_revocation_that_failed_can_be_repeated_and_holds(stand: Stand, ledger: FaultyLedger, fault: str) -> None:
    digest = Digest.of(stand.push_image())
    with failing(ledger, fault):
        stand.registry.revocations.revoke(digest, "bad", ALICE)
    stand.registry.revocations.revoke(digest, "bad", ALICE)
    assert stand.schemas().count("revoked") == 1
    with pytest.raises(ArtifactRevoked):
        stand.pull("v1")


@faults
def test_a_refusal_whose_fact_cannot_be_written_still_hands_nothing_out(
    stand: Stand, ledger: FaultyLedger, fault: str
) -> None:
    stand.registry.revocations.revoke(Digest.of(stand.push_image()), "bad", ALICE)
    with failing(ledger, fault):
        stand.pull("v1")
    with pytest.raises(ArtifactRevoked):
        stand.pull("v1")
    assert stand.schemas().count("revocation-enforced") == 1


@faults
def test_tampering_whose_fact_cannot_be_written_still_hands_nothing_out(
    stand: Stand, ledger: FaultyLedger, fault: str
) -> None:
    digest = stand.push_blob(b"layer")
    stand.tamper(digest, b"evil!")
    with failing(ledger, fault):
        stand.read(digest)
    with pytest.raises(IntegrityViolated):
        stand.read(digest)
    assert stand.schemas() == ["integrity-violated"]


@faults
def test_a_deletion_that_failed_can_be_repeated(stand: Stand, ledger: FaultyLedger, fault: str) -> None:
    digest = Digest.of(stand.push_image())
    with failing(ledger, fault):
        stand.registry.deletions.manifest(WEB, digest, ALICE)
    if fault == "before":
        stand.registry.deletions.manifest(WEB, digest, ALICE)
    assert stand.schemas() == ["pushed", "tagged", "deleted"]
    with stand.registry.store.view() as view:
        assert view.manifest(WEB, digest) is None


def test_when_revocations_cannot_be_read_nothing_is_handed_out(stand: Stand) -> None:
    body = stand.push_image()
    blind = registry_over(stand, stand.ledger, SilentStore())  # type: ignore[arg-type]  # it answers no call at all
    attempts: tuple[Callable[[], object], ...] = (
        lambda: blind.pull.manifest(WEB, Tag("v1"), BOB),
        lambda: blind.pull.manifest(WEB, Digest.of(body), BOB),
        lambda: blind.pull.blob(WEB, Digest.of(b"layer"), BOB),
        lambda: blind.state_of(WEB, Tag("v1")),
        lambda: blind.blob_bytes(WEB, Digest.of(b"layer"), 100),
        lambda: blind.referrers(WEB, Digest.of(body)),
        lambda: blind.manifests.put(WEB, Tag("v2"), "application/vnd.oci.image.manifest.v1+json", body, BOB),
    )
    for attempt in attempts:
        with pytest.raises(Problem) as caught:
            attempt()
        assert caught.value.kind is Kind.UNAVAILABLE


def test_after_the_ledger_is_closed_nothing_is_taken_in_any_more(stand: Stand) -> None:
    stand.push_image()
    stand.ledger.close()
    with pytest.raises(Problem) as caught:
        stand.push_blob(b"late")
    assert caught.value.kind is Kind.UNAVAILABLE
    assert stand.pull("v1")
