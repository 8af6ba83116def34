"""The platform's own timestamp authority as a TimestampSource, for what the platform signs itself.

What is believed of it comes from the trust root of the platform, as for anybody's timestamps.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from chainward.formats.rfc3161 import TimestampRequest
from chainward.trust.material import TrustMaterial

if TYPE_CHECKING:
    from chainward.trust.authorities import Authorities
    from chainward.trust.material import TrustedAuthority
    from chainward.trust.timestamp import Timestamps

__all__ = ["OwnStamps"]


class OwnStamps:
    """Stamps in this process; implements TimestampSource. Thread-safe."""

    def __init__(self, timestamps: Timestamps, authorities: Authorities) -> None:
        self._timestamps = timestamps
        self._authorities = authorities

    @property
    def authorities(self) -> tuple[TrustedAuthority, ...]:
        """The timestamp authorities of the trust root, retired ones among them."""
        return TrustMaterial.from_authorities(self._authorities.snapshot().authorities).timestamp_authorities

    def stamp(self, message: bytes) -> bytes:
        """Return a TimeStampResp over ``message``; raises as :meth:`Timestamps.issue` does."""
        digest = hashlib.sha256(message).digest()
        return self._timestamps.issue(TimestampRequest(hash_name="sha256", digest=digest, certificates=True))
