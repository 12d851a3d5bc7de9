"""The OpenAPI description: what drf-spectacular cannot see in the code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from lasair_broker.web.api.formats import FORMATS
from lasair_broker.web.api.problems import VERSIONED

Endpoint = tuple[str, str, str, Callable[..., Any]]


class Fault(serializers.Serializer[Any]):
    """One thing that is wrong."""

    field = serializers.CharField(help_text="Where; empty: in the whole.", allow_blank=True)
    message = serializers.CharField(help_text="What, and what to give instead.")


class Problem(serializers.Serializer[Any]):
    """Problem details (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(allow_blank=True)
    errors = Fault(many=True, required=False)  # type: ignore[assignment]  # RFC 9457's word is also Django's
    position = serializers.IntegerField(
        required=False, allow_null=True, help_text="Of the fault in the text of a query, from 0."
    )
    suggestion = serializers.CharField(required=False, allow_null=True)


class Rows(serializers.Serializer[Any]):
    """Rows of a table."""

    rows = serializers.ListField(child=serializers.DictField())
    truncated = serializers.BooleanField(help_text="Whether there are more rows than these.")


_MEANING = {
    400: "Something in the request is wrong.",
    401: "The token is not valid, or there is none.",
    403: "You may not do this.",
    404: "There is no such thing, or it is not yours to see.",
    405: "There is no such method here.",
    413: "What was sent is too large.",
    415: "What was sent is of another media type.",
    429: "You ask too often; `Retry-After` says when again.",
    503: "Try again in a moment.",
}


def described(
    request: Any = None,
    response: Any = None,
    *,
    status: int = 200,
    summary: str,
    parameters: Iterable[OpenApiParameter] = (),
    description: str | None = None,
    media: tuple[str, ...] = ("application/json",),
) -> Callable[[Any], Any]:
    """Describe a method of a view: what it takes and gives, and that its errors are problem details."""
    responses: dict[Any, Any] = {
        (code, "application/problem+json"): OpenApiResponse(Problem, text) for code, text in _MEANING.items()
    }
    if status == 204:
        responses[204] = OpenApiResponse(None, "Done.")
    else:
        for each in media:
            responses[(status, each)] = OpenApiResponse(response, "Done.")
    return extend_schema(
        summary=summary,
        description=description,
        request=request,
        responses=responses,
        parameters=list(parameters),
    )


def described_table(
    request: Any = None,
    *,
    summary: str,
    parameters: Iterable[OpenApiParameter] = (),
    response: Any = Rows,
) -> Callable[[Any], Any]:
    """Describe a method that gives a table in any of our formats."""
    responses: dict[Any, Any] = {
        (code, "application/problem+json"): OpenApiResponse(Problem, text) for code, text in _MEANING.items()
    }
    responses[(200, "application/json")] = OpenApiResponse(response, "The rows.")
    for name, media in FORMATS.items():
        if name != "json":
            responses[(200, media)] = OpenApiResponse(bytes, "The rows.")
    chosen = OpenApiParameter("format", str, enum=list(FORMATS), description="Or by `Accept`.")
    return extend_schema(
        summary=summary, request=request, responses=responses, parameters=[*parameters, chosen]
    )


def parameter(
    name: str, kind: Any, description: str = "", *, required: bool = False, many: bool = False
) -> OpenApiParameter:
    """A parameter in the address."""
    return OpenApiParameter(name, kind, description=description, required=required, many=many)


def only_versioned(endpoints: Iterable[Endpoint], **_: Mapping[str, Any]) -> list[Endpoint]:
    """Today's contract is described in words, not here."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(VERSIONED)]
