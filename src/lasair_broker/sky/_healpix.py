"""HEALPix cells of order 29 in the nested scheme: the spatial key of the archive."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

ORDER = 29
NSIDE = 1 << ORDER
CELLS = 12 << (2 * ORDER)
"""Number of cells of order 29 on the sphere: ids are 0 to CELLS - 1."""


@njit(cache=True, nogil=True)
def _spread(value: int) -> np.int64:
    """The lower 32 bits of `value` moved to the even places of a 64-bit number."""
    v = np.uint64(value)
    v = (v | (v << np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    v = (v | (v << np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    v = (v | (v << np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    v = (v | (v << np.uint64(2))) & np.uint64(0x3333333333333333)
    v = (v | (v << np.uint64(1))) & np.uint64(0x5555555555555555)
    return np.int64(v)


@njit(cache=True, nogil=True)
def _healpix29_of_point(ra: float, decl: float) -> np.int64:
    """The nested order-29 cell of one position (degrees); -1 if it is not a position."""
    if not (math.isfinite(ra) and abs(decl) <= 90.0):
        return np.int64(-1)
    quarters = (ra % 360.0) / 90.0
    if quarters >= 4.0:  # a tiny negative right ascension rounds up to 360
        quarters = 0.0
    z = math.sin(math.radians(decl))
    if abs(z) <= 2.0 / 3.0:
        # Equatorial belt: counts of the ascending and descending cell edges west of the point.
        middle = 0.5 + quarters
        descending = int(NSIDE * (middle - 0.75 * z))
        ascending = int(NSIDE * (middle + 0.75 * z))
        west = descending >> ORDER
        east = ascending >> ORDER
        if west == east:
            face = (west & 3) + 4
        elif west < east:
            face = west & 3
        else:
            face = (east & 3) + 8
        x = ascending & (NSIDE - 1)
        y = NSIDE - 1 - (descending & (NSIDE - 1))
    else:
        quadrant = min(int(quarters), 3)
        along = quarters - quadrant
        # sqrt(3 (1 - |sin d|)) written with the half angle keeps all digits next to the pole.
        from_pole = NSIDE * math.sqrt(6.0) * math.sin(math.radians(0.5 * (90.0 - abs(decl))))
        low = min(int(along * from_pole), NSIDE - 1)
        high = min(int((1.0 - along) * from_pole), NSIDE - 1)
        if z > 0.0:
            face, x, y = quadrant, NSIDE - 1 - high, NSIDE - 1 - low
        else:
            face, x, y = quadrant + 8, low, high
    return np.int64(face << (2 * ORDER)) | _spread(x) | (_spread(y) << 1)


@njit(cache=True, nogil=True)
def _healpix29(ra: npt.NDArray[np.float64], decl: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    out = np.empty(len(ra), np.int64)
    for i in range(len(ra)):
        out[i] = _healpix29_of_point(ra[i], decl[i])
    return out


def healpix29(ra: npt.ArrayLike, decl: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Nested HEALPix cells of order 29 (0.4 mas across).

    Parameters
    ----------
    ra, decl
        ICRS positions in degrees, broadcast against each other. Any finite right ascension is wrapped.

    Returns
    -------
    int64 array of the broadcast shape; -1 where a position is NaN, infinite or beyond a pole.

    Notes
    -----
    Gorski et al. 2005, ApJ 622, 759, section 5.
    """
    lon, lat = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(decl, np.float64))
    cells: npt.NDArray[np.int64] = _healpix29(
        np.ascontiguousarray(lon).ravel(), np.ascontiguousarray(lat).ravel()
    )
    return cells.reshape(lon.shape)
