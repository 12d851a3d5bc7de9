"""What the stream needs of watchmaps. These functions act for the system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lasair_broker.sky import Moc, WatchmapIndex
from lasair_broker.web.watchmaps.models import MatchedWatchmap, Watchmap


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


def to_match() -> list[tuple[int, int]]:
    """Active maps of which the archive has not the hits of their newest region: (ar_id, revision)."""
    held = dict(MatchedWatchmap.objects.values_list("ar_id", "revision"))
    now = Watchmap.objects.running().order_by("modified").values_list("pk", "revision")
    return [(pk, revision) for pk, revision in now if held.get(pk) != revision]


def to_remove() -> list[int]:
    """Maps whose hits the archive holds though they are matched no more."""
    running = set(Watchmap.objects.running().values_list("pk", flat=True))
    return sorted(set(MatchedWatchmap.objects.values_list("ar_id", flat=True)) - running)


def to_be_matched(ar_id: int) -> tuple[Watchmap, int, WatchmapIndex] | None:
    """An active map, its revision and region; None if it is not active."""
    found = Watchmap.objects.running().filter(pk=ar_id).first()
    if found is None:
        return None
    return found, found.revision, WatchmapIndex.build({ar_id: Moc.read(bytes(found.moc))})


def hits_may_come(ar_ids: Sequence[int]) -> None:
    """Note that the archive may hold hits of these maps from now on, if that is not known."""
    MatchedWatchmap.objects.bulk_create(
        (MatchedWatchmap(ar_id=ar_id, revision=0) for ar_id in ar_ids), ignore_conflicts=True
    )


def hits_are(ar_id: int, revision: int | None) -> None:
    """Note of which revision the archive's hits of a map are: 0 for a mixture, None if there are none."""
    if revision is None:
        MatchedWatchmap.objects.filter(ar_id=ar_id).delete()
    else:
        MatchedWatchmap.objects.update_or_create(ar_id=ar_id, defaults={"revision": revision})


def note_match(found: Watchmap, **values: object) -> None:
    """Note how far the match of a map against the archive has come: any of its fields match….

    The rest of the row is left alone: its owner may change it meanwhile.
    """
    Watchmap.objects.filter(pk=found.pk).update(**values)
