"""Who asks for a page."""

from __future__ import annotations

from django.http import HttpRequest

from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import NotFound


def person(request: HttpRequest) -> User:
    """Whoever asks; `login_required` has seen to it that it is somebody."""
    if not isinstance(request.user, User):
        raise NotFound("log in for this")
    return request.user
