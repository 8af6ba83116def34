"""The server as a process: alone on its data, orderly at its end, whole after a violent one."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.flows.processes import free_port, initialised, running, start

from chainward.config import load
from chainward.wiring import open_platform

REASON = "written while the platform goes down"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder as init leaves it, and its token; every test works on a copy."""
    folder = tmp_path_factory.mktemp("template") / "data"
    return folder, initialised(folder)


@pytest.fixture
def data(template: tuple[Path, str], tmp_path: Path) -> Path:
    """A data folder."""
    shutil.copytree(template[0], tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def headers(template: tuple[Path, str]) -> dict[str, str]:
    """The first token."""
    return {"Authorization": f"Bearer {template[1]}"}


def revoke(client: httpx.Client, number: int) -> httpx.Response:
    body = {"digest": f"sha256:{number:064x}", "reason": REASON}
    return client.post("/api/v1/revocations", json=body)


class Load:
    """Threads that write until the platform is gone, and what was acknowledged to them."""

    def __init__(self, url: str, headers: dict[str, str], threads: int = 4) -> None:
        self.acknowledged: list[int] = []
        self.refused: list[int] = []
        self._url = url
        self._headers = headers
        self._threads = [threading.Thread(target=self._write, args=(first,)) for first in range(threads)]
        self._step = threads

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        while len(self.acknowledged) < 20:
            time.sleep(0.005)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)

    def _write(self, first: int) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, trust_env=False) as client:
            for number in range(first, 100_000, self._step):
                try:
                    answer = revoke(client, number)
                except httpx.TransportError:
                    return
                if answer.status_code != 201:
                    self.refused.append(answer.status_code)
                    return
                self.acknowledged.append(number)


def stored_in(data: Path) -> set[int]:
    """Return what the data folder holds, after an audit of everything."""
    platform = open_platform(load(None, {}, {("storage", "folder"): data}))
    try:
        assert platform.audit().facts > 0
        found: set[int] = set()
        after = -1
        while page := platform.ledger.facts(after, 1000, frozenset({"registry.revoked/1"})):
            found |= {int(fact.body["digest"].removeprefix("sha256:"), 16) for fact in page if fact.body}
            after = page[-1].index
        return found
    finally:
        platform.close()


def test_it_starts_answers_and_ends_in_order(data: Path, headers: dict[str, str]) -> None:
    with running(data) as process:
        assert httpx.get(f"{process.url}/readyz", trust_env=False).json() == {"status": "ready"}
        facts = httpx.get(f"{process.url}/api/v1/facts", headers=headers, trust_env=False)
        assert facts.status_code == 200
        digest = f"sha256:{'5' * 64}"
        with httpx.Client(base_url=process.url, headers=headers, trust_env=False) as client:
            assert client.post("/api/v1/revocations", json={"digest": digest, "reason": "r"}).status_code == 201
            told = client.get(f"/api/v1/timeline?digest={digest}").json()["facts"]
        assert [fact["schema"] for fact in told] == ["registry.revoked/1"]
        assert process.end() == 0
        events = [line["event"] for line in process.log() if line["event"] != "request"]
        assert events == ["started", "stopping", "stopped"]


def test_shutdown_under_load_loses_nothing_that_was_acknowledged(data: Path, headers: dict[str, str]) -> None:
    with running(data) as process:
        load_ = Load(process.url, headers)
        load_.start()
        assert process.end() == 0
        load_.join()
        assert set(load_.refused) <= {503}
        assert not [line for line in process.log() if line["level"] == "error"]
    assert set(load_.acknowledged) <= stored_in(data)


def test_kill_9_under_load_loses_nothing_that_was_acknowledged_and_needs_no_repair(
    data: Path, headers: dict[str, str]
) -> None:
    with running(data) as process:
        load_ = Load(process.url, headers)
        load_.start()
        process.kill()
        load_.join()
    assert set(load_.acknowledged) <= stored_in(data)


def test_a_second_instance_over_the_same_data_is_refused(data: Path, headers: dict[str, str]) -> None:
    with running(data) as process:
        second = start(data, free_port())
        assert second.process.wait(60) == 5
        told = second.stderr.read_text()
        assert "instance-running" in told
        assert str(process.process.pid) in told
        assert httpx.get(f"{process.url}/api/v1/facts", headers=headers, trust_env=False).status_code == 200


def test_a_second_platform_on_the_same_port_is_refused_although_the_server_would_share_it(
    data: Path, tmp_path: Path
) -> None:
    shutil.copytree(data, tmp_path / "other")
    with running(data) as process:
        second = start(tmp_path / "other", int(process.url.rpartition(":")[2]))
        assert second.process.wait(60) == 6
        assert "address-in-use" in second.stderr.read_text()


