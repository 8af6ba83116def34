"""The verifier beside the one of sigstore-python: what one believes the other does too, and so for what neither does.

Both get the very same bytes and the same trusted root. Where sigstore-python is known to be more lenient (it does not
ask whether a certificate authority or a log was in use), the comparison is not made here; those cases stand in
:mod:`tests.trust.test_prove_attacks`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sigstore.errors import Error
from sigstore.hashes import Hashed
from sigstore.models import Bundle as Theirs
from sigstore.models import TrustedRoot as TheirRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as Policy
from sigstore_models.common.v1 import HashAlgorithm
from tests.trust.sigstore_world import ARTIFACT, ISSUER, NOON, STATEMENT, SUBJECT, World, as_version, new_key
from tests.trust.test_prove import prove

from chainward.formats.bundle import encode_bundle
from chainward.formats.trusted_root import encode_trusted_root
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Problem
from chainward.trust.identity import IdentityMatch
from chainward.trust.proven import MessageDigest, ProvenCertificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.formats.bundle import Bundle

pytestmark = pytest.mark.filterwarnings("ignore")
WANTED = IdentityMatch(subject=SUBJECT, issuer=ISSUER)
DIGEST = Digest.of(ARTIFACT)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def theirs(world: World, tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    path = tmp_path_factory.mktemp("root") / "trusted_root.json"
    path.write_bytes(encode_trusted_root(world.trusted_root))
    return Verifier(trusted_root=TheirRoot.from_file(str(path)))


def ours_believe(data: bytes, world: World) -> bool:
    try:
        proven = prove(data, world.material)
    except Problem:
        return False
    assert isinstance(proven.signer, ProvenCertificate)
    if isinstance(proven.payload, MessageDigest) and proven.payload.digest.hex() != DIGEST.hex:
        return False
    return WANTED.matches(proven.signer.identity)


def they_believe(data: bytes, verifier: Verifier) -> bool:
    policy = Policy(identity=SUBJECT, issuer=ISSUER)
    try:
        bundle = Theirs.from_json(data)
        if b"dsseEnvelope" in data:
            verifier.verify_dsse(bundle, policy)
        else:
            hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(DIGEST.hex))
            verifier.verify_artifact(hashed, bundle, policy)
    except (Error, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


GOOD: dict[str, Callable[[World], bytes]] = {
    "a file": lambda world: encode_bundle(world.sign()),
    "a statement": lambda world: encode_bundle(world.state()),
    "a file in an old log": lambda world: encode_bundle(world.sign_old()),
    "a statement in an old log": lambda world: encode_bundle(world.sign_old("dsse")),
    "a file, v0.1": lambda world: as_version(world.sign_old(), "0.1"),
    "a file, v0.2": lambda world: as_version(world.sign_old(), "0.2"),
    "signed at the last second": lambda world: encode_bundle(_signed_after(world, timedelta(minutes=10))),
}


def _signed_after(world: World, offset: timedelta) -> Bundle:
    key = new_key()
    return world.sign(key=key, certificate=world.certify(key.public_key()), at=NOON + offset)


@pytest.mark.parametrize("named", sorted(GOOD))
def test_both_believe_a_good_bundle(world: World, theirs: Verifier, named: str) -> None:
    data = GOOD[named](world)
    assert they_believe(data, theirs)
    assert ours_believe(data, world)


def changed(bundle: Bundle, alter: Callable[[dict[str, Any]], None]) -> bytes:
    whole = json.loads(encode_bundle(bundle))
    alter(whole)
    return json.dumps(whole).encode()


def entry(whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = whole["verificationMaterial"]["tlogEntries"][0]
    return found


BAD: dict[str, Callable[[World], bytes]] = {
    "another file": lambda world: encode_bundle(world.sign(b"malware")),
    "another payload": lambda world: changed(world.state(), lambda whole: whole["dsseEnvelope"].update(payload="e30=")),
    "another entry": lambda world: encode_bundle(replace(world.sign(), entries=world.sign().entries)),
    "another old entry": lambda world: encode_bundle(replace(world.sign_old(), entries=world.sign_old().entries)),
    "no timestamp": lambda world: encode_bundle(world.sign(stamps=0)),
    "a timestamp over something else": lambda world: encode_bundle(
        replace(world.sign(), timestamps=(world.tsa.stamp(STATEMENT),))
    ),
    "another certificate": lambda world: encode_bundle(replace(world.sign(), certificates=world.sign().certificates)),
    "another instance": lambda _: encode_bundle(World().sign()),
    "signed too late": lambda world: encode_bundle(_signed_after(world, timedelta(minutes=11))),
    "no proof": lambda world: changed(world.sign(), lambda whole: entry(whole).pop("inclusionProof")),
    "another root": lambda world: changed(
        world.sign(), lambda whole: entry(whole)["inclusionProof"].update(rootHash="A" * 43 + "=")
    ),
    "another promise": lambda world: changed(
        world.sign_old(), lambda whole: entry(whole)["inclusionPromise"].update(signedEntryTimestamp="AAAA")
    ),
    "no signature of the log": lambda world: changed(
        world.sign(),
        lambda whole: entry(whole)["inclusionProof"]["checkpoint"].update(
            envelope=entry(whole)["inclusionProof"]["checkpoint"]["envelope"].rsplit("\n", 2)[0]
        ),
    ),
}


@pytest.mark.parametrize("named", sorted(BAD))
def test_neither_believes_a_bad_bundle(world: World, theirs: Verifier, named: str) -> None:
    data = BAD[named](world)
    assert not they_believe(data, theirs)
    assert not ours_believe(data, world)
