"""Watchlists, watchmaps and magnitude triggers on the stream, and their match with the whole archive."""

from ._keeper import ListKeeper
from ._matching import ListMatching, MatchTask, match_archive
from ._stages import list_stages, match_watchlists, match_watchmaps
from ._triggers import trigger_tables

__all__ = [
    "ListKeeper",
    "ListMatching",
    "MatchTask",
    "list_stages",
    "match_archive",
    "match_watchlists",
    "match_watchmaps",
    "trigger_tables",
]
