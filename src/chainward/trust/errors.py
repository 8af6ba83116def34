"""Why a bundle is not believed, and why the root of trust cannot be changed so.

Verification never says merely *no*: each class is one reason, with the next step of whoever meets it. Two more reasons
come from the rooms below and keep their codes: ``signature-invalid`` (:mod:`chainward.keys.errors`) and
``checkpoint-invalid`` (:mod:`chainward.ledger.checkpoint`).
"""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = [
    "AuthorityChainInvalid",
    "AuthorityCompromised",
    "AuthorityConflict",
    "AuthorityInvalid",
    "AuthorityMissing",
    "AuthorityRetired",
    "AuthorityUnknown",
    "BundleMalformed",
    "CertificateForeign",
    "CertificateMalformed",
    "CertificateOutsideWindow",
    "CertificateRequestInvalid",
    "CertificateUntrusted",
    "CertificatesUnavailable",
    "CheckpointOutdated",
    "DistributionConflict",
    "DistributionMissing",
    "EntryUnsupported",
    "IdentityMismatch",
    "IdentityPatternInvalid",
    "IdentityRefused",
    "IdentityTokenMissing",
    "IdentityTokenUnobtainable",
    "IdentityTokenUnusable",
    "InclusionProofInvalid",
    "IssuerInvalid",
    "IssuerUnreachable",
    "IssuerUntrusted",
    "KeySealed",
    "LogEntryMismatch",
    "LogEntryMissing",
    "LogGenesisMissing",
    "LogKeyInvalid",
    "LogPromiseInvalid",
    "LogUntrusted",
    "PossessionUnproven",
    "RootInvalid",
    "SignatureRevocationInvalid",
    "SignatureRevoked",
    "SignerDistrusted",
    "SignerExists",
    "SignerInvalid",
    "SignerNotAllowed",
    "SignerNotFound",
    "SignerUnknown",
    "SigningTimeMissing",
    "StatementReplayed",
    "StatementUnpublished",
    "SubjectMismatch",
    "TimestampInvalid",
    "TimestampOutsideWindow",
    "TimestampPromiseInvalid",
    "TimestampUnavailable",
    "TimestampUntrusted",
    "TokenInvalid",
    "TokenMalformed",
]


class BundleMalformed(Problem):
    """The bundle cannot be read, or has not the one form that is accepted."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bundle-malformed"
    hint = "Attach a Sigstore bundle v0.3 with one DSSE signature, as `chainward attest` or cosign 3.1 writes it."


class LogEntryMissing(Problem):
    """The bundle does not prove that the signature was logged."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-entry-missing"
    hint = "Sign again with a signature log: `chainward attest` always does, cosign needs --signing-config."


class SignerUnknown(Problem):
    """Signed by a stranger: the key is not among the trusted signers."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "signer-unknown"
    hint = (
        "Sign with a trusted key, or ask an admin to trust this one: "
        "chainward trust add NAME --key FILE --repository PATTERN"
    )


class SignerDistrusted(Problem):
    """The key was trusted once and is not any more; nothing it signed counts, whenever that was."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "signer-distrusted"
    hint = "Sign again with a key that is trusted now: chainward trust list"


class SignerNotAllowed(Problem):
    """The signer is trusted, but not for this repository or not for this kind of statement."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "signer-not-allowed"
    hint = "Sign with a key that is trusted for this, or ask an admin to widen this one's scope: chainward trust list"


class LogUntrusted(Problem):
    """The signature was logged in a log that is not trusted here."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-untrusted"
    hint = "Sign again with the signature log of this platform; its key stands in /trusted_root.json."


class LogEntryMismatch(Problem):
    """The log entry in the bundle is not the entry of this signature."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-entry-mismatch"
    hint = "The bundle was put together from parts that do not belong together: sign again."


class InclusionProofInvalid(Problem):
    """The proof does not show that the entry stands in the log of the checkpoint."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "inclusion-proof-invalid"
    hint = "Sign again; if a fresh bundle fails too, treat the log as tampered with: chainward log verify"


class SubjectMismatch(Problem):
    """The statement is about something else: a bundle of another artifact, replayed."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "subject-mismatch"
    hint = "Attest this very digest: a statement counts only for the digests that it names."


class EntryUnsupported(Problem):
    """The log does not take entries of this form."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "log-entry-unsupported"
    hint = "Submit a hashedrekord with a bare P-256 public key and keyDetails PKIX_ECDSA_P256_SHA_256."


class LogGenesisMissing(Problem):
    """The signature log was never started: its first entry must be its own."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: ClassVar[str] = "log-genesis-missing"
    hint = "Run: chainward init (it starts the logs), then submit the entry again."


class LogKeyInvalid(Problem):
    """The key id of a log does not belong to its origin and key, or the key cannot sign checkpoints."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "log-key-invalid"
    hint = "Fetch /trusted_root.json again from the platform, over a connection that you trust."


