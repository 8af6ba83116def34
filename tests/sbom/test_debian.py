"""dpkg's database: what is installed, from which source, for which distribution, and what needs what."""

from __future__ import annotations

import pytest
from tests.sbom.stand_ins import by_name, edge_names, inventory, parsed, purls, roots

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.debian import DPKG_STATUS

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
STATUS = """\
Package: libc6
Status: install ok installed
Priority: optional
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9+deb12u10
Depends: libgcc-s1, libcrypt1 (>= 1:4.4.10-10~)
Conffiles:
 /etc/ld.so.conf.d/x86_64-linux-gnu.conf d4e7a7b88a71b5ffd9e2644e71a0cfab
Description: GNU C Library: Shared libraries
 Contains the standard libraries that are used by nearly all programs on
 the system.
 .
 It has: colons

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14)
Version: 12.2.0-14+deb12u1

Package: libcrypt1
Status: install ok installed
Architecture: amd64
Source: libxcrypt
Version: 1:4.4.33-2
Depends: libc6 (>= 2.36)

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3.4.20200120-3.1
Provides: awk
Depends: libc6:any (>= 2.29) | libc6.1

Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4+deb12u10
Pre-Depends: awk
Depends: not-there | also-not-there

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: never
Status: unknown ok not-installed
Architecture: amd64
"""


def test_every_installed_package_has_a_purl_with_architecture_distribution_and_source() -> None:
    sbom = inventory({"var/lib/dpkg/status": STATUS, "usr/lib/os-release": BOOKWORM})
    assert purls(sbom) == [
        "pkg:deb/debian/base-files@12.4%2Bdeb12u10?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc",
        "pkg:deb/debian/libcrypt1@1:4.4.33-2?arch=amd64&distro=debian-12&upstream=libxcrypt",
        "pkg:deb/debian/libgcc-s1@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0-14",
        "pkg:deb/debian/mawk@1.3.4.20200120-3.1?arch=amd64&distro=debian-12",
    ]
    assert sbom.is_complete


def test_edges_follow_dependencies_alternatives_and_what_packages_provide() -> None:
    sbom = inventory({"var/lib/dpkg/status": STATUS})
    assert edge_names(sbom) == {
        ("libc6", "libgcc-s1"),
        ("libc6", "libcrypt1"),
        ("libcrypt1", "libc6"),
        ("mawk", "libc6"),
        ("base-files", "mawk"),
    }
    assert roots(sbom) == {"base-files"}


def test_a_package_that_is_removed_but_configured_is_not_installed() -> None:
    assert {"gone", "never"}.isdisjoint(by_name(parsed(DPKG_STATUS, STATUS, "var/lib/dpkg/status")))


def test_the_per_package_files_of_slim_images_are_one_database() -> None:
    first, second = "Package: tzdata\nVersion: 2024a\nArchitecture: all\n", "Package: a\nVersion: 1\nDepends: tzdata\n"
    folder = "var/lib/dpkg/status.d/"
    sbom = inventory({f"{folder}tzdata": first, f"{folder}a": second, f"{folder}a.md5sums": "d41d8cd9  usr/a\n"})
    assert edge_names(sbom) == {("a", "tzdata")}
    assert sbom.is_complete


def test_two_architectures_of_one_library_depend_each_on_their_own() -> None:
    status = "\n\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\nVersion: 1\nDepends: {needs}\n"
        for arch in ("amd64", "i386")
        for name, needs in (("liba", "libb"), ("libb", ""))
    )
    sbom = inventory({"var/lib/dpkg/status": status})
    assert {(edge.source.qualifier("arch"), edge.depends_on.qualifier("arch")) for edge in sbom.edges} == {
        ("amd64", "amd64"),
        ("i386", "i386"),
    }


@pytest.mark.parametrize(
    ("release", "purl"),
    [
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "pkg:deb/ubuntu/a@1?arch=all&distro=ubuntu-24.04"),
        ("ID=debian\nVERSION_CODENAME=trixie\n", "pkg:deb/debian/a@1?arch=all&distro=debian-trixie"),
        ("ID=debian\n", "pkg:deb/debian/a@1?arch=all"),
        ('ID="../x y"\nVERSION_ID="1"\n', "pkg:deb/debian/a@1?arch=all"),
        ("\xff\xfe", "pkg:deb/debian/a@1?arch=all"),
    ],
)
def test_the_distribution_names_vendor_and_release(release: str, purl: str) -> None:
    status = "Package: a\nVersion: 1\nArchitecture: all\n"
    assert purls(inventory({"var/lib/dpkg/status": status, "etc/os-release": release})) == [purl]


def test_a_root_within_a_root_has_its_own_distribution_and_edges() -> None:
    status = "Package: a\nVersion: 1\nDepends: b\n\nPackage: b\nVersion: {}\n"
    sbom = inventory(
        {
            "var/lib/dpkg/status": status.format(1),
            "etc/os-release": "ID=debian\nVERSION_ID=12\n",
            "chroot/var/lib/dpkg/status": status.format(2),
            "chroot/etc/os-release": "ID=debian\nVERSION_ID=13\n",
        }
    )
    assert {(edge.source.qualifier("distro"), edge.depends_on.version) for edge in sbom.edges} == {
        ("debian-12", "1"),
        ("debian-13", "2"),
    }


def test_one_broken_entry_is_remarked_and_the_others_are_kept() -> None:
    findings = parsed(DPKG_STATUS, "Package: UPPER CASE\nVersion: 1\n\nPackage: b\nVersion: 2\n", "var/lib/dpkg/status")
    assert list(by_name(findings)) == ["b"]
    assert len(findings.flaws) == 1


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x7fELF not a status file", b"Something: else\n"])
def test_a_file_that_is_no_database_is_unreadable(data: bytes) -> None:
    with pytest.raises(Problem):
        parsed(DPKG_STATUS, data, "var/lib/dpkg/status")


def test_an_empty_database_is_an_empty_answer() -> None:
    sbom = inventory({"var/lib/dpkg/status": ""})
    assert (sbom.components, sbom.unreadable) == ((), ())


def test_a_database_of_one_endless_continuation_is_read_in_reasonable_time() -> None:
    findings = parsed(DPKG_STATUS, "Package: a\nVersion: 1\nDescription: x\n" + " y\n" * 1_000_000)
    assert list(by_name(findings)) == ["a"]
