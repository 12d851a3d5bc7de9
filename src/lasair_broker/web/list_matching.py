"""What of users' lists and maps is to be matched with the archive: `stream.lists.ListMatching` on the user
database.

The state is which revision of each list the archive's hits are of. What has another, or none, is due; so is
what the archive has hits of though it is matched no more. A kill leaves a state that is due.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db import close_old_connections, connection

from lasair_broker.sky import WatchlistIndex, WatchmapIndex
from lasair_broker.web.watchlists import running as watchlists
from lasair_broker.web.watchlists.models import WatchlistVersion
from lasair_broker.web.watchmaps import running as watchmaps
from lasair_broker.web.watchmaps.models import Watchmap


class _Running(Protocol):
    """What the modules `running` of watchlists and watchmaps have in common."""

    def to_match(self) -> list[tuple[int, int]]: ...
    def to_remove(self) -> list[int]: ...
    def to_be_matched(
        self, list_id: int, /
    ) -> tuple[WatchlistVersion | Watchmap, int, WatchlistIndex | WatchmapIndex] | None: ...
    def hits_may_come(self, list_ids: Sequence[int], /) -> None: ...
    def hits_are(self, list_id: int, /, revision: int | None) -> None: ...


_RUNNING: dict[str, _Running] = {"watchlist_hits": watchlists, "area_hits": watchmaps}


class UserListMatching:
    """The lists and maps of the user database. One process may use it at a time, as one holds the archive."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, int], int] = {}

    def due(self) -> UserMatchTask | None:
        """What is to be done next: removals first, then lists and maps in the order of their change."""
        if not connection.in_atomic_block:
            close_old_connections()  # of a server that has gone meanwhile, say
        for table, running in _RUNNING.items():
            for list_id in running.to_remove():
                if self._failed.get((table, list_id)) != 0:
                    return UserMatchTask(table, list_id, 0, self._note_failure)
        for table, running in _RUNNING.items():
            for list_id, revision in running.to_match():
                if self._failed.get((table, list_id)) != revision:
                    return UserMatchTask(table, list_id, revision, self._note_failure)
        return None

    def expect(self, lists: Collection[tuple[str, int]]) -> None:
        """The stream is about to give hits of these lists and maps: note that the archive may hold some."""
        for table, running in _RUNNING.items():
            running.hits_may_come([list_id for of, list_id in lists if of == table])

    def again(self, table: str, list_id: int) -> None:
        """This list or map must be matched once more, or its hits removed once more."""
        _RUNNING[table].hits_are(list_id, 0)

    def _note_failure(self, table: str, list_id: int, revision: int) -> None:
        self._failed[table, list_id] = revision


@dataclass
class UserMatchTask:
    """A list or map to be matched, or whose hits are to be removed; see `stream.lists.MatchTask`."""

    table: str
    list_id: int
    revision: int
    note_failure: Callable[[str, int, int], None]
    shown: WatchlistVersion | Watchmap | None = None

    def load(self) -> WatchlistIndex | WatchmapIndex | None:
        """Read the list; from here on the archive's hits count as a mixture until the task has ended."""
        running = _RUNNING[self.table]
        running.hits_are(self.list_id, 0)
        found = running.to_be_matched(self.list_id)
        if found is None:
            return None
        self.shown, self.revision, index = found
        return index

    def began(self, total: int) -> None:
        """Show that it has begun."""
        if isinstance(self.shown, Watchmap):
            watchmaps.note_match(
                self.shown, match="running", match_total=total, match_done=0, match_message=""
            )
        elif self.shown is not None:
            watchlists.match_began(self.shown, total)

    def progress(self, done: int, hits: int) -> None:
        """Show how far it has come."""
        if isinstance(self.shown, Watchmap):
            watchmaps.note_match(self.shown, match_done=done, match_hits=hits)
        elif self.shown is not None:
            watchlists.match_progress(self.shown, done, hits)

    def ended(self, hits: int) -> None:
        """Show that it is done, and that the archive's hits are of this revision."""
        _RUNNING[self.table].hits_are(self.list_id, self.revision if self.shown else None)
        if isinstance(self.shown, Watchmap):
            watchmaps.note_match(self.shown, match="done", match_hits=hits)
        elif self.shown is not None:
            watchlists.match_ended(self.shown)

    def failed(self, message: str) -> None:
        """Show why it failed; it is tried again when the list changes, or by the next process."""
        self.note_failure(self.table, self.list_id, self.revision)
        if isinstance(self.shown, Watchmap):
            watchmaps.note_match(self.shown, match="failed", match_message=message)
        elif self.shown is not None:
            watchlists.match_ended(self.shown, message)
