"""Since when a signature exists: timestamp tokens that a trusted authority signed over it.

In: a token, or the reply around it (RFC 3161), the bytes that were stamped, and the timestamp authorities of a trusted
root. Out: the proven time, or the first reason why there is none. No clock is asked: what counts is whether authority
and chain were in use at the instant that the token names (RFC 3161 §2.2 and §2.3, RFC 5816); windows include their
ends.

Whose token it is follows from issuer and serial number of the signer and from ESSCertID, both held against the
*trusted* certificate. Certificates inside the token are looked at only where a trusted chain lists no leaf, and then
only as what that chain issued; all others are strangers, whatever they say.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from chainward.formats.rfc3161 import decode_response, decode_token
from chainward.kernel.problem import Problem
from chainward.keys.errors import SignatureInvalid
from chainward.trust.errors import TimestampInvalid, TimestampOutsideWindow, TimestampUntrusted
from chainward.trust.material import ProvenTime
from chainward.trust.stamper import has_leaf, stamper_issued_by, stamper_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainward.formats.rfc3161 import TimestampToken
    from chainward.trust.material import TrustedAuthority
    from chainward.trust.stamper import Stamper

__all__ = ["verify_timestamp"]

_OBJECT_IDENTIFIER: Final = 0x06
_LONG: Final = 0x80


def verify_timestamp(data: bytes, message: bytes, authorities: Sequence[TrustedAuthority]) -> ProvenTime:
    """Return when ``message`` existed at the latest, by a token (or reply) ``data`` of one of ``authorities``.

    In a bundle, ``message`` is the signature. A compromise of the authority is handed on, not judged: that takes the
    log entry.

    Raises:
        TimestampInvalid: not a token, a token over something else, or one that was not signed as it says.
        TimestampUntrusted: none of the authorities signed it, or the one that did may not.
        TimestampOutsideWindow: the authority, or a certificate of its chain, was not in use at that time.
    """
    token = _decoded(data)
    if hashlib.new(token.hash_name, message).digest() != token.digest:
        raise TimestampInvalid("the timestamp is over something else than this signature")
    problem: Problem | None = None
    for authority in authorities:
        try:
            for stamper in _stampers(token, authority):
                return _by(token, stamper, authority)
        except (TimestampInvalid, TimestampUntrusted, TimestampOutsideWindow) as refusal:
            problem = problem or refusal
    raise problem or TimestampUntrusted(
        f"no timestamp authority that is trusted here has the serial number {token.signer_serial:x} of the signer"
    )


def _decoded(data: bytes) -> TimestampToken:
    try:
        return decode_token(data) if _is_bare(data) else decode_response(data)
    except Problem as unreadable:
        raise TimestampInvalid(f"not a timestamp: {unreadable.message}") from None


def _is_bare(data: bytes) -> bool:
    """Whether a token came without a reply: then its first member is an object identifier, not a status."""
    first = 2 + (data[1] - _LONG if len(data) > 1 and data[1] > _LONG else 0)
    return data[first : first + 1] == bytes((_OBJECT_IDENTIFIER,))


def _stampers(token: TimestampToken, authority: TrustedAuthority) -> Iterator[Stamper]:
    """Give the certificates of ``authority`` that the token names as its signer's: seldom more than one."""
    if not has_leaf(authority.certificates):
        yield from _brought(token, authority)
    elif authority.certificates[0].serial_number == token.signer_serial:
        stamper = stamper_of(authority.certificates)
        if stamper.issuer == token.signer_issuer:
            yield stamper


def _brought(token: TimestampToken, authority: TrustedAuthority) -> Iterator[Stamper]:
    """Give the certificate that came with the token and that ``authority``, whose leaves change, issued for this."""
    named = token.certificate_id
    for der in token.certificates:
        if hashlib.new(named.hash_name, der, usedforsecurity=False).digest() == named.digest:
            stamper = stamper_issued_by(der, authority.certificates)
            if (stamper.issuer, stamper.serial) == (token.signer_issuer, token.signer_serial):
                yield stamper


def _by(token: TimestampToken, stamper: Stamper, authority: TrustedAuthority) -> ProvenTime:
    named = token.certificate_id
    if not stamper.is_named(named.hash_name, named.digest) or (named.issuer, named.serial) not in {
        (None, None),
        (stamper.issuer, stamper.serial),
    }:
        raise TimestampInvalid("the signer names another certificate than the authority's")
    if token.signature_family != stamper.key.family:
        raise TimestampInvalid(f"the timestamp has no {stamper.key.family} signature, as the authority's key makes")
    try:
        stamper.key.verify(token.signed_attributes, token.signature, token.signature_hash)
    except SignatureInvalid:
        raise TimestampInvalid(f"the timestamp was not signed by the authority {authority.name}") from None
    if not stamper.not_before <= token.gen_time <= stamper.not_after or not authority.is_valid_at(token.gen_time):
        raise TimestampOutsideWindow(f"the timestamp authority {authority.name} was not in use at {token.gen_time}")
    return ProvenTime(token.gen_time, authority.name, authority.compromise)
