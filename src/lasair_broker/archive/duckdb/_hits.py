"""Hits of filters: stored once, found again by object and by time, and marked when they are delivered.

Table `filter_hits` is only ever appended to and updated in place, so that its rows lie in the order in which
they were committed, and zone maps lead to those of any time. A row is found by two steps: which blocks have
it, by a narrow column, and then the row itself.
"""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import TABLES, arrow_schema, table

from .._batch import last_of
from ._rows import incoming, read_places, snapshot

__all__ = ["CommitTimes", "hits_after", "newest_hits", "note_deliveries", "store_hits"]

Int64 = npt.NDArray[np.int64]

_MICROSECOND = 1e-6 / 86_400.0

_WINDOW_ROWS = 1_000_000
"""Hits that are searched at once for those of one filter."""

_LATELY = 1.0
"""Hits are mostly delivered within so many days; only if one is older all are searched for it."""

_NAMES = list(arrow_schema("filter_hits").names)


class CommitTimes:
    """The times given to hits as they are committed, which never fall, whatever the clock does."""

    def __init__(self) -> None:
        self._last: float | None = None

    def next(self, connection: Any) -> float:
        """The time for the hits of a transaction on `connection`, MJD TAI: later than that of any before."""
        if self._last is None:
            (found,) = connection.execute("SELECT max(committedMjdTai) FROM filter_hits").fetchone()
            self._last = -np.inf if found is None else found
        self._last = max(mjd_tai_now(), self._last + _MICROSECOND)
        return self._last


def store_hits(connection: Any, hits: pa.Table, new_sources: Int64, committedMjdTai: float) -> int:
    """Store hits that are not there yet; how many these were.

    Hits of one `hitId` are of one object, so that only those of the same objects have to be looked at.

    Parameters
    ----------
    connection
        Within the transaction.
    hits
        Rows of `filter_hits`; of several with one `hitId` the last is stored.
    new_sources
        Detections that the archive did not have before this transaction: their hits cannot be there.
    committedMjdTai
        The time of this transaction.
    """
    hits = last_of(hits, TABLES["filter_hits"].primary_key)
    sources = hits.column("diaSourceId")
    old = sources.is_null().to_numpy() | ~np.isin(sources.fill_null(0).to_numpy(), new_sources)
    if old.any():
        known = _stored_ids(connection, hits.filter(pa.array(old)))
        hits = hits.filter(pc.invert(pc.is_in(hits.column("hitId"), known)))
    if hits.num_rows:
        times = pa.array(np.full(hits.num_rows, committedMjdTai))
        hits = hits.set_column(_NAMES.index("committedMjdTai"), "committedMjdTai", times)
        with incoming(connection, arrived=hits):
            connection.execute("INSERT INTO filter_hits BY NAME SELECT * FROM arrived")
    return int(hits.num_rows)


def _stored_ids(connection: Any, hits: pa.Table) -> pa.ChunkedArray:
    """The ids of the hits that are stored of the objects of these hits."""
    with incoming(connection, arrived=hits.select(["diaObjectId"])):
        places = connection.execute(
            "SELECT rowid AS place FROM filter_hits SEMI JOIN arrived USING (diaObjectId)"
        ).to_arrow_table()
    return read_places(connection, "filter_hits", ["hitId"], places).column("hitId")


def newest_hits(
    connection: Any, filterIds: Sequence[int], diaObjectIds: Sequence[int], columns: Sequence[str] | None
) -> pa.Table:
    """The newest hit of each filter and object; of hits committed together the one that was given last."""
    filters = pa.table({"filterId": pa.array(filterIds, pa.int64())})
    objects = pa.table({"diaObjectId": pa.array(diaObjectIds, pa.int64())})
    definition = table("filter_hits")
    names = _NAMES if columns is None else [definition.column(name).name for name in columns]
    with snapshot(connection):
        with incoming(connection, filters=filters, objects=objects):
            found = connection.execute(
                "SELECT rowid AS place, filterId, diaObjectId, committedMjdTai FROM filter_hits "
                "SEMI JOIN objects USING (diaObjectId) SEMI JOIN filters USING (filterId)"
            ).to_arrow_table()
        keys = ("place", "committedMjdTai", "diaObjectId", "filterId")
        order = np.lexsort([found.column(name).to_numpy() for name in keys])
        newest = last_of(found.take(order), ("filterId", "diaObjectId"))
        if set(names) <= set(found.column_names):
            return newest.select(names)
        return read_places(connection, "filter_hits", names, newest.select(["place"]))


