"""Looking up objects, light curves, cones, and where images and alerts lie."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import CUTOUTS, Cutout
from lasair_broker.schema import TABLES, arrow_schema, quoted, table
from lasair_broker.sky import cone_ranges, separation_arcsec

from ..records import CONE_COLUMNS, LIGHT_CURVE_TABLES, LightCurve
from ._rows import incoming
from ._tables import PARTS, SORTED, column_list

__all__ = [
    "alert_place",
    "cone",
    "curves_before",
    "cutout_place",
    "light_curves",
    "object_places",
    "object_state",
    "rows_of_objects",
]

Int64 = npt.NDArray[np.int64]

_WIDE = 40
"""With more columns than this it pays to ask first which part of a table has the rows."""

_LITTLE = 4 ** (29 - 10)
"""A cell of order 10 (3.4 arcminutes, in which even the fullest fields have a hundred objects), in cells of
order 29."""

_FEW = 2048
"""Rows of a few objects, read at a time."""

_MANY = 25
"""More objects than this are looked up by a join; each of fewer by ranges of its own, which read less."""


def object_state(connection: Any, key: int | str, columns: Sequence[str] | None) -> pa.Table:
    """The row of `objects` of an object, by `diaObjectId` or `objectName`; without rows if there is none."""
    selected = _selected("objects", columns)
    if isinstance(key, str):
        found = connection.execute(
            "SELECT diaObjectId FROM objects WHERE objectName = ? LIMIT 1", [key]
        ).fetchone()
        if found is None and not key.isdecimal():
            return selected.empty_table()
        key = int(key) if found is None else int(found[0])
    cells = _cells(connection, [key])
    if key not in cells:
        return selected.empty_table()
    return _from_parts(
        connection, "objects", selected.names, f"healpix29 = {cells[key]} AND diaObjectId = {int(key)}"
    )


def light_curves(
    connection: Any, ids: Sequence[int], columns: Mapping[str, Sequence[str]] | None
) -> LightCurve:
    """The light curves of objects, in order of (diaObjectId, midpointMjdTai)."""
    cells = _cells(connection, ids)
    wanted = columns or {}
    for name in wanted:
        if name not in LIGHT_CURVE_TABLES:
            raise ValueError(f"{name!r} is not a table of light curves: {', '.join(LIGHT_CURVE_TABLES)}")
    changed = _with_recent_rows(connection, LIGHT_CURVE_TABLES, cells)
    return LightCurve(
        **{
            name: curves_of(
                connection, name, cells, wanted.get(name), PARTS if name in changed else ("sorted",)
            )
            for name in LIGHT_CURVE_TABLES
        }
    )


def rows_of_objects(
    connection: Any, name: str, ids: Sequence[int], columns: Sequence[str] | None
) -> pa.Table:
    """The rows that a table has for objects, in no order."""
    table(name).column("diaObjectId")
    selected = _selected(name, columns)
    if SORTED.get(name, ())[:1] == ("healpix29",):
        cells = _cells(connection, ids)
        return _joined(connection, name, selected.names, cells) if cells else selected.empty_table()
    listed = ", ".join(map(quoted, selected.names))
    with incoming(connection, wanted=pa.table({"diaObjectId": pa.array(ids, pa.int64())})):
        return connection.execute(
            f"SELECT {listed} FROM {name} SEMI JOIN wanted USING (diaObjectId)"
        ).to_arrow_table()


def object_places(
    connection: Any, ranges: npt.NDArray[np.int64] | None, batch_rows: int
) -> Iterator[pa.Table]:
    """Number and place of every object, or of those in ranges of healpix29, in batches."""
    stretches = [(-(2**63), 2**63 - 1)]
    if ranges is not None:
        if len(ranges) == 0:
            return
        stretches = _united(ranges, 64)
    columns = ["diaObjectId", "ra", "decl"]
    reader = connection.execute(
        " UNION ALL ".join(
            f"SELECT {', '.join(columns)}, healpix29 FROM objects_{part} "
            f"WHERE healpix29 BETWEEN {low} AND {high}"
            for part in PARTS
            for low, high in stretches
        )
    ).to_arrow_reader(batch_rows)
    for batch in reader:
        if ranges is not None:
            cells = batch.column("healpix29").to_numpy()
            batch = batch.filter(pa.array(_inside(ranges, cells)))
        if batch.num_rows:
            yield pa.Table.from_batches([batch]).select(columns)


def _united(ranges: Int64, most: int) -> list[tuple[int, int]]:
    """At most `most` closed ranges that hold ascending half-open ones, cut where the gaps are widest."""
    gaps = ranges[1:, 0] - ranges[:-1, 1]
    cuts = np.sort(np.argsort(-gaps, kind="stable")[: most - 1])
    low = ranges[np.concatenate([[0], cuts + 1]), 0]
    high = ranges[np.concatenate([cuts, [len(ranges) - 1]]), 1] - 1
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)]


def _joined_up(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges, of which those are one that have little between them: planning and looking up a range
    of its own takes longer than leaving the few objects out that lie there."""
    joined = [ranges[0]]
    for low, high in ranges[1:]:
        if low - joined[-1][1] <= _LITTLE:
            joined[-1] = joined[-1][0], high
        else:
            joined.append((low, high))
    return joined


