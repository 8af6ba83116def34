"""What a Fulcio certificate says about who signed: the extensions 1.3.6.1.4.1.57264.1.1 to .24, and user names.

In: claims by name, or the extensions of a certificate. Out: extensions, or claims by name. Follows the list of object
identifiers that Fulcio publishes (docs/oid-info.md): .1 to .6 hold bare text, .8 to .24 a DER UTF8String; .7 is no
extension but the kind of a subject name for user names. The issuer is written twice, as .1 and as .8, because older
clients read only the former; they must agree when both are there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat import asn1

from chainward.formats.errors import Malformed, Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CLAIMS",
    "ISSUER",
    "LEGACY_ISSUER",
    "MAX_CLAIM",
    "SUBJECT",
    "USERNAME",
    "decode_claims",
    "decode_username",
    "encode_claims",
    "encode_username",
]

ISSUER: Final = "issuer"
SUBJECT: Final = "token_subject"  # the raw sub of the token, whatever the subject name was made from
MAX_CLAIM: Final = 2048
_ARC: Final = "1.3.6.1.4.1.57264.1."
_WHAT: Final = "certificate extension"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

LEGACY_ISSUER: Final = x509.ObjectIdentifier(_ARC + "1")
USERNAME: Final = x509.ObjectIdentifier(_ARC + "7")

_BARE: Final = {
    "github_workflow_trigger": 2,
    "github_workflow_sha": 3,
    "github_workflow_name": 4,
    "github_workflow_repository": 5,
    "github_workflow_ref": 6,
}
_NAMED: Final = {
    ISSUER: 8,
    "build_signer_uri": 9,
    "build_signer_digest": 10,
    "runner_environment": 11,
    "source_repository_uri": 12,
    "source_repository_digest": 13,
    "source_repository_ref": 14,
    "source_repository_identifier": 15,
    "source_repository_owner_uri": 16,
    "source_repository_owner_identifier": 17,
    "build_config_uri": 18,
    "build_config_digest": 19,
    "build_trigger": 20,
    "run_invocation_uri": 21,
    "source_repository_visibility": 22,
    "deployment_environment": 23,
    SUBJECT: 24,
}
CLAIMS: Final = {name: x509.ObjectIdentifier(f"{_ARC}{arc}") for name, arc in (_BARE | _NAMED).items()}
"""Every claim by its name, in the order of the identifiers but for the issuer."""

_NAMES: Final = {identifier: name for name, identifier in CLAIMS.items()}


def encode_claims(claims: Mapping[str, str]) -> tuple[x509.UnrecognizedExtension, ...]:
    """Return the extensions that say ``claims``, in the order of their identifiers.

    Raises:
        Unwritable: an unknown claim, an empty or too long one, or one with control characters.
    """
    unknown = set(claims) - set(CLAIMS)
    if unknown:
        raise Unwritable(_WHAT, f"there is none for {', '.join(sorted(unknown))[:200]}")
    legacy = [_extension(LEGACY_ISSUER, claims[ISSUER], is_bare=True)] if ISSUER in claims else []
    named = (
        _extension(identifier, claims[name], is_bare=name in _BARE)
        for name, identifier in CLAIMS.items()
        if name in claims
    )
    return (*legacy, *named)


def decode_claims(extensions: Iterable[x509.Extension[x509.ExtensionType]]) -> dict[str, str]:
    """Return the claims in a certificate by name; extensions of others are passed over.

    Raises:
        Malformed: one that is not the text it should be, or two issuers that differ.
    """
    claims: dict[str, str] = {}
    legacy: str | None = None
    for extension in extensions:
        value = extension.value
        if type(value) is not x509.UnrecognizedExtension:  # at a tenth of what isinstance costs for an abstract class
            continue
        oid = value.oid
        if oid == LEGACY_ISSUER:
            legacy = _text(value.value)
        elif (name := _NAMES.get(oid)) is not None:
            claims[name] = _text(value.value) if name in _BARE else _string(value.value)
    if legacy is not None and claims.setdefault(ISSUER, legacy) != legacy:
        raise Malformed(_WHAT, "the certificate names two issuers")
    return claims


def encode_username(name: str) -> x509.OtherName:
    """Return the subject name of ``user!domain``; raises Unwritable."""
    return x509.OtherName(USERNAME, _utf8(_bare(name)))


def decode_username(name: x509.OtherName) -> str:
    """Return ``user!domain``; raises Malformed for a name of another kind."""
    if name.type_id != USERNAME:
        raise Malformed("subject name", f"is of the unknown kind {name.type_id.dotted_string[:80]}")
    return _string(name.value)


# The same issuer, repository and workflow stand in nearly all certificates of an instance.
@lru_cache(maxsize=4096)
def _extension(identifier: x509.ObjectIdentifier, claim: str, *, is_bare: bool) -> x509.UnrecognizedExtension:
    value = _bare(claim)
    return x509.UnrecognizedExtension(identifier, value if is_bare else _utf8(value))


def _bare(value: str) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise Unwritable(_WHAT, "a claim is not text") from None
    if not 1 <= len(data) <= MAX_CLAIM or _CONTROL.search(value):
        raise Unwritable(_WHAT, f"a claim is 1 to {MAX_CLAIM} bytes of text without control characters")
    return data


def _utf8(value: bytes) -> bytes:
    return asn1.encode_der(value.decode())


def _text(value: bytes) -> str:
    if len(value) > MAX_CLAIM:
        raise Malformed(_WHAT, f"holds more than {MAX_CLAIM} bytes")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Malformed(_WHAT, "is not UTF-8") from None


def _string(value: bytes) -> str:
    if len(value) > MAX_CLAIM + 8:
        raise Malformed(_WHAT, f"holds more than {MAX_CLAIM} bytes")
    try:
        text = asn1.decode_der(str, value)
    except ValueError:
        raise Malformed(_WHAT, "is not a UTF8String") from None
    if len(value) > MAX_CLAIM and len(text.encode()) > MAX_CLAIM:
        raise Malformed(_WHAT, f"holds more than {MAX_CLAIM} bytes")
    return text
