"""Which galaxy is the host: directional light radius, and probabilities of all candidates and of none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "HostModel",
    "directional_light_radius",
    "galaxy_counts",
    "host_probabilities",
    "tangent_offset",
    "typical_semi_major",
]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_LN10 = math.log(10.0)
_ARCSEC = 180.0 * 3600.0 / math.pi

_TYPICAL = 17.2
"""Median magnitude (B) of the GLADE+ galaxies whose D25 ellipse has the area of a circle of 10″ radius."""


@dataclass(frozen=True, slots=True)
class HostModel:
    """How transients are strewn over and between catalogued galaxies.

    The rate of detected transients at a place in galaxy i, per square arcsecond, is
    ``exp(-d / scale) 10^(-0.4 brightness (m - 17)) (a b / 100)^-crowding`` (times a constant): an exponential
    disc in the directional light radius d, of a galaxy with magnitude m and semi-axes a and b in arcsec.
    Besides there are transients in galaxies that no catalogue has, at the rate ``exp(log_unseen)``
    everywhere.

    The defaults were fitted on one half of the supernovae with a stated host position among the known
    transients, against GLADE+ (benchmarks/hosts.py); they suit galaxies described by their D25 isophote.

    Attributes
    ----------
    scale
        Scale of the disc in units of the semi-major axis (of the isophote of 25 mag per square arcsec in B).
    brightness
        Exponent of a galaxy's flux.
    crowding
        Exponent of its area.
    log_unseen
        Logarithm of the rate outside catalogued galaxies. A deeper catalogue asks for a lower one.
    nearest
        Mpc. Nearer than this, a survey finds all that explodes in a galaxy, and no more the nearer it is,
        spread over an area that grows as the inverse square of the distance: so falls the rate per square
        arcsecond. What lies behind is as frequent as everywhere.
    largest
        Diameter, kpc, of the largest galaxies that there are: one so many degrees wide is so near, at most.
    """

    scale: float = 0.503
    brightness: float = 0.629
    crowding: float = 0.526
    log_unseen: float = -4.044
    nearest: float = 10.0
    largest: float = 70.0

    def dilution(self, semi_major: Float64, distance: Float64) -> Float64:
        """The part of the rate per square arcsecond that is left of a galaxy as near as this: semi-major axis
        in arcsec, distance in Mpc (NaN: not known)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            at_most = 1e-3 * self.largest / (2.0 * semi_major / _ARCSEC)
            near = np.fmin(distance, at_most) / self.nearest
            diluted: Float64 = np.where(near < 1.0, near**2, 1.0)
        return diluted


def tangent_offset(
    ra: npt.ArrayLike, decl: npt.ArrayLike, from_ra: npt.ArrayLike, from_decl: npt.ArrayLike
) -> tuple[Float64, Float64]:
    """Offsets towards east and north, in arcsec, of positions from others (degrees).

    The length is the great circle, the direction that of departure, so that they hold at the poles, across
    right ascension 0 and for galaxies degrees wide. NaN in, NaN out.
    """
    ra1, decl1, ra0, decl0 = (np.radians(np.asarray(x, np.float64)) for x in (ra, decl, from_ra, from_decl))
    turn = ra1 - ra0
    east = np.cos(decl1) * np.sin(turn)
    # cos(turn) = 1 - 2 sin²(turn/2), written so that nothing cancels at small distances.
    north = np.sin(decl1 - decl0) + 2.0 * np.sin(decl0) * np.cos(decl1) * np.sin(0.5 * turn) ** 2
    sine = np.hypot(east, north)
    cosine = np.sin(decl1) * np.sin(decl0) + np.cos(decl1) * np.cos(decl0) * np.cos(turn)
    angle = np.arctan2(sine, cosine)
    with np.errstate(invalid="ignore", divide="ignore"):
        stretch = np.where(sine > 0.0, angle / sine, 1.0) * _ARCSEC
    return east * stretch, north * stretch


