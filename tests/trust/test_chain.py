"""Chains of certificates: which ones lead to a trusted authority, and every way in which one can fail to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.trust.sigstore_world import (
    NOON,
    SECOND,
    SUBJECT,
    Extension,
    Holder,
    World,
    authority_extensions,
    below,
    der,
    leaf_extensions,
    name_of,
    new_key,
    root_holder,
    usage,
)
from tests.trust.test_prove import prove

from chainward.trust.chain import check_windows, is_root, issued_by, public_key_of
from chainward.trust.errors import CertificateMalformed, CertificateOutsideWindow, CertificateUntrusted
from chainward.trust.material import TrustedAuthority, TrustMaterial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEYS: dict[str, Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]] = {
    "P-256": lambda: new_key(ec.SECP256R1()),
    "P-384": lambda: new_key(ec.SECP384R1()),
    "P-521": lambda: new_key(ec.SECP521R1()),
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
}
SIGNING = (ExtendedKeyUsageOID.CODE_SIGNING,)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def leaf_of(
    issuer: Holder, extensions: Sequence[Extension] | None = None, *, subject: x509.Name | None = None, **options: Any
) -> x509.Certificate:
    """A certificate for signing, without the promise of a certificate log: the chain does not ask for it."""
    found = leaf_extensions() if extensions is None else extensions
    end = NOON + timedelta(minutes=10)
    return issuer.sign(subject or x509.Name([]), new_key().public_key(), found, start=NOON, end=end, **options)


def trusting(*authorities: Holder, **window: Any) -> TrustMaterial:
    chain = tuple(each.certificate for each in authorities)
    return TrustMaterial(certificate_authorities=(TrustedAuthority("ca", chain, **window),))


def swapped(kind: type[x509.ExtensionType], *better: Extension) -> list[Extension]:
    """The extensions of a good certificate, with those of one kind replaced."""
    return [*(each for each in leaf_extensions() if not isinstance(each[0], kind)), *better]


@pytest.mark.parametrize("kind", sorted(KEYS))
@pytest.mark.parametrize("hashed", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda hashed: hashed.name)
def test_authorities_may_have_keys_of_every_usual_kind(kind: str, hashed: Any) -> None:
    root = root_holder(key=KEYS[kind]())
    intermediate = below(root, key=KEYS[kind](), hashed=hashed)
    issued = issued_by(leaf_of(intermediate, hashed=hashed), trusting(intermediate, root))
    assert issued.path.certificates == (intermediate.certificate, root.certificate)
    check_windows(issued, [NOON])


def test_a_chain_may_have_several_intermediates() -> None:
    root = root_holder(extensions=authority_extensions(2))
    upper = below(root, "upper", extensions=authority_extensions(1))
    lower = below(upper, "lower")
    assert issued_by(leaf_of(lower), trusting(lower, upper, root)).authority.name == "ca"


def test_an_intermediate_alone_may_be_the_anchor() -> None:
    """What a trusted root lists is believed; a chain in it need not end in a self-signed certificate."""
    intermediate = below(root_holder())
    assert issued_by(leaf_of(intermediate), trusting(intermediate)).authority.name == "ca"


def test_a_path_longer_than_its_root_allows_is_refused() -> None:
    root = root_holder(extensions=authority_extensions(0))
    upper = below(root, "upper", extensions=authority_extensions(1))
    lower = below(upper, "lower")
    with pytest.raises(CertificateUntrusted, match="allows 0"):
        issued_by(leaf_of(lower), trusting(lower, upper, root))


def test_an_intermediate_that_is_no_authority_is_refused() -> None:
    root = root_holder()
    for extensions in (
        [(usage(signs_certificates=True), True)],
        [(x509.BasicConstraints(ca=False, path_length=None), True), (usage(signs_certificates=True), True)],
    ):
        fake = below(root, "fake", extensions=extensions)
        with pytest.raises(CertificateUntrusted, match="not one of an authority"):
            issued_by(leaf_of(fake), trusting(fake, root))


def test_an_end_entity_that_signs_certificates_is_refused(world: World) -> None:
    """The oldest trick: a leaf of the right authority plays the authority."""
    key = new_key()
    leaf = x509.load_der_x509_certificate(world.certify(key.public_key(), subject=name_of("leaf")))
    forged = leaf_of(Holder(key, leaf))
    with pytest.raises(CertificateUntrusted):
        issued_by(forged, world.material)


def test_an_authority_whose_key_may_not_sign_certificates_is_refused() -> None:
    root = root_holder()
    extensions = [(x509.BasicConstraints(ca=True, path_length=0), True), (usage(), True)]
    mute = below(root, "mute", extensions=extensions)
    with pytest.raises(CertificateUntrusted, match="may not sign certificates"):
        issued_by(leaf_of(mute), trusting(mute, root))


def test_an_authority_for_other_purposes_does_not_issue_signing_certificates() -> None:
    root = root_holder()
    web = below(root, "web", extensions=authority_extensions(0, purposes=[ExtendedKeyUsageOID.SERVER_AUTH]))
    with pytest.raises(CertificateUntrusted, match="may not issue"):
        issued_by(leaf_of(web), trusting(web, root))
    anything = below(
        root, "any", extensions=authority_extensions(0, purposes=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    )
    assert issued_by(leaf_of(anything), trusting(anything, root)).authority.name == "ca"


@pytest.mark.parametrize(
    "extensions",
    [
        swapped(x509.KeyUsage),
        swapped(x509.KeyUsage, (usage(digital_signature=False, signs_certificates=True), True)),
        swapped(x509.ExtendedKeyUsage),
        swapped(x509.ExtendedKeyUsage, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)),
        swapped(x509.ExtendedKeyUsage, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)),
        [*leaf_extensions(), (x509.BasicConstraints(ca=True, path_length=None), True)],
    ],
    ids=["no key usage", "other key usage", "no purpose", "other purpose", "any purpose", "authority"],
)
def test_a_certificate_that_is_not_for_signing_artifacts_is_refused(world: World, extensions: list[Extension]) -> None:
    with pytest.raises(CertificateUntrusted):
        issued_by(leaf_of(world.issuer, extensions), world.material)


def test_a_certificate_with_a_critical_extension_that_is_not_understood_is_refused(world: World) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    with pytest.raises(CertificateUntrusted, match="not understood"):
        issued_by(leaf_of(world.issuer, [*leaf_extensions(), (unknown, True)]), world.material)
    issued_by(leaf_of(world.issuer, [*leaf_extensions(), (unknown, False)]), world.material)


def test_a_precertificate_is_not_a_certificate(world: World) -> None:
    with pytest.raises(CertificateUntrusted, match="not understood"):
        issued_by(leaf_of(world.issuer, [*leaf_extensions(), (x509.PrecertPoison(), True)]), world.material)


def test_an_authority_with_a_critical_extension_that_is_not_understood_is_refused() -> None:
    root = root_holder()
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    odd = below(root, "odd", extensions=[*authority_extensions(0), (unknown, True)])
    with pytest.raises(CertificateUntrusted, match="not understood"):
        issued_by(leaf_of(odd), trusting(odd, root))


def test_a_certificate_signed_by_another_key_under_the_same_name_is_refused(world: World) -> None:
    impostor = replace(world.issuer, key=new_key())
    with pytest.raises(CertificateUntrusted, match="was not signed"):
        issued_by(leaf_of(impostor), world.material)


def test_a_certificate_signed_by_the_right_key_under_another_name_is_refused(world: World) -> None:
    renamed = below(world.authorities[-1], "another name", key=world.issuer.key)
    with pytest.raises(CertificateUntrusted, match="was not signed"):
        issued_by(leaf_of(renamed), world.material)


def test_a_broken_link_within_the_chain_of_a_trusted_root_is_refused() -> None:
    intermediate, stranger = below(root_holder()), root_holder()
    with pytest.raises(CertificateUntrusted, match="was not signed"):
        issued_by(leaf_of(intermediate), trusting(intermediate, stranger))


def test_a_signature_over_a_weak_hash_does_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No current library signs with SHA-1, so the set of hashes is narrowed instead."""
    monkeypatch.setattr("chainward.trust.chain._HASHES", frozenset({"sha512"}))
    with pytest.raises(CertificateUntrusted, match="too weak"):
        issued_by(leaf_of(world.issuer), world.material)


