"""A rig whose evidence is signed keyless: under ten-minute certificates of a Sigstore in memory, stamped and logged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.delivery.rig import CONTEXT, POLICY, Rig
from tests.trust.sigstore_world import ISSUER, SUBJECT, World

from chainward.kernel.name import RepositoryPattern
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.portfolio.model import Environment, NamespacePattern
from chainward.trust.identity import IdentityMatch, identity_of
from chainward.trust.keyless import CertifiedSigner
from chainward.trust.material import TrustMaterial, load_certificate
from chainward.trust.model import TrustSnapshot
from chainward.trust.sign import sign_statement

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.formats.intoto import Statement
    from chainward.keys.local import PrivateKey
    from chainward.trust.material import TrustedAuthority
    from chainward.trust.ports import TrustStore

__all__ = ["CertifiedRig"]


class _Furnished:
    """A store of trust that believes the services of a world besides its own; implements TrustStore."""

    def __init__(self, store: TrustStore, world: World) -> None:
        self._store = store
        self._world = world
        self._known: tuple[TrustSnapshot, TrustSnapshot] | None = None

    def snapshot(self) -> TrustSnapshot:
        own = self._store.snapshot()
        if self._known is None or self._known[0] is not own:
            more = self._world.material
            material = TrustMaterial(
                (*own.root.logs, *more.logs), more.ct_logs, more.certificate_authorities, more.timestamp_authorities
            )
            self._known = (own, TrustSnapshot(own.epoch, replace(own.root, material=material)))
        return self._known[1]


@dataclass(frozen=True)
class _Stamps:
    """The timestamp authority of a world at an instant; implements TimestampSource."""

    world: World
    at: datetime

    @property
    def authorities(self) -> tuple[TrustedAuthority, ...]:
        return (self.world.tsa.trusted,)

    def stamp(self, message: bytes) -> bytes:
        return self.world.tsa.stamp(message, self.at)


class CertifiedRig(Rig):
    """A rig where ``release`` is an identity."""

    def furnished(self, store: TrustStore) -> TrustStore:
        """Believe the world as well."""
        self.world = World()
        return _Furnished(store, self.world)

    def prepare(self) -> Rig:
        """Declare environments, trust the identity as ``release``, activate the policy."""
        for order, name in enumerate(("dev", "staging", "prod")):
            place = Environment(name, order, (NamespacePattern(name),))
            self.portfolios.declare_environment(place, context=CONTEXT)
        who = IdentityMatch(subject=SUBJECT, issuer=ISSUER)
        self.signers.add("release", who, [RepositoryPattern("shop/**")], ["*"], context=CONTEXT)
        self.policies.activate(POLICY, context=CONTEXT)
        return self

    def sign(self, statement: Statement, key: PrivateKey | None = None) -> bytes:
        """Sign under a fresh certificate, or with a bare key if one is given."""
        if key is not None:
            return super().sign(statement, key)
        now = self.clock.now().replace(microsecond=0)
        fresh = generate(Scheme.ECDSA_P256_SHA256)
        certificate = self.world.certify(fresh._key.public_key(), at=now)
        signer = CertifiedSigner(certificate, identity_of(load_certificate(certificate)), fresh)
        material = self.trust.snapshot().root.material
        return sign_statement(statement, signer, self.rekor, stamps=_Stamps(self.world, now), material=material)
