"""HEALPix and HTM cells against other implementations."""

from __future__ import annotations

import math

import astropy.units as u
import cdshealpix
import numpy as np
import numpy.typing as npt
import pytest
from astropy.coordinates import Latitude, Longitude
from astropy_healpix import lonlat_to_healpix
from hypothesis import example, given
from hypothesis import strategies as st

from lasair_broker.sky import healpix29, htm16, separation_arcsec

right_ascensions = st.floats(0.0, 360.0, exclude_max=True)
declinations = st.floats(-90.0, 90.0)


def positions(count: int, seed: int = 1) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Positions uniform on the sphere."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.0, 360.0, count), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))


def corners_of_cell(cell: int, order: int = 29) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    lon, lat = cdshealpix.vertices(np.array([cell], np.uint64), order)
    return lon.deg[0], lat.deg[0]


def in_or_beside(cell: int, ra: float, decl: float) -> bool:
    """Whether a position lies in a cell, or as far outside as the rounding of the oracle's centre allows."""
    lon, lat = cdshealpix.healpix_to_lonlat(np.array([cell], np.uint64), 29)
    ra_corners, decl_corners = corners_of_cell(cell)
    reach = separation_arcsec(lon.deg[0], lat.deg[0], ra_corners, decl_corners).max()
    return bool(separation_arcsec(lon.deg[0], lat.deg[0], ra, decl) <= reach * 1.001 + 1e-9)


def test_healpix29_equals_cdshealpix_on_the_whole_sphere() -> None:
    ra, decl = positions(200_000)
    expected = cdshealpix.lonlat_to_healpix(Longitude(ra, u.deg), Latitude(decl, u.deg), 29).astype(np.int64)
    differ = np.flatnonzero(healpix29(ra, decl) != expected)
    # Both round: a position within 1e-7 of a cell of an edge may go either way.
    assert len(differ) <= 3
    assert all(in_or_beside(int(healpix29(ra[i], decl[i])), ra[i], decl[i]) for i in differ)


def test_healpix29_equals_astropy_healpix_at_coarser_orders() -> None:
    ra, decl = positions(20_000, seed=2)
    for order in (0, 3, 12, 20):
        expected = lonlat_to_healpix(ra * u.deg, decl * u.deg, nside=1 << order, order="nested")
        np.testing.assert_array_equal(healpix29(ra, decl) >> (2 * (29 - order)), expected)


@given(right_ascensions, declinations)
@example(0.0, 90.0)
@example(0.0, -90.0)
@example(359.99999999999994, 90.0)
@example(45.0, math.degrees(math.asin(2 / 3)))
@example(90.0, 0.0)
@example(0.0, 89.99999999999999)
@example(180.0, 41.810314895778596)
def test_the_cell_holds_the_position(ra: float, decl: float) -> None:
    cell = int(healpix29(ra, decl))
    assert 0 <= cell < 12 << 58
    assert in_or_beside(cell, ra, decl)


@given(st.integers(0, (12 << 58) - 1))
def test_the_centre_of_a_cell_is_in_the_cell(cell: int) -> None:
    lon, lat = cdshealpix.healpix_to_lonlat(np.array([cell], np.uint64), 29)
    # Ten cells next to the poles, one right ascension step is less than a cell but a declination is not.
    assert int(healpix29(lon.deg[0], lat.deg[0])) == cell or abs(lat.deg[0]) > 89.999


@given(st.integers(-3 * 2**20, 3 * 2**20), declinations)
def test_right_ascension_wraps(step: int, decl: float) -> None:
    ra = step * 360.0 / 2**20  # exact in binary, so that a whole turn changes no digit
    assert healpix29(ra, decl) == healpix29(ra % 360.0, decl)


def test_a_tiny_negative_right_ascension_is_zero() -> None:
    assert healpix29(-1e-300, 10.0) == healpix29(0.0, 10.0)


@pytest.mark.parametrize("cells", [healpix29, htm16])
def test_what_is_not_a_position_has_no_cell(cells) -> None:  # type: ignore[no-untyped-def]  # either kernel
    ra = [math.nan, 1.0, math.inf, 1.0, 1.0, 1.0]
    decl = [1.0, math.nan, 1.0, 90.1, -91.0, math.inf]
    assert cells(ra, decl).tolist() == [-1] * 6