def test_an_authority_with_a_key_that_is_too_short_is_refused() -> None:
    """1,024 bits: within reach of whoever can pay for it."""
    weak = root_holder("weak", key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - the attack
    with pytest.raises((CertificateUntrusted, CertificateMalformed)):
        issued_by(leaf_of(weak), trusting(weak))


def test_a_certificate_whose_key_is_of_no_use_is_refused() -> None:
    odd = leaf_of_key(ec.generate_private_key(ec.SECP224R1()))
    with pytest.raises(CertificateMalformed, match="of no use"):
        public_key_of(odd)


def leaf_of_key(key: Any) -> x509.Certificate:
    return root_holder().sign(x509.Name([]), key.public_key(), leaf_extensions())


def test_the_key_of_a_certificate_may_be_ed25519() -> None:
    assert public_key_of(leaf_of_key(Ed25519PrivateKey.generate())).scheme.value == "PKIX_ED25519"


@pytest.mark.parametrize(
    ("instant", "holds"),
    [(NOON - SECOND, False), (NOON, True), (NOON + timedelta(minutes=10), True), (NOON + timedelta(minutes=11), False)],
)
def test_a_certificate_counts_from_its_first_to_its_last_second(world: World, instant: Any, *, holds: bool) -> None:
    issued = issued_by(leaf_of(world.issuer), world.material)
    if holds:
        check_windows(issued, [NOON, instant])
    else:
        with pytest.raises(CertificateOutsideWindow):
            check_windows(issued, [NOON, instant])


def test_the_whole_path_must_be_valid_at_the_instant() -> None:
    for root in (root_holder(end=NOON - SECOND), root_holder(start=NOON + SECOND)):
        intermediate = below(root)
        issued = issued_by(leaf_of(intermediate), trusting(intermediate, root))
        with pytest.raises(CertificateOutsideWindow):
            check_windows(issued, [NOON])


def test_a_root_is_told_by_what_it_says_of_itself(world: World) -> None:
    intermediate, root = (each.certificate for each in world.authorities)
    assert is_root(root)
    assert not is_root(intermediate)
    assert not is_root(leaf_of(world.issuer))
    self_signed_leaf = root_holder("self", extensions=leaf_extensions()).certificate
    assert not is_root(self_signed_leaf)


# -- name constraints -------------------------------------------------------------------------------------------------


def constrained(
    permitted: list[x509.GeneralName] | None = None, excluded: list[x509.GeneralName] | None = None
) -> tuple[Holder, TrustMaterial]:
    """An authority that may vouch for some names only."""
    root = root_holder()
    constraints = x509.NameConstraints(permitted, excluded)
    extensions = [*authority_extensions(0, purposes=SIGNING), (constraints, True)]
    intermediate = below(root, "constrained", extensions=extensions)
    return intermediate, trusting(intermediate, root)


def mail(text: str) -> x509.GeneralName:
    return x509.RFC822Name(text)


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def check(subject: str, kind: Any, *, allowed: bool, **constraints: Any) -> None:
    issuer, material = constrained(**constraints)
    leaf = leaf_of(issuer, leaf_extensions(subject, kind=kind))
    if allowed:
        issued_by(leaf, material)
    else:
        with pytest.raises(CertificateUntrusted, match="vouch"):
            issued_by(leaf, material)


@pytest.mark.parametrize(
    ("constraint", "mailbox", "allowed"),
    [
        ("example.test", "jane@example.test", True),
        ("example.test", "jane@EXAMPLE.test", True),
        ("example.test", "jane@sub.example.test", False),
        ("example.test", "jane@example.test.evil.test", False),
        ("example.test", "jane@evilexample.test", False),
        (".example.test", "jane@sub.example.test", True),
        (".example.test", "jane@example.test", False),
        ("jane@example.test", "jane@example.test", True),
        ("jane@example.test", "joe@example.test", False),
        ("jane@example.test", "JANE@example.test", False),
    ],
)
def test_an_authority_may_be_bound_to_mailboxes(constraint: str, mailbox: str, *, allowed: bool) -> None:
    check(mailbox, "email", allowed=allowed, permitted=[mail(constraint)])
    check(mailbox, "email", allowed=not allowed, excluded=[mail(constraint)])


@pytest.mark.parametrize(
    ("constraint", "subject", "allowed"),
    [
        ("ci.example.test", SUBJECT, True),
        ("example.test", SUBJECT, False),
        (".example.test", SUBJECT, True),
        ("ci.example.test", "https://ci.example.test.evil.test/job", False),
        ("ci.example.test", "https://evil.test/ci.example.test", False),
        ("ci.example.test", "https://ci.example.test@evil.test/job", False),
        ("ci.example.test", "https://ci.example.test:8443/job", True),
        ("ci.example.test", "spiffe://CI.example.test/job", True),
    ],
)
def test_an_authority_may_be_bound_to_hosts(constraint: str, subject: str, *, allowed: bool) -> None:
    check(subject, "uri", allowed=allowed, permitted=[uri(constraint)])
    check(subject, "uri", allowed=not allowed, excluded=[uri(constraint)])


def test_a_uri_without_host_satisfies_no_constraint_at_all() -> None:
    check("urn:example:job", "uri", allowed=False, permitted=[uri("ci.example.test")])
    check("urn:example:job", "uri", allowed=False, excluded=[uri("ci.example.test")])


def test_a_constraint_on_other_kinds_of_names_says_nothing_about_this_one() -> None:
    check(SUBJECT, "uri", allowed=True, permitted=[mail("example.test"), x509.DNSName("example.test")])


def test_an_authority_may_be_bound_to_subjects_below_a_directory_name() -> None:
    below_example = x509.DirectoryName(x509.Name(name_of("x").rdns[:1]))
    issuer, material = constrained([below_example])
    issued_by(leaf_of(issuer), material)  # signing certificates have an empty subject
    issued_by(leaf_of(issuer, subject=name_of("web")), material)
    other = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "evil")])
    with pytest.raises(CertificateUntrusted, match="vouch"):
        issued_by(leaf_of(issuer, subject=other), material)


