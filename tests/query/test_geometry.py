"""Positions and regions: as values, in text, within each other; the same in every engine."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import math
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.query import ARCHIVE, QueryError, StreamPlan, parse
from lasair_broker.query._sphere import area, centroid, convex_parts, cross, dot, position, vector

# What follows of the definitions.
KNOWN = {
    "POINT(10, 20)": [10.0, 20.0], "POINT('ICRS', 10, 20)": [10.0, 20.0], "POINT(NULL, 20)": None,
    "CIRCLE(POINT(10, 20), 0.5)": [10.0, 20.0, 0.5], "POLYGON(1, 2, 3, 4, 5, 0)": [1.0, 2.0, 3.0, 4.0, 5.0, 0.0],
    "POLYGON('J2000', POINT(1, 2), POINT(3, 4), POINT(5, 0))": [1.0, 2.0, 3.0, 4.0, 5.0, 0.0],
    "BOX(10, 20, 2, 4)": [9.0, 18.0, 11.0, 18.0, 11.0, 22.0, 9.0, 22.0],
    "REGION('Circle ICRS GEOCENTER 1 2 3')": [1.0, 2.0, 3.0], "REGION('Position 1 -2.5e0')": [1.0, -2.5],
    "CAST('12.3 45.6' AS POINT)": [12.3, 45.6],
    "COORD1(POINT(10, 20))": 10.0, "COORD2(CENTROID(CIRCLE(10, 20, 1)))": 20.0, "COORDSYS(POINT(1, 2))": "ICRS",
    "AREA(CIRCLE(0, 90, 90))": 2 * math.pi * (180 / math.pi) ** 2, "AREA(CIRCLE(5, 5, 0.001))": math.pi * 1e-6, "AREA(POINT(1, 2))": 0.0,
    "AREA(POLYGON(0, 0, 90, 0, 0, 90))": 4 * math.pi / 8 * (180 / math.pi) ** 2,
    "COORD2(CENTROID(POLYGON(0, 0, 90, 0, 0, 90)))": math.degrees(math.asin(1 / math.sqrt(3))),
    "CONTAINS(POINT(10, 20.9), CIRCLE(10, 20, 1))": 1, "CONTAINS(CIRCLE(10, 20, 1), CIRCLE(10, 20, 2))": 1,
    "CONTAINS(CIRCLE(10, 20, 2), CIRCLE(10, 20, 1))": 0, "CONTAINS(CIRCLE(10, 20, 1), POINT(10, 20))": 0,
    "CONTAINS(POINT(NULL, 20), CIRCLE(10, 20, 1))": None, "CONTAINS(NULL, CIRCLE(10, 20, 1))": None,
    "CONTAINS(CIRCLE(10, 20, 0.5), BOX(10, 20, 2, 2))": 1, "CONTAINS(CIRCLE(10, 20, 1.5), BOX(10, 20, 2, 2))": 0,
    "CONTAINS(BOX(10, 20, 1, 1), CIRCLE(10, 20, 1))": 1, "CONTAINS(BOX(10, 20, 1, 1), BOX(10, 20, 2, 2))": 1,
    "CONTAINS(BOX(10, 20, 3, 1), BOX(10, 20, 2, 2))": 0,
    "INTERSECTS(CIRCLE(10, 20, 1), CIRCLE(10, 22, 1.5))": 1, "INTERSECTS(CIRCLE(10, 20, 1), CIRCLE(10, 23, 1.5))": 0,
    "INTERSECTS(CIRCLE(10, 21.5, 1), BOX(10, 20, 2, 2))": 1, "INTERSECTS(CIRCLE(10, 22.5, 1), BOX(10, 20, 2, 2))": 0,
    "INTERSECTS(CIRCLE(10, 20, 5), BOX(10, 20, 2, 2))": 1, "INTERSECTS(BOX(10, 20, 4, 0.1), BOX(10, 20, 0.1, 4))": 1,
    "INTERSECTS(BOX(10, 20, 1, 1), BOX(13, 20, 1, 1))": 0, "INTERSECTS(BOX(0, 0, 1, 1), POINT(0.4, 0.4))": 1,
    "CONTAINS(POINT(1, 0), REGION('Union (Circle 0 0 0.5 Circle 1 0 0.5)'))": 1,
    "CONTAINS(POINT(1, 0), REGION('Intersection ICRS (Circle 0 0 0.5 Circle 1 0 0.5)'))": 0,
    "CONTAINS(POINT(1, 0), REGION('Not (Circle 0 0 0.5)'))": 1,
    "INTERSECTS(CIRCLE(2, 0, 1), REGION('Union (Circle 0 0 0.5 Circle 1 0 0.5)'))": 1,
    "CONTAINS(POINT(0, 90), POLYGON(0, 80, 270, 80, 180, 80, 90, 80))": 1, "CONTAINS(POINT(0, -90), POLYGON(0, 80, 270, 80, 180, 80, 90, 80))": 0,
    # Not convex: the notch of a U is outside.
    "CONTAINS(POINT(0, 1), POLYGON(-2, -2, 2, -2, 2, 2, 1, 2, 1, -1, -1, -1, -1, 2, -2, 2))": 0,
    "CONTAINS(POINT(1.5, 1), POLYGON(-2, -2, 2, -2, 2, 2, 1, 2, 1, -1, -1, -1, -1, 2, -2, 2))": 1,
    "DISTANCE(POINT(0, 0), CENTROID(CIRCLE(0, 3, 1)))": 3.0,
    "CASE WHEN POINT(1, 2) = POINT(1, 2) THEN 1 END": 1, "CASE WHEN POINT(1, 2) <> POINT(1, 3) THEN 1 END": 1,
}  # fmt: skip


@pytest.mark.parametrize("expression", KNOWN)
def test_known_values(engines: Any, expression: str) -> None:
    query = parse(f"SELECT {expression} AS v FROM objects WHERE diaObjectId = 9007199254740993", ARCHIVE)
    stream = StreamPlan(query).run(engines.frame).rows.column("v").to_pylist()[0]
    for value in (engines.in_duckdb(query)[0][0], engines.in_postgresql(query)[0][0], stream):
        expected = KNOWN[expression]
        assert value == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)


def test_positions_go_through_queries(engines: Any) -> None:
    text = """SELECT COORD1(p) AS a, COORD2(CENTROID(c)) AS d, AREA(c) AS s, p FROM (SELECT POINT(ra, decl) AS p, CIRCLE(ra, decl, 1) AS c FROM objects) AS q
              WHERE CONTAINS(p, CIRCLE(10, -20, 0.01)) = 1 AND INTERSECTS(c, BOX(10, -19, 0.01, 0.01)) = 1"""
    query = parse(text, ARCHIVE)
    rows = engines.in_duckdb(query)
    assert rows
    assert all(row[3] == list(row[:2]) and row[2] == pytest.approx(math.pi, rel=1e-4) for row in rows)
    assert sorted(map(repr, engines.in_postgresql(query))) == sorted(map(repr, rows))


REFUSED = [
    ("POINT('GALACTIC', 1, 2)", "ICRS"), ("POINT(1)", "takes right ascension"), ("POLYGON(1, 2, 3, 4)", "three or more"),
    ("CONTAINS(1, CIRCLE(1, 2, 3))", "a position or a region"), ("POINT(1, 2) || 'a'", "a text is expected"), ("REGION('Cone 1 2 3')", "no region CONE"),
    ("REGION('Circle 1 2')", "CIRCLE takes"), ("REGION('Union (Circle 1 2 3')", "not closed"), ("REGION(objectName)", "takes a text"),
    ("AREA(3)", "AREA takes"), ("CAST(objectName AS POINT)", "takes a text of numbers"), ("CAST('1 x' AS POINT)", "not x"),
    ("CONTAINS(POINT(ra, decl), POLYGON(0, 0, 1, 1, 0, 1, 1, 0))", "crosses itself"), ("CONTAINS(POINT(ra, decl), BOX(ra, decl, 1, 1))", "not columns"),
    ("REGION('Union (Circle 1 2 3)')", "cannot be shown"), ("REGION('" + "Not (" * 30 + "')", "too deeply"),
    ("MIN(POINT(ra, decl))", "MIN takes"), ("DISTANCE(CIRCLE(1, 2, 3), POINT(1, 2))", "two positions"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_what_has_no_meaning_is_refused(expression: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse(f"SELECT {expression} FROM objects", ARCHIVE)


@st.composite
def stars(draw: st.DrawFn) -> tuple[list[tuple[float, float]], tuple[float, float]]:
    """A polygon whose corners lie round its middle in order, mostly not convex, somewhere on the sky, and the middle."""
    middle = SkyCoord(draw(st.floats(0, 359.9)) * u.deg, draw(st.floats(-89, 89)) * u.deg)
    number = draw(st.integers(3, 9))
    radii = draw(st.lists(st.floats(0.2, 10.0), min_size=number, max_size=number))
    turns = (np.arange(number) + 0.5) * 360.0 / number
    corners = middle.directional_offset_by(turns * u.deg, np.array(radii) * u.deg)
    return list(zip(corners.ra.deg.tolist(), corners.dec.deg.tolist(), strict=True)), (
        middle.ra.deg,
        middle.dec.deg,
    )


def _crossings(corners: list[tuple[float, float]], middle: tuple[float, float], point: SkyCoord) -> bool:
    """Inside by counting the edges that a ray crosses on the tangent plane."""
    frame = SkyCoord(*middle, unit="deg").skyoffset_frame()

    def flat(place: SkyCoord) -> tuple[float, float]:
        there = place.transform_to(frame)
        x, y, z = there.cartesian.xyz.value
        return y / x, z / x

    px, py = flat(point)
    shape = [flat(SkyCoord(ra, decl, unit="deg")) for ra, decl in corners]
    inside = False
    for (x1, y1), (x2, y2) in zip(shape, shape[1:] + shape[:1], strict=True):
        if (y1 > py) != (y2 > py) and px < (x2 - x1) * (py - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


@settings(max_examples=40, deadline=None)
@given(polygon=stars(), turn=st.floats(0, 360), far=st.floats(0.0, 12.0), backwards=st.booleans())
def test_convex_parts_make_up_the_polygon(
    polygon: tuple[list[tuple[float, float]], tuple[float, float]], turn: float, far: float, backwards: bool
) -> None:
    corners, middle = polygon
    vectors = [vector(*corner) for corner in (reversed(corners) if backwards else corners)]
    parts = convex_parts(vectors)
    assert parts is not None
    point = SkyCoord(*middle, unit="deg").directional_offset_by(turn * u.deg, far * u.deg)
    v = vector(point.ra.deg, point.dec.deg)
    margins = [min(dot(cross(a, b), v) for a, b in zip(p, [*p[1:], p[0]], strict=True)) for p in parts]
    if all(abs(margin) > 1e-9 for margin in margins):  # else the point is on an edge, where rounding decides
        assert any(margin > 0 for margin in margins) == _crossings(corners, middle, point)
    assert sum(area(part) for part in parts) == pytest.approx(area(vectors), rel=1e-6)


def test_centroid_against_many_points() -> None:
    corners = [vector(*c) for c in ((10, 0), (50, 5), (40, 60), (20, 30))]
    parts = convex_parts(corners)
    assert parts is not None
    rng = np.random.default_rng(3)
    cloud = rng.normal(size=(400_000, 3))
    cloud /= np.linalg.norm(cloud, axis=1)[:, None]
    inside = np.zeros(len(cloud), np.bool_)
    for part in parts:
        inside |= np.all(
            [cloud @ np.array(cross(a, b)) >= 0 for a, b in zip(part, [*part[1:], part[0]], strict=True)],
            axis=0,
        )
    ra, decl = position(centroid(corners))
    mean = cloud[inside].mean(axis=0)
    assert position((mean[0], mean[1], mean[2])) == pytest.approx((ra, decl), abs=0.2)
    assert inside.mean() * 4 * math.pi * (180 / math.pi) ** 2 == pytest.approx(area(corners), rel=0.02)
