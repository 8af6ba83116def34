"""The certificate authority in the shape of Fulcio's API v2, as stock clients in Python, JavaScript and Go speak it.

A request carries its identity token in the Authorization header (Python, Go) or in the body (JavaScript), and proves
possession of the key by a certificate request (Python) or by a signature over the challenge (JavaScript, Go): four
shapes, one answer, which is 200 and nothing else. The routes are public because the token is the credential. The older
API v1 is not served: no client of today needs it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from chainward.faces.http.answers import NO_STORE, json_answer
from chainward.faces.http.errors import CredentialsMalformed, CredentialsMissing
from chainward.faces.http.routes import Public, Route
from chainward.formats.codec import decode_base64
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import CertificateRequestInvalid
from chainward.trust.oidc import MAX_TOKEN
from chainward.trust.possession import MAX_REQUEST, ChallengeProof, RequestProof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call
    from chainward.trust.possession import PossessionProof

__all__ = ["ROUTES"]

_LIMIT: Final = 2 * (MAX_TOKEN + MAX_REQUEST)
_BEARER: Final = b"bearer "
_LINE: Final = 64
_HINT: Final = (
    "Send either certificateSigningRequest, or publicKeyRequest with publicKey.content and proofOfPossession."
)

Encoded = Annotated[str, Meta(max_length=_LIMIT)]


class Credentials(Struct, frozen=True, kw_only=True, rename="camel"):
    """The identity token, unless it stands in the Authorization header."""

    oidc_identity_token: Encoded = ""


class PublicKeyView(Struct, frozen=True, kw_only=True):
    """A public key in PEM; ``algorithm`` is not looked at, the key says itself what it is."""

    content: Encoded
    algorithm: str | int | None = None


class PublicKeyRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A public key with a signature over the challenge, in base64."""

    public_key: PublicKeyView
    proof_of_possession: Encoded


class SigningCertificateRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request for a certificate; the certificate request is PEM in base64."""

    credentials: Credentials = Credentials()
    certificate_signing_request: Encoded | None = None
    public_key_request: PublicKeyRequest | None = None


class CertificateChain(Struct, frozen=True, kw_only=True):
    """Certificates in PEM, each issued by the next."""

    certificates: tuple[str, ...]


class EmbeddedChain(Struct, frozen=True, kw_only=True):
    """A chain whose first certificate holds the promise of the certificate log."""

    chain: CertificateChain


class SigningCertificate(Struct, frozen=True, kw_only=True, rename="camel"):
    """The certificate, in the only of Fulcio's two forms that is used."""

    signed_certificate_embedded_sct: EmbeddedChain


class TrustBundle(Struct, frozen=True, kw_only=True):
    """Every chain of this authority that is not compromised: intermediate to root."""

    chains: tuple[CertificateChain, ...]


class IssuerView(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One issuer whose tokens are accepted."""

    audience: str
    challenge_claim: str
    issuer_type: str
    issuer_url: str = ""
    wildcard_issuer_url: str = ""
    spiffe_trust_domain: str = ""
    subject_domain: str = ""


class Configuration(Struct, frozen=True, kw_only=True):
    """Whose tokens are accepted, and what a client must sign to prove possession of its key."""

    issuers: tuple[IssuerView, ...]


def _certify(call: Call) -> Answer:
    request = call.decode(SigningCertificateRequest, "certificate request", _LIMIT)
    token = _token(call, request.credentials.oidc_identity_token)
    chain = call.platform.services.certifier.certify(token, _proof(request), context=call.context)
    embedded = EmbeddedChain(chain=_chain(chain))
    return json_answer(
        SigningCertificate(signed_certificate_embedded_sct=embedded), headers={"Cache-Control": NO_STORE}
    )


def _token(call: Call, in_body: str) -> str:
    values = [value for name, value in call.headers if name == b"authorization"]
    if len(values) > 1:
        raise CredentialsMalformed("there are several Authorization headers")
    if values and values[0][: len(_BEARER)].lower() != _BEARER:
        raise CredentialsMalformed("the Authorization header is not Bearer with the identity token")
    in_header = values[0][len(_BEARER) :].strip().decode("latin-1") if values else ""
    if in_header and in_body and in_header != in_body:
        raise CredentialsMalformed("header and body carry different identity tokens", hint="Send one of them.")
    if not in_header and not in_body:
        raise CredentialsMissing(
            "there is no identity token",
            hint="Send an OIDC token of an issuer in /api/v2/configuration as Authorization: Bearer.",
        )
    return in_header or in_body


def _proof(request: SigningCertificateRequest) -> PossessionProof:
    keyed, signed = request.public_key_request, request.certificate_signing_request
    if (keyed is None) is (signed is None):
        raise CertificateRequestInvalid("expected one proof of possession, not none and not two", hint=_HINT)
    if keyed is not None:
        signature = decode_base64(keyed.proof_of_possession, what="proof of possession", url_safe_too=True)
        return ChallengeProof(keyed.public_key.content.encode(), signature)
    return RequestProof(decode_base64(signed or "", what="certificate request", url_safe_too=True))


def _trust_bundle(call: Call) -> Answer:
    authorities = call.platform.services.authorities.snapshot().of(AuthorityKind.CA)
    chains = tuple(_chain(each.certificates) for each in authorities if each.compromise is None)
    return json_answer(TrustBundle(chains=chains), headers={"Cache-Control": NO_STORE})


def _configuration(call: Call) -> Answer:
    views = tuple(
        IssuerView(
            audience=issuer.audience,
            challenge_claim=issuer.challenge,
            issuer_type=issuer.type.value,
            issuer_url="" if issuer.is_wildcard else issuer.url,
            wildcard_issuer_url=issuer.url if issuer.is_wildcard else "",
            spiffe_trust_domain=issuer.spiffe_trust_domain,
            subject_domain=issuer.subject_domain,
        )
        for issuer in call.platform.services.issuers.all
    )
    return json_answer(Configuration(issuers=views), headers={"Cache-Control": NO_STORE})


def _chain(certificates: Iterable[bytes]) -> CertificateChain:
    return CertificateChain(certificates=tuple(map(_pem, certificates)))


def _pem(der: bytes) -> str:
    """Return a certificate in PEM (RFC 7468 §5.1)."""
    text = base64.b64encode(der).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


_TOKEN: Final = Public("the identity token in the request is the credential, and it is checked by the verb")
_FACTS: Final = Public("clients need it before they can ask for anything, and it holds no secret")

ROUTES = (
    Route(
        "POST",
        "/api/v2/signingCert",
        _TOKEN,
        _certify,
        "Certify a key for whom an identity token names (Fulcio API v2).",
        takes=SigningCertificateRequest,
        gives=SigningCertificate,
        limit=_LIMIT,
        sigstore=True,
    ),
    Route(
        "GET",
        "/api/v2/trustBundle",
        _FACTS,
        _trust_bundle,
        "The certificates of this certificate authority (Fulcio API v2).",
        gives=TrustBundle,
        sigstore=True,
    ),
    Route(
        "GET",
        "/api/v2/configuration",
        _FACTS,
        _configuration,
        "Whose identity tokens are accepted (Fulcio API v2).",
        gives=Configuration,
        sigstore=True,
    ),
)
