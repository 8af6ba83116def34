"""What can go wrong on the way of the goods."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = [
    "AdmissionKnown",
    "AnchorMoved",
    "AnchorViolated",
    "ArtifactUnknown",
    "BuildFailed",
    "BuildTimeout",
    "BundleUnfit",
    "EvidenceNoted",
    "EvidenceRevoked",
    "EvidenceTooLarge",
    "EvidenceUnreadable",
    "GateTimeout",
    "LayoutInvalid",
    "OutputMissing",
    "PromotionDenied",
    "PromotionKnown",
    "PromotionOutOfOrder",
    "PromotionRevoked",
    "SourceChanged",
    "SourceRefused",
    "SourceUnreadable",
    "ToolMissing",
]


class BuildFailed(Problem):
    """The wrapped command ended with an error, so there is no artifact."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "build-failed"
    hint = "Read the log of the command above; nothing was written to the result folder."


class BuildTimeout(Problem):
    """The wrapped command did not end within its time limit, so there is no artifact."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "build-timeout"
    hint = "Raise the limit with --timeout, or find out what the command waits for."


class ToolMissing(Problem):
    """The command to run does not exist on this machine."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "build-tool-missing"
    hint = "Check the spelling of the command and that PATH is among the variables that the build may see."


class OutputMissing(Problem):
    """A declared output is not there after the command ended."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "build-output-missing"
    hint = "Declare only what the command writes, with paths relative to the source folder."


class SourceUnreadable(Problem):
    """A file that should be recorded or packed cannot be read."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "source-unreadable"
    hint = "Check that the path exists and that this user may read it."


class SourceRefused(Problem):
    """A file cannot become part of an image: a device, an escaping link, a name that no layer can carry."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "image-source-refused"
    hint = "Remove the file from the layer's folder, or make the link point inside it."


class SourceChanged(Problem):
    """A file changed while it was being packed, so the image would not be what was listed."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "image-source-changed"
    hint = "Stop whatever still writes into the layer's folder, then build again."


class LayoutInvalid(Problem):
    """A folder is not a complete OCI image layout."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "layout-invalid"
    hint = "Build the folder again with: chainward build"


class ArtifactUnknown(Problem):
    """There is no such image in our registry."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "artifact-unknown"
    hint = "Push the image first, or check repository, tag and digest."


class BundleUnfit(Problem):
    """A bundle is not evidence about the image that it should be attached to."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bundle-unfit"
    hint = "Attest the digest of this very image: chainward attest"


class EvidenceTooLarge(Problem):
    """A bundle is larger than evidence may be; it was not read."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "evidence-too-large"
    hint = "Split the statement: a bundle may have 4 MiB, an artifact 256 referrers."


class EvidenceRevoked(Problem):
    """A bundle, or the referrer that holds it, was revoked; what it states counts for nothing."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "evidence-revoked"
    hint = "Make the statement again and sign it with a key that is trusted; the timeline says why it was revoked."


class EvidenceUnreadable(Problem):
    """A referrer calls itself a bundle but does not hold exactly one."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "evidence-unreadable"
    hint = "Push the bundle again with: chainward push"


class PromotionOutOfOrder(Problem):
    """The artifact was not promoted to the environment before this one."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "promotion-out-of-order"
    hint = "Promote to the environment before it first; none may be skipped."


class PromotionDenied(Problem):
    """The gate said no; ``details["checks"]`` names the checks that failed and ``details["steps"]`` what to do."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "promotion-denied"
    hint = "Do what the failed checks ask for, then promote again."


class GateTimeout(Problem):
    """A decision was not ready in time; nothing was decided."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "gate-timeout"
    hint = "Repeat the request; the decision is kept as soon as it is ready."


class AdmissionKnown(Problem):
    """A decision is a fact already; the gate then counts a repetition, so it never reaches a caller."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "admission-known"
    hint = "Repeat the request."

    def __init__(self, key: str) -> None:
        super().__init__("this decision is a fact already")
        self.key = key


class AnchorMoved(Problem):
    """Another replica anchored the same rows; the verb goes on behind them, so it never reaches a caller."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "admission-anchor-moved"
    hint = "Repeat the call."


class AnchorViolated(Problem):
    """Rows of repeated admissions are not those that a fact vouches for."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "admission-anchor-violated"
    hint = "Somebody changed the database behind the ledger: keep it as evidence and compare it with a backup."


class PromotionKnown(Problem):
    """The image was promoted there before; the verb answers with that promotion, so it never reaches a caller."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "promotion-known"
    hint = "Repeat the call."


class PromotionRevoked(Problem):
    """The image was revoked while the gate was deciding; the verb denies the promotion then."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "promotion-revoked"
    hint = "Use an artifact that replaces it; the timeline of the digest says who revoked it."


class EvidenceNoted(Problem):
    """Evidence was looked at before; the follower passes on, so it never reaches a caller."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "evidence-noted"
    hint = "Repeat the call."