def test_constraints_of_the_root_bind_what_is_below_the_intermediate() -> None:
    constraints = x509.NameConstraints([uri("other.example.test")], None)
    root = root_holder(extensions=[*authority_extensions(1), (constraints, True)])
    intermediate = below(root)
    with pytest.raises(CertificateUntrusted, match="vouch"):
        issued_by(leaf_of(intermediate), trusting(intermediate, root))


# -- through a bundle -------------------------------------------------------------------------------------------------


def test_a_bundle_under_a_deep_chain_verifies_and_under_a_constrained_one_does_not() -> None:
    root = root_holder()
    upper = below(root, "upper", extensions=authority_extensions(1))
    deep = World(authorities=(below(upper, "lower"), upper, root))
    assert prove(deep.sign(), deep.material).signed_at == NOON
    constraints = x509.NameConstraints([uri("other.example.test")], None)
    bound = below(root, "bound", extensions=[*authority_extensions(0), (constraints, True)])
    narrow = World(authorities=(bound, root))
    with pytest.raises(CertificateUntrusted, match="vouch"):
        prove(narrow.sign(), narrow.material)


@pytest.mark.parametrize("position", [0, -1])
def test_a_certificate_with_one_bit_changed_never_passes(world: World, position: int) -> None:
    leaf = bytearray(der(leaf_of(world.issuer)))
    leaf[position] ^= 1
    try:
        changed = x509.load_der_x509_certificate(bytes(leaf))
    except ValueError:
        return
    with pytest.raises((CertificateUntrusted, CertificateMalformed)):
        issued_by(changed, world.material)
