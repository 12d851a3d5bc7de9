"""The lists, maps and triggers that the stream matches, read anew only where something has changed."""

from __future__ import annotations

import numpy as np

from lasair_broker.sky import Triggers
from lasair_broker.stream import ActiveLists
from lasair_broker.web.watchlists.running import LoadedWatchlists, load_triggers, load_watchlists
from lasair_broker.web.watchmaps.running import LoadedWatchmaps, load_watchmaps


class ActiveListsReader:
    """Gives the active lists as they are, and the very same object while nothing has changed.

    While a list of a million rows is read anew, which takes seconds, a call does not return; the stream asks
    from a thread of its own. It may be used by one thread at a time.
    """

    def __init__(self) -> None:
        self._watchlists = LoadedWatchlists()
        self._watchmaps = LoadedWatchmaps()
        self._active = ActiveLists()

    def read(self) -> ActiveLists:
        watchlists, watchmaps = load_watchlists(self._watchlists), load_watchmaps(self._watchmaps)
        triggers = load_triggers()
        before = self._active
        changed = watchlists is not self._watchlists or watchmaps is not self._watchmaps
        if changed or not _same(triggers, before.triggers):
            self._watchlists, self._watchmaps = watchlists, watchmaps
            self._active = ActiveLists(watchlists.index, watchmaps.index, triggers)
        return self._active


def _same(one: Triggers, other: Triggers) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in Triggers._fields
    )
