"""The sky in pieces with few enough objects for a step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive
from lasair_broker.sky import WatchlistIndex

__all__ = ["WANDERED_ARCSEC", "around", "number_of_objects", "pieces", "solar_system_objects", "whole_sky"]

Int64 = npt.NDArray[np.int64]

WANDERED_ARCSEC = 10.0
"""An object is stored by the place where it was first seen, and may have been placed so far off since."""

_LINKS = ("diaObjectId", "midpointMjdTai", "ssObjectId")
_ORDER = 29
_OBJECTS = 5000
_FINEST = 7


def number_of_objects(archive: Archive) -> int:
    """How many objects there are."""
    return int(archive.query("SELECT count(*) AS n FROM objects", timeout=None).column("n")[0].as_py())


def solar_system_objects(archive: Archive, diaObjectIds: Int64) -> pa.Array:
    """Those objects of which the newest alert is linked to a body of the solar system."""
    alerts = archive.rows_of_objects("alerts", diaObjectIds.tolist(), _LINKS)
    linked = pc.fill_null(pc.not_equal(alerts["ssObjectId"], 0), False)
    alerts = alerts.append_column("linked", linked).sort_by("midpointMjdTai")
    newest = alerts.group_by("diaObjectId", use_threads=False).aggregate([("linked", "last")])
    return newest.filter(newest["linked_last"])["diaObjectId"].combine_chunks()


def around(ra: pa.ChunkedArray, decl: pa.ChunkedArray, radius_arcsec: float) -> WatchlistIndex:
    """Cones of one radius around positions (degrees)."""
    count = len(ra)
    cones = {
        "cone_id": np.arange(count),
        "name": pa.repeat("", count),
        "ra": ra,
        "decl": decl,
        "radius": np.full(count, radius_arcsec),
    }
    return WatchlistIndex.build({0: pa.table(cones)}) if count else WatchlistIndex()


def whole_sky(objects: int) -> list[Int64]:
    """The whole sky in pieces with some 5,000 of so many objects each."""
    return pieces(np.array([[0, 12 << (2 * _ORDER)]], np.int64), objects)


def pieces(ranges: Int64, objects: int) -> list[Int64]:
    """Ranges of healpix29, (n, 2), ascending and disjoint, cut at the bounds of larger cells, each of which
    holds some 5,000 of so many objects on the whole sky: the ranges within each."""
    order = min(_FINEST, max(0, int(np.ceil(np.log(max(objects, 1) / (12 * _OBJECTS)) / np.log(4.0)))))
    shift = 2 * (_ORDER - order)
    found = []
    for cell in range(12 << (2 * order)):
        low, high = cell << shift, (cell + 1) << shift
        begin, end = np.searchsorted(ranges[:, 1], low, "right"), np.searchsorted(ranges[:, 0], high, "left")
        if end > begin:
            found.append(np.clip(ranges[begin:end], low, high))
    return found
