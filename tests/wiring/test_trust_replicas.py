"""Rotations and compromises on PostgreSQL: what one replica does, every other one does from then on."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.platforms import CONTEXT
from tests.wiring.test_wiring import config_for

from chainward.adapters.home import DataFolder
from chainward.adapters.system import SystemEntropy
from chainward.kernel.problem import Problem
from chainward.ledger.errors import LogFrozen
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import AuthorityConflict, AuthorityMissing
from chainward.trust.issuing_chain import requested_key
from chainward.trust.offline import OfflineRoot
from chainward.wiring import initialise, open_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Server

    from chainward.wiring import Platform


@pytest.fixture
def postgres(cluster: Server) -> Iterator[str]:
    """An empty database."""
    name = cluster.create_database()
    yield cluster.url(name)
    cluster.drop_database(name)


@contextmanager
def replicas(folder: Path, url: str) -> Iterator[tuple[Platform, Platform]]:
    """Two replicas of one new platform."""
    config = config_for(folder / "data", database=url)
    initialise(config)
    with closing(open_platform(config)) as one, closing(open_platform(config)) as two:
        yield one, two


def rotated(platform: Platform, kind: AuthorityKind) -> str:
    """Rotate with the offline keys that init left in the data folder; returns the name of the new instance."""
    authorities = platform.services.authorities
    certificates: tuple[bytes, ...] = ()
    if not kind.is_log:
        folder = DataFolder(platform.config.folder)
        key = folder.load_key(f"offline/{kind}-root", folder.read_passphrase(platform.config.passphrase_file))
        request = authorities.request(kind, context=CONTEXT)
        root = OfflineRoot(kind, key, request.root)
        certified = requested_key(request.request)
        certificates = root.certify(certified, request.organization, platform.clock, SystemEntropy())
    return authorities.rotate(kind, certificates, context=CONTEXT).name


def test_every_rotation_reaches_every_replica_at_once(tmp_path: Path, postgres: str) -> None:
    with replicas(tmp_path, postgres) as (one, two):
        before = two.services.authorities.active(AuthorityKind.LOG).origin
        for kind in AuthorityKind:
            two.services.authorities.signer(f"{kind}-1")
            assert rotated(one, kind) == f"{kind}-2"
            active = two.services.authorities.active(kind)
            assert active == one.services.authorities.active(kind)
            signer = two.services.authorities.signer(active.name)
            active.public_key.verify(b"by the other replica", signer.sign(b"by the other replica"))
        with pytest.raises(LogFrozen):
            two.ledger.append_entries(before, [b"late"])
        origin = two.services.authorities.active(AuthorityKind.LOG).origin
        two.ledger.append_entries(origin, [b"by two"])
        one.ledger.append_entries(origin, [b"by one"])
        assert one.log_sizes()[origin] == 3
        assert one.trusted_root() == two.trusted_root()
        assert one.services.distribution.state() == two.services.distribution.state()
        one.audit()


def test_a_compromise_that_one_replica_states_stops_the_other(tmp_path: Path, postgres: str) -> None:
    with replicas(tmp_path, postgres) as (one, two):
        epoch = two.trust.snapshot().epoch
        two.services.authorities.signer("tsa-1")
        one.services.authorities.mark_compromised("tsa-1", one.clock.now(), "stolen", context=CONTEXT)
        assert two.trust.snapshot().epoch > epoch
        with pytest.raises(AuthorityMissing):
            two.services.authorities.active(AuthorityKind.TSA)
        (lost,) = two.trust.snapshot().root.material.timestamp_authorities
        assert lost.compromise is not None


def test_two_replicas_never_begin_the_same_instance(tmp_path: Path, postgres: str) -> None:
    with replicas(tmp_path, postgres) as (one, two):
        one.services.authorities.request(AuthorityKind.CA, context=CONTEXT)
        rotated(two, AuthorityKind.CA)
        with pytest.raises(Problem) as refused:
            one.services.authorities.rotate(AuthorityKind.CA, (b"", b""), context=CONTEXT)
        assert isinstance(refused.value, AuthorityConflict), "the request was used up by the other replica"


def test_only_one_replica_renews_the_trust_repository(tmp_path: Path, postgres: str) -> None:
    with replicas(tmp_path, postgres) as (one, two):
        rotated(one, AuthorityKind.LOG)
        version = one.services.distribution.state().versions["timestamp"]
        assert two.services.distribution.refresh(context=CONTEXT) is False
        assert two.services.distribution.state().versions["timestamp"] == version