def _inside(ranges: Int64, cells: Int64) -> npt.NDArray[np.bool_]:
    """Which cells lie in ascending, disjoint, half-open ranges."""
    place = np.searchsorted(ranges[:, 0], cells, side="right") - 1
    inside: npt.NDArray[np.bool_] = (place >= 0) & (cells < ranges[place, 1])
    return inside


def curves_of(
    connection: Any,
    name: str,
    cells: dict[int, int],
    columns: Sequence[str] | None,
    parts: Sequence[str] = PARTS,
) -> pa.Table:
    """Rows of a light curve table of objects in given cells, by (diaObjectId, midpointMjdTai); `parts` are
    those of its parts that may have any."""
    selected = _selected(name, columns)
    keys = list(dict.fromkeys([*selected.names, "diaObjectId", *SORTED[name][2:]]))
    if not cells:
        return selected.empty_table()
    if len(cells) <= _MANY:
        rows = pa.concat_tables(
            [
                _from_parts(connection, name, keys, f"healpix29 = {cell} AND diaObjectId = {key}", parts)
                for key, cell in cells.items()
            ]
        )
    else:
        rows = _joined(connection, name, keys, cells)
    rows = rows.sort_by([("diaObjectId", "ascending"), *((key, "ascending") for key in SORTED[name][2:])])
    return rows.select(selected.names)


def curves_before(
    connection: Any,
    name: str,
    columns: Sequence[str],
    ids: Int64,
    healpix29: Int64,
    before: npt.NDArray[np.float64] | None,
) -> pa.Table:
    """Rows of a light curve table of objects in given cells, in no order; of each from before a time (MJD; or
    all if None)."""
    if not len(ids):
        return _selected(name, columns).empty_table()
    wanted = pa.table({"healpix29": healpix29, "diaObjectId": ids})
    if before is None:
        return _of_wanted(connection, name, columns, wanted)
    wanted = wanted.append_column("before", pa.array(before))
    # The first condition is one that a scan can look at before it reads the other columns.
    latest = "TRUE" if np.isinf(before.max()) else f"t.midpointMjdTai < {float(before.max())!r}"
    condition = f"{latest} AND t.midpointMjdTai < wanted.before"
    # So few rows are found that planning for each stretch of the sky would take longer than the scan.
    return _of_wanted(connection, name, columns, wanted, condition, stretches=1)


def _joined(connection: Any, name: str, columns: Sequence[str], cells: dict[int, int]) -> pa.Table:
    """Rows of many objects: a join that reads only the stretches of the sky where they are."""
    wanted = pa.table(
        {"healpix29": pa.array(cells.values(), pa.int64()), "diaObjectId": pa.array(cells.keys(), pa.int64())}
    )
    return _of_wanted(connection, name, columns, wanted)


