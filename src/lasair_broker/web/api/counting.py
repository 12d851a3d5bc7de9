"""Requests counted by all processes of a site together, in the user database.

To write a row for every request would cost more than many a request. So a process takes a share of what
somebody may still ask for, a few in a hundred, and counts that off by itself. All shares together are never
more than is allowed. Towards the end shares are single requests; by what a process took and was not asked for
somebody may be refused too early.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, transaction
from django.utils.crypto import salted_hmac

from lasair_broker.web.api.models import RequestCount

_SHARES = 20
"""A share is so small a part of what is left."""

_MOST_KEYS = 100_000
_REFUSED_SECONDS = 1.0
"""Whoever is refused is refused for so long without asking the database again."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Share:
    """What a process may still answer in a window; if nothing, until when that is known, and when it ends."""

    window: int
    left: int
    refused_until: float = 0.0
    free_at: float = 0.0


class SharedWindow:
    """Counts of requests in the last so many seconds, of all processes that share the user database.

    The window that ended is taken to have been asked in evenly.

    Parameters
    ----------
    seconds
        Length of the window.
    clock
        Gives seconds, the same in all processes.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._seconds, self._clock = seconds, clock
        self._shares: OrderedDict[str, _Share] = OrderedDict()
        self._lock = threading.Lock()
        self._swept = -1

    def wait(self, key: str, most: int) -> float:
        """Count a request; 0 if it may be answered, else the seconds after which one may be again."""
        now = self._clock()
        window = math.floor(now / self._seconds)
        with self._lock:
            share = self._shares.get(key)
            if share is not None and share.window == window:
                self._shares.move_to_end(key)
                if share.left:
                    share.left -= 1
                    return 0.0
                if now < share.refused_until:
                    return share.free_at - now
        granted, wait = self._reserve(key, most, now)
        with self._lock:
            share = self._shares.get(key)
            if share is None or share.window != window:
                share = self._shares[key] = _Share(window, 0)
            if granted:
                share.left += granted - 1
            else:
                share.refused_until, share.free_at = now + min(wait, _REFUSED_SECONDS), now + wait
            if len(self._shares) > _MOST_KEYS:
                self._shares.popitem(last=False)
        return wait

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._shares.clear()
        RequestCount.objects.all().delete()

    def _reserve(self, key: str, most: int, now: float) -> tuple[int, float]:
        """So many requests, of which one is being asked; or none, and the wait."""
        place = now / self._seconds
        window = math.floor(place)
        passed = place - window
        try:
            with transaction.atomic():
                known = self._row(key, window)
                if known.window != window:
                    known.before = known.count if known.window == window - 1 else 0
                    known.window, known.count = window, 0
                left = math.floor(most - known.before * (1.0 - passed) - known.count)
                granted = max(1, left // _SHARES) if left >= 1 else 0
                known.count += granted
                known.save()
        except DatabaseError as error:
            # Who cannot be counted is let in: the archive can be read while the user database is away.
            _log.warning("requests are not counted", error=str(error))
            return 1, 0.0
        if granted:
            return granted, 0.0
        return 0, self._until_one(known, most, passed)

    def _row(self, key: str, window: int) -> RequestCount:
        """The row of a key, which nobody else changes until the transaction ends."""
        digest = salted_hmac("lasair.requests", key).hexdigest()  # addresses of people are kept nowhere
        if self._swept != window:
            self._swept = window
            RequestCount.objects.filter(window__lt=window - 1).delete()
        locked = RequestCount.objects.select_for_update()
        found = locked.filter(pk=digest).first()
        if found is None:
            RequestCount.objects.get_or_create(pk=digest, defaults={"window": window})
            found = locked.get(pk=digest)
        return found

    def _until_one(self, known: RequestCount, most: int, passed: float) -> float:
        """Seconds until the window that ended weighs little enough; or, if this one is full already, until
        its end and then until it weighs little enough itself."""
        if known.count + 1 <= most and known.before:
            return (1.0 - (most - known.count - 1) / known.before - passed) * self._seconds
        rest = 1.0 - (most - 1) / known.count if known.count else 0.0
        return (1.0 - passed + max(0.0, rest)) * self._seconds
