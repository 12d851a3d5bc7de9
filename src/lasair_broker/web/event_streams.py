"""Streams of server-sent events as answers. Each keeps a thread of the server, so only half of these may."""

from __future__ import annotations

import threading
from collections.abc import Generator

from django.conf import settings
from django.db import connection
from django.http import StreamingHttpResponse

from lasair_broker.web.errors import Busy

LONGEST_SECONDS = 3600.0
"""A stream ends after an hour, and the client resumes it: so what somebody may see is asked again."""

_places = threading.BoundedSemaphore(max(1, settings.LASAIR_SITE.threads // 2))


class _Counted:
    """An iterator that gives its place back when it is closed, whether or not anybody began it."""

    def __init__(self, events: Generator[bytes]) -> None:
        self._events, self._open = events, True

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        if self._open:
            self._open = False
            _places.release()
            self._events.close()


def stream(events: Generator[bytes]) -> StreamingHttpResponse:
    """Events as the answer to a request.

    Raises
    ------
    Busy
        If no more may be open.
    """
    if not _places.acquire(blocking=False):
        raise Busy("too many streams are open; ask again in a moment, or page by page")
    if not connection.in_atomic_block:
        connection.close()  # the stream lasts, and needs the user database no more
    return StreamingHttpResponse(
        _Counted(events),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
