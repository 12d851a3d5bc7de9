"""Cones as ranges: nothing of the cone may be missed, and little else covered."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lasair_broker.sky import cone_ranges, contains_cone, healpix29, separation_arcsec


def positions_of_cone(
    ra: float, decl: float, radius_arcsec: float, count: int = 400
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Positions in the cone, many of them near its rim: a disk around the x axis, turned to the centre."""
    rng = np.random.default_rng(5)
    distance = np.radians(radius_arcsec / 3600.0) * np.minimum(
        1.0 - 1e-9, np.sqrt(rng.uniform(0, 1.5, count))
    )
    angle = rng.uniform(0, 2 * np.pi, count)
    disk = np.stack([np.cos(distance), np.sin(distance) * np.cos(angle), np.sin(distance) * np.sin(angle)])
    a, d = math.radians(ra), math.radians(decl)
    out = np.array([math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)])
    east = np.array([-math.sin(a), math.cos(a), 0.0])
    x, y, z = np.stack([out, east, np.cross(out, east)], axis=1) @ disk
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


@given(
    st.floats(0.0, 360.0),
    st.floats(-90.0, 90.0),
    st.floats(-3.0, 5.8).map(lambda x: 10.0**x),
    st.integers(1, 20),
)
@settings(max_examples=200, deadline=None)
@example(0.0, 90.0, 5.0, 4)
@example(0.0, -90.0, 5.0, 4)
@example(359.9999, 0.0, 3600.0, 4)
@example(45.0, 41.810314895778596, 5.0, 1)
@example(0.0, 0.0, 647999.0, 4)
def test_every_position_of_the_cone_is_covered(ra: float, decl: float, radius: float, most: int) -> None:
    ranges = cone_ranges(ra, decl, radius, most)
    assert 1 <= len(ranges) <= most
    assert all(low < high for low, high in ranges)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ranges))
    lon, lat = positions_of_cone(ra, decl, radius)
    inside = contains_cone(lon, lat, ra, decl, radius)
    cells = healpix29(lon[inside], lat[inside])
    covered = np.zeros(len(cells), bool)
    for low, high in ranges:
        covered |= (cells >= low) & (cells < high)
    assert covered.all()
    centre = int(healpix29(ra, decl))
    assert any(low <= centre < high for low, high in ranges)


@pytest.mark.parametrize("radius", [0.5, 5.0, 60.0, 3600.0, 36000.0])
def test_many_ranges_waste_little_sky(radius: float) -> None:
    cell_arcsec2 = 4 * math.pi / (12 << 58) * (180 * 3600 / math.pi) ** 2
    ranges = cone_ranges(123.0, -34.5, radius, max_ranges=1000)
    covered = sum(high - low for low, high in ranges) * cell_arcsec2
    assert 1.0 <= covered / (math.pi * radius**2) < 2.5


def test_fewer_ranges_contain_more_ranges() -> None:
    fine = cone_ranges(33.0, 12.0, 100.0, 50)
    for most in (1, 2, 4, 8):
        coarse = cone_ranges(33.0, 12.0, 100.0, most)
        assert len(coarse) <= most
        assert all(any(a <= low and high <= b for a, b in coarse) for low, high in fine)


def test_a_cone_of_radius_zero_holds_its_centre() -> None:
    ranges = cone_ranges(10.0, 20.0, 0.0)
    assert any(low <= healpix29(10.0, 20.0) < high for low, high in ranges)
    assert sum(high - low for low, high in ranges) < 1000
    assert bool(contains_cone(10.0, 20.0, 10.0, 20.0, 0.0))


def test_the_whole_sky() -> None:
    assert cone_ranges(1.0, 2.0, 648000.0) == [(0, 12 << 58)]
    assert cone_ranges(1.0, 2.0, 1e9) == [(0, 12 << 58)]


@pytest.mark.parametrize(
    ("ra", "decl", "radius", "most"),
    [
        (math.nan, 0.0, 1.0, 4),
        (0.0, 90.5, 1.0, 4),
        (0.0, 0.0, -1.0, 4),
        (0.0, 0.0, math.nan, 4),
        (0.0, 0.0, math.inf, 4),
        (0.0, 0.0, 1.0, 0),
    ],
)
def test_what_is_not_a_cone_is_refused(ra: float, decl: float, radius: float, most: int) -> None:
    with pytest.raises(ValueError, match=r"position|radius|max_ranges"):
        cone_ranges(ra, decl, radius, most)


def test_contains_cone_is_the_separation_with_the_rim() -> None:
    ra = np.array([0.0, 359.999, 0.002, np.nan])
    rim = float(separation_arcsec(359.999, 0.0, 0.0, 0.0))
    assert contains_cone(ra, 0.0, 0.0, 0.0, rim).tolist() == [True, True, False, False]
