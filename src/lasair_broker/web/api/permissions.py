"""What a token may be used for. Whose things may be read and changed, the services say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission

from lasair_broker.web.api.models import ApiToken, Scope

if TYPE_CHECKING:  # REST framework itself imports this module
    from rest_framework.request import Request
    from rest_framework.views import APIView


class Scoped(BasePermission):
    """Reading is everybody's (of what is public); all else needs somebody, and a token with the scope.

    A view's `scopes` names the scope for methods that do not just read or write: POST of a query, say.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        usual = Scope.READ if request.method in SAFE_METHODS else Scope.WRITE
        scope = getattr(view, "scopes", {}).get(request.method, usual)
        if isinstance(request.auth, ApiToken):
            self.message = f"this token may not be used for {scope.label}; it lacks the scope {scope.value}"
            return scope in request.auth.scopes
        return scope == Scope.READ or request.user.is_authenticated


class LoggedIn(Scoped):
    """As `Scoped`, but nothing for the anonymous."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated) and super().has_permission(request, view)


class Session(BasePermission):
    """Only a person logged in on the site: a token must not make others."""

    message = "log in on the site for this; a token is not enough"

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated) and not isinstance(request.auth, ApiToken)
