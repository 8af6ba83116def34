"""The same verbs in the same order give the same platform on SQLite and on PostgreSQL, down to the roots of its logs.

Both platforms have the same keys, entropy and clock, and sign without randomness (Ed25519; ECDSA after RFC 6979), so
nothing needs to be left out of the comparison: outcomes, envelopes of facts, timelines, verdicts, roots are equal.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.databases import ManualClock
from tests.delivery.rig import CONTEXT, POLICY, Release, Rig, review_of

from chainward.access.model import PLATFORM_PRINCIPAL, Binding, Role
from chainward.adapters.keyring import OfflineKeys, PlatformKeys
from chainward.config import load
from chainward.delivery.record_evidence import EvidenceFollower
from chainward.formats.admission import decode_review
from chainward.formats.oci import OCI_MANIFEST
from chainward.kernel.name import RepositoryName, RepositoryPattern, Tag
from chainward.kernel.problem import Problem
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import PublicKey, Scheme
from chainward.policy.model import Gate
from chainward.portfolio.model import Environment, NamespacePattern, Service
from chainward.wiring import Platform, furnish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Server

HOST: Final = "registry.test:5000"
REPOSITORIES: Final = (RepositoryName("shop/web"), RepositoryName("shop/api"), RepositoryName("sandbox/web"))
ENVIRONMENTS: Final = ("dev", "staging", "prod")
NAMES: Final = ("release", "second")
POLICIES: Final = (
    POLICY,
    POLICY.replace(b"[release]", b"[release, second]"),
    b"apiVersion: chainward.dev/v1\nkind: Policy\nname: empty\nrules: []\n",
    b"no policy at all",
)
Verb = tuple[Any, ...]
FILES: Final = ("chainward.db", "projections.db")


class Repeatable:
    """A P-256 key that gives one signature for one message."""

    def __init__(self, number: int) -> None:
        self._key = ec.derive_private_key(number, ec.SECP256R1())
        self.public_key = PublicKey.from_der(
            self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def sign_prehashed(self, digest: bytes) -> bytes:
        return self._key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True))


class RepeatableSealing:
    """Makes the same key for the same name, and keeps nothing but the name."""

    def make(self, name: str, scheme: Scheme) -> tuple[bytes, Repeatable | PrivateKey]:
        return name.encode(), self._key(name, scheme)

    def open(self, sealed: bytes, name: str) -> Repeatable | PrivateKey:
        assert sealed == name.encode()
        return self._key(name, Scheme.ED25519 if name.startswith(ED25519) else Scheme.ECDSA_P256_SHA256)

    def derived(self, purpose: str) -> bytes:
        return hashlib.sha256(purpose.encode()).digest()

    def _key(self, name: str, scheme: Scheme) -> Repeatable | PrivateKey:
        seed = hashlib.sha256(name.encode()).digest()
        if scheme is Scheme.ED25519:
            return PrivateKey(Ed25519PrivateKey.from_private_bytes(seed))
        return Repeatable(int.from_bytes(seed[:16], "big"))


ED25519: Final = ("log-", "tuf-")
KEYS: Final = (Repeatable(1), Repeatable(2))
AGAIN: Final = 1000  # what init drew is not drawn again: a token would get the id of the first one


@dataclass(slots=True)
class Numbered:
    """Entropy that is the same for everyone who draws as often."""

    drawn: int = 0

    def bytes(self, count: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_256(self.drawn.to_bytes(8, "big")).digest(count)


class World(Rig):
    """A platform and the verbs that examples are made of; every verb returns what can be compared."""

    def __init__(self, platform: Platform) -> None:
        self.made = platform
        self.clock = platform.clock  # type: ignore[assignment]  # it is a ManualClock
        self.ledger, self.registry, self.rekor = platform.ledger, platform.registry, platform.rekor
        self.signers, self.policies, self.portfolios = platform.signers, platform.policies, platform.portfolios
        self.judge, self.reader, self.admission = platform.judge, platform.reader, platform.admission
        self.follower = EvidenceFollower(self.ledger, platform._deliveries, self.registry, platform.trust)
        self.releases: list[Release] = [self.release(text) for text in ("one", "two")]
        self.tokens: list[tuple[str, str]] = []

    def do(self, verb: Verb) -> object:
        """Carry one verb out; a refusal is an outcome like others."""
        name, *arguments = verb
        call: Callable[..., object] = getattr(self, f"do_{name}")
        return _asked(partial(call, *arguments))

    def do_push(self, image: int, repository: int, tag: str, key: int, without: tuple[str, ...]) -> object:
        where, release = REPOSITORIES[repository], self.releases[image]
        return self.push(release, tag, repository=where, key=KEYS[key], without=without)  # type: ignore[arg-type]

    def do_tag(self, image: int, repository: int, tag: str) -> object:
        body = self.releases[image].body
        return self.registry.manifests.put(REPOSITORIES[repository], Tag(tag), OCI_MANIFEST, body, CONTEXT)

    def do_untag(self, repository: int, tag: str) -> None:
        self.registry.deletions.tag(REPOSITORIES[repository], Tag(tag), CONTEXT)

    def do_remove(self, image: int, repository: int) -> None:
        self.registry.deletions.manifest(REPOSITORIES[repository], self.releases[image].digest, CONTEXT)

    def do_pull(self, repository: int, tag: str) -> object:
        return self.registry.pull.manifest(REPOSITORIES[repository], Tag(tag), CONTEXT)

    def do_revoke(self, image: int, repository: int | None) -> object:
        where = None if repository is None else REPOSITORIES[repository]
        return self.registry.revocations.revoke(self.releases[image].digest, "broken", CONTEXT, repository=where)

    def do_trust(self, name: int, key: int, pattern: str) -> object:
        public = KEYS[key].public_key
        return self.signers.add(NAMES[name], public, [RepositoryPattern(pattern)], ["*"], context=CONTEXT)

    def do_distrust(self, name: int) -> object:
        return self.signers.distrust(NAMES[name], "stolen", context=CONTEXT)

    def do_activate(self, policy: int) -> object:
        return self.policies.activate(POLICIES[policy], context=CONTEXT)[0]

    def do_environment(self, name: str, order: int, pattern: str) -> None:
        declared = Environment(name, order, (NamespacePattern(pattern),))
        self.portfolios.declare_environment(declared, context=CONTEXT)

    def do_service(self, name: str, tier: str, pattern: str) -> None:
        declared = Service(name, "team", tier, (RepositoryPattern(pattern),))
        self.portfolios.declare_service(declared, context=CONTEXT)

    def do_issue(self, role: str, pattern: str) -> object:
        bindings = [Binding(Role(role), RepositoryPattern(pattern))]
        issued = self.made.tokens.issue(PLATFORM_PRINCIPAL, "somebody", bindings, context=CONTEXT)
        self.tokens.append((issued.token.id, issued.text.reveal()))
        return issued.token

    def do_withdraw(self, token: int) -> object:
        if not self.tokens:
            return None
        known = self.tokens[token % len(self.tokens)][0]
        return self.made.tokens.revoke(PLATFORM_PRINCIPAL, known, "leaked", context=CONTEXT)

    def do_promote(self, image: int, repository: int, environment: str) -> object:
        digest = self.releases[image].digest
        return self.made.promoter.promote(REPOSITORIES[repository], digest, environment, context=CONTEXT)

    def do_admit(self, images: tuple[tuple[int, str], ...], namespace: str, operation: str) -> object:
        names = [f"{HOST}/{REPOSITORIES[repository]}{reference}" for repository, reference in images]
        pinned = [name.replace("@0", f"@{self.releases[0].digest}") for name in names]
        review = decode_review(review_of(*pinned, namespace=namespace, operation=operation))
        return self.admission.validate(review, context=CONTEXT)

    def do_follow(self) -> object:
        return self.follower.catch_up()

    def do_anchor(self) -> None:
        self.made.anchor()

    def do_wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    def verdicts(self) -> list[object]:
        """Ask both gates about everything."""
        asked = [
            (repository, release.digest, environment, gate)
            for repository in REPOSITORIES
            for release in self.releases
            for environment in ENVIRONMENTS
            for gate in Gate
        ]
        return [_asked(partial(self.judge.ask, *each)) for each in asked]

    def timelines(self) -> list[object]:
        """Return what is known about every image."""
        self.made.followers.catch_up()
        return [self.made.timelines.of(release.digest) for release in self.releases]

    def listings(self) -> list[object]:
        """Return everything else that can be asked for."""
        shown: list[object] = [
            self.registry.revocations.revocations(),
            self.signers.listed(),
            self.portfolios.current(),
            self.portfolios.deployments(),
            self.made.tokens.issued(),
            self.policies.history(),
        ]
        for repository in REPOSITORIES:
            shown.append(_asked(partial(self.registry.listing.tags, repository)))
            shown += [self.made.promoter.promotions(repository, release.digest) for release in self.releases]
        return shown + [_asked(partial(self.made.authenticator.authenticate, text)) for _, text in self.tokens]


def _asked(question: Callable[[], object]) -> object:
    try:
        return question()
    except Problem as problem:
        return problem.code, problem.message


@dataclass(frozen=True, slots=True)
class Stage:
    """Furnished platforms on both stores, to be copied for every example."""

    server: Server
    template: str
    folder: Path
    keys: PlatformKeys
    serial: list[int] = field(default_factory=lambda: [0])

    @contextmanager
    def worlds(self) -> Iterator[tuple[World, World]]:
        """Give two fresh worlds that nobody could tell apart, on SQLite and on PostgreSQL."""
        self.serial[0] += 1
        place = self.folder / str(self.serial[0])
        (place / "sqlite").mkdir(parents=True)
        for name in FILES:
            shutil.copy2(self.folder / "sqlite" / name, place / "sqlite" / name)
        database = self.server.create_database(self.template)
        with ExitStack() as ending:
            ending.callback(shutil.rmtree, place)
            ending.callback(self.server.drop_database, database)
            sqlite = _open(place / "sqlite", self.keys, drawn=AGAIN)
            ending.callback(sqlite.close)
            postgres = _open(place / "postgres", self.keys, self.server.url(database), drawn=AGAIN)
            ending.callback(postgres.close)
            yield World(sqlite), World(postgres)


def _open(folder: Path, keys: PlatformKeys, url: str | None = None, *, drawn: int = 0) -> Platform:
    folder.mkdir(parents=True, exist_ok=True)
    given: dict[tuple[str, str], object] = {
        ("storage", "folder"): folder,
        ("instance", "hosts"): (HOST,),
        ("registry", "mutable_tags"): ("sandbox/**",),
    }
    if url is not None:
        given["storage", "database"] = url
    clock = ManualClock(step=timedelta(microseconds=1001))
    return Platform(load(None, {}, given), keys, clock, Numbered(drawn), report=_fail, release=lambda: None)


def _fail(name: str, error: Exception) -> None:
    raise AssertionError(name) from error


@pytest.fixture(scope="module")
def stage(cluster: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Both platforms as init leaves them, with a policy and a signer."""
    folder, template = tmp_path_factory.mktemp("same"), cluster.create_database()
    keys = PlatformKeys(generate(Scheme.ED25519), Repeatable(3), RepeatableSealing())  # type: ignore[arg-type]
    tuf = tuple(generate(Scheme.ED25519) for _ in range(3))
    offline = OfflineKeys(Repeatable(4), Repeatable(5), tuf)  # type: ignore[arg-type]  # only ever asked to sign
    for platform in (_open(folder / "sqlite", keys), _open(folder / "postgres", keys, cluster.url(template))):
        furnish(platform, offline)
        platform.policies.activate(POLICY, context=CONTEXT)
        platform.signers.add(NAMES[0], KEYS[0].public_key, [RepositoryPattern("**")], ["*"], context=CONTEXT)
        platform.close()
    yield Stage(cluster, template, folder, keys)
    cluster.drop_database(template)


