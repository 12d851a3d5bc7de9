"""What of a batch's light curves is new to the archive, whatever engine keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch, SourceTable, band_codes
from lasair_broker.schema import arrow_schema

from . import _ledger

__all__ = [
    "CURVES",
    "CurveTable",
    "Held",
    "LightCurveNews",
    "ReadCurves",
    "StoredRows",
    "held_in",
    "ledger_rows",
    "light_curve_news",
    "rows_beyond",
    "with_originals",
]

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CurveTable:
    """A light curve table: its column of ids, if it has one, and its columns in the ledger."""

    table: str
    id: str | None
    count: str
    total: str
    newest: str | None

    @property
    def key(self) -> tuple[str, str]:
        """The columns that make the hash of a row."""
        return ("band", "midpointMjdTai") if self.id is None else (self.id, "timeWithdrawnMjdTai")


CURVES = (
    CurveTable("diaSources", "diaSourceId", "nSources", "sourcesHash", "newestSourceMjdTai"),
    CurveTable("diaForcedSources", "diaForcedSourceId", "nForcedSources", "forcedHash", "newestForcedMjdTai"),
    CurveTable("diaNondetectionLimits", None, "nNondetectionLimits", "limitsHash", None),
)

ReadCurves = Callable[[CurveTable, Int64, Float64 | None], pa.Table]
"""Reads the rows held of some of a batch's objects, given by their places; of each from before a time, or
all. They have at least `diaObjectId` and the columns of the key."""

StoredRows = Callable[[CurveTable, pa.Table], pa.Table]
"""Reads the rows held of some objects, given a table of objects (object, diaObjectId, healpix29, first): for
each row, in no order, the object, and its id and timeWithdrawnMjdTai, or for non-detections its band and
midpointMjdTai; of each object those from the time `first` on."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger says of the objects of a batch; 0, or NaN, for objects not held.

    Attributes
    ----------
    known
        Which objects are held.
    healpix29
        Their cell, the batch's own for objects not held.
    columns
        The ledger's columns, by name.
    """

    known: Bool
    healpix29: Int64
    columns: dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class LightCurveNews:
    """New rows of one light curve table.

    Attributes
    ----------
    table, rows
        The batch's table, and its rows to add.
    changed
        Its rows to put in the place of those held.
    compared
        Objects whose rows had to be compared.
    withdrawn
        The ids of rows of these that are held as withdrawn.
    ledger
        The columns of the ledger as they become, by name.
    touched
        Objects with rows to add or to change.
    """

    name: str
    table: SourceTable
    rows: Int64
    changed: Int64
    compared: int
    withdrawn: Int64
    ledger: dict[str, npt.NDArray[Any]]
    touched: Bool


def light_curve_news(
    stored_rows: StoredRows, batch: AlertBatch, ids: Int64, held: Held
) -> list[LightCurveNews]:
    """What is new in each light curve table of a batch whose objects are `ids`."""
    return [_news(stored_rows, names, getattr(batch, names.table), ids, held) for names in CURVES]


def rows_beyond(
    read: ReadCurves, batch: AlertBatch, ids: Int64, held: Held, *, every: bool
) -> dict[str, pa.Table]:
    """Rows held that the batch may not bring, by light curve table; or all that are held of `every` object.

    A packet of which the ledger says that it does not begin where an object's rows begin most often lacks
    only the oldest, which have left the time that packets tell of. So these are read first; with them the
    ledger says whether the packet has the others. Only if not, all are read.
    """
    out = {}
    for names in CURVES:
        table: SourceTable = getattr(batch, names.table).sent
        count, total = held.columns[names.count], held.columns[names.total].view(np.uint64)
        has_rows = count > 0
        if every or not has_rows.any():
            out[names.table] = read(names, np.flatnonzero(has_rows), None)
            continue
        key, time, _, hashes = _keyed(names, table)
        told = np.diff(table.offsets) > 0
        doubtful = _ledger.extend(table.offsets, key, time, hashes, count, total)[1]
        first = np.full(len(ids), np.inf)
        first[told] = time[table.offsets[:-1][told]]
        older = np.flatnonzero(has_rows & (doubtful | ~told))
        rows = read(names, older, first[older])
        before = _sums_of(names, rows, ids)
        doubtful = _ledger.extend(table.offsets, key, time, hashes, count, total, *before)[1]
        if doubtful.any():
            rows = pa.concat_tables([rows, read(names, np.flatnonzero(doubtful), None)])
        out[names.table] = rows
    return out


def _sums_of(names: CurveTable, rows: pa.Table, ids: Int64) -> tuple[Int64, UInt64]:
    """Number and sum of hashes of the rows of each of the objects `ids`, which ascend."""
    key, withdrawn = _keys_of(names, rows.select(names.key))
    objects = np.searchsorted(ids, rows.column("diaObjectId").to_numpy())
    return _ledger.row_sums(objects, _ledger.row_hashes(key, withdrawn), len(ids))


def _sums_before(names: CurveTable, table: SourceTable) -> tuple[Int64, UInt64]:
    """Number and sum of hashes of the rows of each object that are known from before those that packets
    brought."""
    sent = table.sent
    # Rows are in order of time, so that what stands before the first that was sent was known.
    counts = np.diff(table.offsets)
    first = np.full(len(counts), np.inf)
    told = np.diff(sent.offsets) > 0
    first[told] = sent.numpy("midpointMjdTai")[sent.offsets[:-1][told]]
    before = np.flatnonzero(table.numpy("midpointMjdTai") < first[table.object_row])
    key, withdrawn = _keys_of(names, table.take(before, names.key))
    return _ledger.row_sums(table.object_row[before], _ledger.row_hashes(key, withdrawn), len(counts))


def held_in(batch: AlertBatch, ids: Int64, found: pa.Table | None) -> Held:
    """What the ledger says of the objects `ids` of a batch.

    Parameters
    ----------
    found
        The ledger's rows of those held, with one more column, `object`: their places in `ids`; None if there
        are none.
    """
    columns: dict[str, npt.NDArray[Any]] = {
        field.name: np.full(len(ids), np.nan)
        if pa.types.is_floating(field.type)
        else np.zeros(len(ids), np.int64)
        for field in arrow_schema("object_ledger")
    }
    known = np.zeros(len(ids), np.bool_)
    healpix29 = batch.objects.column("healpix29").cast(pa.int64()).to_numpy().copy()
    if found is not None:
        place = found.column("object").to_numpy()
        known[place] = True
        for name, values in columns.items():
            values[place] = found.column(name).to_numpy()
        healpix29[place] = columns["healpix29"][place]
    return Held(known, healpix29, columns)


def ledger_rows(ids: Int64, held: Held, news: list[LightCurveNews], touched: Bool) -> pa.Table:
    """The ledger's rows of the touched objects as they become."""
    columns = {**held.columns, "diaObjectId": ids, "healpix29": held.healpix29}
    for curves in news:
        columns.update(curves.ledger)
    return pa.table(
        {
            field.name: pa.array(
                columns[field.name][touched],
                from_pandas=True,  # NaN, the newest time of no rows, is NULL
            ).cast(field.type)
            for field in arrow_schema("object_ledger")
        }
    )


