"""Who may do what: tokens, the roles they carry, and the repositories that each role is for.

:class:`~chainward.access.authenticate.Authenticator` turns the text of a token into a :class:`Principal`,
:func:`~chainward.access.authorize.authorize` says whether that principal may do something, and
:class:`~chainward.access.tokens.Tokens` issues and revokes. Nothing is allowed unless a binding allows it.
"""

from __future__ import annotations

from chainward.access.authenticate import Authenticator
from chainward.access.authorize import authorize, authorize_anywhere
from chainward.access.errors import Forbidden
from chainward.access.model import Binding, Permission, Principal, Role, Token
from chainward.access.tokens import Tokens

__all__ = [
    "Authenticator",
    "Binding",
    "Forbidden",
    "Permission",
    "Principal",
    "Role",
    "Token",
    "Tokens",
    "authorize",
    "authorize_anywhere",
]