def directional_light_radius(
    east: npt.ArrayLike,
    north: npt.ArrayLike,
    semi_major: npt.ArrayLike,
    axis_ratio: npt.ArrayLike,
    position_angle: npt.ArrayLike,
) -> Float64:
    """Distance from a galaxy's centre in units of its radius in that direction.

    Parameters
    ----------
    east, north
        Offset from the centre of the galaxy, arcsec.
    semi_major
        Semi-major axis, arcsec; not positive: NaN is returned.
    axis_ratio
        Minor over major axis; NaN or out of (0, 1]: a circle.
    position_angle
        Of the major axis, degrees from north through east; NaN: a circle of the ellipse's area.

    Notes
    -----
    Sullivan et al. 2006 (ApJ 648, 868), appendix; Gupta et al. 2016 (AJ 152, 154), equation 3.
    """
    x, y, a, q, angle = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (east, north, semi_major, axis_ratio, position_angle))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.where((q > 0.0) & (q <= 1.0), q, 1.0)
        turned = np.isfinite(angle)
        phi = np.radians(np.where(turned, angle, 0.0))
        major = x * np.sin(phi) + y * np.cos(phi)
        minor = x * np.cos(phi) - y * np.sin(phi)
        along = np.where(turned, np.hypot(major, minor / q), np.hypot(x, y) / np.sqrt(q))
        ratio: Float64 = np.where(a > 0.0, along / a, np.nan)
    return ratio


def host_probabilities(
    position: Int64,
    ddlr: Float64,
    magnitude: Float64,
    semi_major: Float64,
    axis_ratio: Float64,
    num_positions: int,
    model: HostModel,
    distance: Float64 | None = None,
) -> tuple[Float64, Float64]:
    """Probability of each candidate to be the host, and for each position that none of them is.

    Parameters
    ----------
    position
        The position (0 to `num_positions` - 1) that each candidate belongs to; in any order.
    ddlr, semi_major, axis_ratio
        Directional light radius; semi-major axis in arcsec; axis ratio (NaN: 1). A candidate with no `ddlr`
        has probability 0.
    magnitude
        Any broad-band magnitude; NaN: that of a galaxy of this size with an ordinary surface brightness.
    distance
        Mpc, not from a redshift; NaN where it is not known. None: of none is it known.

    Returns
    -------
    Probabilities of the candidates and of "none of these", which add up to 1 for each position.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.where((axis_ratio > 0.0) & (axis_ratio <= 1.0), axis_ratio, 1.0)
        area = semi_major**2 * q
        m = np.where(np.isfinite(magnitude), magnitude, _TYPICAL - 2.5 * np.log10(area / 100.0))
        rate = (
            -ddlr / model.scale
            - 0.4 * _LN10 * model.brightness * (m - 17.0)
            - model.crowding * np.log(area / 100.0)
            + np.log(model.dilution(semi_major, np.full(len(ddlr), np.nan) if distance is None else distance))
        )
    rate = np.where(np.isfinite(rate), rate, -np.inf)
    # Relative to the largest of each position, so that nothing overflows.
    top = np.full(num_positions, model.log_unseen)
    np.maximum.at(top, position, rate)
    none = np.exp(model.log_unseen - top)
    share = np.exp(rate - top[position])
    total = none + np.bincount(position, weights=share, minlength=num_positions)
    return share / total[position], none / total


def galaxy_counts(magnitude: npt.ArrayLike) -> Float64:
    """Galaxies brighter than a magnitude (R), expected in a square arcsecond of the sky.

    Notes
    -----
    Bloom, Kulkarni & Djorgovski 2002 (AJ 123, 1111), equation 3, from the counts of Hogg et al. 1997.
    """
    m = np.asarray(magnitude, np.float64)
    counts: Float64 = 10.0 ** (0.33 * (m - 24.0) - 2.44) / (0.33 * _LN10)
    return counts


def typical_semi_major(magnitude: npt.ArrayLike) -> Float64:
    """Semi-major axis, arcsec, of a round galaxy of this magnitude with an ordinary surface brightness."""
    radius: Float64 = 10.0 ** (1.0 + 0.2 * (_TYPICAL - np.asarray(magnitude, np.float64)))
    return radius
