"""What the stream needs of watchlists, and what matching reports back. These functions act for the system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from django.db import transaction
from django.utils import timezone

from lasair_broker.sky import Triggers, WatchlistIndex
from lasair_broker.web.watchlists import rows as stored_rows
from lasair_broker.web.watchlists.models import (
    MatchedWatchlist,
    Watchlist,
    WatchlistTrigger,
    WatchlistVersion,
)


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


def to_match() -> list[tuple[int, int]]:
    """Active lists of which the archive has not the hits of their newest rows: (wl_id, revision).

    Those changed first come first.
    """
    held = dict(MatchedWatchlist.objects.values_list("wl_id", "revision"))
    now = Watchlist.objects.running().order_by("modified").values_list("pk", "revision")
    return [(pk, revision) for pk, revision in now if held.get(pk) != revision]


def to_remove() -> list[int]:
    """Lists whose hits the archive holds though they are matched no more."""
    running = set(Watchlist.objects.running().values_list("pk", flat=True))
    return sorted(set(MatchedWatchlist.objects.values_list("wl_id", flat=True)) - running)


def to_be_matched(wl_id: int) -> tuple[WatchlistVersion, int, WatchlistIndex] | None:
    """The rows of an active list, their version, and the list's revision; None if it is not active."""
    with transaction.atomic():
        found = Watchlist.objects.running().filter(pk=wl_id).select_related("current").first()
        if found is None or found.current is None:
            return None
        rows = stored_rows.load(found.current)
    return found.current, found.revision, WatchlistIndex.build({wl_id: rows})


def hits_may_come(wl_ids: Sequence[int]) -> None:
    """Note that the archive may hold hits of these lists from now on, if that is not known."""
    MatchedWatchlist.objects.bulk_create(
        (MatchedWatchlist(wl_id=wl_id, revision=0) for wl_id in wl_ids), ignore_conflicts=True
    )


def hits_are(wl_id: int, revision: int | None) -> None:
    """Note of which revision the archive's hits of a list are: 0 for a mixture, None if there are none."""
    if revision is None:
        MatchedWatchlist.objects.filter(wl_id=wl_id).delete()
    else:
        MatchedWatchlist.objects.update_or_create(wl_id=wl_id, defaults={"revision": revision})


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
    """Note it, if the version is still there: its list may have been removed meanwhile."""
    for name, value in values.items():
        setattr(version, name, value)
    WatchlistVersion.objects.filter(pk=version.pk).update(**values)
