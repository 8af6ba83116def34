"""Our suite of the distribution-spec on a foreign registry, and foreign suites on ours as ``docs/how-to`` starts it.

Debian's docker-registry 2.8.2 knows distribution-spec 1.0: no referrers, no sha512, tags without pages, and an upload
of which a chunk out of order is taken for the next one. So our suite can fail, and fails where that one does.
``CHAINWARD_OCI_SUITE`` is the program of the public suite.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import httpx
import pytest
from tests.flows.command_line import CHAINWARD
from tests.flows.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
REGISTRY: Final = shutil.which("docker-registry")
PAGE: Final = ROOT / "docs" / "how-to" / "check-a-registry.md"
PUBLIC_SUITE: Final = os.environ.get("CHAINWARD_OCI_SUITE")
SECONDS: Final = 120
SETTINGS: Final = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
FAIL: Final = (
    "test_base.py::test_what_nobody_refers_to_has_an_empty_list_of_referrers[sha256]",
    "test_base.py::test_a_manifest_is_not_pushed_under_an_invalid_digest[sha256:baddigeststring]",
    "test_blobs.py::test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on[sha256]",
    "test_data_sets.py::test_its_manifests_are_pushed_by_digest[artifact-with-subject]",
    "test_data_sets.py::test_its_manifests_are_pushed_by_digest[sha512]",
    "test_data_sets.py::test_its_referrers_are_listed[index-with-subject]",
    "test_lists.py::test_links_lead_through_all_referrers",
    "test_lists.py::test_the_last_tag_of_a_page_leads_to_the_next[2]",
    "test_lists.py::test_a_list_of_no_tags_is_empty_and_leads_nowhere",
)
SKIP: Final = (
    "test_blobs.py::test_a_blob_is_pushed_and_pulled[random-post_only-sha256]",
    "test_data_sets.py::test_its_tags_are_deleted_and_its_manifests_stay[image]",
    "test_data_sets.py::test_its_tags_are_given_as_parameters[tag-parameters]",
)
PASS: Final = (
    "test_base.py::test_the_registry_says_that_it_is_one",
    "test_blobs.py::test_a_blob_is_pushed_and_pulled[random-last_chunk_in_the_put-sha256]",
    "test_blobs.py::test_a_blob_is_mounted[from-a-repository-sha256]",
    "test_data_sets.py::test_its_manifests_are_pushed_by_digest[nested-index]",
    "test_data_sets.py::test_its_manifests_are_deleted_with_their_tags_and_then_its_blobs[image]",
    "test_lists.py::test_a_tag_that_may_move_names_the_newest_manifest",
)


@contextmanager
def started(command: list[str], folder: Path, port: int, log: Path) -> Iterator[str]:
    """Run a registry in a folder until the end; gives its URL once it answers."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=bare(folder), stdout=said, stderr=said)
    try:
        wait_until_answered(f"http://127.0.0.1:{port}/v2/", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_answered(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(SECONDS * 20):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the registry does not answer: {log.read_text(encoding='utf-8')}")


def bare(folder: Path) -> dict[str, str]:
    return {"PATH": os.defpath, "HOME": str(folder)}


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """Run docker-registry over an empty folder; gives its URL."""
    port, settings = free_port(), folder / "registry.yml"
    settings.write_text(SETTINGS.format(folder=folder / "blobs", port=port), encoding="utf-8")
    with started([str(REGISTRY), "serve", str(settings)], folder, port, folder / "registry.log") as url:
        yield url


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a platform with the settings of the page, by the commands of the page; gives its URL."""
    folder, port = tmp_path_factory.mktemp("open"), free_port()
    (settings,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (folder / "check.toml").write_text(settings.replace("8521", str(port)), encoding="utf-8")
    command = [str(CHAINWARD), "init", "--config", "check.toml", "--token-out", "check.token"]
    subprocess.run(command, cwd=folder, env=bare(folder), check=True, capture_output=True, timeout=SECONDS)
    command = [str(CHAINWARD), "up", "--config", "check.toml"]
    with started(command, folder, port, folder / "platform.log") as url:
        yield url


def judged(url: str, report: Path, checks: tuple[str, ...]) -> dict[str, str]:
    """Run checks of the suite against a registry and return what became of each."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-n", "0"]
    files = [f"tests/conformance/oci/{check}" for check in checks]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CHAINWARD_", "PYTEST_"))}
    done = subprocess.run(
        [*command, f"--junitxml={report}", *files],
        cwd=ROOT,
        env=environment | {"CHAINWARD_OCI_URL": url},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert report.is_file(), done.stdout + done.stderr
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - written by the pytest that was just run
    found = {f"{case.attrib['classname'].rpartition('.')[2]}.py::{case.attrib['name']}": case for case in cases}
    return {name: next((child.tag for child in case), "passed") for name, case in found.items()}


@pytest.mark.skipif(REGISTRY is None, reason="docker-registry is not installed (Debian: apt install docker-registry)")
def test_the_suite_fails_a_registry_where_that_one_does_not_conform(tmp_path: Path) -> None:
    with docker_registry(tmp_path) as url:
        found = judged(url, tmp_path / "report.xml", (*FAIL, *SKIP, *PASS))
    expected = dict.fromkeys(FAIL, "failure") | dict.fromkeys(SKIP, "skipped") | dict.fromkeys(PASS, "passed")
    assert found == expected


def test_the_registry_of_the_page_serves_whoever_comes_without_a_token(open_registry: str, tmp_path: Path) -> None:
    checks = (*FAIL, *SKIP, *PASS)
    assert judged(open_registry, tmp_path / "report.xml", checks) == dict.fromkeys(checks, "passed")


@pytest.mark.skipif(PUBLIC_SUITE is None, reason="CHAINWARD_OCI_SUITE does not name the public suite")
@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_the_public_suite_finds_nothing_to_fail(open_registry: str, tmp_path: Path, version: str) -> None:
    settings = {
        "OCI_REGISTRY": open_registry.removeprefix("http://"),
        "OCI_TLS": "disabled",
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(tmp_path),
        "OCI_REPO1": f"public/{version}/one",
        "OCI_REPO2": f"public/{version}/two",
    }
    environment = bare(tmp_path) | settings
    done = subprocess.run(
        [str(PUBLIC_SUITE)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    counts = {name: int(count) for name, count in re.findall(r"^  (\w+)\.+: +([0-9]+)$", done.stdout, re.MULTILINE)}
    assert counts["Pass"] > 800, done.stdout + done.stderr
    assert (counts["FAIL"], counts["Error"], counts["Skip"]) == (0, 0, 0)
