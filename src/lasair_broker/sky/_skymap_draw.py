"""Error circles and ellipses as probability maps."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import cone_search, healpix_to_lonlat

from lasair_broker.sky._healpix import ORDER
from lasair_broker.sky._separation import separation_arcsec
from lasair_broker.sky._skymap import Float64, SkyMap, SkyMapError

__all__ = ["gaussian_skymap"]

_REACH = 4.3
"""So many standard deviations hold all but 1e-4 of a two-dimensional Gaussian."""

_CELLS_PER_SIGMA = 8
_MOST_CELLS = 200_000
_WIDEST_CONE = 60.0
_FINEST = ORDER - 2
"""cone_search looks two orders below the cells it returns, and 29 is the last order."""


def gaussian_skymap(
    ra: float, decl: float, sigma_major: float, sigma_minor: float | None = None, angle: float = 0.0
) -> SkyMap:
    """A Gaussian of great-circle distance around a position, to 4.3 standard deviations.

    Parameters
    ----------
    ra, decl
        Centre, degrees.
    sigma_major, sigma_minor
        Standard deviations along the axes, degrees; without the second it is round.
    angle
        Position angle of the major axis, degrees from north through east.

    Raises
    ------
    SkyMapError
        If the centre is no position or a deviation not above 0.
    """
    minor = sigma_major if sigma_minor is None else sigma_minor
    if not (math.isfinite(ra) and abs(decl) <= 90.0 and 0.0 < minor <= sigma_major < math.inf):
        raise SkyMapError(f"no error region: ra={ra}, decl={decl}, {sigma_major}°, {minor}°")
    # As fine as the narrow axis needs, but not more cells than are bearable.
    cells = math.pi * (_REACH * _CELLS_PER_SIGMA) ** 2 * sigma_major / minor
    wanted = minor / _CELLS_PER_SIGMA * math.sqrt(max(1.0, cells / _MOST_CELLS))
    finest = min(_FINEST, max(3, _order_of(wanted)))
    order = min(finest, max(3, _order_of(sigma_major)))
    cell = _cells_near(ra % 360.0, decl, _REACH * sigma_major, order)
    while True:
        lon, lat = healpix_to_lonlat(cell.astype(np.uint64), order)
        offset = _offset(ra, decl, lon.deg, lat.deg, sigma_major, minor, angle)
        if order == finest:
            break
        # A cell whose centre is a little outside may have parts that are not.
        cell = cell[offset <= _REACH + 1.5 * _side(order) / minor]
        order += 1
        cell = (4 * cell[:, None] + np.arange(4)).reshape(-1)
    inside = offset <= _REACH
    if not inside.any():  # the whole error is smaller than the smallest cell
        inside[np.argmin(offset)] = True
    density = np.exp(-0.5 * np.minimum(offset[inside], _REACH) ** 2)
    density /= density.sum() * 4.0 * math.pi / (12 << (2 * order))
    start = cell[inside] << (2 * (ORDER - order))
    return SkyMap.of_cells(start, np.full(len(start), order, np.int8), density)


def _side(order: int) -> float:
    """Side of a cell, degrees."""
    return math.degrees(math.sqrt(4.0 * math.pi / (12 << (2 * order))))


def _order_of(side: float) -> int:
    """The coarsest order with cells not larger than so many degrees."""
    return math.ceil(math.log2(_side(0) / side))


def _cells_near(ra: float, decl: float, radius: float, order: int) -> npt.NDArray[np.int64]:
    if radius > _WIDEST_CONE:
        return np.arange(12 << (2 * order))
    found, _, _ = cone_search(
        Longitude(ra, u.deg), Latitude(decl, u.deg), (radius + 2.0 * _side(order)) * u.deg, order, flat=True
    )
    return np.asarray(found, np.int64)


def _offset(
    ra: float, decl: float, lon: Float64, lat: Float64, major: float, minor: float, angle: float
) -> Float64:
    """Distance from the centre in standard deviations of that direction."""
    away = separation_arcsec(ra, decl, lon, lat) / 3600.0
    if major == minor:
        return np.asarray(away / major)
    turn, north, here = np.radians(lon - ra), np.radians(lat), math.radians(decl)
    east = np.sin(turn) * np.cos(north)
    up = math.cos(here) * np.sin(north) - math.sin(here) * np.cos(north) * np.cos(turn)
    turned = np.arctan2(east, up) - math.radians(angle)
    return np.asarray(away * np.hypot(np.cos(turned) / major, np.sin(turned) / minor))
