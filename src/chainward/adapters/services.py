"""The signing services of a platform, or of any Sigstore instance, opened together with what is believed of them.

Where the services are and what is believed never have one source: of a platform the address is given, and the trust
comes from files of the caller or by way of TUF from a pinned root; of other instances both come from two files.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chainward.adapters.ambient import ambient_sources, read_token_file
from chainward.adapters.exchange import Exchange
from chainward.adapters.pinned import PinnedTrust, folder_name
from chainward.adapters.sigstore import Instance, platform_services
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.formats.signing_config import decode_signing_config
from chainward.formats.trusted_root import decode_trusted_root
from chainward.trust.ambient import IdentityToken, ambient_token
from chainward.trust.material import TrustMaterial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chainward.formats.signing_config import SigningConfig

__all__ = ["Pins", "instance", "platform", "platform_root", "token"]


@dataclass(frozen=True, slots=True)
class Pins:
    """Where roots of trust are pinned, the TUF root to begin with if one was given, and who hears of a new pin."""

    folder: Path
    root: bytes | None
    tell: Callable[[str], None]


@contextmanager
def platform(
    url: str, pins: Pins, *, trusted_root: bytes | None, secret: str | None, certificate_authority: str | None
) -> Iterator[Instance]:
    """Open the services of the platform at ``url``; ``secret`` is an API token, if there is one.

    ``trusted_root`` is believed instead of what follows from the pinned root.
    """
    with Exchange(certificate_authority=certificate_authority, unencrypted=True) as exchange:
        document = trusted_root or _pinned(exchange, url, pins)
        yield _instance(exchange, platform_services(url), document, secret)


@contextmanager
def instance(signing_config: bytes, trusted_root: bytes, *, certificate_authority: str | None) -> Iterator[Instance]:
    """Open the services that a signing config names, believed as far as a trusted root says."""
    with Exchange(certificate_authority=certificate_authority) as exchange:
        yield _instance(exchange, decode_signing_config(signing_config), trusted_root, None)


def platform_root(url: str, pins: Pins, *, certificate_authority: str | None) -> bytes:
    """Return the trusted root of the platform at ``url``, as far as it follows from the root that was pinned."""
    with Exchange(certificate_authority=certificate_authority, unencrypted=True) as exchange:
        return _pinned(exchange, url, pins)


def token(text: str | None, environment: Mapping[str, str], audience: str) -> IdentityToken:
    """Return the token in ``text`` (``@FILE`` names a file that holds it), or one that the environment offers."""
    now = SystemClock().now()
    if text is None:
        return ambient_token(ambient_sources(environment), audience=audience, now=now)
    found = IdentityToken.parse(read_token_file(Path(text[1:])) if text.startswith("@") else text)
    found.check_time(now)
    return found


def _pinned(exchange: Exchange, url: str, pins: Pins) -> bytes:
    pinned = PinnedTrust(url, pins.folder / folder_name(url), exchange, pins.tell)
    return pinned.trusted_root(SystemClock().now(), root=pins.root)


def _instance(exchange: Exchange, config: SigningConfig, trusted_root: bytes, secret: str | None) -> Instance:
    material = TrustMaterial.from_document(decode_trusted_root(trusted_root))
    now = SystemClock().now()
    return Instance(config, material, exchange, now=now, entropy=SystemEntropy(), secret=secret)
