"""Where ports meet adapters on a workstation or in CI: the command line's half of the wiring.

The server's half is :mod:`chainward.wiring`. Everything heavy is imported by the function that needs it, because a verb
pays for what it uses and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from chainward.adapters.folder import LayoutReader, ResultWriter
    from chainward.adapters.remote import Remote, RemoteRegistry
    from chainward.adapters.services import Pins
    from chainward.delivery.build import Builder
    from chainward.delivery.image import LayerPlan
    from chainward.kernel.digest import Digest
    from chainward.kernel.instant import Clock
    from chainward.keys.local import PrivateKey
    from chainward.keys.model import PublicKey
    from chainward.ledger.neighbours import TileLog
    from chainward.sbom.model import Sbom
    from chainward.trust.ambient import IdentityToken
    from chainward.trust.material import TrustMaterial
    from chainward.trust.model import TrustRoot
    from chainward.trust.ports import SigningServices

__all__ = [
    "FileUnusable",
    "OutputRefused",
    "PinPlace",
    "builder",
    "certify",
    "check_key_pair",
    "check_new",
    "check_output",
    "clock",
    "exported_root",
    "file_digest",
    "identity_token",
    "inventory",
    "key_text",
    "layer",
    "layout",
    "material_of",
    "next_tuf_root",
    "open_key",
    "platform_root",
    "platform_services",
    "published_file",
    "published_log",
    "read_bytes",
    "read_public_key",
    "registry",
    "remote",
    "result_folder",
    "sigstore_services",
    "store_key",
    "unprotected_host",
    "write_bytes",
    "write_durably",
    "write_secret",
]

_TRUSTED_ROOT_LIMIT: Final = 1024 * 1024
_KEY_TEXT_LIMIT: Final = 4096


class FileUnusable(Problem):
    """A file that was named on the command line cannot be read, or is too large for what it should hold."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "file-unusable"
    hint = "Check the path; files of evidence are at most a few megabytes."


class OutputRefused(Problem):
    """Writing there would destroy something that is not a former result, or what the verb is about to read."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "output-refused"
    hint = "Name another place with -o; nothing was written."


class PinPlace(NamedTuple):
    """Where roots of trust are pinned, a TUF root to begin with, and who hears of a new pin."""

    folder: Path
    root: Path | None
    tell: Callable[[str], None]


@contextmanager
def remote(url: str, token: str | None, *, certificate_authority: str | None = None) -> Iterator[Remote]:
    """Open a connection to a platform."""
    from chainward.adapters.remote import Remote

    with Remote(url, token, certificate_authority=certificate_authority) as connection:
        yield connection


def unprotected_host(url: str) -> str | None:
    """Return the host that a token would travel to unencrypted, None if it stays on this machine or goes by TLS."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        return None  # Remote refuses it
    if parts.scheme != "http" or parts.hostname in {None, "localhost"}:
        return None
    try:
        return None if ip_address(parts.hostname or "").is_loopback else parts.hostname
    except ValueError:
        return parts.hostname


def registry(connection: Remote) -> RemoteRegistry:
    """Return the registry of a platform."""
    from chainward.adapters.remote import RemoteRegistry

    return RemoteRegistry(connection)


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
    from chainward.trust.export import material_of as read

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


@contextmanager
def published_log(prefix: str, certificate_authority: Path | None = None) -> Iterator[TileLog]:
    """Open a log that anybody publishes below a URL prefix (C2SP tlog-tiles)."""
    from chainward.adapters.published import HttpTileLog, Outside

    with Outside(certificate_authority) as outside:
        yield HttpTileLog(outside, prefix)


def published_file(url: str, certificate_authority: Path | None = None) -> bytes:
    """Return a checkpoint that anybody publishes at a URL; raises PublishedUnavailable."""
    from chainward.adapters.published import Outside, PublishedUnavailable
    from chainward.formats.note import MAX_NOTE

    with Outside(certificate_authority) as outside:
        answer = outside.ask("GET", url, limit=MAX_NOTE)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise PublishedUnavailable(f"{url} was answered with status {answer.status}")
    return answer.content


def clock() -> Clock:
    """Return the clock of this machine."""
    from chainward.adapters.system import SystemClock

    return SystemClock()


def builder(source: Path, environment: Mapping[str, str], result: ResultWriter) -> Builder:
    """Return a builder of the project in ``source`` that may pass on variables of ``environment``.

    ``result`` is not part of the source, even if it lies below it.
    """
    from chainward.adapters.git import SourceFolder
    from chainward.adapters.process import SubprocessRunner
    from chainward.adapters.system import SystemClock, SystemEntropy
    from chainward.delivery.build import Builder

    runner = SubprocessRunner(source, environment)
    below = [place.resolve() for place in result.places if place.resolve().is_relative_to(source)]
    left_out = tuple(place.relative_to(source).as_posix() for place in below)
    return Builder(runner, SourceFolder(source, left_out=left_out), SystemClock(), SystemEntropy())


def layer(folder: Path, target: str) -> LayerPlan:
    """Return the plan of a layer that puts the content of ``folder`` at ``target``."""
    from chainward.adapters.folder import FolderTree
    from chainward.delivery.image import LayerPlan

    return LayerPlan(FolderTree(folder), target)


