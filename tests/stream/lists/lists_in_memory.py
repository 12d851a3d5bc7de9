"""Lists that are held in memory, a stream of one thread, and what an archive then has to hold: told by brute
force."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping

import pyarrow as pa
from packets_model import Packet, Row, batch_of
from subscribed_lists import Subscribed

from lasair_broker.archive import Archive
from lasair_broker.packets import mjd_tai_now
from lasair_broker.sky import Moc, WatchlistIndex, WatchmapIndex, healpix29, separation_arcsec
from lasair_broker.stream import ActiveLists
from lasair_broker.stream.lists import ListKeeper, list_stages

__all__ = ["Lists", "Rows", "Stream", "brute_force", "held", "places", "settle"]

Rows = dict[int, tuple[float, float, float]]


class Lists:
    """Lists and maps in memory: what `Subscriptions` and `ListMatching` ask of the user database."""

    def __init__(self) -> None:
        self.lists: dict[int, Rows] = {}
        self.maps: dict[int, Moc] = {}
        self.revisions: dict[tuple[str, int], int] = {}
        self.held: dict[tuple[str, int], int] = {}
        self.failures: list[str] = []
        self.lock = threading.RLock()
        self._count = 0
        self._active = ActiveLists()

    def put(self, wl_id: int, rows: Rows) -> None:
        with self.lock:
            self.lists[wl_id] = rows
            self._changed("watchlist_hits", wl_id)

    def drop(self, wl_id: int) -> None:
        with self.lock:
            del self.lists[wl_id]
            del self.revisions["watchlist_hits", wl_id]
            self._changed()

    def put_map(self, ar_id: int, moc: Moc) -> None:
        with self.lock:
            self.maps[ar_id] = moc
            self._changed("area_hits", ar_id)

    def _changed(self, *key: object) -> None:
        self._count += 1
        if key:
            self.revisions[key] = self._count  # type: ignore[index]
        self._active = ActiveLists(
            WatchlistIndex.build({wl_id: table_of(rows) for wl_id, rows in self.lists.items()}),
            WatchmapIndex.build(self.maps),
        )

    def lists_now(self) -> ActiveLists:
        return self._active

    def due(self) -> Task | None:
        with self.lock:
            for key in self.held:
                if key not in self.revisions:
                    return Task(self, key, 0)
            for key, revision in self.revisions.items():
                if self.held.get(key) != revision:
                    return Task(self, key, revision)
        return None

    def expect(self, lists: Collection[tuple[str, int]]) -> None:
        with self.lock:
            for key in lists:
                self.held.setdefault(key, 0)

    def again(self, table: str, list_id: int) -> None:
        with self.lock:
            self.held[table, list_id] = 0


class Task:
    """A list to be matched, of `Lists`."""

    def __init__(self, lists: Lists, key: tuple[str, int], revision: int) -> None:
        self.lists, self.key, self.revision = lists, key, revision
        self.table, self.list_id = key
        self.seen: list[tuple[int, int]] = []

    def load(self) -> WatchlistIndex | WatchmapIndex | None:
        with self.lists.lock:
            self.lists.held[self.key] = 0
            self.gone = self.key not in self.lists.revisions
            if self.gone:
                return None
            self.revision = self.lists.revisions[self.key]
            if self.table == "area_hits":
                return WatchmapIndex.build({self.list_id: self.lists.maps[self.list_id]})
            return WatchlistIndex.build({self.list_id: table_of(self.lists.lists[self.list_id])})

    def began(self, total: int) -> None:
        self.total = total

    def progress(self, done: int, hits: int) -> None:
        self.seen.append((done, hits))

    def ended(self, hits: int) -> None:
        with self.lists.lock:
            self.lists.held[self.key] = self.revision
            if self.gone:
                del self.lists.held[self.key]

    def failed(self, message: str) -> None:
        self.lists.failures.append(message)
        self.lists.held[self.key] = self.revision  # not tried again


def table_of(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "cone_id": pa.array(list(rows), pa.int64()),
            "name": pa.array([f"source {cone}" for cone in rows], pa.string()),
            "ra": pa.array([row[0] for row in rows.values()], pa.float64()),
            "decl": pa.array([row[1] for row in rows.values()], pa.float64()),
            "radius": pa.array([row[2] for row in rows.values()], pa.float64()),
        }
    )


def places(archive: Archive) -> Mapping[int, tuple[float, float]]:
    table = archive.query('SELECT "diaObjectId", ra, decl FROM objects', max_rows=None)
    return {row["diaObjectId"]: (row["ra"], row["decl"]) for row in table.to_pylist()}


def brute_force(archive: Archive, lists: Lists) -> tuple[set[tuple[int, int, int]], set[tuple[int, int]]]:
    inside = set()
    within = set()
    for key, (ra, decl) in places(archive).items():
        for wl_id, rows in lists.lists.items():
            for cone_id, (cone_ra, cone_decl, radius) in rows.items():
                if separation_arcsec(ra, decl, cone_ra, cone_decl) <= radius:
                    within.add((key, wl_id, cone_id))
        cell = int(healpix29([ra], [decl])[0])
        for ar_id, moc in lists.maps.items():
            if any(low <= cell < high for low, high in moc.ranges.tolist()):
                inside.add((key, ar_id))
    return within, inside


def held(archive: Archive) -> tuple[set[tuple[int, int, int]], set[tuple[int, int]]]:
    found = []
    for text in (
        'SELECT "diaObjectId", wl_id, cone_id FROM watchlist_hits',
        'SELECT "diaObjectId", ar_id FROM area_hits',
    ):
        rows = [tuple(row.values()) for row in archive.query(text, max_rows=None).to_pylist()]
        assert len(rows) == len(set(rows)), "a hit stands twice"
        found.append(set(rows))
    return found[0], found[1]


class Stream:
    """A stream of one thread, whose batches are processed some time before they are committed."""

    def __init__(self, archive: Archive, lists: Lists, partition: int = 0) -> None:
        self.archive = archive
        self.partition = partition
        self.keeper = ListKeeper(Subscribed(lists.lists_now), archive, lists, every_seconds=0.01)
        self.processed: list[tuple[pa.Table, ...]] = []
        self.sources = 1000 * partition

    def process(self, packets: list[Packet]) -> None:
        batch = batch_of(packets, first_offset=self.sources, arrived=mjd_tai_now())
        for stage in list_stages(self.keeper.lists):
            batch = stage(batch)
        self.processed.append(batch)  # type: ignore[arg-type]

    def commit(self) -> None:
        for batch in self.processed:
            tables = self.keeper.tables([batch], {})  # type: ignore[list-item]
            positions = {("alerts", self.partition): self.sources}
            self.archive.write([batch], positions=positions, tables=tables)  # type: ignore[list-item]
            self.keeper.committed()
            self.keeper.idle()
        self.processed.clear()

    def packet(self, key: int, ra: float, decl: float) -> Packet:
        self.sources += 1
        when = 61_000 + self.sources / 100
        own = Row(self.sources, when)
        return Packet(key, self.sources, when, (own,), ra=ra, decl=decl, images=False)


def settle(stream: Stream, lists: Lists) -> None:
    """Let the background match be done while the stream idles."""
    for _ in range(30_000):
        stream.keeper.idle()
        time.sleep(0.002)
        if not stream.keeper._again and lists.due() is None:  # in this order, as what is lost becomes due
            return
    raise AssertionError("the match does not end")
