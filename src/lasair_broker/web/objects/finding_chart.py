"""A finding chart: what lies where around an object, drawn to scale, north up and east left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lasair_broker.context import tangent_offset
from lasair_broker.web.archive import archive
from lasair_broker.web.objects.head import state_of

SIDE = 400.0
"""Of the drawing, in its own units."""

_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300)
_MOST_MARKS = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the chart.

    Attributes
    ----------
    x, y
        In units of the drawing, from its top left corner.
    ra, decl
        Degrees, ICRS.
    kind
        object, host, match or neighbour.
    name, about
        What it is, and more in a few words.
    separation
        Arcseconds from the object.
    radius
        Of a galaxy, its semi-major axis in units of the drawing; 0 if it is not known.
    address
        Key of the page of a neighbour; "" for others.
    """

    x: float
    y: float
    ra: float
    decl: float
    kind: str
    name: str
    about: str
    separation: float
    radius: float = 0.0
    address: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A finding chart of a field with sides of `field` arcseconds.

    Attributes
    ----------
    name
        Of the object in the middle.
    marks
        What is on it, the nearest last, so that it lies on top.
    bar, bar_label
        Length of the scale bar in units of the drawing, and what it stands for.
    """

    name: str
    ra: float
    decl: float
    field: float
    marks: list[Mark]
    bar: float
    bar_label: str
    side: float = SIDE


def finding_chart(key: str, field: float) -> Chart:
    """The chart of a field around an object, of this many arcseconds along a side.

    Raises
    ------
    NotFound
        If there is no such object.
    """
    row = state_of(key, ("diaObjectId", "objectName", "ra", "decl"))
    scale = SIDE / field
    matches = archive().rows_of_objects("sherlock_crossmatches", [row["diaObjectId"]])
    near = archive().cone(row["ra"], row["decl"], field * math.sqrt(0.5))
    marks = [*_matches(matches, row, scale), *_neighbours(near, row, scale)]
    shown = [mark for mark in marks if 0.0 <= mark.x <= SIDE and 0.0 <= mark.y <= SIDE]
    shown = sorted(shown, key=lambda mark: mark.separation)[:_MOST_MARKS]
    bar = max((step for step in _STEPS if step <= field / 3.0), default=_STEPS[0])
    return Chart(
        name=row["objectName"] or str(row["diaObjectId"]),
        ra=row["ra"],
        decl=row["decl"],
        field=field,
        marks=shown[::-1],
        bar=bar * scale,
        bar_label=f"{bar}″" if bar < 60 else f"{bar // 60}′",
    )


def _matches(rows: pa.Table, centre: dict[str, Any], scale: float) -> list[Mark]:
    best = rows.sort_by("rank").to_pylist()
    host = max(
        (row for row in best if row["hostProbability"]), key=lambda r: r["hostProbability"], default=None
    )
    found = []
    for row in best:
        if row["raDeg"] is None or row["decDeg"] is None:
            continue
        x, y = _at(row["raDeg"], row["decDeg"], centre, scale)
        about = f"{row['catalogue_object_type'] or 'source'} in {row['catalogue_table_name']}"
        if row["Mag"] is not None:
            about += f", {row['MagFilter'] or ''} {row['Mag']:.1f} mag".replace("  ", " ")
        found.append(
            Mark(
                x=x,
                y=y,
                ra=row["raDeg"],
                decl=row["decDeg"],
                kind="host" if row is host else "match",
                name=str(row["catalogue_object_id"] or ""),
                about=about,
                separation=row["separationArcsec"] or 0.0,
                radius=(row["major_axis_arcsec"] or 0.0) * scale,
            )
        )
    return found


def _neighbours(rows: pa.Table, centre: dict[str, Any], scale: float) -> list[Mark]:
    found = []
    for row in rows.to_pylist():
        if row["diaObjectId"] == centre["diaObjectId"]:
            continue
        x, y = _at(row["ra"], row["decl"], centre, scale)
        name = row["objectName"] or str(row["diaObjectId"])
        about = f"object with {row['nDiaSources']} detections"
        found.append(
            Mark(
                x, y, row["ra"], row["decl"], "neighbour", name, about, row["separationArcsec"], address=name
            )
        )
    return found


def _at(ra: float, decl: float, centre: dict[str, Any], scale: float) -> tuple[float, float]:
    east, north = tangent_offset(ra, decl, centre["ra"], centre["decl"])
    return SIDE / 2.0 - float(east) * scale, SIDE / 2.0 - float(north) * scale
