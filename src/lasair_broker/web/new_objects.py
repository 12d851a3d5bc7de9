"""What is new in the sky, for any number of browsers that want to be told as it comes."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.archive import archive

MOST_IN_EVENT = 500
"""Of more objects that came at once, so many are told, those first seen latest."""

COLUMNS = (
    "diaObjectId",
    "objectName",
    "survey",
    "ra",
    "decl",
    "firstDiaSourceMjdTai",
    "lastDiaSourceMjdTai",
    "nDiaSources",
)
"""Of table `objects`, what is told of each; beside these its `classification`, Sherlock's."""

_LOOKED_AT = 2000
_EVENTS_KEPT = 120
_LONGEST_GAP_DAYS = 1.0 / 24.0
_HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class News:
    """What came in some interval.

    Attributes
    ----------
    until
        MJD TAI of the newest commit in it: the place from which to go on.
    count
        Objects of which alerts came.
    objects
        Those that are told; see COLUMNS.
    """

    until: float
    count: int
    objects: list[dict[str, Any]]


class ObjectWatch:
    """Looks for new alerts once a second while anybody listens, for all who do.

    Parameters
    ----------
    archive
        Where they come in.
    seconds
        Between two looks.
    """

    def __init__(self, archive: Archive, seconds: float = 1.0) -> None:
        self._archive, self._seconds = archive, seconds
        self._condition, self._looking = threading.Condition(), threading.Lock()
        self._looked = -math.inf
        self._told: deque[tuple[float, bytes]] = deque(maxlen=_EVENTS_KEPT)
        self._since = self._until = newest_commit(archive)

    def events(
        self,
        after: float | None = None,
        *,
        seconds: float = math.inf,
        heartbeat: float = _HEARTBEAT_SECONDS,
    ) -> Generator[bytes]:
        """Objects as their alerts are committed, as server-sent events.

        Each event has the type "objects", an id from which the stream can be resumed (`Last-Event-ID`) and as
        data the JSON of a `News`. While there is nothing to tell, a comment keeps the connection open.

        Parameters
        ----------
        after
            MJD TAI of the commit after which to begin, an hour back at most; None: now.
        seconds
            After which it ends; the client resumes it.
        """
        end = time.monotonic() + seconds
        yield b"retry: 3000\n\n"
        self._look()
        place = self._until if after is None else max(after, self._until - _LONGEST_GAP_DAYS)
        while time.monotonic() < end:
            told = list(self._missed(place))
            for until, event in told:
                place = until
                yield event
            if not told and not self._wait(place, min(heartbeat, end - time.monotonic())):
                yield b": nothing new\n\n"

    def _missed(self, after: float) -> Iterator[tuple[float, bytes]]:
        with self._condition:
            kept, since = list(self._told), self._since
        if after < since:
            news = news_between(self._archive, after, since)
            if news is not None:
                yield since, _event(since, news)
        yield from ((until, event) for until, event in kept if until > after)

    def _wait(self, after: float, seconds: float) -> bool:
        """Wait until something came after that moment, at most so many seconds; one looks for all."""
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            with self._condition:
                if self._until > after:
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(min(left, self._seconds))

    def _look(self) -> None:
        if not self._looking.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._looked < self._seconds:
                return
            news = news_between(self._archive, self._until)
            with self._condition:
                self._looked = time.monotonic()
                if news is not None:
                    if len(self._told) == _EVENTS_KEPT:
                        self._since = self._told[0][0]
                    self._told.append((news.until, _event(news.until, news)))
                    self._until = news.until
                self._condition.notify_all()
        finally:
            self._looking.release()


def newest_commit(archive: Archive) -> float:
    """When the newest alert was committed, MJD TAI; 0 if there is none."""
    query = parse("SELECT MAX(committedMjdTai) AS newest FROM alerts", PUBLIC)
    return archive.query(query.render)["newest"][0].as_py() or 0.0


def news_between(archive: Archive, after: float, until: float = math.inf) -> News | None:
    """The objects of which alerts were committed after a moment (MJD TAI), until another; None: of none."""
    within = f" AND committedMjdTai <= {until!r}" if math.isfinite(until) else ""
    query = parse(
        "SELECT diaObjectId, MAX(committedMjdTai) AS committed FROM alerts "  # noqa: S608 - our own language, which is parsed, with numbers
        f"WHERE diaObjectId IS NOT NULL AND committedMjdTai > {after!r}{within} GROUP BY diaObjectId",
        PUBLIC,
    )
    came = archive.query(query.render, max_rows=None)
    if not came.num_rows:
        return None
    newest = float(np.max(came["committed"].to_numpy()))
    some = np.unique(np.linspace(0, came.num_rows - 1, min(came.num_rows, _LOOKED_AT)).astype(np.int64))
    return News(newest, came.num_rows, _told(archive, came["diaObjectId"].take(pa.array(some)).to_pylist()))


def _told(archive: Archive, ids: list[int]) -> list[dict[str, Any]]:
    """What is told of objects: of too many, those first seen latest."""
    objects = archive.rows_of_objects("objects", ids, COLUMNS)
    objects = objects.sort_by([("firstDiaSourceMjdTai", "descending")]).slice(0, MOST_IN_EVENT)
    wanted = objects["diaObjectId"].to_pylist()
    said = archive.rows_of_objects("sherlock_classifications", wanted, ["diaObjectId", "classification"])
    classes = dict(zip(*(column.to_pylist() for column in said.columns), strict=True))
    return [
        {**row, "diaObjectId": str(row["diaObjectId"]), "classification": classes.get(row["diaObjectId"])}
        for row in objects.to_pylist()
    ]


def _event(until: float, news: News) -> bytes:
    data = orjson.dumps({"until": until, "count": news.count, "objects": news.objects})
    return b"id: %b\nevent: objects\ndata: %b\n\n" % (repr(until).encode(), data)


_lock = threading.Lock()
_watch: tuple[Archive, ObjectWatch] | None = None


def object_watch() -> ObjectWatch:
    """The watch over the archive that views read."""
    global _watch
    opened = archive()
    with _lock:
        if _watch is None or _watch[0] is not opened:
            _watch = opened, ObjectWatch(opened)
        return _watch[1]