def result_folder(path: Path, source: Path) -> ResultWriter:
    """Return the folder that a build fills; it replaces a former result there only when the build succeeds.

    Raises:
        OutputRefused: something else is there, which would be lost, or the source lies in it.
        FileUnusable: it cannot be made.
    """
    from chainward.adapters.folder import ResultWriter

    target = path.absolute()
    if source.resolve().is_relative_to(target.resolve()):
        raise OutputRefused(f"{path} holds the source itself")
    try:
        taken = path.is_symlink() or (path.exists() and not _is_result(path))
        if taken:
            raise OutputRefused(f"{path} is there already, and is not the result of a build")
        return ResultWriter(target)
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error


def _is_result(path: Path) -> bool:
    """Whether a folder is empty, or the result of an earlier build."""
    return path.is_dir() and (not any(path.iterdir()) or (path / "build.json").is_file())


def layout(path: Path) -> LayoutReader:
    """Return the image in ``path``: an OCI image layout, or the result folder of a build."""
    from chainward.adapters.folder import LayoutReader

    return LayoutReader(_layout_folder(path) or path)


def inventory(path: Path, name: str | None) -> Sbom:
    """Return what is in ``path``: an OCI image layout, the result folder of a build, or any folder."""
    from chainward.adapters.system import SystemClock
    from chainward.adapters.tree.directory import DirectoryTree
    from chainward.adapters.tree.layout import image_in_layout
    from chainward.sbom.generate import generate
    from chainward.sbom.model import Subject, SubjectKind

    image = _layout_folder(path)
    shown = name or path.resolve().name
    if image is None:
        return generate(DirectoryTree(path), subject=Subject(shown, SubjectKind.APPLICATION), clock=SystemClock())
    digest, tree = image_in_layout(image)
    return generate(tree, subject=Subject(shown, SubjectKind.CONTAINER, digest=digest), clock=SystemClock())


def _layout_folder(path: Path) -> Path | None:
    """Return the image layout that ``path`` is or holds, if any."""
    for candidate in (path, path / "image"):
        if (candidate / "oci-layout").is_file():
            return candidate
    return None


def open_key(reference: str, passphrase: Callable[[], bytes]) -> PrivateKey:
    """Open the private key that a reference such as ``file:release.key`` names; asks for a passphrase if it has one."""
    from chainward.adapters.signers import open_signer
    from chainward.keys.uri import KeyReference

    return open_signer(KeyReference.parse(reference), passphrase)


def check_key_pair(private: Path, public: Path) -> None:
    """Raise OutputRefused unless both halves of a key can be written as new files."""
    if private == public:
        raise OutputRefused(f"{private} would hold both halves of the key", hint="Name the private key FILE.key.")
    check_new(private)
    check_new(public)


def store_key(private: Path, public: Path, key: PrivateKey, passphrase: bytes) -> None:
    """Write a key pair into two new files, the private half under ``passphrase``."""
    from chainward.adapters.signers import write_secret_file

    check_key_pair(private, public)
    write_secret_file(private, key.encrypted_pem(passphrase))
    write_bytes(public, key.public_key.pem)


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file."""
    from chainward.adapters.signers import read_key_file
    from chainward.keys.model import PublicKey

    return PublicKey.from_pem(read_key_file(path))


def key_text(text: str) -> str:
    """Return a verifier key that is given as it is, or as the name of a file that holds it."""
    from pathlib import Path

    if "+" in text and not Path(text).is_file():
        return text
    return read_bytes(Path(text), _KEY_TEXT_LIMIT).decode("utf-8", "replace").strip()


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read."""
    from chainward.adapters.signers import write_secret_file

    write_secret_file(path, content)


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a file; raises FileUnusable above ``limit`` bytes."""
    try:
        with path.open("rb") as handle:
            content = handle.read(limit + 1)
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error
    if len(content) > limit:
        raise FileUnusable(f"{path} is larger than {limit} bytes")
    return content


def check_new(path: Path) -> None:
    """Raise OutputRefused if something stands at ``path``; called before work whose result could not be kept."""
    if path.exists() or path.is_symlink():
        raise OutputRefused(f"{path} exists, and is not overwritten")
    _check_folder(path)


def check_output(path: Path, *inputs: Path) -> None:
    """Raise OutputRefused if ``path`` is one of the inputs; called before work whose result could not be kept."""
    if any(path.resolve() == each.resolve() for each in inputs):
        raise OutputRefused(f"{path} is what is read, and would be lost")
    _check_folder(path)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileUnusable(f"{path}: there is no folder {path.parent}", hint="Make the folder first.")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole: whoever reads it meanwhile sees the old content or the new one.

    A link in its place is replaced and not followed; a device or a pipe, such as /dev/stdout, is written to.

    Raises:
        FileUnusable: the system refuses.
    """
    from chainward.adapters.folder import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}") from error


def write_durably(path: Path, content: bytes) -> None:
    """Write a file as a whole, so that it survives a power loss once this returns; raises FileUnusable."""
    from chainward.adapters.folder import write_whole

    try:
        write_whole(path, content, durable=True)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}") from error


def file_digest(path: Path, hash_name: str = "sha256") -> Digest:
    """Return the digest of a file of any size; raises FileUnusable, also for a hash that names no artifacts."""
    import hashlib

    from chainward.kernel.digest import Algorithm, Digest

    if hash_name not in set(Algorithm):
        raise FileUnusable(f"files are not named by their {hash_name}", hint="Sign with a key on P-256 or P-521.")
    try:
        with path.open("rb") as handle:
            return Digest(Algorithm(hash_name), hashlib.file_digest(handle, hash_name).hexdigest())
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error
