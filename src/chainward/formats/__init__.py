"""Bytes to values and back: OCI, DSSE, in-toto and SLSA, Sigstore bundles, Rekor entries, notes and tiles, admission.

Every decoder takes bytes of a limited size and gives frozen values, or raises a
:class:`~chainward.kernel.problem.Problem`; nothing else escapes. No module here reads a file or opens a socket, and
none decides whether what it read is to be believed: signatures, proofs and policies are checked in the rooms above.

What holds for all of them:

- Our own formats (Rekor entries and requests, checkpoints, tiles, notes) are read strictly: an unknown field or a
  second spelling is refused. Others' formats are read tolerantly where their specification asks for it: unknown fields
  are skipped.
- Where a JSON object repeats a key, the last one counts, as in most readers. Nothing is ever verified over re-encoded
  JSON: digests and signatures are taken over the bytes that came in.
- Text that is not UTF-8, JSON nested too deeply, base64 with stray characters or stray trailing bits: all malformed.
"""

from __future__ import annotations

__all__: list[str] = []
