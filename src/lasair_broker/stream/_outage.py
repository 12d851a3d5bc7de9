"""Telling of something that does not answer: at once, then ever more rarely, and when it is back."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import structlog

__all__ = ["Ongoing", "Outage", "ongoing_outages"]

_log = structlog.get_logger(__name__)

_all: weakref.WeakSet[Outage] = weakref.WeakSet()
_all_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Ongoing:
    """Something that is away: what, and for how many seconds by now."""

    what: str
    seconds: float


def ongoing_outages() -> list[Ongoing]:
    """What this process waits for now."""
    with _all_lock:
        outages = list(_all)
    found = [outage.now() for outage in outages]
    return sorted((some for some in found if some is not None), key=lambda some: some.what)


class Outage:
    """Keeps the log readable while `what` is away.

    Parameters
    ----------
    what
        What may be away, for the log.
    longest
        Seconds between two lines at most; the first wait is a second and each next twice as long.
    clock
        Seconds, steadily increasing.
    """

    def __init__(self, what: str, longest: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._next = 0.0
        self._wait = 1.0
        self.reason = ""
        with _all_lock:
            _all.add(self)

    def now(self) -> Ongoing | None:
        """What is away, and for how long; None if it is there."""
        since = self._since
        return None if since is None else Ongoing(self._what, self._clock() - since)

    @property
    def ongoing(self) -> bool:
        return self._since is not None

    def failed(self, reason: str) -> None:
        """Say that it does not answer, if it is time to say so again."""
        with self._lock:
            now = self._clock()
            self.reason = reason
            if self._since is None:
                self._since, self._wait, self._next = now, 1.0, now
            if now < self._next:
                return
            self._next = now + self._wait
            self._wait = min(2 * self._wait, self._longest)
            away = now - self._since
        _log.warning("waiting", what=self._what, reason=reason, seconds=round(away, 1))

    def ended(self) -> None:
        """Say that it is back, if it was away."""
        with self._lock:
            if self._since is None:
                return
            away = self._clock() - self._since
            self._since = None
        _log.info("back", what=self._what, seconds=round(away, 1))