class SignerExists(Problem):
    """The name or the key is taken."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "signer-exists"
    hint = "Choose another name, or first distrust the present signer: chainward trust distrust NAME --reason WHY"


class SignerNotFound(Problem):
    """No signer of that name is trusted."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "signer-not-found"
    hint = "List the trusted signers with: chainward trust list"


class SignerInvalid(Problem):
    """The name or the scope of a signer is not one."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "signer-invalid"
    hint = "Use a name such as release-2026, at least one repository pattern, and predicate types or *."


class AuthorityInvalid(Problem):
    """The description of an authority, or of its compromise, cannot be."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "authority-invalid"
    hint = "Look at the authorities of this platform with: chainward trust authorities"


class AuthorityMissing(Problem):
    """The platform has no active instance of a service, so that it cannot sign for it."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "authority-missing"
    hint = "Begin a new instance with: chainward trust rotate ca|ct|log|tsa"


class AuthorityUnknown(Problem):
    """There is no authority of that name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "authority-unknown"
    hint = "List the authorities of this platform with: chainward trust authorities"


class AuthorityConflict(Problem):
    """The authority was changed meanwhile, or is not in a state in which this can be done."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "authority-conflict"
    hint = "Look at its present state with: chainward trust authorities; then decide again."


class AuthorityChainInvalid(Problem):
    """The certificates are not a chain from the requested key to the root that the authority should have."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "authority-chain-invalid"
    hint = "Sign the request again with the offline root key: chainward trust rotate ca --root-key file:PATH"


class KeySealed(Problem):
    """The private key of an authority cannot be opened here."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "authority-key-sealed"
    hint = "Give this replica the keys folder and the passphrase file of the platform, then start it again."


class IdentityTokenMissing(Problem):
    """Nobody says who signs: no key was named, no identity token given, and this machine's environment has none."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "identity-token-missing"
    hint = (
        "Sign with a key (--key file:release.key), give a token (--identity-token @FILE or CHAINWARD_IDENTITY_TOKEN), "
        "or run where one can be had, such as GitHub Actions with `permissions: id-token: write`."
    )


class IdentityTokenUnobtainable(Problem):
    """The environment promises an identity token, and does not give it."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "identity-token-unobtainable"
    hint = "Look at what the message names; nothing was signed, and no other source of tokens was tried."


class IdentityTokenUnusable(Problem):
    """The identity token cannot be one that a certificate authority accepts; it was sent to nobody."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "identity-token-unusable"
    hint = "Ask the issuer for a fresh token whose audience is that of the certificate authority, such as sigstore."


class CertificateForeign(Problem):
    """The certificate authority answered with a certificate for another key or another identity; nothing was signed."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "certificate-foreign"
    hint = "Do not use this certificate authority until it is known why; ask who runs it."


class CertificateMalformed(Problem):
    """The certificate cannot be read, or does not have the form of a signing certificate."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "certificate-malformed"
    hint = "Sign again with a certificate of a Sigstore certificate authority: one subject, its issuer, one SCT."


class CertificateUntrusted(Problem):
    """No trusted certificate authority stands behind the certificate, or it is not one for signing."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "certificate-untrusted"
    hint = "Verify with the trusted root of the instance that issued it: --trusted-root FILE"


class CertificateOutsideWindow(Problem):
    """The certificate, or the authority that issued it, was not valid when the signature was made."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "certificate-outside-window"
    hint = "Sign again; a signing certificate counts for the ten minutes in it, and only those."


class SigningTimeMissing(Problem):
    """Nothing trusted says when the signature was made, so a short-lived certificate proves nothing."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "signing-time-missing"
    hint = "Sign again with a timestamp authority of the same trusted root."


class LogPromiseInvalid(Problem):
    """The log did not sign the inclusion promise that the bundle carries."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-promise-invalid"
    hint = "The bundle was put together from parts that do not belong together: sign again."


class AuthorityCompromised(Problem):
    """An authority behind the bundle is compromised, and no state of the log from before holds the entry."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "authority-compromised"
    hint = "Sign again with the present authorities; see: chainward trust authorities"


class AuthorityRetired(Problem):
    """The bundle was made outside the time in which its log was in use."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "authority-retired"
    hint = "Sign again with the present signature log; see: chainward trust authorities"


class IdentityPatternInvalid(Problem):
    """The description of whose signatures are meant is not one."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "identity-pattern-invalid"
    hint = "Give --identity or --identity-regex, and --issuer or --issuer-regex; a pattern must fit the whole text."


class IdentityMismatch(Problem):
    """A valid signature of somebody else than who was asked for."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "identity-mismatch"
    hint = "Compare the identity in the message with the one that you expect; it must fit whole."