def _keyed(
    names: CurveTable, table: SourceTable
) -> tuple[Int64, npt.NDArray[np.float64], npt.NDArray[np.float64], UInt64]:
    """Key, time, time of withdrawal (NaN: none) and hash of each row of a light curve table."""
    time = table.numpy("midpointMjdTai")
    if names.id is None:
        key = _ledger.limit_keys(time, table.numpy("band"))
        withdrawn = np.full(len(key), np.nan)
    else:
        key = table.numpy(names.id)
        withdrawn = table.numpy("timeWithdrawnMjdTai")
    return key, time, withdrawn, _ledger.row_hashes(key, withdrawn)


def _news(
    stored_rows: StoredRows, names: CurveTable, united: SourceTable, ids: Int64, held: Held
) -> LightCurveNews:
    # Of the rows that packets brought: what is known besides, the archive has.
    table = united.sent
    key, time, withdrawn, hashes = _keyed(names, table)
    known = held.columns[names.count], held.columns[names.total].view(np.uint64)
    new, doubtful, count, total = _ledger.extend(
        table.offsets, key, time, hashes, *known, *_sums_before(names, united)
    )
    changed = np.zeros(0, np.bool_)
    held_withdrawn = np.zeros(0, np.int64)
    if doubtful.any():
        objects = np.flatnonzero(doubtful)
        wanted = pa.table(
            {
                "object": np.arange(len(objects)),
                "diaObjectId": ids[objects],
                "healpix29": held.healpix29[objects],
                "first": time[table.offsets[objects]],
            }
        )
        stored = _by_object(names, stored_rows(names, wanted), len(objects))
        changed = _ledger.compare(
            objects, table.offsets, key, time, withdrawn, hashes, *stored, new, count, total
        )
        held_withdrawn = stored[1][~np.isnan(stored[2])]
    rows, changed_rows = np.flatnonzero(new), np.flatnonzero(changed)
    touched = np.zeros(len(ids), np.bool_)
    touched[table.object_row[rows]] = True
    touched[table.object_row[changed_rows]] = True
    ledger: dict[str, npt.NDArray[Any]] = {names.count: count, names.total: total.view(np.int64)}
    if names.newest is not None:
        newest = held.columns[names.newest].copy()
        np.fmax.at(newest, table.object_row[rows], time[rows])
        ledger[names.newest] = newest
    return LightCurveNews(
        names.table,
        table.with_per_object({"healpix29": held.healpix29}),
        rows,
        changed_rows,
        int(doubtful.sum()),
        held_withdrawn,
        ledger,
        touched,
    )


