"""An offline root at work: making its own certificate, and certifying the authorities that are online.

The key of a root is needed at the founding of the platform and at each rotation of its certificate or timestamp
authority, and at no other time. So it is not among the keys of the running platform: what is here runs where the
holder of the root is (``chainward trust rotate ca --root-key …``), and gives certificates back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509

from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import AuthorityInvalid
from chainward.trust.issuing_chain import issuing_intermediate, issuing_root
from chainward.trust.timestamp_chain import timestamping_leaf, timestamping_root

if TYPE_CHECKING:
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner

__all__ = ["OfflineRoot"]

_ROOT_LIFE: Final = timedelta(days=7300)
_ISSUED_LIFE: Final = timedelta(days=3650)
_BACKDATED: Final = timedelta(seconds=10)  # for clients and replicas whose clocks are a little behind


@dataclass(frozen=True, slots=True)
class OfflineRoot:
    """A root of certificate or timestamp authorities while its key is at hand.

    Raises:
        AuthorityInvalid: the kind has no root.
    """

    kind: AuthorityKind
    signer: DigestSigner
    certificate: bytes

    def __post_init__(self) -> None:
        if self.kind.is_log:
            raise AuthorityInvalid(f"a {self.kind} authority has no root")

    @classmethod
    def new(cls, kind: AuthorityKind, signer: DigestSigner, organization: str, clock: Clock, entropy: Entropy) -> Self:
        """Begin a root with its self-signed certificate; raises AuthorityInvalid or KeyUnsupported."""
        start = clock.now().replace(microsecond=0) - _BACKDATED
        make = issuing_root if kind is AuthorityKind.CA else timestamping_root
        return cls(kind, signer, make(signer, organization, start=start, end=start + _ROOT_LIFE, entropy=entropy))

    def certify(self, public_key: PublicKey, organization: str, clock: Clock, entropy: Entropy) -> tuple[bytes, bytes]:
        """Return the chain of an authority with ``public_key``: its certificate and the root's.

        Raises:
            AuthorityInvalid: the root's certificate is over, or not of this signer.
            KeyUnsupported: the key is not ECDSA.
        """
        root = x509.load_der_x509_certificate(self.certificate)
        start = max(clock.now().replace(microsecond=0) - _BACKDATED, root.not_valid_before_utc)
        make = issuing_intermediate if self.kind is AuthorityKind.CA else timestamping_leaf
        certificate = make(
            public_key,
            self.certificate,
            self.signer,
            organization=organization,
            start=start,
            end=min(start + _ISSUED_LIFE, root.not_valid_after_utc),
            entropy=entropy,
        )
        return certificate, self.certificate
