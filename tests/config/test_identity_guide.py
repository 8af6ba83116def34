"""The guide to identities: every example of it is a configuration that is read, and means what the guide says."""

from __future__ import annotations

import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.trust.certification import MemoryAuthorities

from chainward.config import load
from chainward.trust.issuers import Issuer, Issuers, IssuerType

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "configure-identities.md"
PLACEHOLDER = re.compile(r"-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n")
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def issuers_of(folder: Path) -> list[Issuer]:
    """Return the issuers of all examples; the development issuer's has none."""
    found: list[Issuer] = []
    root = MemoryAuthorities([]).found["ca-1"].certificates[-1]
    pem = x509.load_der_x509_certificate(root).public_bytes(Encoding.PEM).decode()
    for number, block in enumerate(BLOCK.findall(PAGE.read_text(encoding="utf-8"))):
        path = folder / f"{number}.toml"
        path.write_text(PLACEHOLDER.sub(pem, block), encoding="utf-8")
        found += load(path, {}).trust.trusted_issuers()
    return found


def test_every_example_of_the_guide_is_read(tmp_path: Path) -> None:
    found = issuers_of(tmp_path)
    types = {issuer.type for issuer in found}
    assert types == {IssuerType.CI_PROVIDER, IssuerType.KUBERNETES, IssuerType.SPIFFE, IssuerType.EMAIL}
    assert Issuers(found).find("https://gitlab.com").provider is not None
    assert {issuer.provider.name for issuer in found if issuer.provider} == {
        "github",
        "gitlab",
        "buildkite",
        "circleci",
        "forge",
    }


def test_the_own_server_of_the_guide_is_in_the_subject(tmp_path: Path) -> None:
    own = Issuers(issuers_of(tmp_path)).find("https://github.example.org/_services/token")
    assert own.provider is not None
    subject = own.provider.subject_of({"job_workflow_ref": "acme/shop/w.yml@refs/heads/main"})
    assert subject == "https://github.example.org/acme/shop/w.yml@refs/heads/main"
