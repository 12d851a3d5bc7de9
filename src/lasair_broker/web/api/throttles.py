"""How often somebody may ask."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from allauth.core.ratelimit import consume
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from lasair_broker.web.limits import limits_of

if TYPE_CHECKING:  # REST framework itself imports this module
    from rest_framework.request import Request
    from rest_framework.views import APIView

_MOST_KEYS = 100_000


class SlidingWindow:
    """Counts of requests in the last so many seconds, for any number of askers, in fixed memory for each.

    The window that ended is taken to have been asked in evenly, so that the count is exact for steady askers,
    and never off by more than one window's allowance.

    Parameters
    ----------
    seconds
        Length of the window.
    clock
        Gives seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str, most: int) -> float:
        """Count a request; 0 if it may be answered, else the seconds after which one may be again."""
        place = self._clock() / self._seconds
        window = math.floor(place)
        with self._lock:
            known, count, before = self._counts.pop(key, (window, 0, 0))
            if known != window:
                count, before = 0, count if known == window - 1 else 0
            passed = place - window
            allowed = before * (1.0 - passed) + count + 1 <= most
            self._counts[key] = (window, count + allowed, before)
            if len(self._counts) > _MOST_KEYS:
                self._counts.popitem(last=False)
        if allowed:
            return 0.0
        # Until the window that ended weighs little enough, or, if this one is full already, until its end and
        # then until it weighs little enough itself.
        if count + 1 <= most and before:
            return (1.0 - (most - count - 1) / before - passed) * self._seconds
        return (1.0 - passed + max(0.0, 1.0 - (most - 1) / count if count else 0.0)) * self._seconds


_requests = SlidingWindow(3600.0)


def forget() -> None:
    """Begin to count anew; for tests."""
    _requests._counts.clear()


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
