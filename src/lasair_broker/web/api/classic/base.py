"""What today's methods have in common: GET and POST, forms and JSON, and somebody who asks."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.archive import QueryError
from lasair_broker.web.api.authentication import ParameterTokenAuthentication
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.permissions import LoggedIn


class ClassicView(APIView):
    """A method of today's API; its class names the serializer of its parameters."""

    authentication_classes: ClassVar[list[type[BaseAuthentication]]] = [  # type: ignore[misc]
        ParameterTokenAuthentication,
        SessionAuthentication,
    ]
    permission_classes: ClassVar[list[type[BasePermission]]] = [LoggedIn]  # type: ignore[misc]
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}
    parameters: ClassVar[type[serializers.Serializer[Any]]]

    def get(self, request: Request) -> Response:
        return self._answered(request, request.query_params)

    def post(self, request: Request) -> Response:
        return self._answered(request, request.data)

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        """The result for checked parameters."""
        raise NotImplementedError

    def _answered(self, request: Request, data: Any) -> Response:
        checked = self.parameters(data=data)
        checked.is_valid(raise_exception=True)
        return Response(self.answer(request, checked.validated_data))


class Parameters(serializers.Serializer[Any]):
    """Parameters of a method."""


def object_key(text: str) -> int | str:
    """A number, or an object's name.

    Raises
    ------
    QueryError
        If it is neither.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        if int(text) >= 2**63:
            raise QueryError(f"{text} is not the number of an object: it is too large")
        return int(text)
    if not text or len(text) > 64:
        raise QueryError("give the number of an object, or its name")
    return text
