"""Proper motion: where a source stands at another time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["julian_year", "motion", "propagate"]

Float64 = npt.NDArray[np.float64]

_RADIANS_PER_MAS = np.pi / (180.0 * 3600.0 * 1000.0)


def julian_year(mjd: npt.ArrayLike) -> Float64:
    """Julian years of MJD TAI.

    TAI and the time scales of catalogues differ by about a minute, in which the fastest star moves 20 µas.
    """
    return 2000.0 + (np.asarray(mjd, np.float64) - 51544.5) / 365.25


def motion(pmra: npt.ArrayLike, pmdec: npt.ArrayLike) -> Float64:
    """The size of a proper motion, in the unit of its parts; 0 where a part is not known."""
    return np.nan_to_num(np.hypot(np.asarray(pmra, np.float64), np.asarray(pmdec, np.float64)))


def propagate(
    ra: Float64, decl: Float64, pmra: npt.ArrayLike, pmdec: npt.ArrayLike, years: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """Positions after some Julian years of uniform motion along a line in space seen from the Sun.

    The rigorous model of the Hipparcos Catalogue (ESA SP-1200, volume 1, section 1.2.8) for unknown radial
    velocity; the annual parallax, below 0.8 arcseconds for every star, is not added.

    Parameters
    ----------
    ra, decl
        Degrees, shape (n,).
    pmra, pmdec
        Milliarcseconds a year, `pmra` times cos(decl); NaN is no motion.
    years
        May be negative.

    Returns
    -------
    Right ascension (0 ≤ ra < 360) and declination, degrees.
    """
    step = np.asarray(years, np.float64) * _RADIANS_PER_MAS
    east = np.nan_to_num(np.asarray(pmra, np.float64)) * step
    north = np.nan_to_num(np.asarray(pmdec, np.float64)) * step
    sin_ra, cos_ra = np.sin(np.radians(ra)), np.cos(np.radians(ra))
    sin_decl, cos_decl = np.sin(np.radians(decl)), np.cos(np.radians(decl))
    x = cos_decl * cos_ra - east * sin_ra - north * sin_decl * cos_ra
    y = cos_decl * sin_ra + east * cos_ra - north * sin_decl * sin_ra
    z = sin_decl + north * cos_decl
    moved = (east != 0.0) | (north != 0.0)
    lon = np.degrees(np.arctan2(y, x)) % 360.0
    lon = np.where(lon == 360.0, 0.0, lon)  # a tiny negative angle rounds up
    return np.where(moved, lon, ra), np.where(moved, np.degrees(np.arctan2(z, np.hypot(x, y))), decl)
