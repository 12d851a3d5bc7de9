"""How often somebody may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.core.ratelimit import consume
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from lasair_broker.web.api.counting import SharedWindow
from lasair_broker.web.limits import limits_of

if TYPE_CHECKING:  # REST framework itself imports this module
    from rest_framework.request import Request
    from rest_framework.views import APIView

_requests = SharedWindow(3600.0)


def forget() -> None:
    """Begin to count anew; for tests."""
    _requests.forget()


def wait_for_page(request: HttpRequest) -> float:
    """Count a page that costs as much as a request of the API among these; 0 if it may be answered, else the
    seconds after which one may be again."""
    throttle = HourlyThrottle()
    throttle.allow_request(request, None)  # type: ignore[arg-type]  # it reads nothing that only the API's have
    return throttle.seconds


class HourlyThrottle(BaseThrottle):
    """So many requests an hour as the asker's class may; the anonymous are counted by address."""

    seconds = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        user = request.user
        who = f"user {user.pk}" if user.is_authenticated else f"address {self.get_ident(request)}"
        self.seconds = _requests.wait(who, limits_of(user).requests)
        return self.seconds == 0.0

    def wait(self) -> float:
        return self.seconds


class LoginThrottle(BaseThrottle):
    """Ten passwords in ten minutes, from an address and for an account; all processes count together."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        account = str(request.data.get("username", ""))[:200].strip().lower()
        allowed: bool = consume(request._request, action="token", key=account)
        return allowed

    def wait(self) -> float:
        return 600.0
