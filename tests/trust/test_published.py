"""Where a statement counts: in the repository that it was first published in, however it is dressed up elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from tests.trust.sigstore_world import ARTIFACT, NOON, START, World, as_version, new_key

from chainward.formats.bundle import Bundle, encode_bundle
from chainward.formats.errors import Malformed
from chainward.formats.rekor import HashedRekord
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import PrivateKey
from chainward.trust.errors import StatementReplayed, StatementUnpublished
from chainward.trust.identity import IdentityMatch
from chainward.trust.model import TrustedSigner, TrustRoot, VerifiedStatement
from chainward.trust.published import Publication, signature_id
from chainward.trust.verify import OwnRecords, verify_artifact, verify_bundle

WEB, PLAY, BANK = (RepositoryName(name) for name in ("shop/web", "shop/playground", "bank/core"))
WORLD = World()
P256_ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)


@dataclass
class Record:
    """Publications in memory, in the order in which they were noted."""

    notes: dict[Digest, list[Publication]] = field(default_factory=dict)

    def note(self, bundle: bytes, repository: RepositoryName) -> None:
        index = sum(map(len, self.notes.values()))
        self.notes.setdefault(signature_id(bundle), []).append(
            Publication(repository, NOON + timedelta(minutes=index), index)
        )

    def publications(self, signature: Digest) -> list[Publication]:
        return self.notes.get(signature, [])


def keyed(key: ec.EllipticCurvePrivateKey | None = None) -> tuple[Bundle, TrustedSigner]:
    private = key or new_key()
    return WORLD.state(key=private, certificate="none"), signer("release", PrivateKey.of(private))


def signer(name: str, key: PrivateKey, *patterns: str, portable: bool = False) -> TrustedSigner:
    return TrustedSigner(
        name=name,
        public_key=key.public_key,
        repositories=tuple(map(RepositoryPattern, patterns or ("shop/**",))),
        predicates=("*",),
        portable=portable,
        trusted_since=START,
    )


def verify(bundle: bytes, trusted: TrustedSigner, repository: RepositoryName, record: Record) -> VerifiedStatement:
    root = TrustRoot((trusted,), WORLD.material)
    own = OwnRecords(publications=record)
    return verify_bundle(bundle, root, subject=Digest.of(ARTIFACT), repository=repository, own=own)


def mirrored(bundle: Bundle) -> Bundle:
    """The same signature with its second half mirrored, which verifies as well, stamped anew."""
    assert bundle.envelope is not None
    envelope = bundle.envelope
    first, second = decode_dss_signature(envelope.signatures[0].sig)
    signature = encode_dss_signature(first, P256_ORDER - second)
    again = replace(envelope, signatures=(replace(envelope.signatures[0], sig=signature),))
    return replace(bundle, envelope=again, timestamps=(WORLD.tsa.stamp(signature, NOON),))


def test_a_statement_counts_where_it_was_first_published() -> None:
    bundle, trusted = keyed()
    record = Record()
    record.note(encode_bundle(bundle), WEB)
    found = verify(encode_bundle(bundle), trusted, WEB, record)
    assert (found.signer, found.published_at) == ("release", NOON)


def test_cross_repository_replay_by_somebody_who_may_push_elsewhere_is_refused() -> None:
    bundle, trusted = keyed()
    data, record = encode_bundle(bundle), Record()
    record.note(data, WEB)
    record.note(data, PLAY)
    with pytest.raises(StatementReplayed) as refused:
        verify(data, trusted, PLAY, record)
    assert refused.value.code == "statement-replayed"
    assert refused.value.details["published_in"] == "shop/web"
    assert verify(data, trusted, WEB, record).signer == "release"


def test_a_replay_in_other_json_or_another_bundle_version_is_the_same_statement() -> None:
    bundle, trusted = keyed()
    record = Record()
    record.note(encode_bundle(bundle), WEB)
    spaced = json.dumps(json.loads(encode_bundle(bundle)), indent=3).encode()
    for dressed in (spaced, as_version(bundle, "0.2")):
        record.note(dressed, PLAY)
        with pytest.raises(StatementReplayed):
            verify(dressed, trusted, PLAY, record)


def test_a_replay_with_the_mirrored_signature_logged_and_stamped_anew_is_the_same_statement() -> None:
    key = new_key(ec.SECP256R1())
    bundle, trusted = keyed(key)
    dressed = mirrored(bundle)
    assert dressed.envelope is not None
    public = PrivateKey.of(key).public_key
    pae = dressed.envelope.pae()
    request = HashedRekord(Digest.of(pae).raw, dressed.envelope.signatures[0].sig, public.der, public.scheme.value)
    data = encode_bundle(replace(dressed, entries=(WORLD.log.submit(request),)))
    record = Record()
    record.note(data, PLAY)
    assert verify(data, trusted, PLAY, record).signer == "release", "the mirrored signature is valid"
    record = Record()
    record.note(encode_bundle(bundle), WEB)
    record.note(data, PLAY)
    with pytest.raises(StatementReplayed):
        verify(data, trusted, PLAY, record)


def test_signing_the_same_statement_again_is_another_signature() -> None:
    key = new_key()
    (first, _), (second, _) = keyed(key), keyed(key)
    assert signature_id(encode_bundle(first)) != signature_id(encode_bundle(second))


def test_who_publishes_first_where_the_signer_has_no_say_takes_nothing_away() -> None:
    bundle, trusted = keyed()
    data, record = encode_bundle(bundle), Record()
    record.note(data, BANK)
    record.note(data, WEB)
    found = verify(data, trusted, WEB, record)
    assert found.published_at == NOON, "but when it was first seen is known"


def test_a_statement_that_was_noted_nowhere_counts_nowhere() -> None:
    bundle, trusted = keyed()
    with pytest.raises(StatementUnpublished):
        verify(encode_bundle(bundle), trusted, WEB, Record())
    elsewhere = Record()
    elsewhere.note(encode_bundle(bundle), BANK)
    with pytest.raises(StatementUnpublished):
        verify(encode_bundle(bundle), trusted, WEB, elsewhere)


def test_a_portable_signer_is_believed_in_all_of_its_repositories_and_in_no_other() -> None:
    bundle, trusted = keyed()
    data, record = encode_bundle(bundle), Record()
    record.note(data, WEB)
    portable = replace(trusted, portable=True)
    assert verify(data, portable, PLAY, record).signer == "release"
    assert verify(data, portable, PLAY, Record()).signer == "release"
    with pytest.raises(Exception, match="not trusted for repository bank/core"):
        verify(data, portable, BANK, record)


def test_only_those_signers_speak_for_whom_the_statement_belongs_here() -> None:
    key = new_key()
    data = encode_bundle(WORLD.state(key=key))
    everywhere, here = (
        replace(
            signer(name, PrivateKey.of(key), pattern),
            public_key=None,
            match=IdentityMatch(subject_regex=".*", issuer_regex=".*"),
        )
        for name, pattern in (("everywhere", "shop/**"), ("here", "shop/playground"))
    )
    record = Record()
    record.note(data, WEB)
    record.note(data, PLAY)
    root = TrustRoot((everywhere, here), WORLD.material)
    own = OwnRecords(publications=record)
    found = verify_bundle(data, root, subject=None, repository=PLAY, own=own)
    assert found.signers == ("here",), "whose scope is this repository alone; the other one said it elsewhere"
    assert verify_bundle(data, root, subject=None, repository=WEB, own=own).signers == ("everywhere",)


def test_signed_files_are_bound_as_statements_are() -> None:
    key = new_key()
    data = encode_bundle(WORLD.sign(key=key, certificate="none"))
    record = Record()
    record.note(data, WEB)
    root = TrustRoot((signer("release", PrivateKey.of(key)),), WORLD.material)
    own = OwnRecords(publications=record)
    digest = Digest.of(ARTIFACT)
    assert verify_artifact(data, root, digest=digest, repository=WEB, own=own).published_at == NOON
    with pytest.raises(StatementReplayed):
        verify_artifact(data, root, digest=digest, repository=PLAY, own=own)


def test_an_rsa_signature_is_known_by_all_of_its_bytes() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    one, two = (signature_id(encode_bundle(WORLD.sign(text, key=key, certificate="none"))) for text in (b"a", b"b"))
    again = signature_id(encode_bundle(WORLD.sign(b"a", key=key, certificate="none")))
    assert one == again != two


def test_what_holds_no_signature_has_no_id() -> None:
    with pytest.raises(Malformed):
        signature_id(b"{}")
