"""New, changed and removed events, matched with the objects that are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive, Rematch
from lasair_broker.context import what_made
from lasair_broker.context.events import EVENTS, EventIndex, read_history, revisions
from lasair_broker.packets import AlertBatch
from lasair_broker.schema import arrow_schema

from ..filters import FilterStage, State
from ._chore import Chore, Done, Due
from ._sky import number_of_objects, pieces, solar_system_objects

__all__ = ["EventChore"]

Int64 = npt.NDArray[np.int64]

_DAY_MICROSECONDS = 86_400_000_000
_OBJECTS_AT_ONCE = 20_000
_SEEN = ("diaObjectId", "ra", "decl", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai")


class EventChore(Chore):
    """Gives each event that is new or has changed the hits that it should have, in one transaction.

    While the objects are gone through the stream goes on; those of which an alert was committed meanwhile are
    matched once more at the end.

    Parameters
    ----------
    folder
        Of the events.
    filters
        What is told of objects with a new hit.
    """

    def __init__(self, archive: Archive, folder: Path, filters: FilterStage | None = None) -> None:
        super().__init__(archive, "events")
        self._folder = folder
        self._filters = filters
        self._seen: tuple[object, ...] | None = None
        self._touched: list[Int64] = []

    def due(self) -> Due | None:
        try:
            status = (self._folder / EVENTS).stat()
        except OSError:
            return None
        seen = (status.st_ino, status.st_mtime_ns, status.st_size, self.position)
        if seen == self._seen:
            return None
        rows = read_history(self._folder)
        revision = revisions(rows)
        newest = int(revision.max(initial=0))
        # Another folder than before may be behind in its counting: then nothing that is known holds.
        after = self.position if self.position <= newest else 0
        if after == newest:
            self._seen = seen
            return None
        return Due(newest, self._matched(rows.filter(pa.array(revision > after)).combine_chunks(), newest))

    def made_up_to(self, batch: AlertBatch) -> int:
        return int(what_made(batch.tables.get("event_hits")) or 0)

    def committing(self, batches: Sequence[AlertBatch]) -> None:
        super().committing(batches)
        if self._target is not None:
            self._touched += [batch.objects.column("diaObjectId").to_numpy() for batch in batches]

    def _matched(self, events: pa.Table, target: int) -> Iterator[Done]:
        self._touched = []
        index = EventIndex.build(events)
        parts = pieces(index.covering_ranges(), number_of_objects(self._archive))
        found = [arrow_schema("event_hits").empty_table()]
        for number, ranges in enumerate(parts):
            for places in list(self._archive.object_places(ranges, _OBJECTS_AT_ONCE)):
                near = index.near(places["ra"].to_numpy(), places["decl"].to_numpy())
                if len(near):
                    found.append(self._hits(index, places["diaObjectId"].to_numpy()[near]))
            yield number, len(parts)
        hits = pa.concat_tables(found)
        if self._touched:
            touched = np.unique(np.concatenate(self._touched))
            stay = ~np.isin(hits["diaObjectId"].to_numpy(), touched)
            hits = pa.concat_tables([hits.filter(pa.array(stay)), self._hits(index, touched)])
        self._store(events, hits, target)

    def _hits(self, index: EventIndex, ids: Int64) -> pa.Table:
        hits = index.hits(self._archive.rows_of_objects("objects", ids.tolist(), _SEEN))
        if not hits.num_rows:
            return hits
        bodies = solar_system_objects(self._archive, np.unique(hits["diaObjectId"].to_numpy()))
        return hits.filter(pc.invert(pc.is_in(hits["diaObjectId"], value_set=bodies)))

    def _store(self, events: pa.Table, hits: pa.Table, target: int) -> None:
        numbers = events["mw_id"].to_pylist()
        tables = {"external_events": events}
        told = self._told(events, hits, target)
        if told is not None and told.num_rows:
            tables["filter_hits"] = told
        positions = self._end(target)
        self._archive.rematch({"event_hits": Rematch("mw_id", numbers, hits)}, tables, positions)
        self._ended(positions)
        if told is not None and self._filters is not None:
            self._filters.news_committed(told)

    def _told(self, events: pa.Table, hits: pa.Table, target: int) -> pa.Table | None:
        """What filters find among the objects with hits, each as of its newest event."""
        if self._filters is None or not hits.num_rows:
            return None
        place = pc.index_in(hits["mw_id"], value_set=events["mw_id"].combine_chunks()).to_numpy()
        ids, inverse = np.unique(hits["diaObjectId"].to_numpy(), return_inverse=True)
        newest = np.zeros(len(ids), np.int64)
        np.maximum.at(newest, inverse, revisions(events)[place])
        numbers = events["mw_id"]
        return self._filters.hits_of_matched(
            lambda held: _WithoutEvents(held, numbers.combine_chunks()),
            {"event_hits": hits, "external_events": events},
            ids,
            newest,
            target / _DAY_MICROSECONDS,
        )


class _WithoutEvents:
    """What is held of objects, as if some events had no hits."""

    def __init__(self, held: State, numbers: pa.Array) -> None:
        self._held, self._numbers = held, numbers

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], /, columns: Sequence[str] | None = None
    ) -> pa.Table:
        rows = self._held.rows_of_objects(name, diaObjectIds, columns)
        if name != "event_hits":
            return rows
        return rows.filter(pc.invert(pc.is_in(rows["mw_id"], value_set=self._numbers)))

    def query(self, sql: str, /, *, max_rows: int | None) -> pa.Table:
        return self._held.query(sql, max_rows=max_rows)
