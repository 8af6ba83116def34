"""Making, opening and closing whole platforms, on SQLite and on PostgreSQL."""

from __future__ import annotations

import stat
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import pytest
from tests.goods import push_image
from tests.platforms import CONTEXT, open_test_platform

import chainward
from chainward.access.model import Permission
from chainward.adapters.home import AlreadyInitialised, InstanceMismatch, InstanceRunning, NotInitialised
from chainward.adapters.sql.batch import OWN_HANDLERS
from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.adapters.sql.handlers import handlers
from chainward.config import Config, load
from chainward.formats.intoto import VSA
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.keys.errors import PassphraseWeak
from chainward.ledger.errors import FollowerUnknown, LedgerClosed, LogTampered
from chainward.ledger.logs import FreezeLog, OpenLog
from chainward.ledger.model import Write
from chainward.trust.authority import AuthorityKind
from chainward.wiring import initialise, open_platform, rebuild, remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Server


SHARED = RepositoryName("shop/shared")


def config_for(folder: Path, **more: object) -> Config:
    overrides: dict[tuple[str, str], object] = {("storage", "folder"): folder}
    overrides |= {("storage", key): value for key, value in more.items()}
    return load(None, {}, overrides)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """A platform that init made, and its first token."""
    config = config_for(tmp_path_factory.mktemp("made") / "data")
    return config, initialise(config).text.reveal()


@pytest.fixture
def postgres(cluster: Server) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    name = cluster.create_database()
    yield cluster.url(name)
    cluster.drop_database(name)


def test_init_makes_everything_that_a_platform_begins_with(made: tuple[Config, str]) -> None:
    config, token = made
    with closing(open_platform(config)) as platform:
        principal = platform.authenticator.authenticate(token)
        assert all(principal.may(permission, None) for permission in Permission)
        names = [environment.name for environment in platform.portfolios.current().environments]
        assert names == ["dev", "staging", "prod"]
        assert platform.policies.current()[1].name == "starter"
        (own,) = platform.signers.listed()
        assert (own.name, own.predicates) == ("platform", (VSA,))
        assert own.fingerprint == platform.keys.platform.public_key.fingerprint
        assert platform.ledger.fact(0).schema == "ledger.opened/1"
        assert set(platform.log_sizes()) == {f"{log}.chainward.local" for log in ("facts", "log", "ct")}
        active = [platform.services.authorities.active(kind).name for kind in AuthorityKind]
        assert active == ["ca-1", "ct-1", "log-1", "tsa-1"]
        assert platform.audit().facts == platform.log_sizes()["facts.chainward.local"]


def test_nothing_that_init_made_is_readable_by_others(made: tuple[Config, str]) -> None:
    folder = made[0].folder
    for path in (folder, *(path for path in folder.rglob("*") if path.parent in {folder, folder / "keys"})):
        if path.parent == folder and path.suffix == ".db":
            continue  # its folder keeps it
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert {path.name for path in (folder / "keys" / "offline").iterdir()} == {
        *("ca-root.pem", "tsa-root.pem", "tuf-root-1.pem", "tuf-root-2.pem", "tuf-root-3.pem")
    }
    for pem in (folder / "keys").rglob("*.pem"):
        assert b"ENCRYPTED" in pem.read_bytes()
        assert stat.S_IMODE(pem.stat().st_mode) & 0o077 == 0, pem