def hits_after(
    connection: Any, filterId: int, after: tuple[float, str], until: float | None, limit: int
) -> pa.Table:
    """Hits of a filter in order of (committedMjdTai, hitId), from behind `after` on.

    What is old is searched window by window of time until there are enough, so that a page of an old interval
    does not cost a look at everything since.
    """
    time, hit = float(after[0]), after[1]
    pages: list[pa.Table] = []
    with snapshot(connection):
        place = _place_of(connection, time)
        window = _WINDOW_ROWS
        low = time
        while place is not None and limit > 0:
            high = connection.execute(
                "SELECT committedMjdTai FROM filter_hits WHERE rowid = ?", [place + window]
            ).fetchone()
            if high is not None and high[0] <= low:
                window *= 2  # more hits than that were committed at once
                continue
            last = high is None or (until is not None and high[0] > until)
            bound, values = "TRUE", [int(filterId), low, time, hit]
            if last and until is not None:
                bound, values = "committedMjdTai <= ?", [*values, float(until)]
            elif high is not None:
                bound, values = "committedMjdTai < ?", [*values, high[0]]
            places = connection.execute(
                "SELECT rowid AS place FROM filter_hits WHERE filterId = ? AND committedMjdTai >= ? "
                f"AND (committedMjdTai > ? OR hitId > ?) AND {bound} "
                "ORDER BY committedMjdTai, hitId LIMIT ?",
                [*values, int(limit)],
            ).to_arrow_table()
            pages.append(read_places(connection, "filter_hits", _NAMES, places))
            limit -= places.num_rows
            if last:
                break
            place, low, window = place + window, high[0], _WINDOW_ROWS
    hits = pa.concat_tables([arrow_schema("filter_hits").empty_table(), *pages])
    return hits.sort_by([("committedMjdTai", "ascending"), ("hitId", "ascending")])


def _place_of(connection: Any, time: float) -> int | None:
    """The row id of some hit committed at this time or, if there is none, after it; None if there is none."""
    found = connection.execute(
        "SELECT rowid FROM filter_hits WHERE committedMjdTai >= ? LIMIT 1", [float(time)]
    ).fetchone()
    return None if found is None else int(found[0])


def note_deliveries(connection: Any, deliveries: pa.Table) -> None:
    """Note how hits were delivered, within a transaction; hits that are not there are left out."""
    names = ["hitId", "deliveredMjdTai", "deliveryAttempts", "deliveryError"]
    rows = last_of(deliveries.select(names), ("hitId",))
    schema = arrow_schema("filter_hits")
    rows = rows.cast(pa.schema([schema.field(name) for name in names]))
    since = mjd_tai_now() - _LATELY
    with incoming(connection, deliveries=rows):
        places = _places(connection, f"committedMjdTai >= {since!r}")
        if places.num_rows < rows.num_rows:
            places = pa.concat_tables([places, _places(connection, f"committedMjdTai < {since!r}")])
        if not places.num_rows:
            return
        with incoming(connection, places=places):
            connection.execute(
                "UPDATE filter_hits SET deliveredMjdTai = coalesce(filter_hits.deliveredMjdTai, "
                "n.deliveredMjdTai), "
                "deliveryAttempts = coalesce(filter_hits.deliveryAttempts, 0) + n.deliveryAttempts, "
                "deliveryError = CASE WHEN coalesce(filter_hits.deliveredMjdTai, n.deliveredMjdTai) IS NULL "
                "THEN n.deliveryError END "
                "FROM (SELECT * FROM places JOIN deliveries USING (hitId)) n "
                "WHERE filter_hits.rowid = n.place"
            )


def _places(connection: Any, condition: str) -> pa.Table:
    return connection.execute(
        f"SELECT rowid AS place, hitId FROM filter_hits SEMI JOIN deliveries USING (hitId) WHERE {condition}"
    ).to_arrow_table()
