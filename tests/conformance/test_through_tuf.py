"""Clients that learn their trust root from our TUF repository, starting from nothing but its root metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.conformance.clients import Cosign, Python, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Instance


@pytest.fixture
def root(instance: Instance, tmp_path: Path) -> Path:
    """Return the root metadata that an operator hands out."""
    answer = httpx.get(f"{instance.url}/tuf/1.root.json")
    assert answer.status_code == 200, answer.text
    path = tmp_path / "root.json"
    path.write_bytes(answer.content)
    return path


def test_sigstore_python_signs_and_verifies_with_what_tuf_gives_it(
    instance: Instance, root: Path, tmp_path: Path
) -> None:
    python = Python(instance.documents, tmp_path / "home", ["--instance", f"{instance.url}/tuf"])
    python._run("trust-instance", str(root))
    file, bundle = tmp_path / "release.tar", tmp_path / "release.sigstore.json"
    file.write_bytes(b"a release")
    signer = instance.signer()
    python.sign_blob(file, bundle, signer)
    python.verify_blob(file, bundle, signer)
    python.sign_statement(file, bundle, signer)
    python.verify_statement(file, bundle, signer)


def test_cosign_is_initialised_from_tuf_and_then_needs_no_trusted_root(
    instance: Instance, root: Path, tmp_path: Path
) -> None:
    cosign = Cosign(instance.documents, tmp_path / "home")
    reason = cosign.unavailable()
    if reason is not None:
        pytest.skip(reason)
    cosign.run("initialize", "--mirror", f"{instance.url}/tuf", "--root", str(root))
    file, bundle = tmp_path / "release.tar", tmp_path / "release.sigstore.json"
    file.write_bytes(b"a release")
    signer = instance.signer()
    token = tmp_path / "token"
    token.write_text(signer.token, encoding="ascii")
    cosign.run("sign-blob", "--yes", "--identity-token", str(token), "--bundle", str(bundle), str(file))
    who = ["--certificate-identity", signer.identity, "--certificate-oidc-issuer", signer.issuer]
    cosign.run("verify-blob", *who, "--bundle", str(bundle), str(file))
    file.write_bytes(b"another release")
    with pytest.raises(RefusedError):
        cosign.run("verify-blob", *who, "--bundle", str(bundle), str(file))
