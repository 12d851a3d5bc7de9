"""Galactic coordinates."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# The north galactic pole in ICRS and the position angle of the galactic centre at it, exact by definition
# (The Hipparcos and Tycho Catalogues, ESA SP-1200, 1997, volume 1, section 1.5.3).
_POLE_RA, _POLE_DECL, _CENTRE_ANGLE = 192.85948, 27.12825, 122.93192


def _icrs_to_galactic() -> Float64:
    """The rotation matrix from ICRS to galactic Cartesian coordinates."""
    a, d, n = (math.radians(x) for x in (_POLE_RA, _POLE_DECL, _CENTRE_ANGLE))
    pole = np.array([math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)])
    # Unit vectors at the pole towards the celestial north pole and towards the east.
    north = np.array([-math.sin(d) * math.cos(a), -math.sin(d) * math.sin(a), math.cos(d)])
    east = np.array([-math.sin(a), math.cos(a), 0.0])
    centre = math.cos(n) * north + math.sin(n) * east
    return np.stack([centre, np.cross(pole, centre), pole])


ICRS_TO_GALACTIC = _icrs_to_galactic()


def _cartesian(ra: npt.ArrayLike, decl: npt.ArrayLike) -> tuple[Float64, Float64, Float64]:
    lon, lat = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(decl, np.float64))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0.0 * lon
    m = ICRS_TO_GALACTIC
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
    )


def galactic_coordinates(ra: npt.ArrayLike, decl: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Galactic longitude (0 to 360) and latitude of ICRS positions, in degrees, of the broadcast shape."""
    x, y, z = _cartesian(ra, decl)
    longitude = np.degrees(np.arctan2(y, x)) % 360.0
    return longitude, np.degrees(np.arctan2(z, np.hypot(x, y)))


def galactic_latitude(ra: npt.ArrayLike, decl: npt.ArrayLike) -> Float64:
    """Galactic latitude in degrees of ICRS positions in degrees, of the broadcast shape; NaN in, NaN out."""
    x, y, z = _cartesian(ra, decl)
    latitude: Float64 = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return latitude
