"""An identity match as it is written down: in rows, facts and answers, and as the options of the command line.

In: an :class:`~chainward.trust.identity.IdentityMatch`. Out: plain members, of which only those that are set are there;
and back. Equal matches have equal members, so they can be compared as text.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from chainward.trust.errors import IdentityPatternInvalid
from chainward.trust.identity import IdentityMatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainward.trust.identity import Identity

__all__ = ["described", "match_of", "members_of", "trust_command"]


def members_of(match: IdentityMatch) -> dict[str, Any]:
    """Return the members that are set, with claims by name."""
    named = {
        "subject": match.subject,
        "subject_regex": match.subject_regex,
        "issuer": match.issuer,
        "issuer_regex": match.issuer_regex,
    }
    claims = {"claims": dict(sorted(match.claims))} if match.claims else {}
    return {name: value for name, value in named.items() if value is not None} | claims


def match_of(members: Mapping[str, Any]) -> IdentityMatch:
    """Return the match that these members describe; raises IdentityPatternInvalid."""
    claims = members.get("claims") or {}
    texts = {name: members.get(name) for name in ("subject", "subject_regex", "issuer", "issuer_regex")}
    if not all(isinstance(each, str) for each in (*claims, *claims.values())):
        raise IdentityPatternInvalid("a claim is a name and a text")
    return IdentityMatch(**texts, claims=tuple(sorted(claims.items())))


def described(match: IdentityMatch) -> str:
    """Return a match in words: who, vouched for by whom, with which claims.

    >>> described(IdentityMatch(subject="dev@example.org", issuer_regex="https://.*"))
    'dev@example.org from ~https://.*'
    """
    who = match.subject if match.subject is not None else f"~{match.subject_regex}"
    issuer = match.issuer if match.issuer is not None else f"~{match.issuer_regex}"
    claims = "".join(f", {name}={value}" for name, value in sorted(match.claims))
    return f"{who} from {issuer}{claims}"


def trust_command(identity: Identity) -> str:
    """Return the command by which an admin would trust exactly this identity, for the shell."""
    repository = identity.claims.get("source_repository_uri")
    claim = ["--claim", f"source_repository_uri={repository}"] if repository else []
    words = ["--identity", identity.subject, "--issuer", identity.issuer, *claim]
    return f"chainward trust add NAME {shlex.join(words)} --repository PATTERN --predicate TYPE"