def _of_wanted(
    connection: Any,
    name: str,
    columns: Sequence[str],
    wanted: pa.Table,
    condition: str = "TRUE",
    stretches: int = 16,
) -> pa.Table:
    """The rows of the objects of `wanted` that meet a condition on tables `t` and `wanted`."""
    listed = ", ".join(f"t.{quoted(column)}" for column in columns)
    sky = sky_stretches(wanted.column("healpix29").to_numpy(), stretches)
    parts = [
        f"SELECT {listed} FROM {name}_{part} t JOIN wanted USING (healpix29, diaObjectId) "
        f"WHERE t.healpix29 BETWEEN {low} AND {high} AND {condition}"
        for part in ("sorted", "recent")
        for low, high in (sky if part == "sorted" else [(0, 2**62)])
    ]
    with incoming(connection, wanted=wanted):
        return connection.execute(" UNION ALL ".join(parts)).to_arrow_table()


def sky_stretches(cells: Int64, most: int) -> list[tuple[int, int]]:
    """At most `most` closed ranges that hold all of `cells`, cut where the gaps are widest."""
    ordered = np.unique(cells)
    gaps = np.diff(ordered)
    cuts = np.sort(np.argsort(-gaps, kind="stable")[: most - 1])
    low = ordered[np.concatenate([[0], cuts + 1])]
    high = ordered[np.concatenate([cuts, [len(ordered) - 1]])]
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)]


def cone(
    connection: Any, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None
) -> pa.Table:
    """Objects of a cone, nearest first, with `separationArcsec`."""
    selected = _selected("objects", CONE_COLUMNS if columns is None else columns)
    ranges = _joined_up(cone_ranges(ra, decl, radius_arcsec))
    keys = list(dict.fromkeys([*selected.names, "diaObjectId", "healpix29", "ra", "decl"]))
    few = len(keys) <= _WIDE  # so that they are read at once, also of what lies beside the cone
    listed = ", ".join(map(quoted, keys if few else ("diaObjectId", "healpix29", "ra", "decl")))
    # Ranges of their own let zone maps work on what is sorted; what is not is read once.
    near = [
        f"SELECT {listed} FROM objects_{part} WHERE healpix29 >= {low} AND healpix29 < {high}"
        for part, low, high in [
            *(("sorted", low, high) for low, high in ranges),
            ("recent", ranges[0][0], ranges[-1][1]),
        ]
    ]
    found = connection.execute(" UNION ALL ".join(near)).to_arrow_table()
    separation = separation_arcsec(found.column("ra").to_numpy(), found.column("decl").to_numpy(), ra, decl)
    inside = np.flatnonzero(separation <= radius_arcsec)
    inside = inside[np.argsort(separation[inside], kind="stable")]
    separation = separation[inside]
    if few:
        rows = found.take(inside).select(selected.names)
        return rows.append_column("separationArcsec", pa.array(separation, pa.float64()))
    ids = found.column("diaObjectId").to_numpy()[inside]
    cells = found.column("healpix29").to_numpy()[inside]
    rows = arrow_schema("objects").empty_table().select(keys)
    if len(ids):
        place = dict(zip(ids.tolist(), cells.tolist(), strict=True))
        if len(ids) <= _MANY:
            condition = " OR ".join(
                f"(healpix29 = {cell} AND diaObjectId = {key})" for key, cell in place.items()
            )
            within = f"healpix29 BETWEEN {cells.min()} AND {cells.max()} AND ({condition})"
            rows = _from_parts(connection, "objects", keys, within)
        else:
            rows = _joined(connection, "objects", keys, place)
        order = np.argsort(rows.column("diaObjectId").to_numpy(), kind="stable")
        position = order[np.searchsorted(rows.column("diaObjectId").to_numpy()[order], ids)]
        rows = rows.take(position)
    return rows.select(selected.names).append_column("separationArcsec", pa.array(separation, pa.float64()))


