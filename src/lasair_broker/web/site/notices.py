"""Short notices that a page shows without being loaded anew."""

from __future__ import annotations

from typing import Literal, TypeVar

from django.http import HttpResponseBase
from django_htmx.http import trigger_client_event

Kind = Literal["success", "info", "warning", "danger"]
_Response = TypeVar("_Response", bound=HttpResponseBase)


def toast(response: _Response, text: str, kind: Kind = "success") -> _Response:
    """Let the page that sent a request by htmx show a notice when it has this answer."""
    trigger_client_event(response, "lasair:toast", {"text": text, "kind": kind})
    return response
