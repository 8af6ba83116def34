"""Who may state what about which repository (T7): identities and keys, each with a scope, and how trust ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.trust.sigstore_world import (
    ARTIFACT,
    ISSUER,
    NOON,
    SECOND,
    START,
    SUBJECT,
    World,
    fulcio,
    leaf_extensions,
    new_key,
    utf8,
)

from chainward.formats.bundle import encode_bundle
from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, VSA
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import PrivateKey
from chainward.trust.errors import (
    IdentityPatternInvalid,
    SignerDistrusted,
    SignerInvalid,
    SignerNotAllowed,
    SignerUnknown,
    SubjectMismatch,
)
from chainward.trust.identity import Identity, IdentityKind, IdentityMatch
from chainward.trust.match import described, match_of, members_of, trust_command
from chainward.trust.model import MESSAGE_SIGNATURE, TrustedSigner, TrustRoot, VerifiedStatement
from chainward.trust.verify import verify_artifact, verify_bundle

FILE = Digest.of(ARTIFACT)
SHOP = RepositoryName("shop/web")
SOURCE = "https://git.example.test/shop/web"


@cache
def world() -> World:
    return World()


@cache
def stated() -> bytes:
    return encode_bundle(world().state())


@cache
def signed_file() -> bytes:
    return encode_bundle(world().sign())


def claiming(**claims: str) -> bytes:
    """A statement whose certificate makes more claims."""
    arcs = {"source_repository_uri": 12, "source_repository_ref": 14}
    extensions = [*leaf_extensions(), *((fulcio(arcs[name], utf8(text)), False) for name, text in claims.items())]
    key = new_key()
    return encode_bundle(world().state(key=key, certificate=world().certify(key.public_key(), extensions)))


def by_key(at: timedelta | None = timedelta()) -> tuple[bytes, PrivateKey]:
    """A statement by a bare key, stamped at an instant or not at all."""
    key = new_key(ec.SECP256R1())
    bundle = world().state(key=key, certificate="none", at=NOON + (at or timedelta()), stamps=0 if at is None else 1)
    return encode_bundle(bundle), PrivateKey.of(key)


def signer(
    name: str = "ci",
    match: IdentityMatch | None = None,
    repositories: tuple[str, ...] = ("shop/**",),
    predicates: tuple[str, ...] = ("*",),
) -> TrustedSigner:
    return TrustedSigner(
        name=name,
        match=match or IdentityMatch(subject=SUBJECT, issuer=ISSUER),
        repositories=tuple(map(RepositoryPattern, repositories)),
        predicates=predicates,
        trusted_since=START,
    )


def of_key(key: PrivateKey, name: str = "release") -> TrustedSigner:
    return replace(signer(name), match=None, public_key=key.public_key)


def verify(bundle: bytes, *signers: TrustedSigner, repository: RepositoryName | None = SHOP) -> VerifiedStatement:
    return verify_bundle(bundle, TrustRoot(signers, world().material), subject=FILE, repository=repository)


# Identities


def test_a_trusted_identity_may_state_what_its_scope_has() -> None:
    found = verify(stated(), signer(predicates=(SLSA_PROVENANCE,)))
    assert (found.signers, found.signer, found.signed_at) == (("ci",), "ci", NOON)
    assert found.identity is not None
    assert (found.identity.subject, found.identity.kind, found.identity.issuer) == (SUBJECT, IdentityKind.URI, ISSUER)
    assert found.predicate_type == SLSA_PROVENANCE


def test_the_valid_signature_of_the_wrong_attestor_is_a_failed_check_with_its_own_code() -> None:
    for wrong in (signer(predicates=(VSA, CYCLONEDX)), signer(repositories=("bank/**",))):
        with pytest.raises(SignerNotAllowed) as refused:
            verify(stated(), wrong)
        assert refused.value.code == "signer-not-allowed"
        assert refused.value.details["identity"] == SUBJECT
        assert "ci" in refused.value.message


def test_an_unknown_identity_is_told_with_the_very_command_that_would_trust_it() -> None:
    with pytest.raises(SignerUnknown) as refused:
        verify(claiming(source_repository_uri=SOURCE))
    assert refused.value.details == {"identity": SUBJECT, "issuer": ISSUER}
    assert f"chainward trust add NAME --identity {SUBJECT} --issuer {ISSUER}" in refused.value.hint
    assert f"--claim source_repository_uri={SOURCE}" in refused.value.hint


def test_an_identity_with_quotes_and_blanks_cannot_smuggle_a_command_into_the_hint() -> None:
    hint = trust_command(Identity("a'; rm -rf ~ #", IdentityKind.OTHER, "https://x.test/$(id)"))
    assert """--identity 'a'"'"'; rm -rf ~ #'""" in hint
    assert "'https://x.test/$(id)'" in hint


@pytest.mark.parametrize(
    ("subject", "issuer"),
    [
        (SUBJECT[:-1], ISSUER),
        (SUBJECT + "2", ISSUER),
        (SUBJECT.upper(), ISSUER),
        (SUBJECT, ISSUER + ".evil.test"),
        (SUBJECT, ISSUER[:-1]),
    ],
)
def test_an_identity_that_is_merely_similar_is_a_strangers(subject: str, issuer: str) -> None:
    with pytest.raises(SignerUnknown):
        verify(stated(), signer(match=IdentityMatch(subject=subject, issuer=issuer)))


@pytest.mark.parametrize("regex", [r"https://ci\.example\.test/shop/.+", r"https://ci\.example\.test/bank/.+|.*main"])
def test_a_pattern_that_covers_the_whole_subject_means_it(regex: str) -> None:
    assert verify(stated(), signer(match=IdentityMatch(subject_regex=regex, issuer=ISSUER))).signer == "ci"


@pytest.mark.parametrize(
    "regex", [r"https://ci\.example\.test/shop/", r"ci\.example\.test", r"https://.*/bank/.*|refs/heads/main", "^h"]
)
def test_a_pattern_that_fits_a_part_of_the_subject_means_it_not(regex: str) -> None:
    with pytest.raises(SignerUnknown):
        verify(stated(), signer(match=IdentityMatch(subject_regex=regex, issuer=ISSUER)))


def test_a_claim_that_is_demanded_must_be_there_with_that_value() -> None:
    match = IdentityMatch(subject=SUBJECT, issuer=ISSUER, claims=(("source_repository_uri", SOURCE),))
    assert verify(claiming(source_repository_uri=SOURCE), signer(match=match)).signer == "ci"
    for other in (claiming(source_repository_uri=SOURCE + "-fork"), stated()):
        with pytest.raises(SignerUnknown):
            verify(other, signer(match=match))


def test_a_statement_is_by_every_signer_who_means_its_identity_and_may_say_it() -> None:
    anybody = IdentityMatch(subject_regex=".*", issuer=ISSUER)
    found = verify(
        stated(),
        signer("team", anybody),
        signer("ci"),
        signer("scanner", anybody, predicates=(CYCLONEDX,)),
        signer("bank", anybody, repositories=("bank/**",)),
        signer("elsewhere", IdentityMatch(subject_regex=".*", issuer="https://other.example.test")),
    )
    assert found.signers == ("ci", "team")


def test_an_identity_signs_a_file_only_if_it_may_sign_files() -> None:
    root = TrustRoot((signer(predicates=(MESSAGE_SIGNATURE,)),), world().material)
    found = verify_artifact(signed_file(), root, digest=FILE, repository=SHOP)
    assert found.identity is not None
    assert (found.signer, found.identity.subject, found.signed_at) == ("ci", SUBJECT, NOON)
    for narrow in (signer(predicates=(SLSA_PROVENANCE,)), signer(repositories=("bank/*",))):
        with pytest.raises(SignerNotAllowed):
            verify_artifact(signed_file(), TrustRoot((narrow,), world().material), digest=FILE, repository=SHOP)


def test_a_bundle_of_another_digest_is_refused_whoever_signed_it() -> None:
    root = TrustRoot((signer(),), world().material)
    other = Digest.of(b"another image")
    with pytest.raises(SubjectMismatch):
        verify_bundle(stated(), root, subject=other, repository=SHOP)
    with pytest.raises(SubjectMismatch):
        verify_artifact(signed_file(), root, digest=other, repository=SHOP)


def test_a_signer_is_either_a_key_or_an_identity() -> None:
    _, key = by_key()
    for both in ({"match": None}, {"public_key": key.public_key}):
        with pytest.raises(SignerInvalid, match="either"):
            replace(signer(), **both)


@pytest.mark.parametrize(
    "members",
    [
        {"subject": "a"},
        {"issuer": "b"},
        {"subject": "a", "subject_regex": "a", "issuer": "b"},
        {"subject": "a", "issuer": "b", "issuer_regex": "b"},
        {"subject": "", "issuer": "b"},
        {"subject_regex": "(", "issuer": "b"},
        {"subject": "a", "issuer": "b", "claims": {"n": 1}},
    ],
)
def test_an_identity_that_is_not_named_by_subject_and_issuer_is_none(members: dict[str, object]) -> None:
    with pytest.raises(IdentityPatternInvalid):
        match_of(members)


def test_a_match_reads_back_as_it_was_written() -> None:
    match = IdentityMatch(subject_regex="a.*", issuer="b", claims=(("z", "1"), ("a", "2")))
    written = json.loads(json.dumps(members_of(match)))
    assert written == {"subject_regex": "a.*", "issuer": "b", "claims": {"a": "2", "z": "1"}}
    assert members_of(match_of(written)) == members_of(match)
    assert described(match) == "~a.* from b, a=2, z=1"


# Distrust


def test_distrust_without_an_instant_covers_everything_ever_signed() -> None:
    bundle, key = by_key()
    for one, trusted in ((stated(), signer()), (bundle, of_key(key))):
        with pytest.raises(SignerDistrusted):
            verify(one, replace(trusted, distrusted_at=NOON + timedelta(days=1)))


def test_what_is_proven_to_be_signed_before_distrust_began_still_counts() -> None:
    bundle, key = by_key()
    for one, trusted in ((stated(), signer()), (bundle, of_key(key))):
        late = replace(trusted, distrusted_at=NOON + timedelta(days=9), distrusted_since=NOON + SECOND)
        assert verify(one, late).signer == trusted.name
        for since in (NOON, NOON - SECOND):
            with pytest.raises(SignerDistrusted, match="since"):
                verify(one, replace(late, distrusted_since=since))


def test_without_a_proven_time_nothing_counts_once_the_key_is_distrusted() -> None:
    bundle, key = by_key(at=None)
    trusted = of_key(key)
    assert verify(bundle, trusted).signed_at is None
    with pytest.raises(SignerDistrusted):
        verify(bundle, replace(trusted, distrusted_at=NOON, distrusted_since=NOON + timedelta(days=900)))


def test_stamping_an_old_signature_again_does_not_make_it_younger() -> None:
    key = new_key()
    bundle = world().state(key=key, certificate="none", at=NOON - timedelta(days=3))
    assert bundle.envelope is not None
    again = world().tsa.stamp(bundle.envelope.signatures[0].sig, NOON)
    both = encode_bundle(replace(bundle, timestamps=(again, *bundle.timestamps)))
    assert verify(both, of_key(PrivateKey.of(key))).signed_at == NOON - timedelta(days=3)


def test_distrusting_one_signer_leaves_the_grants_of_others() -> None:
    gone = replace(signer("old"), distrusted_at=NOON)
    assert verify(stated(), gone, signer("new")).signers == ("new",)
    with pytest.raises(SignerDistrusted, match="old"):
        verify(stated(), gone)


def test_a_certificate_of_another_authority_makes_nobody_a_trusted_identity() -> None:
    impostor = World(ct=world().ct, log=world().log, tsa=world().tsa)
    with pytest.raises(Exception, match="certificate") as refused:
        verify(encode_bundle(impostor.state()), signer())
    assert getattr(refused.value, "code", "") == "certificate-untrusted"
    assert isinstance(impostor.issuer.certificate, x509.Certificate)
