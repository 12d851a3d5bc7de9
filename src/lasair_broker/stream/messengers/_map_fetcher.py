"""Maps that notices only name, fetched beside the stream from hosts that the operator allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from lasair_broker.context.events import VERSIONS, EventError, MapSource, attach_map, fetch_map, missing_maps

from .._follower import Follower

__all__ = ["MapFetcher"]

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0
_RETRY_SECONDS = (30.0, 120.0, 600.0, 1800.0, 3600.0, 3600.0, 3600.0, 3600.0)
"""A map is often named before it is there. After these it is given up until the process begins anew."""

_MOST = 200
"""Only so many maps, those of the newest notices, are tried for."""


@dataclass
class _Tried:
    times: int
    again: float


class MapFetcher(Follower):
    """Gets missing maps; each becomes part of its event, which is then new to the stream.

    Parameters
    ----------
    folder
        Of the catalogues.
    source
        From where maps may be fetched; with no hosts, nothing is asked.
    clock
        Seconds, steadily increasing.
    """

    thread_name = "lasair-maps"

    def __init__(
        self, folder: Path, source: MapSource, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._folder, self._source, self._clock = folder, source, clock
        self._tried: dict[str, _Tried] = {}
        self.fetched = 0

    def look(self) -> int:
        """Try for all maps that are missing and due; how many came. Never raises for what others send."""
        if not self._source.hosts or not (self._folder / VERSIONS).exists():
            return 0
        try:
            wanted = [each for each in missing_maps(self._folder, _MOST) if self._source.allows(each)]
        except EventError as error:
            _log.error("the notices cannot be read", reason=str(error))
            return 0
        return sum(self._try(address) for address in wanted if not self._stop.is_set())

    def _try(self, address: str) -> bool:
        tried = self._tried.setdefault(address, _Tried(0, self._clock()))
        if tried.times > len(_RETRY_SECONDS) or self._clock() < tried.again:
            return False
        try:
            notices = attach_map(self._folder, address, fetch_map(address, self._source))
        except (EventError, OSError) as error:
            tried.times += 1
            last = tried.times > len(_RETRY_SECONDS)
            tried.again = self._clock() + (0.0 if last else _RETRY_SECONDS[tried.times - 1])
            told = "a map could not be fetched; it is given up" if last else "a map could not be fetched"
            _log.warning(told, reason=str(error), tried=tried.times)
            return False
        del self._tried[address]
        self.fetched += 1
        _log.info("a map was fetched", address=address, notices=notices)
        return True

    def _take(self) -> float:
        self.look()
        return _LOOK_SECONDS
