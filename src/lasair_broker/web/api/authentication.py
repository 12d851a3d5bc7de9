"""Who asks: by a token in the header, or by the session of the site."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from lasair_broker.web.accounts.models import User
from lasair_broker.web.api import tokens
from lasair_broker.web.api.models import ApiToken

_REFUSED = "this token is unknown, has expired or was removed; make a new one in your account"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token …` or `Bearer …`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() not in ("token", "bearer"):
            return None
        return _of(text.strip())

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class ParameterTokenAuthentication(TokenAuthentication):
    """Also `?token=…`, as today's addresses have it; new ones do not, for logs hold addresses."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        text = request.query_params.get("token")
        return super().authenticate(request) if text is None else _of(text)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself untyped
    """How the OpenAPI description tells of it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a token of your account",
        }


def _of(text: str) -> tuple[User, ApiToken]:
    token = tokens.used(text)
    if token is None:
        raise AuthenticationFailed(_REFUSED)
    return token.user, token