def with_originals(sources: LightCurveNews, alerted: Int64) -> LightCurveNews:
    """New detections, and in the place of those held as a later packet repeated them the original ones.

    Parameters
    ----------
    sources
        The news of table diaSources.
    alerted
        Detections that are held, and whose own packets are stored only now. The packet says more than what
        repeats it, and says it more exactly (ZTF rounds).
    """
    if not len(alerted):
        return sources
    ids = sources.table.numpy("diaSourceId")
    original = np.isin(ids, alerted)
    # What is withdrawn stays as it is. Where rows did not have to be compared, both sides agree in that.
    original &= np.isnan(sources.table.numpy("timeWithdrawnMjdTai")) & ~np.isin(ids, sources.withdrawn)
    return replace(sources, changed=np.union1d(sources.changed, np.flatnonzero(original)))


def _by_object(
    names: CurveTable, found: pa.Table, objects: int
) -> tuple[Int64, Int64, npt.NDArray[np.float64]]:
    """Offsets, keys and withdrawal times of stored rows, put in order of their objects."""
    objects_of = found.column(0).to_numpy()
    key, withdrawn = _keys_of(names, found.remove_column(0))
    order = np.argsort(objects_of, kind="stable")
    offsets = np.searchsorted(objects_of[order], np.arange(objects + 1))
    return offsets, key[order], withdrawn[order]


def _keys_of(names: CurveTable, rows: pa.Table) -> tuple[Int64, Float64]:
    """Key and time of withdrawal (NaN: none) of stored rows, given the columns of the key."""
    if names.id is None:
        bands = rows.column(0).combine_chunks().dictionary_encode()
        codes = band_codes(bands.dictionary.to_pylist())[bands.indices.to_numpy(zero_copy_only=False)]
        return _ledger.limit_keys(rows.column(1).to_numpy(), codes), np.full(len(rows), np.nan)
    return rows.column(0).to_numpy(), rows.column(1).to_numpy()
