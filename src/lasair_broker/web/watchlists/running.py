"""What the stream needs of watchlists, and what matching reports back. These functions act for the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from django.utils import timezone

from lasair_broker.sky import Triggers, WatchlistIndex
from lasair_broker.web.watchlists import rows as stored_rows
from lasair_broker.web.watchlists.models import Watchlist, WatchlistTrigger, WatchlistVersion


@dataclass(frozen=True)
class LoadedWatchlists:
    """An index of the active lists, and which revision of each it holds."""

    index: WatchlistIndex = field(default_factory=WatchlistIndex)
    revisions: Mapping[int, int] = field(default_factory=dict)


def load_watchlists(before: LoadedWatchlists | None = None) -> LoadedWatchlists:
    """The active lists as they are now. Only lists changed since `before` are read; itself, if none."""
    before = before or LoadedWatchlists()
    now = dict(Watchlist.objects.running().values_list("pk", "revision"))
    changed = [pk for pk, revision in now.items() if before.revisions.get(pk) != revision]
    gone = [pk for pk in before.revisions if pk not in now]
    if not changed and not gone:
        return before
    tables: dict[int, pa.Table] = {}
    for found in Watchlist.objects.filter(pk__in=changed).select_related("current"):
        if found.current is not None:
            tables[found.pk] = stored_rows.load(found.current)
            now[found.pk] = found.revision
    if not before.revisions:
        return LoadedWatchlists(WatchlistIndex.build(tables), now)
    index = before.index.without_lists(gone)
    for pk, table in tables.items():
        index = index.with_list(pk, table)
    return LoadedWatchlists(index, now)


def load_triggers() -> Triggers:
    """The active magnitude triggers of active lists."""
    found = WatchlistTrigger.objects.filter(active=True, watchlist__in=Watchlist.objects.running())
    return Triggers.of([trigger.as_kernel_trigger() for trigger in found.order_by("pk")])


def versions_to_match() -> list[WatchlistVersion]:
    """Current versions not yet matched against the archive, oldest first."""
    waiting = WatchlistVersion.objects.filter(current_of__isnull=False, match=WatchlistVersion.Match.WAITING)
    return list(waiting.select_related("watchlist").order_by("created"))


def match_began(version: WatchlistVersion, total: int) -> None:
    """Matching against `total` objects of the archive begins."""
    _note(
        version,
        match=WatchlistVersion.Match.RUNNING,
        match_began=timezone.now(),
        match_total=total,
        match_done=0,
    )


def match_progress(version: WatchlistVersion, done: int, hits: int) -> None:
    """So many objects were looked at and so many hits found."""
    _note(version, match_done=done, match_hits=hits)


def match_ended(version: WatchlistVersion, message: str = "") -> None:
    """Matching is done, or has failed with `message`."""
    how = WatchlistVersion.Match.FAILED if message else WatchlistVersion.Match.DONE
    _note(version, match=how, match_ended=timezone.now(), match_message=message)


def _note(version: WatchlistVersion, **values: object) -> None:
    for name, value in values.items():
        setattr(version, name, value)
    version.save(update_fields=list(values))
