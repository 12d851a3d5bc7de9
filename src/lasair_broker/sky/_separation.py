"""Angular distance between positions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ARCSEC_PER_RADIAN = 180.0 * 3600.0 / np.pi


def separation_arcsec(
    ra1: npt.ArrayLike, decl1: npt.ArrayLike, ra2: npt.ArrayLike, decl2: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Great-circle distance of positions in degrees, in arcseconds, float64 of the broadcast shape.

    Exact to rounding at every distance: the haversine of the pair and that of the pair with one point
    replaced by its antipode are both sums of squares, and the angle is the arc tangent of their ratio.
    NaN in, NaN out.
    """
    lon1, lat1, lon2, lat2 = (np.asarray(a, np.float64) for a in (ra1, decl1, ra2, decl2))
    half_lon = np.radians((lon2 - lon1) / 2.0)
    cosines = np.cos(np.radians(lat1)) * np.cos(np.radians(lat2))
    near = np.sin(np.radians((lat2 - lat1) / 2.0)) ** 2 + cosines * np.sin(half_lon) ** 2
    far = np.sin(np.radians((lat2 + lat1) / 2.0)) ** 2 + cosines * np.cos(half_lon) ** 2
    # cos(90 degrees) rounds to a positive number, so no sum falls below zero.
    angle: npt.NDArray[np.float64] = 2.0 * np.arctan2(np.sqrt(near), np.sqrt(far)) * ARCSEC_PER_RADIAN
    return angle
