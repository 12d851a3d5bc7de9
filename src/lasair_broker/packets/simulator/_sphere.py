"""Directions on the sphere: tangent planes, galactic and ecliptic coordinates. Angles in degrees, ICRS."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "OBLIQUITY_DEG",
    "ecliptic",
    "galactic",
    "offset_position",
    "random_in_disc",
    "tangent_plane",
    "vectors",
]

Float64 = npt.NDArray[np.float64]

OBLIQUITY_DEG = 84381.448 / 3600.0
"""Obliquity of the ecliptic of J2000 (IAU 1976, the value the Minor Planet Center uses)."""

# Rows: galactic axes in ICRS (Hipparcos Catalogue, ESA SP-1200 vol. 1, section 1.5.3).
_GALACTIC = np.array(
    [
        [-0.0548755604, -0.8734370902, -0.4838350155],
        [0.4941094279, -0.4448296300, 0.7469822445],
        [-0.8676661490, -0.1980763734, 0.4559837762],
    ]
)
_COS_E, _SIN_E = np.cos(np.radians(OBLIQUITY_DEG)), np.sin(np.radians(OBLIQUITY_DEG))
_ECLIPTIC = np.array([[1.0, 0.0, 0.0], [0.0, _COS_E, _SIN_E], [0.0, -_SIN_E, _COS_E]])


def vectors(ra: npt.ArrayLike, decl: npt.ArrayLike) -> Float64:
    """Unit vectors, last axis xyz."""
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(decl, np.float64))
    return np.stack([np.cos(a) * np.cos(d), np.sin(a) * np.cos(d), np.sin(d)], axis=-1)


def _angles(v: Float64) -> tuple[Float64, Float64]:
    longitude = np.degrees(np.arctan2(v[..., 1], v[..., 0])) % 360.0
    return longitude, np.degrees(np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1])))


def galactic(ra: npt.ArrayLike, decl: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Galactic longitude and latitude."""
    return _angles(vectors(ra, decl) @ _GALACTIC.T)


def ecliptic(ra: npt.ArrayLike, decl: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Ecliptic longitude and latitude of J2000."""
    return _angles(vectors(ra, decl) @ _ECLIPTIC.T)


def offset_position(
    ra: npt.ArrayLike, decl: npt.ArrayLike, east_deg: npt.ArrayLike, north_deg: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """The position at tangent-plane coordinates (east, north) about (ra, decl): the inverse gnomonic
    projection (Calabretta & Greisen 2002, A&A 395, 1077, equation 55)."""
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(decl, np.float64))
    xi, eta = np.radians(np.asarray(east_deg, np.float64)), np.radians(np.asarray(north_deg, np.float64))
    x = np.cos(d) - eta * np.sin(d)
    z = np.sin(d) + eta * np.cos(d)
    out_ra = np.degrees(a + np.arctan2(xi, x)) % 360.0
    return out_ra, np.degrees(np.arctan2(z, np.hypot(x, xi)))


def tangent_plane(
    ra: npt.ArrayLike, decl: npt.ArrayLike, ra0: npt.ArrayLike, decl0: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """Gnomonic coordinates (east, north) in degrees of (ra, decl) about (ra0, decl0)."""
    da = np.radians(np.asarray(ra, np.float64) - np.asarray(ra0, np.float64))
    d, d0 = np.radians(np.asarray(decl, np.float64)), np.radians(np.asarray(decl0, np.float64))
    w = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(da)
    xi = np.cos(d) * np.sin(da) / w
    eta = (np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(da)) / w
    return np.degrees(xi), np.degrees(eta)


def random_in_disc(
    rng: np.random.Generator, n: int, ra: float, decl: float, radius_deg: float
) -> tuple[Float64, Float64]:
    """`n` positions, uniform in a disc of the tangent plane."""
    radius = radius_deg * np.sqrt(rng.random(n))
    angle = 2.0 * np.pi * rng.random(n)
    return offset_position(ra, decl, radius * np.sin(angle), radius * np.cos(angle))