def test_a_platform_is_made_once(made: tuple[Config, str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in made[0].folder.rglob("*")}
    with pytest.raises(AlreadyInitialised):
        initialise(made[0])
    assert {path: path.stat().st_mtime_ns for path in made[0].folder.rglob("*")} == before


def test_a_failed_init_leaves_nothing_behind_and_can_be_repeated(tmp_path: Path) -> None:
    config = config_for(tmp_path / "data")
    with pytest.raises(PassphraseWeak):
        initialise(config, passphrase=b"short")
    assert list((tmp_path / "data").iterdir()) == []
    assert initialise(config, passphrase=b"long enough a passphrase").token.name == "first-admin"


def test_an_init_without_its_database_leaves_nothing_behind(tmp_path: Path) -> None:
    config = config_for(tmp_path / "data", database="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable):
        initialise(config)
    assert list((tmp_path / "data").iterdir()) == []


def test_what_was_never_made_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised):
        open_platform(config_for(tmp_path / "none"))


def test_two_never_open_one_sqlite_platform(made: tuple[Config, str]) -> None:
    with closing(open_platform(made[0])), pytest.raises(InstanceRunning):
        open_platform(made[0])
    open_platform(made[0]).close()


def test_another_name_does_not_open_it_and_leaves_it_unlocked(made: tuple[Config, str]) -> None:
    other = load(None, {}, {("storage", "folder"): made[0].folder, ("instance", "name"): "other.example"})
    with pytest.raises(InstanceMismatch):
        open_platform(other)
    open_platform(made[0]).close()


def test_a_closed_platform_takes_nothing_more(tmp_path: Path) -> None:
    with open_test_platform(tmp_path / "p") as desk:
        platform = desk.platform
        platform.close()
        with pytest.raises(LedgerClosed):
            platform.registry.revocations.revoke(Digest.of(b"x"), "late", CONTEXT)


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    with open_test_platform(tmp_path / "p") as desk:
        desk.platform.close()


def test_rebuilt_projections_are_the_same(made: tuple[Config, str]) -> None:
    config = made[0]
    with closing(open_platform(config)) as platform:
        digest = push_image(platform, "shop/rebuilt", "1", b"rebuilt")
        platform.followers.catch_up()
        before = platform.timelines.of(digest).events
        count = platform.log_sizes()[platform.facts_origin]
    assert before
    assert rebuild(config) == {"subjects": count}
    assert rebuild(config, ["subjects"]) == {"subjects": count}
    with closing(open_platform(config)) as platform:
        assert platform.timelines.of(digest).events == before


def test_a_running_platform_is_not_rebuilt_and_an_unknown_projection_is_named(made: tuple[Config, str]) -> None:
    with closing(open_platform(made[0])), pytest.raises(InstanceRunning):
        rebuild(made[0])
    with pytest.raises(FollowerUnknown, match="nothing"):
        rebuild(made[0], ["nothing"])


def test_the_facts_log_vouches_for_the_signature_log(tmp_path: Path) -> None:
    with open_test_platform(tmp_path / "p") as desk:
        platform = desk.platform
        platform.ledger.append_entries(platform.signatures_origin, [b"entry"])
        platform.anchor()
        schemas = frozenset({"ledger.checkpoint-anchored/1"})
        anchored = platform.ledger.facts(limit=10, schemas=schemas)
        assert anchored[-1].body is not None
        assert anchored[-1].body["size"] == platform.log_sizes()[platform.signatures_origin]
        platform.anchor()
        assert len(platform.ledger.facts(limit=10, schemas=schemas)) == len(anchored)


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        ("UPDATE fact SET envelope = CAST(replace(envelope, 'dev', 'DEV') AS BLOB) WHERE idx = 1", "fact 1: envelope"),
        ("UPDATE fact SET envelope = replace(envelope, 'dev', 'DEV') WHERE idx = 1", "fact 1: envelope"),
        ("UPDATE fact SET envelope = 7 WHERE idx = 2", "fact 2: envelope"),
        ("UPDATE fact SET salt = 'text' WHERE idx = 3", "fact 3: envelope"),
        ("UPDATE fact SET schema = x'ff' WHERE idx = 1", "fact 1: column schema"),
        ("UPDATE fact SET recorded_at = 'never' WHERE idx = 1", "fact 1: column recorded_at"),
        ("UPDATE log_leaf SET hash = 'text' WHERE idx = 1 AND origin LIKE 'facts%'", "leaf 1"),
        ("DELETE FROM fact WHERE idx = 4", "fact 4 is missing"),
    ],
)
def test_a_row_edited_behind_the_ledgers_back_is_named_by_the_audit(tmp_path: Path, edit: str, finding: str) -> None:
    with open_test_platform(tmp_path / "p") as desk:
        platform = desk.platform
        with platform.database.writer.begin() as connection:
            triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
            connection.exec_driver_sql(edit)
        with pytest.raises(LogTampered) as caught:
            platform.audit()
        assert finding in str(caught.value.details["findings"])


def test_on_postgresql_replicas_share_one_platform(tmp_path: Path, postgres: str) -> None:
    config = config_for(tmp_path / "data", database=postgres)
    token = initialise(config).text.reveal()
    with closing(open_platform(config)) as one, closing(open_platform(config)) as two:
        digest = push_image(one, "shop/shared", "1", b"shared")
        assert two.registry.resolve(SHARED, Tag("1")) == digest
        assert two.authenticator.authenticate(token) == one.authenticator.authenticate(token)
        two.registry.revocations.revoke(digest, "from the other replica", CONTEXT)
        state = one.registry.state_of(SHARED, digest)
        assert state.revoked is not None
        sizes = one.log_sizes()
        assert sizes == two.log_sizes()
        assert one.audit().facts == sizes[one.facts_origin]


def test_a_database_that_holds_a_platform_is_not_taken_for_another(tmp_path: Path, postgres: str) -> None:
    initialise(config_for(tmp_path / "first", database=postgres))
    with pytest.raises(AlreadyInitialised, match="database"):
        initialise(config_for(tmp_path / "second", database=postgres))
    assert list((tmp_path / "second").iterdir()) == []


def test_every_write_of_every_room_has_a_handler() -> None:
    for module in walk_packages(chainward.__path__, "chainward."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    declared = {(kind.__module__, kind.__name__) for kind in Write.__subclasses__()}
    by_the_batch = {OpenLog, FreezeLog}  # they change what a batch holds in memory, not only rows
    handled = {(kind.__module__, kind.__name__) for kind in {*handlers(), *OWN_HANDLERS, *by_the_batch}}
    assert {name for name in declared if name[0].startswith("chainward.")} == handled


def test_a_client_does_not_load_what_only_a_server_needs() -> None:
    script = (
        "import sys\nfrom chainward import wiring\nwiring.remote('http://127.0.0.1:1', None)\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'starlette', 'granian', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_remote_is_the_clients_view() -> None:
    with remote("http://127.0.0.1:8420/", "token") as client:
        assert client.host == "127.0.0.1:8420"
