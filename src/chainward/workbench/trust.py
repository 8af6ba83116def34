"""What a workstation believes, and through which services it signs: roots, pins, identity tokens, authorities."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from chainward.workbench.files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from chainward.adapters.services import Pins
    from chainward.keys.local import PrivateKey
    from chainward.trust.ambient import IdentityToken
    from chainward.trust.material import TrustMaterial
    from chainward.trust.model import TrustRoot
    from chainward.trust.ports import SigningServices

__all__ = [
    "PinPlace",
    "certify",
    "exported_root",
    "identity_token",
    "material_of",
    "next_tuf_root",
    "platform_root",
    "platform_services",
    "sigstore_services",
]

_TRUSTED_ROOT_LIMIT: Final = 1024 * 1024


class PinPlace(NamedTuple):
    """Where roots of trust are pinned, a TUF root to begin with, and who hears of a new pin."""

    folder: Path
    root: Path | None
    tell: Callable[[str], None]


@contextmanager
def platform_services(
    url: str, pins: PinPlace, *, trusted_root: Path | None, secret: str | None, certificate_authority: str | None
) -> Iterator[SigningServices]:
    """Open the signing services of a platform; ``secret`` is an API token, if there is one."""
    from chainward.adapters import services

    root = read_bytes(trusted_root, _TRUSTED_ROOT_LIMIT) if trusted_root else None
    authority = certificate_authority
    pinned = _pins(pins)
    with services.platform(url, pinned, trusted_root=root, secret=secret, certificate_authority=authority) as found:
        yield found


@contextmanager
def sigstore_services(
    signing_config: Path, trusted_root: Path, *, certificate_authority: str | None
) -> Iterator[SigningServices]:
    """Open the services of any Sigstore instance that two files describe: where they are, and what to believe."""
    from chainward.adapters import services

    config, root = (read_bytes(path, _TRUSTED_ROOT_LIMIT) for path in (signing_config, trusted_root))
    with services.instance(config, root, certificate_authority=certificate_authority) as found:
        yield found


def platform_root(url: str, pins: PinPlace, *, certificate_authority: str | None) -> bytes:
    """Return the trusted root of a platform, as far as it follows from the root that was pinned."""
    from chainward.adapters import services

    return services.platform_root(url, _pins(pins), certificate_authority=certificate_authority)


def _pins(place: PinPlace) -> Pins:
    from chainward.adapters.services import Pins

    return Pins(place.folder, read_bytes(place.root, _TRUSTED_ROOT_LIMIT) if place.root else None, place.tell)


def material_of(document: bytes) -> TrustMaterial:
    """Return what a trusted root, or the export of a platform, says of services; whoever gave it is believed."""
    from chainward.formats.errors import Malformed, TooLarge, Unsupported
    from chainward.formats.trusted_root import decode_trusted_root
    from chainward.trust.material import TrustMaterial

    try:
        return TrustMaterial.from_document(decode_trusted_root(document))
    except (Malformed, TooLarge, Unsupported):
        from chainward.trust.export import material_of as read  # it loads all of the room

        return read(document)


def exported_root(document: bytes) -> TrustRoot | None:
    """Return everything that the export of a platform believes, None for a trusted root: that names no signers."""
    from chainward.trust.export import decode_export, is_export

    return decode_export(document).root() if is_export(document) else None


def certify(
    service: str, organization: str, request: bytes, signer: PrivateKey, *, root: bytes | None
) -> tuple[str, ...]:
    """Return the certificates (PEM) that an offline root makes of a platform's request, the requested one first.

    ``root`` is the present root's certificate (PEM); without one a new root begins with the key of ``signer``.

    Raises:
        AuthorityInvalid: the key is not that of the present root.
        AuthorityChainInvalid: the request, or the root, is not one.
    """
    from chainward.adapters.system import SystemClock, SystemEntropy
    from chainward.trust.authority import AuthorityKind
    from chainward.trust.issuing_chain import certificate_from_pem, certificate_to_pem, requested_key
    from chainward.trust.offline import OfflineRoot

    kind, tools = AuthorityKind(service), (SystemClock(), SystemEntropy())
    if root is None:
        offline = OfflineRoot.new(kind, signer, organization, *tools)
    else:
        offline = OfflineRoot(kind, signer, certificate_from_pem(root))
    return tuple(map(certificate_to_pem, offline.certify(requested_key(request), organization, *tools)))


def next_tuf_root(
    current: bytes, signers: Sequence[PrivateKey], removed: Sequence[str], online: Mapping[str, str] | None
) -> bytes:
    """Return the TUF root that follows ``current``, signed; ``online`` are new online keys (PEM) by role.

    Raises:
        RootInvalid: it would not be signed by enough keys of both roots.
    """
    from chainward.adapters.system import SystemClock
    from chainward.adapters.tuf import TufMetadata
    from chainward.keys.model import PublicKey
    from chainward.trust.distribution import ROOT_LIFE

    keys = None if online is None else {role: PublicKey.from_pem(pem.encode()) for role, pem in online.items()}
    return TufMetadata().next_root(current, signers, SystemClock().now() + ROOT_LIFE, remove=removed, online=keys)


def identity_token(text: str | None, environment: Mapping[str, str], audience: str) -> IdentityToken:
    """Return the token in ``text`` (``@FILE`` names a file that holds it), or one that the environment offers."""
    from chainward.adapters import services

    return services.token(text, environment, audience)
