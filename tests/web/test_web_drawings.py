"""Pictures that are part of pages: light curves as small as a word, and the sky."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st


def sources(*rows: tuple[int, float, str, float | None]) -> pa.Table:
    names = ("diaObjectId", "midpointMjdTai", "band", "psfFlux")
    kinds = (pa.int64(), pa.float64(), pa.string(), pa.float32())
    columns = zip(*rows, strict=True) if rows else [[]] * 4
    return pa.table([pa.array(list(c), k) for c, k in zip(columns, kinds, strict=True)], names=names)


def test_each_object_has_its_points() -> None:
    from lasair_broker.web.site.sparklines import drawn

    found = drawn(
        sources((2, 1.0, "g", 10.0), (2, 2.0, "r", -5.0), (2, 3.0, "g", None), (7, 1.0, "<x>", 3.0))
    )
    assert set(found) == {2, 7}
    svg = ElementTree.fromstring(found[2])
    assert [g.get("class") for g in svg.iter("g")] == ["spark-g", "spark-r"]
    (g, r) = svg.iter("circle")
    assert (float(g.get("cx", "")), float(r.get("cx", ""))) == (3.0, 117.0)
    assert float(g.get("cy", "")) < float(svg.find("line").get("y1", "")) < float(r.get("cy", ""))  # type: ignore[union-attr]
    assert "2 detections in 1 days" in (svg.findtext("title") or "")
    assert [g.get("class") for g in ElementTree.fromstring(found[7]).iter("g")] == ["spark-other"]
    assert drawn(sources()) == {}


def test_bars_are_as_high_as_their_counts() -> None:
    from lasair_broker.web.site.sparklines import bars

    heights = [float(b.get("height", "")) for b in ElementTree.fromstring(bars([0, 7, 14], "n")).iter("rect")]
    assert heights[0] == 0.0
    assert heights[2] == pytest.approx(2 * heights[1], abs=0.2)
    assert bars([], "n") == bars([0, 0], "n") == ""


@given(st.floats(-175, 175), st.floats(-85, 85))
def test_the_sky_keeps_areas(lon: float, lat: float) -> None:
    """A small square is as large on the map, wherever it is."""
    from lasair_broker.web.site.filters.sky import project

    ra, step = (-lon) % 360.0, 1e-3
    x0, y0 = project(ra, lat)
    x1, y1 = project(ra - step, lat)
    x2, y2 = project(ra, lat + step)
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
    expected = (
        step**2 * math.cos(math.radians(lat)) * (math.pi * 360 * 180) / (4 * math.pi * math.degrees(1) ** 2)
    )
    assert area == pytest.approx(expected, rel=5e-3)
    assert ((x0 - 360) / 360) ** 2 + ((y0 - 180) / 180) ** 2 <= 1.0001


def test_east_is_left_and_north_up() -> None:
    from lasair_broker.web.site.filters.sky import Mark, project, sky

    assert project(0.0, 0.0) == (360.0, 180.0)
    assert project(10.0, 0.0)[0] < 360.0 < project(350.0, 0.0)[0]
    assert project(0.0, 10.0)[1] < 180.0
    svg = ElementTree.fromstring(sky([Mark(10.0, 5.0, "<name>", "/objects/1/")]))
    (point,) = svg.iter("circle")
    assert float(point.get("cx", "")) == pytest.approx(project(10.0, 5.0)[0], abs=0.06)
    assert point.findtext("title") == "<name>: 10.0000, +5.0000"