@pytest.mark.parametrize("cells", [healpix29, htm16])
def test_shapes_broadcast(cells) -> None:  # type: ignore[no-untyped-def]  # either kernel
    assert cells(1.0, 2.0).shape == ()
    assert cells([], []).shape == (0,)
    grid = cells(np.arange(3.0)[:, None], np.arange(4.0))
    assert grid.shape == (3, 4)
    assert grid[2, 3] == cells(2.0, 3.0)
    assert grid.dtype == np.int64


Vector = tuple[float, float, float]


def cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vector) -> Vector:
    length = math.hypot(*a)
    return (a[0] / length, a[1] / length, a[2] / length)


def middle(a: Vector, b: Vector) -> Vector:
    return unit((a[0] + b[0], a[1] + b[1], a[2] + b[2]))


Triangle = tuple[Vector, Vector, Vector]

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
MINUS_X, MINUS_Y, MINUS_Z = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)
ROOTS: dict[int, Triangle] = {
    8: (X, MINUS_Z, Y),
    9: (Y, MINUS_Z, MINUS_X),
    10: (MINUS_X, MINUS_Z, MINUS_Y),
    11: (MINUS_Y, MINUS_Z, X),
    12: (X, Z, MINUS_Y),
    13: (MINUS_Y, Z, MINUS_X),
    14: (MINUS_X, Z, Y),
    15: (Y, Z, X),
}


def on_sphere(ra: float, decl: float) -> Vector:
    cos_decl = math.cos(math.radians(decl))
    a = math.radians(ra)
    return (cos_decl * math.cos(a), cos_decl * math.sin(a), math.sin(math.radians(decl)))


def children(triangle: Triangle) -> tuple[Triangle, Triangle, Triangle, Triangle]:
    a, b, c = triangle
    ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
    return (a, ab, ca), (b, bc, ab), (c, ca, bc), (bc, ca, ab)


def depth(triangle: Triangle, point: Vector) -> float:
    """Radians from the nearest edge of the triangle, negative outside."""
    a, b, c = triangle
    return min(dot(unit(cross(p, q)), point) for p, q in ((a, b), (b, c), (c, a)))


def slow_htm(ra: float, decl: float, level: int = 16) -> tuple[int, float]:
    """Independent oracle: at every level all triangles are tried and the one the position is deepest in kept.

    Returns the id, and how far (radians) the position is from the nearest edge met on the way, because a
    position on an edge belongs to either side.
    """
    point = on_sphere(ra, decl)
    triangles = ROOTS
    doubt = math.inf
    best = 0
    for _ in range(level + 1):
        depths = {name: depth(triangle, point) for name, triangle in triangles.items()}
        best = max(depths, key=depths.__getitem__)
        doubt = min(doubt, abs(depths[best]))
        triangles = {best * 4 + k: child for k, child in enumerate(children(triangles[best]))}
    return best, doubt


def triangle_of(cell: int, level: int = 16) -> Triangle:
    """The corners of the HTM triangle with this id."""
    triangle = ROOTS[cell >> (2 * level)]
    for above in range(level - 1, -1, -1):
        triangle = children(triangle)[(cell >> (2 * above)) & 3]
    return triangle


@given(right_ascensions, declinations)
@example(0.0, 0.0)
@example(90.0, 45.0)
@example(123.0, 90.0)
def test_htm16_equals_the_slow_recursion(ra: float, decl: float) -> None:
    expected, doubt = slow_htm(ra, decl)
    found = int(htm16(ra, decl))
    assert depth(triangle_of(found), on_sphere(ra, decl)) > -1e-14
    assert found == expected or doubt < 1e-14


@pytest.mark.parametrize(
    ("ra", "decl", "cell"),
    [
        (10.68, 41.27, 67673303331),
        (83.63, 22.01, 65368546198),
        (201.37, -43.02, 46962583434),
        (310.5, -12.25, 50752141829),
        (56.75, -89.5, 35433564352),
        (0.0, 0.0, 66571993088),
        (90.0, 0.0, 64424509440),
        (180.0, 0.0, 60129542144),
        (270.0, 0.0, 55834574848),
        (0.0, 90.0, 65498251264),
        (0.0, -90.0, 35433480192),
        (45.0, 0.0, 66840428544),
    ],
)
def test_htm16_equals_what_lsst_sphgeom_gives(ra: float, decl: float, cell: int) -> None:
    """Recorded from lsst-sphgeom's HtmPixelization(16); the last seven lie on edges and corners."""
    assert htm16(ra, decl) == cell
