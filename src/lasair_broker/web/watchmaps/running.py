"""What the stream needs of watchmaps. These functions act for the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lasair_broker.sky import Moc, WatchmapIndex
from lasair_broker.web.watchmaps.models import Watchmap


@dataclass(frozen=True)
class LoadedWatchmaps:
    """An index of the active maps, and which revision of each it holds."""

    index: WatchmapIndex = field(default_factory=WatchmapIndex)
    revisions: Mapping[int, int] = field(default_factory=dict)


def load_watchmaps(before: LoadedWatchmaps | None = None) -> LoadedWatchmaps:
    """The active maps as they are now; only maps changed since `before` are read. `before` itself if none."""
    before = before or LoadedWatchmaps()
    now = dict(Watchmap.objects.running().values_list("pk", "revision"))
    changed = [pk for pk, revision in now.items() if before.revisions.get(pk) != revision]
    gone = [pk for pk in before.revisions if pk not in now]
    if not changed and not gone:
        return before
    mocs = {
        pk: Moc.read(bytes(moc))
        for pk, moc in Watchmap.objects.filter(pk__in=changed).values_list("pk", "moc")
    }
    if not before.revisions:
        return LoadedWatchmaps(WatchmapIndex.build(mocs), now)
    index = before.index.without_maps(gone)
    for pk, moc in mocs.items():
        index = index.with_map(pk, moc)
    return LoadedWatchmaps(index, now)


def maps_to_match() -> list[Watchmap]:
    """Active maps not yet matched against the archive, oldest first."""
    return list(Watchmap.objects.running().filter(match=Watchmap.Match.WAITING).order_by("created"))


def note_match(found: Watchmap, match: str, *, done: int = 0, total: int = 0, message: str = "") -> None:
    """Note how far the match of a map against the archive has come."""
    found.match, found.match_done, found.match_total, found.match_message = match, done, total, message
    found.save(update_fields=["match", "match_done", "match_total", "match_message"])
