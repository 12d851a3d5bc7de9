"""The tables of solar-system detections, bodies and orbits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import arrow_schema
from lasair_broker.sky import healpix29

from ._columns import Column, Columns, arrow_array, finite
from ._convert import present
from ._gather import gather
from ._mapping import LevelColumns, Survey
from .avro import Decoded

__all__ = ["solar_system_tables"]

Int64 = npt.NDArray[np.int64]


def _rows_of(columns: list[Columns], name: str, rows: Int64) -> Column | None:
    """Column `name` of the first record that has it, at some rows."""
    for record in columns:
        column = record.column(name)
        if column is not None:
            valid = column.valid if column.words is None else present(column) & (column.values >= 0)
            values, there = gather([(0, column.values, valid)], rows, column.values.dtype)
            return Column(values, there, column.words)
    return None


def _last_of_each(keys: Int64, rows: Int64) -> Int64:
    """The rows with the last row of each key only, in their order."""
    _, from_end = np.unique(keys[rows][::-1], return_index=True)
    return rows[np.sort(len(rows) - 1 - from_end)]


def _table(name: str, columns: list[Columns], rows: Int64, given: Mapping[str, pa.Array]) -> pa.Table:
    schema = arrow_schema(name)
    arrays = []
    for to in schema:
        if to.name in given:
            arrays.append(given[to.name].cast(to.type))
        else:
            arrays.append(arrow_array(_rows_of(columns, to.name, rows), to.type, len(rows)))
    return pa.Table.from_arrays(arrays, schema=schema)


@cache
def _empty(name: str) -> pa.Table:
    return arrow_schema(name).empty_table()


def solar_system_tables(
    decoded: Decoded,
    survey: Survey,
    detection: LevelColumns,
    body: LevelColumns,
    rows: Int64,
    known: Mapping[str, npt.NDArray[np.generic]],
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Tables ssSources, ssObjects and mpc_orbits of the packets at `rows`.

    Parameters
    ----------
    decoded, survey
        The packets, and whose they are.
    detection, body
        Their detections and what is said of the bodies there.
    rows
        The packets that are about a solar-system body, in order of arrival. Of packets about one detection,
        and of records of one body or orbit, the last to arrive is kept.
    known
        For every packet `ssObjectId` and `diaObjectId` (0 if none), `ra` and `decl` (degrees).
    """
    if not len(rows):
        return _empty("ssSources"), _empty("ssObjects"), _empty("mpc_orbits")
    order = rows[np.argsort(_time(detection)[rows], kind="stable")]
    return (
        _sources(survey, detection, body, rows, known),
        _bodies(decoded, survey, order),
        _orbits(decoded, survey, order),
    )


def _time(detection: LevelColumns) -> npt.NDArray[np.generic]:
    column = detection.column("midpointMjdTai")
    return np.zeros(detection.num_rows) if column is None else column.values


def _sources(
    survey: Survey,
    detection: LevelColumns,
    body: LevelColumns,
    rows: Int64,
    known: Mapping[str, npt.NDArray[np.generic]],
) -> pa.Table:
    identity = detection.column("diaSourceId")
    if identity is not None:
        rows = _last_of_each(identity.values, rows)
    given = {
        "survey": pa.repeat(survey.name, len(rows)),
        "healpix29": pa.array(healpix29(known["ra"][rows], known["decl"][rows])),
    }
    for name in ("ssObjectId", "diaObjectId"):
        ids = known[name][rows]
        given[name] = pa.array(ids, mask=ids == 0)
    return _table("ssSources", [detection, body], rows, given)


def _bodies(decoded: Decoded, survey: Survey, rows: Int64) -> pa.Table:
    record = survey.ss_body.of(decoded) if survey.ss_body else None
    identity = None if record is None else record.column("ssObjectId")
    if record is None or identity is None:
        return _empty("ssObjects")
    rows = rows[finite(identity.values, present(identity))[rows]]
    return _table("ssObjects", [record], _last_of_each(identity.values, rows), {})


def _orbits(decoded: Decoded, survey: Survey, rows: Int64) -> pa.Table:
    for part in survey.orbits:
        record = part.of(decoded)
        name = None if record is None else record.column("designation")
        if record is None or name is None:
            continue
        named = np.array([word != "" for word in name.words or ()] + [False], np.bool_)
        rows = rows[(present(name) & named[name.values])[rows]]
        return _table("mpc_orbits", [record], _last_of_each(name.values, rows), {})
    return _empty("mpc_orbits")
