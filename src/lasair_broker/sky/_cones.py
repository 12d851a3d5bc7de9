"""Cones on the sky as ranges of HEALPix cells, and the exact test."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.sky._healpix import CELLS, ORDER
from lasair_broker.sky._separation import separation_arcsec

Int64 = npt.NDArray[np.int64]

_MARGIN_ARCSEC = 0.001
"""Widening of a cone before it is covered: two and a half cells, so that no rounding can lose its rim."""

_CELL_ARCSEC_AT_ORDER_0 = math.degrees(math.sqrt(4.0 * math.pi / 12.0)) * 3600.0
_FINEST_ORDER = ORDER - 2
"""cone_search looks two orders below the cells it returns, and 29 is the last order."""

_LARGEST_RADIUS = 180.0 * 3600.0


def cone_ranges(ra: float, decl: float, radius_arcsec: float, max_ranges: int = 4) -> list[tuple[int, int]]:
    """Ranges of `healpix29` that cover a cone.

    Parameters
    ----------
    ra, decl
        Centre in degrees (ICRS).
    radius_arcsec
        Radius in arcseconds, 0 or more; 648,000 or more is the whole sky.
    max_ranges
        At most so many ranges are returned; more ranges waste less sky outside the cone.

    Returns
    -------
    Half-open ranges ``(low, high)`` of nested order-29 cells, ascending and disjoint. Every position of the
    cone lies in one of them; positions outside the cone may too, so `contains_cone` must follow.

    Raises
    ------
    ValueError
        If the centre is not a position, the radius is negative or not finite, or `max_ranges` is below 1.
    """
    if not (math.isfinite(ra) and abs(decl) <= 90.0):
        raise ValueError(f"not a position: ra={ra}, decl={decl}")
    if not (math.isfinite(radius_arcsec) and radius_arcsec >= 0.0):
        raise ValueError(f"radius must be 0 or more arcseconds, not {radius_arcsec}")
    if max_ranges < 1:
        raise ValueError(f"max_ranges must be at least 1, not {max_ranges}")
    radius = radius_arcsec + _MARGIN_ARCSEC
    if radius >= _LARGEST_RADIUS:
        return [(0, CELLS)]
    if radius <= 0.5 * _LARGEST_RADIUS:
        return _merge(*_cells_of_cone(ra, decl, radius)[:2], max_ranges)
    # cone_search loses cells of cones beyond some 130 degrees. A cone larger than half of the sky is what
    # the cone around the opposite point leaves over, so only cells wholly inside that one are left out.
    low, high, inside = _cells_of_cone(ra + 180.0, -decl, _LARGEST_RADIUS - radius)
    bounds = np.concatenate([[0], np.stack([low[inside], high[inside]], axis=1).ravel(), [CELLS]])
    starts, stops = bounds[::2], bounds[1::2]
    return _merge(starts[starts < stops], stops[starts < stops], max_ranges)


def _cells_of_cone(
    ra: float, decl: float, radius_arcsec: float
) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
    """Ascending order-29 ranges of the cells that meet a cone, and whether each lies inside it."""
    # Half a second to import, for astropy's units: only when there is a cone.
    import astropy.units as u
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix import cone_search

    # Cells a quarter of the radius across: some fifty a cone, whatever its size.
    order = math.ceil(math.log2(_CELL_ARCSEC_AT_ORDER_0 / (0.25 * radius_arcsec)))
    cells, depths, inside = cone_search(
        Longitude(ra % 360.0, u.deg),
        Latitude(decl, u.deg),
        radius_arcsec * u.arcsec,
        depth=min(_FINEST_ORDER, max(0, order)),
    )
    shift = 2 * (ORDER - depths.astype(np.int64))
    low = cells.astype(np.int64) << shift
    high = (cells.astype(np.int64) + 1) << shift
    by_place = np.argsort(low)
    return low[by_place], high[by_place], inside[by_place].astype(bool)


def _merge(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64], max_ranges: int) -> list[tuple[int, int]]:
    """Join touching ranges, then close the smallest gaps until `max_ranges` are left."""
    gaps = low[1:] - high[:-1]
    open_gaps = np.sort(gaps[gaps > 0])[::-1][: max_ranges - 1]
    smallest = int(open_gaps[-1]) if len(open_gaps) else CELLS
    kept = np.flatnonzero(gaps >= smallest)
    if len(kept) > max_ranges - 1:  # several gaps of the smallest width: keep the widest, then the first
        kept = np.sort(kept[np.argsort(-gaps[kept], kind="stable")[: max_ranges - 1]])
    starts = low[np.concatenate([[0], kept + 1])]
    stops = high[np.concatenate([kept, [len(high) - 1]])]
    return [(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]


def contains_cone(
    ra: npt.ArrayLike, decl: npt.ArrayLike, centre_ra: float, centre_decl: float, radius_arcsec: float
) -> npt.NDArray[np.bool_]:
    """Which positions (degrees) lie within `radius_arcsec` of the centre, its rim included; NaN does not."""
    inside: npt.NDArray[np.bool_] = separation_arcsec(ra, decl, centre_ra, centre_decl) <= radius_arcsec
    return inside
