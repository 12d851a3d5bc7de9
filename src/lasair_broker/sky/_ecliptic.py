"""Ecliptic coordinates."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["ecliptic_latitude"]

_OBLIQUITY = math.radians(84381.406 / 3600.0)
"""Of the ecliptic at J2000 (IAU 2006; Capitaine et al. 2003, A&A 412, 567). ICRS is taken for J2000: 0.02
arcsec."""


def ecliptic_latitude(ra: npt.ArrayLike, decl: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Ecliptic latitude (mean ecliptic of J2000) of ICRS positions, all in degrees; NaN in, NaN out."""
    lon, lat = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(decl, np.float64))
    sine = np.sin(lat) * math.cos(_OBLIQUITY) - np.cos(lat) * math.sin(_OBLIQUITY) * np.sin(lon)
    latitude: npt.NDArray[np.float64] = np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))
    return latitude
