"""Looking up objects, light curves, cones, and where images and alerts lie."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import CUTOUTS, AlertBatch, Cutout
from lasair_broker.schema import TABLES, arrow_schema, quoted, table
from lasair_broker.sky import cone_ranges, separation_arcsec

from .._light_curves import CURVES, CurveTable, rows_beyond
from .._reading import column_list
from ..records import CONE_COLUMNS, LIGHT_CURVE_TABLES, LightCurve
from ._light_curves import held_of
from ._points import Columns, Points
from ._session import Session
from ._staging import Staging

__all__ = [
    "alert_place",
    "cone",
    "cutout_place",
    "light_curve",
    "light_curves",
    "light_curves_beyond",
    "object_places",
    "object_state",
    "positions",
    "rejected",
    "rows_of_objects",
    "take_rejected",
]

Int64 = npt.NDArray[np.int64]


def positions(session: Session) -> dict[tuple[str, int], int]:
    """The offset to read next, by (topic, partition)."""
    rows = session.rows('SELECT topic, "partition", "offset" FROM stream_positions')
    return {(topic, partition): offset for topic, partition, offset in rows}


def object_state(points: Points, key: int | str, columns: Sequence[str] | None) -> pa.Table:
    """The row of `objects` of an object, by `diaObjectId` or `objectName`; without rows if there is none."""
    selected = _columns("objects", columns)
    select = f"SELECT {selected.listed} FROM objects WHERE "
    if isinstance(key, str):
        if "\0" in key:
            return selected.table([])
        found = points.table(f'{select}"objectName" = $1 LIMIT 1', [key], selected)
        if found.num_rows or not key.isdecimal():
            return found
        key = int(key)
    if not -(2**63) <= key < 2**63:
        return selected.table([])
    return points.table(f'{select}"diaObjectId" = $1', [int(key)], selected)


def light_curve(points: Points, diaObjectId: int, columns: Mapping[str, Sequence[str]] | None) -> LightCurve:
    """The light curve of one object, in order of time."""
    wanted = _of_light_curves(columns)
    statements = []
    for name in LIGHT_CURVE_TABLES:
        selected = _columns(name, wanted.get(name))
        sql = f'SELECT {selected.listed} FROM {quoted(name)} WHERE "diaObjectId" = $1 ORDER BY {_order(name)}'
        statements.append((sql, [int(diaObjectId)], selected))
    return LightCurve(**dict(zip(LIGHT_CURVE_TABLES, points.tables(statements), strict=True)))


def _of_light_curves(columns: Mapping[str, Sequence[str]] | None) -> Mapping[str, Sequence[str]]:
    for name in columns or ():
        if name not in LIGHT_CURVE_TABLES:
            raise ValueError(f"{name!r} is not a table of light curves: {', '.join(LIGHT_CURVE_TABLES)}")
    return columns or {}


def _order(name: str) -> str:
    return ", ".join(map(quoted, TABLES[name].primary_key))


def light_curves(
    session: Session, ids: Sequence[int], columns: Mapping[str, Sequence[str]] | None
) -> LightCurve:
    """The light curves of objects, in order of (diaObjectId, midpointMjdTai)."""
    wanted = _of_light_curves(columns)
    return LightCurve(
        **{name: _curves_of(session, name, ids, wanted.get(name)) for name in LIGHT_CURVE_TABLES}
    )


def light_curves_beyond(
    session: Session, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool
) -> LightCurve:
    """The rows of light curves of which the ledger says that more may be held than the batch brings."""
    ids: Int64 = batch.objects.column("diaObjectId").to_numpy()
    wanted = {names.table: _selected(names.table, columns.get(names.table)).names for names in CURVES}

    def read(names: CurveTable, objects: Int64, before: npt.NDArray[np.float64] | None) -> pa.Table:
        read_too = list(dict.fromkeys([*wanted[names.table], "diaObjectId", *names.key]))
        if before is None:
            return _curves_of(session, names.table, ids[objects].tolist(), read_too)
        return _curves_before(session, names.table, ids[objects], before, read_too)

    found = rows_beyond(read, batch, ids, held_of(session, batch, ids), every=every)
    return LightCurve(**{name: rows.select(wanted[name]) for name, rows in found.items()})


def _curves_before(
    session: Session, name: str, ids: Int64, before: npt.NDArray[np.float64], columns: Sequence[str]
) -> pa.Table:
    """The rows of objects from before a time of each (MJD)."""
    selected = _selected(name, columns)
    if not len(ids):
        return selected.empty_table()
    keys, times = ",".join(map(str, ids.tolist())), ",".join(map(repr, before.tolist()))
    return session.table(
        f"SELECT {', '.join(f't.{quoted(column)}' for column in selected.names)} FROM {quoted(name)} t "
        f"JOIN unnest('{{{keys}}}'::bigint[], '{{{times}}}'::float8[]) AS wanted (id, before) "
        'ON t."diaObjectId" = wanted.id WHERE t."midpointMjdTai" < wanted.before'
    )


def _curves_of(session: Session, name: str, ids: Sequence[int], columns: Sequence[str] | None) -> pa.Table:
    selected = _selected(name, columns)
    if not len(ids):
        return selected.empty_table()
    return session.table(
        f"SELECT {_listed(selected)} FROM {quoted(name)} WHERE {_is_one_of('diaObjectId', ids)} "
        f"ORDER BY {_order(name)}"
    )


def rows_of_objects(
    session: Session, name: str, ids: Sequence[int], columns: Sequence[str] | None
) -> pa.Table:
    """The rows that a table has for objects, in no order."""
    table(name).column("diaObjectId")
    selected = _selected(name, columns)
    if not len(ids):
        return selected.empty_table()
    if name == "alerts":
        # They lie in the cells of their objects, by which there is an index.
        listed = ", ".join(f"t.{quoted(column)}" for column in selected.names)
        return session.table(
            f'SELECT {listed} FROM alerts t JOIN object_ledger l USING ("healpix29", "diaObjectId") '
            f"WHERE l.{_is_one_of('diaObjectId', ids)}"
        )
    return session.table(
        f"SELECT {_listed(selected)} FROM {quoted(name)} WHERE {_is_one_of('diaObjectId', ids)}"
    )


def object_places(session: Session, ranges: Int64 | None, batch_rows: int) -> Iterator[pa.Table]:
    """Number and place of every object, or of those in ranges of healpix29, in batches."""
    if ranges is not None and len(ranges) == 0:
        return
    within = ""
    if ranges is not None:
        low, high = ranges[:, 0].tolist(), ranges[:, 1].tolist()
        within = (
            f" JOIN unnest({_array(low)}, {_array(high)}) AS r(low, high) "
            'ON o."healpix29" >= r.low AND o."healpix29" < r.high'
        )
    for batch in session.batches(f'SELECT o."diaObjectId", o.ra, o.decl FROM objects o{within}'):
        for first in range(0, batch.num_rows, batch_rows):
            yield pa.Table.from_batches([batch.slice(first, batch_rows)])


def cone(
    points: Points, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None
) -> pa.Table:
    """Objects of a cone, nearest first, with `separationArcsec`."""
    selected = _selected("objects", CONE_COLUMNS if columns is None else columns)
    read = _columns("objects", [*dict.fromkeys([*selected.names, "ra", "decl"])])
    ranges = cone_ranges(ra, decl, radius_arcsec)
    # Each range is a stretch of the index.
    near = " OR ".join(
        f'("healpix29" >= ${n} AND "healpix29" < ${n + 1})' for n in range(1, 2 * len(ranges), 2)
    )
    found = points.table(
        f"SELECT {read.listed} FROM objects WHERE {near}", [*chain.from_iterable(ranges)], read
    )
    separation = separation_arcsec(found.column("ra").to_numpy(), found.column("decl").to_numpy(), ra, decl)
    inside = np.flatnonzero(separation <= radius_arcsec)
    inside = inside[np.argsort(separation[inside], kind="stable")]
    rows = found.select(selected.names).take(inside)
    return rows.append_column("separationArcsec", pa.array(separation[inside], pa.float64()))


def cutout_place(session: Session, diaSourceId: int, which: Cutout) -> tuple[str, int, int] | None:
    """Pack, offset and length of an image; None if there is none."""
    if which not in CUTOUTS:
        raise ValueError(f"{which!r} is not an image of an alert: {', '.join(CUTOUTS)}")
    found = session.rows(
        f'SELECT pack, "cutout{which}Offset", "cutout{which}Length" FROM cutouts '
        f'WHERE "diaSourceId" = {int(diaSourceId)} ORDER BY pack DESC LIMIT 1'
    )
    if not found or found[0][1] is None:
        return None
    pack, offset, length = found[0]
    return str(pack), int(offset), int(length)


def alert_place(session: Session, diaSourceId: int) -> tuple[str, int, int, str] | None:
    """Pack, offset and length of the newest alert of a detection, and its writer schema; None if there is
    none."""
    found = session.rows(
        'SELECT pack, "packOffset", "packLength", json FROM alerts '
        'JOIN avro_schemas ON "schemaFingerprint" = fingerprint '
        f'WHERE "diaSourceId" = {int(diaSourceId)} AND pack IS NOT NULL '
        'ORDER BY "arrivedMjdTai" DESC, pack DESC, "packOffset" DESC LIMIT 1'
    )
    if not found:
        return None
    pack, offset, length, schema_json = found[0]
    return str(pack), int(offset), int(length), str(schema_json)


def rejected(session: Session, limit: int | None) -> pa.Table:
    """Rows of `rejected`, oldest first."""
    return session.table(
        f"SELECT {column_list('rejected')} FROM rejected "
        'ORDER BY "arrivedMjdTai", topic, "partition", "offset"'
        + ("" if limit is None else f" LIMIT {int(limit)}")
    )


def take_rejected(
    session: Session, staging: Staging, keys: Collection[tuple[str, int, int]] | None
) -> pa.Table:
    """Remove rows of `rejected` and return them."""
    which = ""
    if keys is not None:
        names = TABLES["rejected"].primary_key
        schema = pa.schema([arrow_schema("rejected").field(name) for name in names])
        rows = pa.Table.from_pylist([dict(zip(names, key, strict=True)) for key in set(keys)], schema)
        same = " AND ".join(f"r.{quoted(name)} = k.{quoted(name)}" for name in names)
        which = f" USING {staging.put('taken', rows)} k WHERE {same}"
    taken = session.table(f"DELETE FROM rejected r{which} RETURNING {column_list('rejected', 'r')}")
    order = ("arrivedMjdTai", *TABLES["rejected"].primary_key)
    return taken.sort_by([(name, "ascending") for name in order])


def _columns(name: str, columns: Sequence[str] | None) -> Columns:
    return _columns_of(name, None if columns is None else tuple(columns))


@lru_cache(256)
def _columns_of(name: str, columns: tuple[str, ...] | None) -> Columns:
    return Columns(_selected(name, columns))


def _selected(name: str, columns: Sequence[str] | None) -> pa.Schema:
    schema = arrow_schema(name)
    if columns is None:
        return schema
    return pa.schema([schema.field(table(name).column(column).name) for column in columns])


def _listed(selected: pa.Schema) -> str:
    return ", ".join(map(quoted, selected.names))


def _array(numbers: Sequence[int]) -> str:
    return "'{" + ",".join(str(int(number)) for number in numbers) + "}'::bigint[]"


def _is_one_of(column: str, ids: Sequence[int]) -> str:
    if len(ids) == 1:
        return f"{quoted(column)} = {int(ids[0])}"
    return f"{quoted(column)} = ANY ({_array(list(dict.fromkeys(ids)))})"
