"""May this principal do that? Yes, when one of its bindings says so; otherwise :class:`Forbidden`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.access.errors import Forbidden
from chainward.access.model import EVERYWHERE, Permission, Principal, Role

if TYPE_CHECKING:
    from chainward.kernel.name import RepositoryName

__all__ = ["authorize", "authorize_anywhere"]


def authorize(principal: Principal, permission: Permission, repository: RepositoryName | None = None) -> None:
    """Return when ``principal`` may do something in ``repository``, or (None) on the platform as a whole.

    Raises:
        Forbidden: no binding allows it.
    """
    if not principal.may(permission, repository):
        raise _forbidden(principal, permission, str(repository) if repository else "the whole platform", repository)


def authorize_anywhere(principal: Principal, permission: Permission) -> None:
    """Return when ``principal`` may do something in at least one repository (such as logging a signature).

    Raises:
        Forbidden: no binding allows it.
    """
    if not principal.may_anywhere(permission):
        raise _forbidden(principal, permission, "any repository", None)


def _forbidden(
    principal: Principal, permission: Permission, where: str, repository: RepositoryName | None
) -> Forbidden:
    role = next(role for role in Role if permission in role.permissions)
    right = f"{role.value}:{repository or EVERYWHERE}"
    return Forbidden(
        f"{principal.actor} may not {permission.value} in {where}",
        hint=f"Ask an administrator for a token: chainward token issue NAME --role {right}",
        details={"permission": permission.value, "right": right},
    )
