"""What the templates of all pages may use."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from django.http import HttpRequest

_VERSION = version("lasair-broker")


def site(request: HttpRequest) -> dict[str, Any]:
    """Django's form of a context processor."""
    return {"lasair_version": _VERSION}