_image, _repository, _key = st.integers(0, 1), st.integers(0, 2), st.integers(0, 1)
_tag, _environment = st.sampled_from(("1", "2")), st.sampled_from((*ENVIRONMENTS, "lab"))
_pattern = st.sampled_from(("**", "shop/**", "shop/web", "sandbox/**"))
_names = st.lists(st.tuples(_repository, st.sampled_from((":1", ":2", "@0"))), min_size=1, max_size=3).map(tuple)
_without = st.sampled_from(((), (), (), ("sbom",), ("tests", "provenance")))
VERBS: Final = st.one_of(
    st.tuples(st.just("push"), _image, _repository, _tag, _key, _without),
    st.tuples(
        st.just("admit"), _names, st.sampled_from(("dev", "prod", "lab-1")), st.sampled_from(("CREATE", "UPDATE"))
    ),
    st.tuples(st.just("promote"), _image, _repository, _environment),
    st.tuples(st.just("pull"), _repository, _tag),
    st.tuples(st.just("revoke"), _image, st.none() | _repository),
    st.tuples(st.just("tag"), _image, _repository, _tag),
    st.tuples(st.just("untag"), _repository, _tag),
    st.tuples(st.just("remove"), _image, _repository),
    st.tuples(st.just("trust"), _key, _key, _pattern),
    st.tuples(st.just("distrust"), _key),
    st.tuples(st.just("activate"), st.integers(0, len(POLICIES) - 1)),
    st.tuples(
        st.just("environment"),
        st.sampled_from(("dev", "lab")),
        st.integers(0, 30),
        st.sampled_from(("dev", "lab-*", "prod")),
    ),
    st.tuples(st.just("service"), st.sampled_from(("web", "other")), st.sampled_from(("gold", "2")), _pattern),
    st.tuples(st.just("issue"), st.sampled_from(("reader", "publisher")), _pattern),
    st.tuples(st.just("withdraw"), st.integers(0, 3)),
    st.just(("follow",)),
    st.just(("anchor",)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
)
WHOLE_WAY: Final[tuple[Verb, ...]] = (
    ("push", 0, 0, "1", 0, ()),
    ("follow",),
    ("promote", 0, 0, "dev"),
    ("promote", 0, 0, "prod"),
    ("promote", 0, 0, "staging"),
    ("admit", ((0, ":1"), (0, "@0")), "dev", "CREATE"),
    ("admit", ((0, ":1"), (0, "@0")), "dev", "CREATE"),
    ("anchor",),
    ("issue", "reader", "**"),
    ("withdraw", 0),
    ("revoke", 0, 0),
    ("pull", 0, "1"),
    ("admit", ((0, "@0"),), "dev", "CREATE"),
    ("push", 0, 0, "2", 1, ()),
    ("follow",),
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(verbs=list(WHOLE_WAY))
@given(verbs=st.lists(VERBS, min_size=1, max_size=14))
def test_the_same_verbs_make_the_same_platform_on_sqlite_and_on_postgresql(stage: Stage, verbs: list[Verb]) -> None:
    with stage.worlds() as (sqlite, postgres):
        for number, verb in enumerate(verbs):
            assert sqlite.do(verb) == postgres.do(verb), (number, verb)
        assert sqlite.timelines() == postgres.timelines()
        assert sqlite.verdicts() == postgres.verdicts()
        assert sqlite.listings() == postgres.listings()
        assert sqlite.ledger.facts(-1, 10_000) == postgres.ledger.facts(-1, 10_000)
        assert sqlite.ledger.logs() == postgres.ledger.logs()
        assert sqlite.made.audit() == postgres.made.audit()


def test_the_comparison_sees_an_image_go_all_the_way(stage: Stage) -> None:
    with stage.worlds() as (sqlite, _):
        told = [sqlite.do(verb) for verb in WHOLE_WAY]
        schemas = {fact.schema.partition("/")[0] for fact in sqlite.ledger.facts(-1, 10_000)}
    refusals = {outcome[0] for outcome in told if isinstance(outcome, tuple)}
    assert {"delivery.promoted", "delivery.admission-allowed", "delivery.admissions-anchored"} <= schemas
    assert {"attest.completed", "registry.revoked", "access.token-revoked"} <= schemas
    assert {"promotion-out-of-order", "artifact-revoked"} <= refusals
