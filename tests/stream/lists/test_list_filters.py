"""What lists and triggers find is there for filters, at once: told on the stream, and once an event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive, open_archive
from lasair_broker.query import parse
from lasair_broker.sky import Trigger, Triggers, WatchlistIndex
from lasair_broker.stream import ActiveFilter, ActiveFilters, ActiveLists
from lasair_broker.stream.filters import Budget, FilterStage
from lasair_broker.stream.lists import ListKeeper, list_stages

FLUX = 10 ** (0.4 * (31.4 - 20.0))
EVENTS = parse(
    "SELECT objects.diaObjectId, watchlist_events.eventId, watchlist_events.name, watchlist_events.magnitude "
    "FROM objects JOIN watchlist_events ON objects.diaObjectId = watchlist_events.diaObjectId "
    "WHERE watchlist_events.wl_id = 1 AND watchlist_events.foundMjdTai > mjdnow() - 0.002"
)
HITS = parse(
    "SELECT objects.diaObjectId, watchlist_hits.name, watchlist_hits.arcsec FROM objects "
    "JOIN watchlist_hits ON objects.diaObjectId = watchlist_hits.diaObjectId WHERE watchlist_hits.wl_id = 1"
)


class Asked:
    """Two filters, a list with a trigger; what is told back is kept."""

    def __init__(self) -> None:
        row = {"cone_id": [1], "name": ["V1"], "ra": [10.0], "decl": [-20.0], "radius": [5.0]}
        rule = Trigger(11, 1, magnitude=20.0, consecutive=1, cooldown=0.0)
        self._lists = ActiveLists(WatchlistIndex.build({1: pa.table(row)}), triggers=Triggers.of([rule]))
        self._filters = ActiveFilters(
            (
                ActiveFilter(1, 1, "events", EVENTS),
                ActiveFilter(2, 1, "hits", HITS),
            )
        )
        self.failures: list[str] = []

    def filters(self) -> ActiveFilters:
        return self._filters

    def lists(self) -> ActiveLists:
        return self._lists

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        return pa.table({}), after

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        self.failures.append(message)

    def filters_recovered(self, filters: Sequence[tuple[int, int]]) -> None:
        pass

    def filters_ran(self, runs: object) -> None:
        pass


def test_an_event_is_told_once(tmp_path: Path) -> None:
    asked = Asked()
    with open_archive(tmp_path / "archive") as archive:
        keeper, filters = ListKeeper(asked, archive), FilterStage(archive, asked, Budget(seconds=60.0))
        brightness = [0.5, 2.0, 2.0, 0.5, 3.0, 3.0]  # crosses at the second and at the fifth
        points = [Row(n, 61_000.0 + n, FLUX * flux) for n, flux in enumerate(brightness, 1)]
        for count in range(1, len(points) + 1):
            own = points[count - 1]
            packets = [
                Packet(1, own.id, own.time, tuple(points[:count]), ra=10.0005, images=False),
                Packet(
                    2, own.id + 100, own.time, (Row(own.id + 100, own.time, 9 * FLUX),), ra=11.0, images=False
                ),
            ]
            _commit(archive, keeper, filters, packets)
        hits = archive.query("SELECT * FROM filter_hits ORDER BY filterId, diaSourceId").to_pylist()
        events = archive.query("SELECT * FROM watchlist_events ORDER BY midpointMjdTai").to_pylist()
    assert asked.failures == []
    assert [event["diaSourceId"] for event in events] == [2, 5]
    told = [hit for hit in hits if hit["filterId"] == 1]
    assert [hit["diaSourceId"] for hit in told] == [2, 5]
    for hit, event in zip(told, events, strict=True):
        assert str(event["eventId"]) in hit["content"]
    assert [hit["diaSourceId"] for hit in hits if hit["filterId"] == 2] == [1, 2, 3, 4, 5, 6]


def _commit(archive: Archive, keeper: ListKeeper, filters: FilterStage, packets: list[Packet]) -> None:
    batch = batch_of(packets, arrived=packets[0].time + 0.5)
    for stage in list_stages(keeper.lists):
        batch = stage(batch)
    tables = dict(keeper.tables([batch], {}))
    tables |= filters.tables([batch], tables)
    archive.write([batch], tables=tables)
    filters.committed()
