"""Counterparts of gravitational waves, neutrinos and bursts, on the stream and among the objects stored."""

from ._chore import MessengerChore
from ._loader import LoadedEvents, MessengerLoader
from ._map_fetcher import MapFetcher
from ._notices import NoticeFollower
from ._stage import match_messengers

__all__ = [
    "LoadedEvents",
    "MapFetcher",
    "MessengerChore",
    "MessengerLoader",
    "NoticeFollower",
    "match_messengers",
]
