"""Making, opening and rebuilding a platform, and the client's view of one that runs elsewhere."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.kernel.identity import PLATFORM, Context
from chainward.wiring.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.access.tokens import IssuedToken
    from chainward.adapters.keyring import OfflineKeys
    from chainward.adapters.remote import Remote
    from chainward.config import Config
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock

__all__ = ["furnish", "initialise", "open_platform", "rebuild", "remote"]

_FIRST_ADMIN: Final = "first-admin"
_ENVIRONMENTS: Final = (("dev", 10), ("staging", 20), ("prod", 30))
_INIT: Final = Context(PLATFORM, "init")


def initialise(
    config: Config, *, clock: Clock | None = None, entropy: Entropy | None = None, passphrase: bytes | None = None
) -> IssuedToken:
    """Make a new platform: data folder, keys, database, logs, and what :func:`furnish` does; return the first token.

    Without a passphrase file in the configuration, and without ``passphrase``, one is made beside the keys.

    Raises:
        AlreadyInitialised: the folder, or the database, holds a platform already.
    """
    from chainward.adapters.home import AlreadyInitialised, DataFolder
    from chainward.adapters.keyring import make_keys
    from chainward.ledger.errors import LogKeyChanged

    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    folder = DataFolder(config.folder)
    folder.create()
    try:
        keys, offline = make_keys(folder, config.passphrase_file, entropy, passphrase)
        platform = Platform(config, keys, clock, entropy, report=_raise, release=folder.lock().release)
        with closing(platform):
            token = furnish(platform, offline)
        folder.complete(config.instance.name)
    except LogKeyChanged as changed:
        folder.discard()
        raise AlreadyInitialised("the database holds the logs of a platform already") from changed
    except BaseException:
        folder.discard()
        raise
    return token


def furnish(platform: Platform, offline: OfflineKeys | None = None) -> IssuedToken:
    """Give an empty platform its authorities, environments, the starter policy, trust in its own key, and a token.

    The usual three environments are declared; a namespace that none of them names belongs to none, and nothing is let
    in there. The platform's own key is trusted for verification summaries only. ``offline`` are the keys of the roots,
    which nobody keeps here; without them new ones are made, with which nothing can be rotated later.
    """
    from chainward.access.model import EVERYWHERE, PLATFORM_PRINCIPAL, Binding, Role
    from chainward.adapters.keyring import OfflineKeys
    from chainward.formats.intoto import VSA
    from chainward.policy.starter import starter_policy
    from chainward.portfolio.model import Environment, NamespacePattern

    for name, order in _ENVIRONMENTS:
        environment = Environment(name, order, (NamespacePattern(name),))
        platform.portfolios.declare_environment(environment, context=_INIT)
    platform.policies.activate(starter_policy(), context=_INIT)
    platform.services.found(offline or OfflineKeys.fresh(), context=_INIT)
    platform.signers.add("platform", platform.keys.platform.public_key, [EVERYWHERE], [VSA], context=_INIT)
    admin = Binding(Role.ADMIN, EVERYWHERE)
    return platform.tokens.issue(PLATFORM_PRINCIPAL, _FIRST_ADMIN, [admin], context=_INIT)


def open_platform(
    config: Config,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    report: Callable[[str, Exception], None] | None = None,
) -> Platform:
    """Open the platform of a data folder; ``report`` hears of failures in its background work, once started.

    Raises:
        NotInitialised: there is none.
        InstanceRunning: another process runs on the same folder (on SQLite; on PostgreSQL replicas are welcome).
    """
    from chainward.adapters.home import DataFolder
    from chainward.adapters.keyring import load_keys

    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    folder = DataFolder(config.folder)
    folder.check(config.instance.name)
    release = folder.lock().release if config.storage.database is None else lambda: None
    try:
        keys = load_keys(folder, config.passphrase_file, entropy)
    except BaseException:
        release()
        raise
    return Platform(config, keys, clock, entropy, report=report or _raise, release=release)


def rebuild(config: Config, names: Sequence[str] = ()) -> dict[str, int]:
    """Make projections (all, if none is named) anew from fact 0; returns how many facts each has seen.

    On PostgreSQL replicas may run meanwhile; their timelines are short until this returns.

    Raises:
        InstanceRunning: the platform runs (on SQLite); stop it first.
        FollowerUnknown: there is no projection of that name.
    """
    with closing(open_platform(config)) as platform:
        for name in names or (None,):
            platform.followers.rebuild(name)
        return {
            status.name: status.position + 1
            for status in platform.followers.status()
            if not names or status.name in names
        }


def remote(url: str, token: str | None, *, certificate_authority: str | None = None) -> Remote:
    """Return a platform that runs elsewhere, as its client sees it."""
    from chainward.adapters.remote import Remote

    return Remote(url, token, certificate_authority=certificate_authority)


def _raise(name: str, error: Exception) -> None:
    raise RuntimeError(f"the background work {name} failed") from error