class IssuerInvalid(Problem):
    """What is configured about an issuer of identity tokens, or about a CI provider, cannot be."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "identity-issuer-invalid"
    hint = "Compare [[trust.issuers]] and [trust.providers] with docs/how-to/configure-identities.md."


class IssuerUntrusted(Problem):
    """The token comes from an issuer that is not configured here; nothing was asked of it."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "identity-issuer-untrusted"
    hint = "Use a token of one of the issuers in GET /api/v2/configuration, or let an admin add [[trust.issuers]]."


class IssuerUnreachable(Problem):
    """The issuer does not say which keys it signs with, or not in a way that is believed."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "identity-issuer-unreachable"
    hint = "Try again; if it lasts, open the issuer's /.well-known/openid-configuration from the platform's machine."


class TokenMalformed(Problem):
    """The identity token is not a signed JWT that could be checked."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "identity-token-malformed"
    hint = "Send the token as its issuer gave it: three base64url parts with dots between them."


class TokenInvalid(Problem):
    """The identity token was not signed by its issuer, is for somebody else, or is not valid now."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "identity-token-invalid"
    hint = "Get a fresh token for the audience in GET /api/v2/configuration, and check the clock of this machine."


class IdentityRefused(Problem):
    """The token is genuine, but what it says is no identity that a certificate may carry."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "identity-refused"
    hint = "Compare the claims of the token with what is configured for its issuer: GET /api/v2/configuration"


class PossessionUnproven(Problem):
    """The caller did not prove that it holds the private key."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "key-possession-unproven"
    hint = "Sign the request itself (PKCS#10), or the challenge claim of the token, with the key to be certified."


class CertificateRequestInvalid(Problem):
    """The request for a certificate cannot be read, or its key cannot be certified."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "certificate-request-invalid"
    hint = "Send a PKCS#10 request or a PEM public key: ECDSA P-256, P-384 or P-521, RSA 2048 to 4096, or Ed25519."


class CertificatesUnavailable(Problem):
    """The certificate authority cannot issue now."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "certificates-unavailable"
    hint = "An admin gives it a new intermediate with: chainward trust rotate ca"


class TimestampPromiseInvalid(Problem):
    """The certificate does not carry a promise of a trusted log that it was logged."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "certificate-not-logged"
    hint = "Use a certificate of an authority whose certificate log stands in the trusted root."


class SignatureRevoked(Problem):
    """The signature was revoked: by its certificate, identity, key or place in the log."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "signature-revoked"
    hint = "Sign again with an identity or a key that was not revoked: chainward trust revocations"


class SignatureRevocationInvalid(Problem):
    """The target, the window or the reason of a revocation of signatures is not one."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "signature-revocation-invalid"
    hint = "Name one of --certificate, --key-fingerprint, --entry, or --identity with --issuer; and a --reason."


class StatementReplayed(Problem):
    """The statement was first published in another repository, and counts there only."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "statement-replayed"
    hint = "Sign it for this repository, or trust its signer in all of its repositories: chainward trust add --portable"


class StatementUnpublished(Problem):
    """The platform has no record of where the statement was first published, so it counts nowhere."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "statement-unpublished"
    hint = "Push the bundle beside its image again; the platform notes where each statement came in first."


class TimestampInvalid(Problem):
    """A timestamp token is not one over this signature, contradicts itself, or was not signed by who it says."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "timestamp-invalid"
    hint = "The token was changed, or belongs to another signature: sign again."


class TimestampUntrusted(Problem):
    """A timestamp token is by nobody who may say the time here."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "timestamp-untrusted"
    hint = "Use a timestamp authority of the trusted root, or give the trusted root that lists this one."


class TimestampOutsideWindow(Problem):
    """A timestamp token is from a time at which its authority, or a certificate of it, was not in use."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "timestamp-outside-window"
    hint = "Compare the time with the authority's window in the trusted root; a newer root may list a newer authority."


class TimestampUnavailable(Problem):
    """The platform does not say the time now: its clock cannot be right."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "timestamp-unavailable"
    hint = "Compare the server's clock with a time source (chronyc tracking); it stamps again once the clock caught up."


class DistributionMissing(Problem):
    """The trust repository has no such file."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "trust-repository-missing"
    hint = "A client asks for timestamp.json and follows what stands there; roots have the names 1.root.json and so on."


class DistributionConflict(Problem):
    """Somebody else published in the trust repository meanwhile."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "trust-repository-conflict"
    hint = "Read the present state back, then repeat the call if it is still wanted."


class RootInvalid(Problem):
    """The TUF root is not one that may follow the present one."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "trust-root-invalid"
    hint = "Sign it with enough keys of the present root and of the new one: chainward trust tuf rotate-root"


class CheckpointOutdated(Problem):
    """The bundle proves its entry in an older state of the log than the verifier knows of, or in none."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "checkpoint-outdated"
    hint = "Get a newer proof of the same entry from the log, or sign again; a log that shrank was rolled back."
