"""Distributing the trust documents by The Update Framework, so that clients follow rotations without asking anybody.

Follows the TUF specification 1.0.3x with consistent snapshots. A client holds one root; from it follow all later roots,
each signed by the keys of its predecessor and by its own, and from the newest root the documents. The root's keys are
offline, and two of three of them must sign; targets, snapshot and timestamp have keys that are online and sealed like
those of authorities. Who takes the server over can stop the news, for a day, but cannot make clients believe a root.

The repository lives in the database, as the files that are served. One commit publishes: it names the state that it
follows, so that of two replicas which publish at once one is refused and finds its work done. What metadata looks like
is the business of the TrustMetadata port.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.keys.model import Scheme
from chainward.ledger.model import Write
from chainward.trust.documents import SIGNING_CONFIG_NAME, TRUSTED_ROOT_NAME
from chainward.trust.errors import DistributionConflict, DistributionMissing, RootInvalid
from chainward.trust.facts import DocumentsPublished, RootPublished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import Signer
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody
    from chainward.trust.custody import KeptKey
    from chainward.trust.documents import Documents
    from chainward.trust.ports import DistributionStore, KeyVault, TrustMetadata

__all__ = [
    "ONLINE_ROLES",
    "ROOT_LIFE",
    "Distribution",
    "KeepOnlineKeys",
    "OnlineKey",
    "PublishTrust",
    "PublishedState",
    "RootSummary",
]

ROOT_LIFE: Final = timedelta(days=1825)
ONLINE_ROLES: Final = ("targets", "snapshot", "timestamp")
_LIVES: Final = {"targets": timedelta(days=90), "snapshot": timedelta(days=7), "timestamp": timedelta(days=1)}
_THRESHOLD: Final = 2
_MAX_PATH: Final = 200


@dataclass(frozen=True, slots=True)
class RootSummary:
    """What a root says: its version, until when it counts, its keys by their ids, and how many of them must sign.

    ``online`` are the keys of each online role.
    """

    version: int
    expires: datetime
    threshold: int
    keys: Mapping[str, PublicKey]
    online: Mapping[str, tuple[PublicKey, ...]]


@dataclass(frozen=True, slots=True)
class OnlineKey:
    """A key of an online role at rest."""

    name: str
    role: str
    public_key: PublicKey
    key: KeptKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublishedState:
    """What is published: the version of each role and until when it counts, and the digest of the documents."""

    versions: Mapping[str, int]
    expires: Mapping[str, datetime]
    content: str


@dataclass(frozen=True, slots=True)
class PublishTrust(Write):
    """Publish ``files`` and move to ``state``; refused with DistributionConflict unless ``follows`` is the present one.

    ``follows`` is the version of the timestamp that was read, 0 for none. ``keys`` are kept for the future.
    """

    follows: int
    state: PublishedState
    files: tuple[tuple[str, bytes], ...]
    keys: tuple[OnlineKey, ...] = ()


@dataclass(frozen=True, slots=True)
class KeepOnlineKeys(Write):
    """Keep new keys of online roles, in place of earlier ones of the same names that no root named yet."""

    keys: tuple[OnlineKey, ...]


class Distribution:
    """The TUF repository of one platform. Thread-safe; replicas may publish at the same time."""

    def __init__(
        self,
        ledger: Ledger,
        store: DistributionStore,
        metadata: TrustMetadata,
        vault: KeyVault,
        documents: Documents,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._metadata = metadata
        self._vault = vault
        self._documents = documents
        self._clock = clock
        self._opened: dict[str, Signer] = {}

    def found(self, roots: Sequence[Signer], *, threshold: int = _THRESHOLD, context: Context) -> RootSummary:
        """Make the repository with its first root, signed by all of ``roots``, and publish the documents.

        Raises:
            DistributionConflict: there is one.
            RootInvalid: fewer keys than the threshold.
        """
        now = self._clock.now()
        keys, signers = self._fresh_keys(1)
        online = {role: signer.public_key for role, signer in signers.items()}
        root = self._metadata.first_root(roots, threshold, online, now + ROOT_LIFE)
        summary = self._metadata.summary(root)
        versions = {"root": summary.version, **dict.fromkeys(ONLINE_ROLES, 0)}
        start = PublishedState(versions, {"root": summary.expires}, "")
        self._publish(start, "targets", signers, now, context, root=root, keys=keys)
        return summary

    @property
    def is_founded(self) -> bool:
        """Whether there is a repository."""
        return self._store.state() is not None

    def root(self, version: int | None = None) -> bytes:
        """Return a root, the newest if none is named; raises DistributionMissing."""
        return self.file(f"{version or self._state().versions['root']}.root.json")

    def summary(self) -> RootSummary:
        """Return what the newest root says."""
        return self._metadata.summary(self.root())

    def state(self) -> PublishedState:
        """Return what is published; raises DistributionMissing."""
        return self._state()

    def file(self, path: str) -> bytes:
        """Return a file of the repository as clients fetch it; raises DistributionMissing."""
        content = self._store.file(path) if len(path) <= _MAX_PATH else None
        if content is None:
            raise DistributionMissing(f"the trust repository has no {path[:80]!r}")
        return content

    def refresh(self, *, context: Context) -> bool:
        """Publish what changed or is past half of its life; returns whether anything was."""
        now = self._clock.now()
        state = self._state()
        first = self._due(state, now)
        if first is None:
            return False
        try:
            self._publish(state, first, self._signers(self.summary()), now, context)
        except DistributionConflict:  # another replica was quicker
            return False
        return True

    def replace_root(self, candidate: bytes, *, context: Context) -> RootSummary:
        """Let a root that its keys' holders signed follow the present one, and publish under it.

        Raises:
            RootInvalid: not the next version, not signed by both thresholds, over, or naming online keys that are not
                ours.
            DistributionConflict: somebody else published meanwhile.
        """
        now = self._clock.now()
        state = self._state()
        summary = self._metadata.check_next_root(self.root(), candidate, now)
        signers = self._signers(summary)
        state = replace(
            state,
            versions={**state.versions, "root": summary.version},
            expires={**state.expires, "root": summary.expires},
        )
        self._publish(state, "targets", signers, now, context, root=candidate)
        return summary

    def make_online_keys(self, *, context: Context) -> Mapping[str, PublicKey]:
        """Make new keys of the online roles, and return them; they count once a root names them."""
        keys, signers = self._fresh_keys(self._state().versions["root"] + 1)
        self._ledger.commit(writes=[KeepOnlineKeys(keys)], context=context)
        return {role: signer.public_key for role, signer in signers.items()}

    def _fresh_keys(self, number: int) -> tuple[tuple[OnlineKey, ...], dict[str, Signer]]:
        keys: list[OnlineKey] = []
        signers: dict[str, Signer] = {}
        for role in ONLINE_ROLES:
            name = f"tuf-{role}-{number}"
            kept, signer = self._vault.make(name, Scheme.ED25519)
            keys.append(OnlineKey(name, role, signer.public_key, kept))
            signers[role] = signer
        return tuple(keys), signers

    def _due(self, state: PublishedState, now: datetime) -> str | None:
        """Return the first role that must be made anew; all that come after it must be as well."""
        if self._documents.marker() != state.content:
            return "targets"
        return next((role for role in ONLINE_ROLES if state.expires[role] - now < _LIVES[role] / 2), None)

    def _publish(
        self,
        state: PublishedState,
        first: str,
        signers: Mapping[str, Signer],
        now: datetime,
        context: Context,
        *,
        root: bytes | None = None,
        keys: tuple[OnlineKey, ...] = (),
    ) -> None:
        marker, documents = self._documents.marker(), self._targets()
        versions, expires = dict(state.versions), dict(state.expires)
        files: list[tuple[str, bytes]] = [] if root is None else [(f"{versions['root']}.root.json", root)]
        for role in ONLINE_ROLES[ONLINE_ROLES.index(first) :]:
            versions[role] += 1
            expires[role] = now + _LIVES[role]
            files.append(
                (_path_of(role, versions[role]), self._signed(role, versions, expires[role], documents, signers))
            )
        if first == "targets":
            files += [(f"targets/{Digest.of(body).hex}.{name}", body) for name, body in documents.items()]
        facts: list[FactBody] = [] if root is None else [_root_fact(root, self._metadata.summary(root))]
        if marker != state.content:
            facts.append(_documents_fact(versions["targets"], documents))
        published = PublishedState(versions, expires, marker)
        write = PublishTrust(state.versions["timestamp"], published, tuple(files), keys)
        self._ledger.commit(facts, [write], context=context)

    def _signed(
        self,
        role: str,
        versions: Mapping[str, int],
        expires: datetime,
        documents: Mapping[str, bytes],
        signers: Mapping[str, Signer],
    ) -> bytes:
        match role:
            case "targets":
                return self._metadata.targets(versions[role], expires, documents, signers[role])
            case "snapshot":
                return self._metadata.snapshot(versions[role], expires, versions["targets"], signers[role])
            case _:
                return self._metadata.timestamp(versions[role], expires, versions["snapshot"], signers[role])

    def _signers(self, root: RootSummary) -> dict[str, Signer]:
        """Return our signer of every online role, as this root names them; raises RootInvalid."""
        kept = {key.public_key: key for key in self._store.online_keys()}
        signers: dict[str, Signer] = {}
        for role in ONLINE_ROLES:
            ours = [kept[key] for key in root.online[role] if key in kept]
            if not ours:
                raise RootInvalid(f"the root names no key of role {role} that is ours, so nothing could be published")
            signers[role] = self._open(ours[0])
        return signers

    def _open(self, key: OnlineKey) -> Signer:
        signer = self._opened.get(key.name)
        if signer is None:
            signer = self._opened[key.name] = self._vault.open(key.name, key.key, key.public_key)
        return signer

    def _targets(self) -> dict[str, bytes]:
        current = self._documents.current()
        return {TRUSTED_ROOT_NAME: current.trusted_root, SIGNING_CONFIG_NAME: current.signing_config}

    def _state(self) -> PublishedState:
        state = self._store.state()
        if state is None:
            raise DistributionMissing("the trust repository was never founded")
        return state


def _path_of(role: str, version: int) -> str:
    return f"{role}.json" if role == "timestamp" else f"{version}.{role}.json"


def _root_fact(content: bytes, root: RootSummary) -> RootPublished:
    return RootPublished(
        version=root.version,
        digest=str(Digest.of(content)),
        threshold=root.threshold,
        keys=tuple(sorted(root.keys)),
        expires=rfc3339(root.expires),
    )


def _documents_fact(version: int, documents: Mapping[str, bytes]) -> DocumentsPublished:
    digests = {name: str(Digest.of(body)) for name, body in documents.items()}
    return DocumentsPublished(version=version, documents=digests)
