"""Reading one X.509 certificate (RFC 5280) from bytes that anybody may have sent."""

from __future__ import annotations

from typing import Final

from cryptography import x509

from chainward.keys.errors import KeyMalformed

__all__ = ["MAX_CERTIFICATE", "read_certificate"]

MAX_CERTIFICATE: Final = 64 * 1024


def read_certificate(der: bytes) -> x509.Certificate:
    """Read a certificate in DER; its parts are decoded when they are asked for, and may still be malformed then.

    Raises:
        KeyMalformed: not a certificate, or larger than 64 KiB.
    """
    if len(der) > MAX_CERTIFICATE:
        raise KeyMalformed(f"{len(der)} bytes are too many for a certificate")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise KeyMalformed("the bytes are not a certificate") from None
