"""What a batch says, in the form in which the archive's tables take it, whatever engine keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import CUTOUTS, AlertBatch
from lasair_broker.schema import TABLES, conform, table

from .packs import Reserved
from .records import Rematch

__all__ = [
    "LISTS",
    "OWN",
    "Counts",
    "checked_list_hits",
    "checked_rematch",
    "images_of",
    "int64_column",
    "last_of",
    "newest_of",
    "placed_alerts",
    "signed_fingerprint",
    "speaks_of_objects",
    "with_column",
]

Int64 = npt.NDArray[np.int64]

OWN = frozenset(
    {"objects", "object_ledger", "alerts", "cutouts", "ssSources", "ssObjects", "mpc_orbits", "avro_schemas"}
    | {"diaSources", "diaForcedSources", "diaNondetectionLimits", "rejected", "stream_positions"}
)
"""Tables that a batch's `tables` do not fill, or not by the general rule."""


LISTS = {"watchlist_hits": "wl_id", "area_hits": "ar_id", "event_hits": "mw_id"}
"""The tables of hits of lists, maps and events, and their column that says of which."""


@dataclass
class Counts:
    """What is counted in a write, as `WriteReport` has it."""

    alerts: int = 0
    duplicates: int = 0
    new_objects: int = 0
    updated_objects: int = 0
    stale_objects: int = 0
    changed_rows: int = 0
    compared_objects: int = 0
    ss_sources: int = 0
    rejected: int = 0
    filter_hits: int = 0
    hitsMjdTai: tuple[float, float] | None = None
    pack_bytes: int = 0
    new_rows: dict[str, int] = field(default_factory=dict)


def speaks_of_objects(name: str) -> bool:
    """Whether the rows of a table say something of objects as they are, not of what happened to them."""
    return TABLES[name].primary_key[0] == "diaObjectId"


def checked_rematch(name: str, found: Rematch) -> tuple[pa.Table, Int64]:
    """The rows and the values of a new match for table `name`, in the table's form.

    Raises
    ------
    ValueError
        If the table is none of matches, or the rows are not of the values named.
    """
    key = table(name).primary_key
    if "diaObjectId" not in key:
        raise ValueError(f"rows of table {name} are no matches of objects")
    if found.column not in key:
        raise ValueError(f"{found.column} is not of the key of table {name}")
    rows = last_of(conform(found.rows, name), key)
    values = pa.array(found.values, pa.int64())
    if not pc.all(
        pc.is_in(rows.column(found.column).cast(pa.int64()), value_set=values), min_count=0
    ).as_py():
        raise ValueError(f"some rows for table {name} have another {found.column} than those named")
    return rows, values.to_numpy()


def checked_list_hits(name: str, list_id: int, hits: pa.Table) -> tuple[pa.Table, str]:
    """The hits of one list, map or event in their table's form, and the table's column that says of which.

    Raises
    ------
    ValueError
        If there is no such table of hits, or some are not of this list.
    """
    if name not in LISTS:
        raise ValueError(f"{name!r} is not a table of hits of lists: {', '.join(LISTS)}")
    column = LISTS[name]
    rows = last_of(conform(hits, name), TABLES[name].primary_key)
    if not pc.all(pc.equal(rows.column(column), list_id), min_count=0).as_py():
        raise ValueError(f"some of the hits are not of {column} {list_id}")
    return rows, column


def signed_fingerprint(batch: AlertBatch) -> int:
    """The fingerprint of a batch's writer schema as the signed number that a column takes."""
    return int(np.uint64(batch.payloads.schema_fingerprint & (2**64 - 1)).view(np.int64))


def int64_column(rows: pa.Table, name: str) -> Int64:
    """An integer column, 0 for NULL."""
    column = rows.column(name).cast(pa.int64())
    if column.null_count:
        column = pc.fill_null(column, 0)
    values: Int64 = column.to_numpy()
    return values


def with_column(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.append_column(name, values) if place < 0 else rows.set_column(place, name, values)


def placed_alerts(
    batch: AlertBatch, keep: Int64, ids: Int64, healpix29: Int64, place: Reserved, committedMjdTai: float
) -> pa.Table:
    """The alerts of a batch to keep, with where their datums will lie.

    An object's alerts lie where the object does, though this packet may have measured another place.

    Parameters
    ----------
    keep
        Their rows in the batch.
    ids, healpix29
        The batch's objects and the cells in which they are held.
    place
        The room reserved for the datums.
    committedMjdTai
        When they are committed.
    """
    alerts = batch.alerts.take(keep)
    if len(ids):
        object_of = pc.index_in(alerts.column("diaObjectId"), pa.array(ids)).to_numpy()
        has_object = ~np.isnan(object_of) if object_of.dtype.kind == "f" else np.ones(len(keep), np.bool_)
        cells = int64_column(alerts, "healpix29").copy()
        cells[has_object] = healpix29[object_of[has_object].astype(np.int64)]
        alerts = with_column(alerts, "healpix29", pa.array(cells))
    pack = pa.DictionaryArray.from_arrays(np.zeros(len(keep), np.int32), [place.pack]).cast(pa.string())
    alerts = with_column(alerts, "pack", pack)
    alerts = with_column(alerts, "packOffset", pa.array(place.offset))
    alerts = with_column(alerts, "packLength", pa.array(batch.payloads.length[keep].astype(np.int32)))
    return with_column(alerts, "committedMjdTai", pa.array(np.full(len(keep), committedMjdTai)))


def images_of(alerts: pa.Table, datum: Int64) -> pa.Table:
    """Rows of `cutouts` for those alerts that have images, given where in the pack their datums begin."""
    columns = {"diaSourceId": alerts.column("diaSourceId"), "pack": alerts.column("pack")}
    some = np.zeros(alerts.num_rows, np.bool_)
    for which in CUTOUTS:
        offset, length = f"cutout{which}Offset", f"cutout{which}Length"
        if offset in alerts.column_names:
            # An empty image is none: `lasair archive tidy` leaves such packets.
            there = pc.greater(alerts.column(length), 0)
            nothing = pa.scalar(None, pa.int64())
            columns[offset] = pc.if_else(
                there, pc.add(alerts.column(offset).cast(pa.int64()), datum), nothing
            )
            columns[length] = pc.if_else(there, alerts.column(length), pa.scalar(None, pa.int32()))
            some |= pc.fill_null(there, False).to_numpy()
    return conform(pa.table(columns).filter(pa.array(some)), "cutouts")


def newest_of(batch: AlertBatch) -> npt.NDArray[np.float64]:
    """Time of the newest detection of each object of a batch (MJD); infinite for an object without any."""
    sent = batch.diaSources.sent
    time = sent.numpy("midpointMjdTai")
    offsets = sent.offsets
    newest = np.full(len(offsets) - 1, np.inf)
    some = offsets[1:] > offsets[:-1]
    newest[some] = time[offsets[1:][some] - 1]
    return newest


def last_of(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """The last row of each key."""
    numbered = table.append_column("row", pa.array(np.arange(table.num_rows)))
    last = numbered.group_by(list(key)).aggregate([("row", "max")]).column("row_max")
    if len(last) == table.num_rows:
        return table
    return table.take(np.sort(last.to_numpy()))
