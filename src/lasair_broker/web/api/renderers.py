"""JSON as the API writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


class JSONRenderer(BaseRenderer):
    """Standard JSON: 64-bit integers exactly, and null for what is not finite."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=_plain, option=_OPTIONS)


class Negotiation(BaseContentNegotiation):
    """Views that offer several formats choose by themselves, and an error is told in JSON to everybody."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        from rest_framework.negotiation import DefaultContentNegotiation

        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(  # type: ignore[override]  # the stubs want a class where instances come
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        asked, accepted = request.query_params.get("format"), request.headers.get("Accept", "")
        fitting = (r for r in renderers if r.format == asked or (not asked and r.media_type in accepted))
        chosen = next(fitting, renderers[0])
        return chosen, chosen.media_type


def _plain(value: Any) -> Any:
    """What orjson does not know: lazily translated texts, and mappings and sequences of Django's."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | set | frozenset | range):
        return list(value)
    return str(value)
