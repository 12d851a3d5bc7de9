"""What the templates of all pages may use."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from lasair_broker.web.accounts.entry import may_sign_up

_VERSION = version("lasair-broker")


def site(request: HttpRequest) -> dict[str, Any]:
    """Django's form of a context processor."""
    return {"lasair_version": _VERSION, "may_sign_up": may_sign_up(), "sends_mail": bool(settings.EMAIL_HOST)}
