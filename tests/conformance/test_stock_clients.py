"""Whatever one client signs here, every other client verifies, unmodified: blobs and statements, each with each."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.conformance.clients import CLIENTS, RefusedError, Signer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.clients import Client
    from tests.conformance.conftest import Instance

KINDS: Final = ("blob", "statement")
NAMES: Final = tuple(client.name for client in CLIENTS)


@pytest.fixture(scope="module")
def clients(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Client]:
    homes = tmp_path_factory.mktemp("homes")
    return {client.name: client(instance.documents, homes / client.name) for client in CLIENTS}


@pytest.fixture(scope="module")
def signer(instance: Instance) -> Signer:
    return instance.signer()


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """What was signed already, so that each client signs once for all that verify."""
    return {("folder", ""): tmp_path_factory.mktemp("signed")}


def here(clients: dict[str, Client], name: str) -> Client:
    client = clients[name]
    reason = client.unavailable()
    if reason is not None:
        pytest.skip(reason)
    return client


def bundle_of(
    clients: dict[str, Client], signed: dict[tuple[str, str], Any], name: str, kind: str, signer: Signer
) -> tuple[Path, Path]:
    client = here(clients, name)
    if (name, kind) not in signed:
        folder: Path = signed["folder", ""] / f"{name}-{kind}"
        folder.mkdir(exist_ok=True)
        file, bundle = folder / "release.tar", folder / "release.sigstore.json"
        file.write_bytes(f"signed by {name}".encode() * 100)
        (client.sign_blob if kind == "blob" else client.sign_statement)(file, bundle, signer)
        signed[name, kind] = file, bundle
    file, bundle = signed[name, kind]
    return file, bundle


def verify(client: Client, kind: str, file: Path, bundle: Path, signer: Signer) -> None:
    (client.verify_blob if kind == "blob" else client.verify_statement)(file, bundle, signer)


@pytest.mark.parametrize(("kind", "signs", "verifies"), list(product(KINDS, NAMES, NAMES)))
def test_what_one_client_signs_another_verifies(
    kind: str,
    signs: str,
    verifies: str,
    clients: dict[str, Client],
    signed: dict[tuple[str, str], Any],
    signer: Signer,
) -> None:
    verifier = here(clients, verifies)
    file, bundle = bundle_of(clients, signed, signs, kind, signer)
    verify(verifier, kind, file, bundle, signer)


@pytest.mark.parametrize(("kind", "verifies"), list(product(KINDS, NAMES)))
def test_another_identity_is_refused_by_every_client(
    kind: str, verifies: str, clients: dict[str, Client], signed: dict[tuple[str, str], Any], signer: Signer
) -> None:
    verifier = here(clients, verifies)
    file, bundle = bundle_of(clients, signed, "sigstore-python", kind, signer)
    stranger = Signer(signer.token, "https://builder.test/stranger", signer.issuer)
    with pytest.raises(RefusedError):
        verify(verifier, kind, file, bundle, stranger)


@pytest.mark.parametrize(("kind", "verifies"), list(product(KINDS, NAMES)))
def test_another_file_is_refused_by_every_client(
    kind: str,
    verifies: str,
    clients: dict[str, Client],
    signed: dict[tuple[str, str], Any],
    signer: Signer,
    tmp_path: Path,
) -> None:
    verifier = here(clients, verifies)
    _, bundle = bundle_of(clients, signed, "sigstore-python", kind, signer)
    other = tmp_path / "release.tar"
    other.write_bytes(b"something else")
    with pytest.raises(RefusedError):
        verify(verifier, kind, other, bundle, signer)
