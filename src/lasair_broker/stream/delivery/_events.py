"""Hits as a stream of server-sent events, which a browser can resume where it broke off."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Generator

from lasair_broker.archive import Archive

from ._newest import newest_since
from ._outputs import Cursor
from ._parcel import Parcel

__all__ = ["HitWatch", "cursor_of", "event_id", "events"]

_HEARTBEAT_SECONDS = 15.0
_PAGE = 500
_EVENT_ID = re.compile(r"(\d{1,7}(?:\.\d{1,16})?)/([A-Za-z0-9._:-]{0,64})")


def event_id(cursor: Cursor) -> str:
    """A place in the order of hits as text; `cursor_of` reads it again, to the last bit."""
    return f"{cursor[0]!r}/{cursor[1]}"


def cursor_of(text: str) -> Cursor | None:
    """The place that an event's id names; None if it names none."""
    found = _EVENT_ID.fullmatch(text.strip())
    if found is None or not math.isfinite(float(found[1])):
        return None
    return float(found[1]), found[2]


class HitWatch:
    """Tells any number of waiting streams that there may be new hits, by one query a second for all of them.

    Parameters
    ----------
    archive
        Where hits are.
    seconds
        Between two looks.
    """

    def __init__(self, archive: Archive, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._condition = threading.Condition()
        self._looking = threading.Lock()
        self._looked = -math.inf
        self._archive = archive
        self._newest: dict[int, float] = {}

    def wait(self, filter_id: int, after: float, seconds: float) -> bool:
        """Wait until the filter has a hit committed after that moment (MJD TAI), at most so many seconds.

        One of those who wait looks for all.
        """
        deadline = time.monotonic() + seconds
        while True:
            if self._looking.acquire(blocking=False):
                try:
                    self._look()
                finally:
                    self._looking.release()
            with self._condition:
                if self._newest.get(filter_id, 0.0) > after:
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(min(left, self._seconds))

    def _look(self) -> None:
        if time.monotonic() - self._looked < self._seconds:
            return
        self._newest |= newest_since(self._archive, max(self._newest.values(), default=0.0))
        with self._condition:
            self._looked = time.monotonic()
            self._condition.notify_all()


def events(
    archive: Archive,
    watch: HitWatch,
    filter_id: int,
    after: Cursor,
    *,
    seconds: float = math.inf,
    heartbeat: float = _HEARTBEAT_SECONDS,
) -> Generator[bytes]:
    """The hits of a filter after some place, and then each new one as it comes, as server-sent events.

    Each event has the type "hit", an id from which the stream can be resumed (`Last-Event-ID`) and a JSON
    object as data. While there is nothing to tell, a comment keeps the connection open. It ends after so many
    `seconds`; the client resumes it.
    """
    end = time.monotonic() + seconds
    yield b"retry: 3000\n\n"
    while time.monotonic() < end:
        hits = archive.hits_after(filter_id, after, limit=_PAGE)
        parcel = Parcel(hits)
        for place, envelope in zip(parcel.places, parcel.envelopes(), strict=True):
            after = place
            yield b"id: %b\nevent: hit\ndata: %b\n\n" % (event_id(place).encode(), envelope)
        if len(parcel) < _PAGE and not watch.wait(filter_id, after[0], heartbeat):
            yield b": nothing new\n\n"
