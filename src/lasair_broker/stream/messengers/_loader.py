"""The events of an installation with their maps, made anew when they change, and what is known of chance."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import structlog

from lasair_broker.context.events import (
    EVENTS,
    EventError,
    read_history,
    read_map,
    read_versions,
    revisions,
)
from lasair_broker.messengers import Background, Chances, MessengerIndex, drawn_region
from lasair_broker.sky import SkyMap, VolumeLevels

__all__ = ["LoadedEvents", "MessengerLoader"]

_log = structlog.get_logger(__name__)

_Seen = tuple[int, int, int]
_REGION = ("ra", "decl", "errorRadius", "errorMinor", "errorAngle")


@dataclass(frozen=True)
class LoadedEvents:
    """Events as they were at some time.

    Attributes
    ----------
    index
        Of those that can be matched.
    revision
        The newest change that it has, see `revisions`; 0 of none.
    """

    index: MessengerIndex
    revision: int


class MessengerLoader:
    """Gives the index of the events in a folder; any thread may ask.

    Parameters
    ----------
    folder
        Of the catalogues; None for none.
    tests
        Whether tests and made-up events are matched, too.
    """

    def __init__(self, folder: Path | None = None, *, tests: bool = False) -> None:
        self.folder = folder
        self._tests = tests
        self._lock = threading.Lock()
        self._seen: _Seen | None = None
        self._loaded: LoadedEvents | None = None
        self._background: Background | None = None
        self._chances: dict[object, Chances | None] = {}
        self._maps: dict[str, SkyMap] = {}
        self._drawn: WeakValueDictionary[tuple[Any, ...], SkyMap] = WeakValueDictionary()
        self._volumes: WeakKeyDictionary[SkyMap, VolumeLevels | None] = WeakKeyDictionary()

    def current(self) -> LoadedEvents | None:
        """The events as they are now; None if none were ever added. Cheap enough for every batch.

        If they cannot be read, the last that could stay, and the log says so.
        """
        with self._lock:
            seen = self._status()
            if seen is not None and seen != self._seen:
                self._seen = seen
                try:
                    self._loaded = self._load()
                except EventError as error:
                    _log.error("the events cannot be read; going on with those before", reason=str(error))
            return self._loaded

    def learn(self, background: Background) -> None:
        """Take over what was measured of unrelated objects."""
        with self._lock:
            self._background = background
            self._chances.clear()
            if self._loaded is not None:
                index = background.applied(self._loaded.index, self._chances)
                self._loaded = LoadedEvents(index, self._loaded.revision)

    @property
    def has_background(self) -> bool:
        """Whether anything was learnt."""
        return self._background is not None

    def _status(self) -> _Seen | None:
        if self.folder is None:
            return None
        try:
            status = (self.folder / EVENTS).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self) -> LoadedEvents:
        assert self.folder is not None  # noqa: S101 - for the type checker: there is a file in it
        events = read_history(self.folder)
        used: dict[str, SkyMap] = {}
        index = MessengerIndex.build(
            events,
            read_versions(self.folder),
            self._reader(used),
            draw=self._draw,
            volumes_of=self._volumes_of,
            tests=self._tests,
        )
        self._maps = used
        if self._background is not None:
            index = self._background.applied(index, self._chances)
        return LoadedEvents(index, int(revisions(events).max(initial=0)))

    def _reader(self, used: dict[str, SkyMap]) -> Callable[[str], SkyMap | None]:
        """Reads maps, those that are known already only once. One that is lost is told and left out."""
        folder = self.folder
        assert folder is not None  # noqa: S101 - as above

        def read(name: str) -> SkyMap | None:
            if name not in used:
                try:
                    used[name] = self._maps.get(name) or read_map(folder, name)
                except EventError as error:
                    _log.error("a map cannot be read and is left out", reason=str(error))
                    return None
            return used[name]

        return read

    def _draw(self, row: Mapping[str, Any]) -> SkyMap:
        key = tuple(row[name] for name in _REGION)
        found = self._drawn.get(key)
        if found is None:
            found = self._drawn[key] = drawn_region(row)
        return found

    def _volumes_of(self, skymap: SkyMap) -> VolumeLevels | None:
        if skymap not in self._volumes:
            self._volumes[skymap] = VolumeLevels.of(skymap)
        return self._volumes[skymap]
