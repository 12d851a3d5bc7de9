"""New and revised events, and their withdrawals, carried to the objects that are stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from lasair_broker.archive import Archive, Rematch
from lasair_broker.context.events import read_history, read_versions, revisions
from lasair_broker.messengers import (
    CANDIDATE_COLUMNS,
    PROBABILITY_COLUMNS,
    Background,
    Candidates,
    MessengerIndex,
    associate,
)
from lasair_broker.packets import AlertBatch
from lasair_broker.schema import arrow_schema, quoted

from ..context._chore import Chore, Done, Due
from ..context._sky import solar_system_objects
from ..filters import FilterStage, State
from ._loader import MessengerLoader
from ._stage import made_up_to

__all__ = ["MessengerChore"]

Int64 = npt.NDArray[np.int64]

_log = structlog.get_logger(__name__)

_DAY_MICROSECONDS = 86_400_000_000
_BACKGROUND_DAYS = 60.0
_MOST_MEASURED = 100_000
_PIECES = 48
"""The sky is gone through in so many pieces, base cells cut in four."""

_SHIFT = 2 * (29 - 1)
_LOOK_SECONDS = 600.0
"""How often it is looked whether a day of data has come."""


class MessengerChore(Chore):
    """Gives each event that is new or has changed its row of every stored object that it should have.

    Before, and again each day of data, it is measured how often the stream has new objects that have
    nothing to do with any event. All events get their rows anew then.

    Parameters
    ----------
    loader
        That of the stage.
    filters
        What is told of objects with a row that is new.
    clock
        Seconds, steadily increasing.
    """

    def __init__(
        self,
        archive: Archive,
        loader: MessengerLoader,
        filters: FilterStage | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(archive, "messengers")
        self._loader = loader
        self._filters = filters
        self._touched: list[Int64] = []
        self._clock = clock
        self._measured = self._look_again = -np.inf

    def due(self) -> Due | None:
        loaded = self._loader.current()
        if loaded is None or self._loader.folder is None:
            return None
        measure_at = self._measure_due()
        if loaded.revision == self.position and measure_at is None:
            return None
        # Another folder than before may be behind in its counting: then nothing that is known holds.
        after = self.position if self.position <= loaded.revision else 0
        return Due(loaded.revision, self._carried(after, loaded.revision, measure_at))

    def made_up_to(self, batch: AlertBatch) -> int:
        return made_up_to(batch)

    def committing(self, batches: Sequence[AlertBatch]) -> None:
        super().committing(batches)
        if self._target is not None:
            self._touched += [batch.objects.column("diaObjectId").to_numpy() for batch in batches]

    def _measure_due(self) -> float | None:
        """The time of the newest detection, if there is a day of data more than when it was last measured."""
        now = self._clock()
        if now < self._look_again:
            return None
        self._look_again = now + _LOOK_SECONDS
        newest = self._archive.status().newestSourceMjdTai
        return newest if newest is not None and newest >= self._measured + 1.0 else None

    def _carried(self, after: int, target: int, measure_at: float | None) -> Iterator[Done]:
        self._touched = []
        yield 0, _PIECES + 1
        if measure_at is not None:
            self._measure(measure_at)
            yield 1, _PIECES + 1
        loaded, folder = self._loader.current(), self._loader.folder
        if loaded is None or folder is None:
            return
        rows = read_history(folder)
        # What is known of chance has changed for all of them.
        changed = rows if measure_at is not None else rows.filter(pa.array(revisions(rows) > after))
        index = loaded.index.only(set(changed["mw_id"].to_pylist()))
        told = rows.filter(pa.array(revisions(rows) > after))
        found = [arrow_schema("mma_hits").empty_table()]
        for piece in range(_PIECES if len(index) else 0):
            found.append(self._hits(index, self._near(index, piece)))
            yield piece + 1, _PIECES + 1
        hits = pa.concat_tables(found)
        if self._touched:
            touched = np.unique(np.concatenate(self._touched))
            stay = ~np.isin(hits["diaObjectId"].to_numpy(), touched)
            objects = self._archive.rows_of_objects("objects", touched.tolist(), CANDIDATE_COLUMNS)
            hits = pa.concat_tables([hits.filter(pa.array(stay)), self._hits(index, objects)])
        self._store(changed.combine_chunks(), told, hits, target)

    # What is in the archive

    def _measure(self, until: float) -> None:
        """Measure how often there are new objects, with as long a time as has not too many."""
        days = _BACKGROUND_DAYS
        while days > 1.0 and self._count(until - days, until) > _MOST_MEASURED:
            days /= 2.0
        objects = self._query(
            f'"firstDiaSourceMjdTai" >= {until - days!r} AND "firstDiaSourceMjdTai" < {until!r}'
        )
        loaded = self._loader.current()
        earliest = pc.min(objects["firstDiaSourceMjdTai"]).as_py()
        if earliest is None:
            return
        background = Background.measure(
            self._candidates(objects), earliest, until, None if loaded is None else loaded.index
        )
        if background is not None:
            self._measured = until
            self._loader.learn(background)
            rates = [round(float(rate), 6) for rate in background.rate]
            _log.info("rate of new objects measured", days=until - earliest, objects=len(background.sample),
                      a_square_degree_and_day=rates)  # fmt: skip

    def _count(self, since: float, until: float) -> int:
        found = self._archive.query(
            f'SELECT count(*) AS n FROM objects WHERE "firstDiaSourceMjdTai" >= {since!r} '  # noqa: S608 - numbers
            f'AND "firstDiaSourceMjdTai" < {until!r}',
            timeout=None,
        )
        return int(found["n"][0].as_py())

    def _near(self, index: MessengerIndex, piece: int) -> pa.Table:
        """Objects of a piece of the sky that were seen when one of the events may have shown."""
        begin, end = index.window()
        since = index.events["eventMjdTai"].to_numpy()
        low, high = piece << _SHIFT, (piece + 1) << _SHIFT
        last = float(np.minimum(since, begin).min()) - 1.0
        return self._query(
            f"healpix29 >= {low} AND healpix29 < {high} "
            f'AND "lastDiaSourceMjdTai" >= {last!r} AND "firstDiaSourceMjdTai" <= {float(end.max())!r}'
        )

    def _query(self, condition: str) -> pa.Table:
        names = ", ".join(quoted(name) for name in CANDIDATE_COLUMNS)
        sql = f"SELECT {names} FROM objects WHERE {condition}"  # noqa: S608 - numbers and names of the schema
        return self._archive.query(sql, max_rows=None, timeout=None)

    def _candidates(self, objects: pa.Table) -> Candidates:
        ids = objects["diaObjectId"].to_pylist()
        held = self._archive.rows_of_objects
        return Candidates.of_tables(
            objects,
            held("sherlock_classifications", ids),
            held("sherlock_crossmatches", ids),
            held("classifications", ids, PROBABILITY_COLUMNS),
        )

    def _hits(self, index: MessengerIndex, objects: pa.Table) -> pa.Table:
        first = associate(Candidates.of_tables(objects), index)
        if not first.num_rows:
            return first
        # What is known at their places is read only of those that lie where it matters.
        some = objects.filter(
            pc.is_in(objects["diaObjectId"], value_set=first["diaObjectId"].combine_chunks())
        )
        hits = associate(self._candidates(some), index)
        bodies = solar_system_objects(self._archive, np.unique(hits["diaObjectId"].to_numpy()))
        return hits.filter(pc.invert(pc.is_in(hits["diaObjectId"], value_set=bodies)))

    # What is stored and told

    def _store(self, changed: pa.Table, told: pa.Table, hits: pa.Table, target: int) -> None:
        folder = self._loader.folder
        assert folder is not None  # noqa: S101 - for the type checker
        versions = read_versions(folder)
        wanted = set(zip(told["origin"].to_pylist(), told["eventName"].to_pylist(), strict=True))
        pairs = zip(versions["origin"].to_pylist(), versions["eventName"].to_pylist(), strict=True)
        versions = versions.filter(pa.array([pair in wanted for pair in pairs], pa.bool_()))
        tables = {"external_events": told, "event_versions": versions}
        found = self._told(told, hits, target)
        if found is not None and found.num_rows:
            tables["filter_hits"] = found
        positions = self._end(target)
        self._archive.rematch(
            {"mma_hits": Rematch("mw_id", changed["mw_id"].to_pylist(), hits)}, tables, positions
        )
        self._ended(positions)
        if found is not None and self._filters is not None:
            self._filters.news_committed(found)

    def _told(self, events: pa.Table, hits: pa.Table, target: int) -> pa.Table | None:
        """What filters find among the objects of events that have changed, each as of its newest event."""
        numbers = events["mw_id"].combine_chunks()
        hits = hits.filter(pc.is_in(hits["mw_id"], value_set=numbers))
        if self._filters is None or not hits.num_rows:
            return None
        place = pc.index_in(hits["mw_id"], value_set=numbers).to_numpy()
        ids, inverse = np.unique(hits["diaObjectId"].to_numpy(), return_inverse=True)
        newest = np.zeros(len(ids), np.int64)
        np.maximum.at(newest, inverse, revisions(events)[place])
        return self._filters.hits_of_matched(
            lambda held: _WithoutEvents(held, numbers),
            {"mma_hits": hits, "external_events": events},
            ids,
            newest,
            target / _DAY_MICROSECONDS,
        )


class _WithoutEvents:
    """What is held of objects, as if some events had no rows of `mma_hits`."""

    def __init__(self, held: State, numbers: pa.Array) -> None:
        self._held, self._numbers = held, numbers

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], /, columns: Sequence[str] | None = None
    ) -> pa.Table:
        rows = self._held.rows_of_objects(name, diaObjectIds, columns)
        if name != "mma_hits":
            return rows
        return rows.filter(pc.invert(pc.is_in(rows["mw_id"], value_set=self._numbers)))

    def query(self, sql: str, /, *, max_rows: int | None) -> pa.Table:
        return self._held.query(sql, max_rows=max_rows)