def cutout_place(connection: Any, diaSourceId: int, which: Cutout) -> tuple[str, int, int] | None:
    """Pack, offset and length of an image; None if there is none."""
    if which not in CUTOUTS:
        raise ValueError(f"{which!r} is not an image of an alert: {', '.join(CUTOUTS)}")
    found = connection.execute(
        f"SELECT pack, cutout{which}Offset, cutout{which}Length FROM cutouts WHERE diaSourceId = ?",
        [int(diaSourceId)],
    ).fetchone()
    if found is None or found[1] is None:
        return None
    return str(found[0]), int(found[1]), int(found[2])


def alert_place(connection: Any, diaSourceId: int) -> tuple[str, int, int, str] | None:
    """Pack, offset and length of the newest alert of a detection, and its writer schema; None if there is
    none."""
    found = connection.execute(
        "SELECT pack, packOffset, packLength, json FROM alerts "
        "JOIN avro_schemas ON schemaFingerprint = fingerprint "
        "WHERE diaSourceId = ? AND pack IS NOT NULL "
        "ORDER BY arrivedMjdTai DESC, pack DESC, packOffset DESC LIMIT 1",
        [int(diaSourceId)],
    ).fetchone()
    return None if found is None else (str(found[0]), int(found[1]), int(found[2]), str(found[3]))


def _cells(connection: Any, ids: Sequence[int]) -> dict[int, int]:
    """The cell of each object that is held."""
    keys = [int(key) for key in dict.fromkeys(ids)]
    if not keys:
        return {}
    if len(keys) <= _MANY:
        listed = ", ".join(map(str, keys))
        rows = connection.execute(
            " UNION ALL ".join(
                f"SELECT diaObjectId, healpix29 FROM object_ledger_{part} WHERE diaObjectId IN ({listed})"
                for part in ("sorted", "recent")
            )
        ).fetchall()
        return {int(key): int(cell) for key, cell in rows}
    with incoming(connection, wanted=pa.table({"diaObjectId": pa.array(keys, pa.int64())})):
        found = connection.execute(
            "SELECT diaObjectId, healpix29 FROM object_ledger JOIN wanted USING (diaObjectId)"
        ).fetchnumpy()
    return dict(zip(found["diaObjectId"].tolist(), found["healpix29"].tolist(), strict=True))


def _with_recent_rows(connection: Any, names: Sequence[str], cells: dict[int, int]) -> set[str]:
    """Tables that have rows of objects which are not sorted in yet; all, if the objects are many.

    Few objects have any, and to plan for them takes longer than to ask.
    """
    if not cells or len(cells) > _MANY:
        return set(names)
    within = ", ".join(map(str, cells.values()))
    ids = ", ".join(map(str, cells))
    asked = " UNION ALL ".join(
        f"(SELECT '{name}' FROM {name}_recent"
        f" WHERE healpix29 IN ({within}) AND diaObjectId IN ({ids}) LIMIT 1)"
        for name in names
    )
    return {name for (name,) in connection.execute(asked).fetchall()}


def _from_parts(
    connection: Any,
    name: str,
    columns: Sequence[str] | None,
    condition: str,
    parts: Sequence[str] = PARTS,
) -> pa.Table:
    """Rows of a table kept sorted that meet a condition on its sorting columns, from those of its parts."""
    count = len(TABLES[name].columns) if columns is None else len(columns)
    if count > _WIDE and len(parts) > 1:
        # Planning a hundred columns takes longer than finding out that a part has none of the rows.
        asked = " UNION ALL ".join(
            f"(SELECT '{part}' FROM {name}_{part} WHERE {condition} LIMIT 1)" for part in parts
        )
        parts = [part for (part,) in connection.execute(asked).fetchall()] or ["sorted"]
    listed = column_list(name) if columns is None else ", ".join(map(quoted, columns))
    found = connection.execute(
        " UNION ALL ".join(f"SELECT {listed} FROM {name}_{part} WHERE {condition}" for part in parts)
    )
    # Read as a stream: for a few rows, gathering them in DuckDB first takes as long again.
    return found.to_arrow_reader(_FEW).read_all()


def _selected(name: str, columns: Sequence[str] | None) -> pa.Schema:
    schema = arrow_schema(name)
    if columns is None:
        return schema
    return pa.schema([schema.field(table(name).column(column).name) for column in columns])