def test_what_is_under_way_at_the_end_is_finished(data: Path, headers: dict[str, str]) -> None:
    with running(data) as process:
        host, port = process.url.removeprefix("http://").split(":")
        body = b'{"digest":"sha256:%064x","reason":"slow"}' % 7
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            head = f"POST /api/v1/revocations HTTP/1.1\r\nHost: x\r\nAuthorization: {headers['Authorization']}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            slow.sendall(head.encode() + body[:10])
            time.sleep(0.3)
            process.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            slow.sendall(body[10:])
            assert slow.recv(200).startswith(b"HTTP/1.1 201")
        assert process.process.wait(60) == 0
    assert 7 in stored_in(data)


def test_an_idle_connection_does_not_hold_up_the_end(data: Path) -> None:
    with running(data) as process, httpx.Client(base_url=process.url, trust_env=False) as client:
        assert client.get("/healthz").status_code == 200
        began = time.monotonic()
        assert process.end(signal.SIGINT) == 0
        assert time.monotonic() - began < 10


def test_a_crash_leaves_no_core_file_with_the_keys_in_it(data: Path) -> None:
    with running(data) as process:
        limits = Path(f"/proc/{process.process.pid}/limits").read_text()
    (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_a_platform_that_was_never_made_is_not_started(tmp_path: Path) -> None:
    process = start(tmp_path / "none", free_port())
    assert process.process.wait(60) == 3
    assert "not-initialised" in process.stderr.read_text()


def test_a_wrong_passphrase_does_not_start_it(data: Path) -> None:
    path = data / "keys" / "passphrase"
    path.write_bytes(b"not the passphrase\n")
    process = start(data, free_port())
    assert process.process.wait(60) != 0
    assert "key-passphrase-wrong" in process.stderr.read_text()
    assert (data / "lock").exists()


def _certificate(folder: Path, name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None) -> Path:
    """Make a certificate for 127.0.0.1 (or an authority, without an issuer) as PEM files; return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0] if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer[1] if issuer else key).public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # noqa: FBT003 - its shape
        builder = builder.add_extension(usage, critical=True)
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    path = folder / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(private)
    return path


def _authority(folder: Path) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    path = _certificate(folder, "authority")
    key = serialization.load_pem_private_key((folder / "authority.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(path.read_bytes()).subject, key


def test_it_speaks_tls_and_knows_its_clients_when_asked_to(data: Path, tmp_path: Path, headers: dict[str, str]) -> None:
    authority = _authority(tmp_path)
    _certificate(tmp_path, "server", authority)
    _certificate(tmp_path, "client", authority)
    config = tmp_path / "chainward.toml"
    config.write_text(
        f'[server]\ntls_certificate = "{tmp_path}/server.pem"\ntls_key = "{tmp_path}/server.key"\n'
        f'tls_client_authorities = "{tmp_path}/authority.pem"\n'
    )
    context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    stranger = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    port = free_port()
    process = start(data, port, "--config", str(config), verify=context, scheme="https")
    try:
        with httpx.Client(base_url=process.url, verify=context, headers=headers, trust_env=False) as client:
            answer = client.get("/api/v1/facts")
            assert answer.status_code == 200
            assert answer.headers["strict-transport-security"]
            assert answer.http_version == "HTTP/1.1"
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            httpx.get(f"{process.url}/healthz", verify=stranger, trust_env=False)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
    finally:
        process.kill()


def test_a_certificate_that_cannot_be_used_stops_the_start(data: Path, tmp_path: Path) -> None:
    authority = _authority(tmp_path)
    _certificate(tmp_path, "server", authority)
    _certificate(tmp_path, "other", authority)
    config = tmp_path / "chainward.toml"
    config.write_text(f'[server]\ntls_certificate = "{tmp_path}/server.pem"\ntls_key = "{tmp_path}/other.key"\n')
    process = start(data, free_port(), "--config", str(config))
    assert process.process.wait(60) == 2
    assert "certificate-unusable" in process.stderr.read_text()


def test_no_secret_is_in_what_the_process_writes(data: Path, headers: dict[str, str]) -> None:
    token = headers["Authorization"].removeprefix("Bearer ")
    with running(data) as process:
        httpx.get(f"{process.url}/api/v1/facts?token={token}", headers=headers, trust_env=False)
        httpx.post(f"{process.url}/login", data={"token": token}, trust_env=False)
        httpx.get(f"{process.url}/{token}", trust_env=False)
        process.end()
        written = process.stderr.read_text()
    assert written.count('"event":"request"') >= 3
    assert token.rpartition("_")[2] not in written
    passphrase = (data / "keys" / "passphrase").read_text().strip()
    assert passphrase not in written
