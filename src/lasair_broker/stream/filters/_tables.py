"""What filters see beside the batch's objects: the tables of the batch, and what the archive holds of those
objects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import AlertBatch
from lasair_broker.query import ARCHIVE, LINKS, parse
from lasair_broker.schema import TABLES, arrow_schema

__all__ = ["LIGHT_CURVES", "State", "state_of_objects", "tables_of_batches"]

LIGHT_CURVES = ("diaSources", "diaForcedSources", "diaNondetectionLimits")
_LINKED_AT_ONCE = 500


class State(Protocol):
    """What is known of objects: an archive, or an archive as it was."""

    def rows_of_objects(self, name: str, diaObjectIds: Sequence[int], /) -> pa.Table:
        """The rows that a table has for objects; see `Archive.rows_of_objects`."""

    def query(self, sql: str, /, *, max_rows: int | None) -> pa.Table:
        """The rows of a SELECT statement; see `Archive.query`."""


def tables_of_batches(
    archive: State, batches: Sequence[AlertBatch], given: Mapping[str, pa.Table], read: Collection[str]
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
        Names of tables; `objects` is always there.
    """
    objects = _objects(batches)
    ids = objects.column("diaObjectId")
    tables = {"objects": objects}
    for name in sorted(set(read) - {"objects"} - set(LINKS)):
        if name not in TABLES or "diaObjectId" not in TABLES[name].by_name:
            continue
        if name in LIGHT_CURVES or name == "alerts":
            own = [_own_rows(batch, name) for batch in batches]
            rows = _completed(archive.rows_of_objects(name, ids.to_pylist()), own, name)
        else:
            own = [batch.tables[name] for batch in batches if name in batch.tables]
            others = [batch.objects.column("diaObjectId") for batch in batches if name not in batch.tables]
            rows = _of(name, own)
            if len(batches) > 1:
                rows = _distinct(rows, name)
            if others:
                held = archive.rows_of_objects(name, pa.chunked_array(_chunks(others)).to_pylist())
                rows = _replaced(held, [rows], name)
        if name in given:
            mine = given[name].filter(pc.is_in(given[name].column("diaObjectId"), ids.combine_chunks()))
            rows = _replaced(rows, [mine], name)
        tables[name] = rows
    _add_linked(archive, tables, read)
    return tables


def state_of_objects(
    archive: State, diaObjectIds: Sequence[int], given: Mapping[str, pa.Table], read: Collection[str]
) -> dict[str, pa.Table]:
    """The tables `read` for objects as the archive holds them, with the rows of `given` in their places."""
    tables = {"objects": archive.rows_of_objects("objects", diaObjectIds)}
    for name in sorted(set(read) - {"objects"} - set(LINKS)):
        if name in TABLES and "diaObjectId" in TABLES[name].by_name:
            rows = archive.rows_of_objects(name, diaObjectIds)
            tables[name] = _replaced(rows, [given[name]], name) if name in given else rows
    _add_linked(archive, tables, read)
    return tables


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


def _own_rows(batch: AlertBatch, name: str) -> pa.Table:
    if name == "alerts":
        return batch.alerts
    table: pa.Table = getattr(batch, name).take()
    return table


def _of(name: str, tables: Iterable[pa.Table]) -> pa.Table:
    """Rows of a table, put together in the schema's types; columns that are missing are NULL."""
    schema = arrow_schema(name)
    parts = []
    for table in tables:
        known = table.select([column for column in table.column_names if column in schema.names])
        parts.append(known.cast(pa.schema([schema.field(column) for column in known.column_names])))
    return pa.concat_tables([schema.empty_table(), *parts], promote_options="default").select(schema.names)


def _replaced(held: pa.Table, new: Sequence[pa.Table], name: str) -> pa.Table:
    """The rows held and the new ones; of rows with the same primary key the newest."""
    rows = _of(name, [held, *new])
    return rows if not held.num_rows and len(new) == 1 else _distinct(rows, name)


def _completed(held: pa.Table, own: Sequence[pa.Table], name: str) -> pa.Table:
    """The rows held and those of batches. A row held stands: in a batch it may have been filled in from the
    archive with just the columns that features need. But the newest word is on whether it was withdrawn."""
    if not held.num_rows:
        return _replaced(held, own, name)
    withdrawn = [
        rows.filter(rows.column("timeWithdrawnMjdTai").is_valid())
        for rows in own
        if "timeWithdrawnMjdTai" in rows.column_names
    ]
    return _distinct(_of(name, [*own, held, *withdrawn]), name)


def _distinct(rows: pa.Table, name: str) -> pa.Table:
    key = list(TABLES[name].primary_key)
    if not key or not rows.num_rows:
        return rows
    numbered = rows.select(key).append_column("row", pa.array(np.arange(rows.num_rows)))
    last = numbered.group_by(key).aggregate([("row", "max")]).column("row_max")
    return rows if len(last) == rows.num_rows else rows.take(np.sort(last.to_numpy()))


def _add_linked(archive: State, tables: dict[str, pa.Table], read: Collection[str]) -> None:
    """Add tables without diaObjectId: their rows that a column of another table names."""
    for name in sorted(set(read) & set(LINKS)):
        source, column = LINKS[name]
        if source not in tables or column not in tables[source].column_names:
            continue
        wanted = pc.unique(tables[source].column(column)).drop_null().to_pylist()
        parts = [arrow_schema(name).empty_table()]
        for start in range(0, len(wanted), _LINKED_AT_ONCE):
            # The values come from packets and catalogues: the query language writes them anew, quoted.
            items = ", ".join(_literal(value) for value in wanted[start : start + _LINKED_AT_ONCE])
            query = parse(f"SELECT * FROM {name} WHERE {column} IN ({items})", ARCHIVE)  # noqa: S608 - ADQL, and checked
            parts.append(archive.query(query.render("duckdb"), max_rows=None))
        tables[name] = _of(name, parts)


def _literal(value: object) -> str:
    return str(int(value)) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _chunks(columns: Iterable[pa.ChunkedArray]) -> list[pa.Array]:
    return [chunk for column in columns for chunk in column.chunks]
