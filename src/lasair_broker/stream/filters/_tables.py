"""What filters see beside the batch's objects: the tables of the batch, and what the archive holds of those
objects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import AlertBatch
from lasair_broker.schema import TABLES, arrow_schema

from ._linked import LINKED, State, add_linked
from ._rows import distinct, rows_of
from ._subjects import microseconds_utc

__all__ = ["LIGHT_CURVES", "Reads", "State", "state_of_objects", "tables_of_batches"]

LIGHT_CURVES = ("diaSources", "diaForcedSources", "diaNondetectionLimits")

_NEEDED = ("diaObjectId", "midpointMjdTai", "timeWithdrawnMjdTai", "arrivedMjdTai", "timestamp")
"""Columns that are read of every table that has them, to tell its rows apart and to know how old they are."""

Reads = Mapping[str, frozenset[str]]
"""Tables, and the columns wanted of each."""


def tables_of_batches(
    archive: State, batches: Sequence[AlertBatch], given: Mapping[str, pa.Table], read: Reads, now: float
) -> dict[str, pa.Table]:
    """The tables `read` as they will be, for the objects of the batches, when these are committed.

    A batch's own table of matches stands for all that the archive holds of its objects in it, as it will
    replace that; what the archive has in other tables of those objects is added. Nothing is read but rows of
    these objects, so that the cost does not grow with the archive.

    Parameters
    ----------
    given
        More rows that will be committed with the batches; each replaces one of the same primary key.
    read
        Of table `objects` all columns are there in any case, for the batches' own objects.
    now
        The time of the batches, MJD TAI.
    """
    objects = _as_committed(archive, _objects(batches), read.get("objects", frozenset()), now)
    ids = objects.column("diaObjectId")
    tables = {"objects": objects}
    for name in _of_objects(read):
        schema = _wanted(name, read[name])
        if name in LIGHT_CURVES or name == "alerts":
            own = [_own_rows(batch, name, schema.names) for batch in batches]
            rows = _completed(archive.rows_of_objects(name, ids.to_pylist(), schema.names), own, name, schema)
        else:
            own = [batch.tables[name] for batch in batches if name in batch.tables]
            others = [batch.objects.column("diaObjectId") for batch in batches if name not in batch.tables]
            rows = rows_of(schema, own)
            if name == "partners":
                # Pairs stand in it both ways, but filters look at the batch's objects.
                rows = rows.filter(pc.is_in(rows.column("diaObjectId"), ids.combine_chunks()))
            if len(batches) > 1:
                rows = distinct(rows, name)
            if others:
                lacking = pa.chunked_array(_chunks(others)).to_pylist()
                rows = _replaced(archive.rows_of_objects(name, lacking, schema.names), [rows], name, schema)
        if name in given:
            mine = given[name].filter(pc.is_in(given[name].column("diaObjectId"), ids.combine_chunks()))
            rows = _replaced(rows, [mine], name, schema)
        tables[name] = rows
    new = {name: [batch.tables[name] for batch in batches if name in batch.tables] for name in LINKED}
    add_linked(archive, tables, read, new | {name: [given[name]] for name in LINKED & set(given)})
    return tables


def state_of_objects(
    archive: State, diaObjectIds: Sequence[int], given: Mapping[str, pa.Table], read: Reads
) -> dict[str, pa.Table]:
    """The tables `read` for objects as the archive holds them, with the rows of `given` in their places."""
    objects = _wanted("objects", read.get("objects", frozenset()))
    tables = {"objects": archive.rows_of_objects("objects", diaObjectIds, objects.names)}
    for name in _of_objects(read):
        schema = _wanted(name, read[name])
        rows = archive.rows_of_objects(name, diaObjectIds, schema.names)
        tables[name] = _replaced(rows, [given[name]], name, schema) if name in given else rows
    add_linked(archive, tables, read, {name: [given[name]] for name in LINKED & set(given)})
    return tables


def _of_objects(read: Reads) -> list[str]:
    """The tables whose rows are of objects, `objects` aside."""
    return [
        name for name in sorted(read) if name in TABLES and name != "objects"
        and "diaObjectId" in TABLES[name].by_name
    ]  # fmt: skip


def _wanted(name: str, columns: Collection[str]) -> pa.Schema:
    """The columns wanted of a table, and those by which its rows are told apart."""
    wanted = {*columns, *TABLES[name].primary_key, *_NEEDED}
    return pa.schema([field for field in arrow_schema(name) if field.name in wanted])


def _objects(batches: Sequence[AlertBatch]) -> pa.Table:
    """The objects of all batches; of one that is in several its state with the newest detection."""
    if len(batches) == 1:
        return batches[0].objects
    objects = pa.concat_tables([batch.objects for batch in batches], promote_options="permissive")
    ids = objects.column("diaObjectId").to_numpy()
    if len(np.unique(ids)) == len(ids):
        return objects
    newest = np.asarray(objects.column("lastDiaSourceMjdTai").cast(pa.float64()).to_numpy())
    order = np.lexsort((np.nan_to_num(newest, nan=-np.inf), ids))
    last = np.ones(len(order), np.bool_)
    last[:-1] = ids[order][1:] != ids[order][:-1]
    return objects.take(pa.array(np.sort(order[last])))


def _as_committed(archive: State, objects: pa.Table, columns: Collection[str], now: float) -> pa.Table:
    """With the columns that the archive fills in, if they are looked at: the time of the state, and the cell
    where an object was first seen."""
    if "healpix29" in columns:
        ids = objects.column("diaObjectId")
        held = archive.rows_of_objects("objects", ids.to_pylist(), ["diaObjectId", "healpix29"])
        place = pc.index_in(ids, value_set=held.column("diaObjectId").combine_chunks())
        first_seen = held.column("healpix29").take(place)
        objects = _with(objects, "healpix29", pc.coalesce(first_seen, objects.column("healpix29")))
    if "timestamp" in columns:
        kind = arrow_schema("objects").field("timestamp").type
        moment = pa.scalar(microseconds_utc(now), pa.int64()).cast(pa.timestamp("us", "UTC")).cast(kind)
        objects = _with(objects, "timestamp", pa.repeat(moment, objects.num_rows))
    return objects


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.append_column(name, values) if place < 0 else table.set_column(place, name, values)


def _own_rows(batch: AlertBatch, name: str, columns: Sequence[str]) -> pa.Table:
    if name == "alerts":
        return batch.alerts
    table: pa.Table = getattr(batch, name).take(names=columns)
    return table


def _replaced(held: pa.Table, new: Sequence[pa.Table], name: str, schema: pa.Schema) -> pa.Table:
    """The rows held and the new ones; of rows with the same primary key the newest."""
    rows = rows_of(schema, [held, *new])
    return rows if not held.num_rows and len(new) == 1 else distinct(rows, name)


def _completed(held: pa.Table, own: Sequence[pa.Table], name: str, schema: pa.Schema) -> pa.Table:
    """The rows held and those of batches. A row held stands: in a batch it may have been filled in from the
    archive with just the columns that features need. But the newest word is on whether it was withdrawn."""
    if not held.num_rows:
        return _replaced(held, own, name, schema)
    withdrawn = [
        rows.filter(rows.column("timeWithdrawnMjdTai").is_valid())
        for rows in own
        if "timeWithdrawnMjdTai" in rows.column_names
    ]
    return distinct(rows_of(schema, [*own, held, *withdrawn]), name)


def _chunks(columns: Iterable[pa.ChunkedArray]) -> list[pa.Array]:
    return [chunk for column in columns for chunk in column.chunks]
