"""Uniting the light curves of a batch with what is known of its objects besides.

A packet tells a month (ZTF) or a year (LSST) of an object's past; what was told before lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ._batch import AlertBatch
from ._columns import Columns, SourceColumns, band_codes
from ._source_table import SourceTable
from ._standing import mean_positions, standing_counts

__all__ = ["source_columns", "with_known"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_IDENTITIES = {
    "diaSources": "diaSourceId",
    "diaForcedSources": "diaForcedSourceId",
    "diaNondetectionLimits": "band",
}


def source_columns(rows: pa.Table) -> SourceColumns:
    """Rows of a light curve table as a run of decoded rows."""
    values: dict[str, npt.NDArray[Any]] = {}
    valid: dict[str, npt.NDArray[np.bool_]] = {}
    words: dict[str, tuple[str, ...]] = {}
    for name in rows.column_names:
        column = rows.column(name).combine_chunks()
        if column.null_count:
            valid[name] = column.is_valid().to_numpy(zero_copy_only=False)
        if pa.types.is_string(column.type):
            encoded = column.dictionary_encode()
            words[name] = tuple(encoded.dictionary.to_pylist())
            values[name] = encoded.indices.fill_null(-1).to_numpy().astype(np.int32)
        else:
            filled = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
            values[name] = filled.to_numpy(zero_copy_only=False)
    return SourceColumns(rows.num_rows, values, valid, words)


def with_known(batch: AlertBatch, known: Mapping[str, pa.Table]) -> AlertBatch:
    """A batch whose light curves are united with rows that are known besides.

    A packet is most exact about its own detection (ZTF rounds what it repeats), so that of rows that are in
    both that of the detection's own packet is taken, else the known one; but a withdrawn one before any
    other. Known rows after the newest detection that the packets tell of an object are left out: what comes
    late, or is replayed, is seen as it was seen then. What the batch says of objects by their detections
    (position, number, first and last time, where the survey states none) follows from all of them.

    Parameters
    ----------
    batch
        As it was decoded.
    known
        Rows by the name of their table: "diaSources", "diaForcedSources", "diaNondetectionLimits". They need
        `diaObjectId`, `midpointMjdTai`, their id or `band`, and (but for the last) `timeWithdrawnMjdTai`.

    Returns
    -------
    The batch with tables whose `sent` are the packets' own.
    """
    ids: Int64 = batch.objects.column("diaObjectId").to_numpy()
    newest = _newest(batch.diaSources)
    own = dict.fromkeys(_IDENTITIES, np.zeros(0, np.int64))
    own["diaSources"] = batch.alerts.column("diaSourceId").to_numpy()
    united: dict[str, Any] = {
        name: _united(getattr(batch, name), _IDENTITIES[name], rows, ids, newest, own[name])
        for name, rows in known.items()
        if rows.num_rows
    }
    if not united:
        return batch
    batch = replace(batch, **united)
    return _restated(batch) if "diaSources" in united else batch


def _newest(sources: SourceTable) -> Float64:
    """Time of the newest detection of each object; infinite for an object without any."""
    some = np.diff(sources.offsets) > 0
    newest = np.full(len(some), np.inf)
    newest[some] = sources.numpy("midpointMjdTai")[sources.offsets[1:][some] - 1]
    return newest


def _united(
    table: SourceTable, identity: str, rows: pa.Table, ids: Int64, newest: Float64, alerted: Int64
) -> SourceTable:
    """One table with its known rows; `alerted` are the detections whose own packets the batch has."""
    known = source_columns(rows)
    object_of = np.searchsorted(ids, known.values["diaObjectId"])
    object_of = np.where(object_of < len(ids), object_of, 0)
    time = known.values["midpointMjdTai"].astype(np.float64)
    key = _keys(known, identity)
    withdrawn = _withdrawn(known)
    mine = (ids[object_of] == known.values["diaObjectId"]) & (time <= newest[object_of])

    there = np.flatnonzero(mine)
    touched, mixed = np.zeros((2, len(ids)), np.bool_)
    touched[object_of[there]] = True
    all_time = table.numpy("midpointMjdTai")
    begins = np.full(len(ids), np.inf)
    told = np.diff(table.offsets) > 0
    begins[told] = all_time[table.offsets[:-1][told]]
    mixed[object_of[there][time[there] >= begins[object_of[there]]]] = True
    # Own rows have to be sorted anew only where known ones come between them. Most often these are older.
    own = np.flatnonzero(mixed[table.object_row])
    own_time, own_key = all_time[own], table.numpy(identity)[own].astype(np.int64)
    own_withdrawn = (
        np.zeros(len(own), np.bool_)
        if identity == "band"
        else ~np.isnan(table.numpy("timeWithdrawnMjdTai")[own])
    )
    # Rows of the objects concerned, one after the other: own ones, then known ones.
    row = np.concatenate([own, table.num_rows + there])
    objects = np.concatenate([table.object_row[own], object_of[there]])
    times = np.concatenate([own_time, time[there]])
    keys = np.concatenate([own_key, key[there]])
    gone = np.concatenate([own_withdrawn, withdrawn[there]])
    # 0 for what is of the detection's own packet, 1 for what is known, 2 for what a packet repeats.
    rank = np.concatenate([np.where(np.isin(own_key, alerted), 0, 2), np.ones(len(there), np.int64)])
    # Of rows of one identity the first stays: a withdrawn one, else by rank.
    order = np.lexsort((rank, ~gone, keys, times, objects))
    first = np.ones(len(order), np.bool_)
    first[1:] = (
        (objects[order][1:] != objects[order][:-1])
        | (times[order][1:] != times[order][:-1])
        | (keys[order][1:] != keys[order][:-1])
    )
    chosen = order[first]
    later = np.flatnonzero((touched & ~mixed)[table.object_row])
    row = np.concatenate([row[chosen], later])
    objects = np.concatenate([objects[chosen], table.object_row[later]])
    stands = np.argsort(objects, kind="stable")
    return table.with_rows(known, touched, row[stands], objects[stands])


def _keys(known: SourceColumns, identity: str) -> Int64:
    values = known.values[identity]
    if identity == "band":
        values = band_codes(known.words["band"])[values]
    keys: Int64 = values.astype(np.int64)
    return keys


def _withdrawn(known: Columns) -> npt.NDArray[np.bool_]:
    column = known.column("timeWithdrawnMjdTai")
    if column is None:
        return np.zeros(known.num_rows, np.bool_)
    return np.ones(known.num_rows, np.bool_) if column.valid is None else column.valid


def _restated(batch: AlertBatch) -> AlertBatch:
    """What the batch says of objects by their detections, of all that it has now."""
    columns: dict[str, pa.Array] = {}
    ra, decl = mean_positions(batch.diaSources)
    first, last, number = standing_counts(batch.diaSources)
    computed: dict[str, npt.NDArray[Any]] = {"ra": ra, "decl": decl, "nDiaSources": number}
    computed |= {"firstDiaSourceMjdTai": first, "lastDiaSourceMjdTai": last}
    for name, unstated in batch.unstated.items():
        if unstated.any():
            given = batch.objects.column(name).combine_chunks()
            values = pa.array(computed[name], given.type, from_pandas=True)
            columns[name] = pa.compute.if_else(pa.array(unstated), values, given)
    return batch.with_object_columns(columns)
