"""Name constraints: which subjects a certificate authority may vouch for.

In: the constraints in an authority's certificate, and whom a signing certificate names. Out: nothing, or
a Problem. Follows RFC 5280 §4.2.1.10 for the kinds of names that signing certificates have: mailboxes, URIs, and the
distinguished name beside them. A constraint on a kind of name that cannot be compared refuses every name of that kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509

from chainward.trust.errors import CertificateUntrusted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_names"]


def check_names(constraints: x509.NameConstraints, names: Iterable[x509.GeneralName], subject: x509.Name) -> None:
    """Return if ``constraints`` allow all of ``names`` and ``subject``; raises CertificateUntrusted."""
    found = [*names, x509.DirectoryName(subject)] if list(subject) else list(names)
    for name in found:
        excluded = [each for each in constraints.excluded_subtrees or () if type(each) is type(name)]
        permitted = [each for each in constraints.permitted_subtrees or () if type(each) is type(name)]
        if any(_fits(each, name, default=True) for each in excluded):
            raise CertificateUntrusted(f"the certificate authority must not vouch for {_shown(name)}")
        if permitted and not any(_fits(each, name, default=False) for each in permitted):
            raise CertificateUntrusted(f"the certificate authority may vouch for others only, not for {_shown(name)}")


def _fits(constraint: x509.GeneralName, name: x509.GeneralName, *, default: bool) -> bool:
    """Whether ``name`` lies in the subtree ``constraint``; ``default`` where that cannot be told."""
    match constraint, name:
        case x509.RFC822Name(), x509.RFC822Name():
            return _mailbox_fits(constraint.value, name.value)
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            host = _host(name.value)
            return default if host is None else _host_fits(constraint.value, host)
        case x509.DirectoryName(), x509.DirectoryName():
            wanted = list(constraint.value.rdns)
            return list(name.value.rdns)[: len(wanted)] == wanted
        case _:
            return default


def _mailbox_fits(constraint: str, mailbox: str) -> bool:
    local, _, host = mailbox.rpartition("@")
    if "@" in constraint:
        wanted_local, _, wanted_host = constraint.rpartition("@")
        return local == wanted_local and host.lower() == wanted_host.lower()
    return _host_fits(constraint, host)


def _host_fits(constraint: str, host: str) -> bool:
    wanted, found = constraint.lower(), host.lower()
    return found.endswith(wanted) and found != wanted if wanted.startswith(".") else found == wanted


def _host(uri: str) -> str | None:
    """Return the host in a URI; None if it has none that a constraint could speak of."""
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None


def _shown(name: x509.GeneralName) -> str:
    return str(name.value)[:200]
