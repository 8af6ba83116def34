"""The timestamp authority of openssl, with every kind of signer and token that it can make: an authority of others."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.timestamps import certificate, key_of, raw

from chainward.keys.model import Scheme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OPENSSL", "OpensslAuthority", "authority_of", "openssl"]

OPENSSL: Final = shutil.which("openssl")
_SCHEMES: Final = {
    "p256": Scheme.ECDSA_P256_SHA256,
    "p384": Scheme.ECDSA_P384_SHA384,
    "p521": Scheme.ECDSA_P521_SHA512,
    "rsa2048": Scheme.RSA_2048,
    "rsa3072": Scheme.RSA_3072,
    "rsa4096": Scheme.RSA_4096,
}
_CONFIG: Final = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/leaf.pem
certs = {folder}/root.pem
signer_key = {folder}/leaf.key
signer_digest = {signer_digest}
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha384, sha512
accuracy = {accuracy}
clock_precision_digits = {digits}
ordering = {ordering}
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {named_by}
"""


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run openssl; its status is the caller's to look at."""
    return subprocess.run([str(OPENSSL), *map(str, arguments)], capture_output=True, check=False)


@dataclass(frozen=True)
class OpensslAuthority:
    """An authority in a folder; ``chain`` is its leaf and its root (DER)."""

    folder: Path
    chain: tuple[bytes, bytes]

    def reply(self, message: bytes, *, imprint: str = "sha256", certificates: bool = True, **settings: Any) -> bytes:
        """Return its reply about ``message``; the settings are those of its configuration."""
        said = {
            "signer_digest": "sha256",
            "accuracy": "secs:1",
            "digits": 0,
            "named_by": "sha256",
            **settings,
            "ordering": "yes" if settings.get("ordering") else "no",
        }
        (self.folder / "tsa.cnf").write_text(_CONFIG.format(folder=self.folder, **said))
        data, query, reply = (self.folder / name for name in ("data", "query.tsq", "reply.tsr"))
        data.write_bytes(message)
        asked = ["-cert"] if certificates else []
        made = openssl("ts", "-query", "-data", data, f"-{imprint}", *asked, "-out", query)
        assert made.returncode == 0, made.stderr
        made = openssl("ts", "-reply", "-config", self.folder / "tsa.cnf", "-queryfile", query, "-out", reply)
        assert made.returncode == 0, made.stderr
        return reply.read_bytes()


def authority_of(folder: Path, signer: str) -> OpensslAuthority:
    """Make an authority in ``folder`` with this kind of signer, such as ``rsa2048``."""
    now = datetime.now(UTC).replace(microsecond=0)
    window: dict[str, Any] = {"start": now - timedelta(days=1), "end": now + timedelta(days=2)}
    leaf, root = key_of("openssl leaf", _SCHEMES[signer]), key_of("openssl root")
    chain = (
        certificate("openssl leaf", leaf, "openssl root", root, **window),
        certificate("openssl root", root, "openssl root", root, ca=True, purposes=None, serial=1, **window),
    )
    (folder / "leaf.key").write_bytes(raw(leaf).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for name, der in zip(("leaf.pem", "root.pem"), chain, strict=True):
        (folder / name).write_bytes(_pem(der))
    (folder / "serial").write_text("01")
    return OpensslAuthority(folder, chain)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
