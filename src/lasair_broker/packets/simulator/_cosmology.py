"""Distances and volumes in a flat universe of matter and a cosmological constant (H0 = 70 km/s/Mpc, Omega_m =
0.3).

Formulas: Hogg 1999 (astro-ph/9905116), equations 14 to 21 and 28.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["distance_modulus", "draw_redshifts", "events_per_year", "luminosity_distance_mpc", "volume_mpc3"]

Float64 = npt.NDArray[np.float64]

_H0, _OMEGA_M, _C = 70.0, 0.3, 299792.458
_SKY_DEG2 = 129600.0 / np.pi


@cache
def _table() -> tuple[Float64, Float64]:
    """Redshifts and comoving distances (Mpc), fine enough for linear interpolation to 1e-5."""
    z = np.concatenate([[0.0], np.geomspace(1e-5, 12.0, 6000)])
    inverse = 1.0 / np.sqrt(_OMEGA_M * (1.0 + z) ** 3 + 1.0 - _OMEGA_M)
    steps = 0.5 * (inverse[1:] + inverse[:-1]) * np.diff(z)
    return z, np.concatenate([[0.0], np.cumsum(steps)]) * _C / _H0


def comoving_distance_mpc(z: npt.ArrayLike) -> Float64:
    """Line-of-sight comoving distance, Mpc."""
    grid, distance = _table()
    return np.interp(np.asarray(z, np.float64), grid, distance)


def luminosity_distance_mpc(z: npt.ArrayLike) -> Float64:
    """Luminosity distance, Mpc."""
    z = np.asarray(z, np.float64)
    return comoving_distance_mpc(z) * (1.0 + z)


def distance_modulus(z: npt.ArrayLike) -> Float64:
    """5 log10(luminosity distance / 10 pc), mag."""
    return 5.0 * np.log10(np.maximum(luminosity_distance_mpc(z), 1e-9)) + 25.0


def volume_mpc3(z: npt.ArrayLike) -> Float64:
    """Comoving volume of the whole sky within z, Mpc^3."""
    return 4.0 / 3.0 * np.pi * comoving_distance_mpc(z) ** 3


def _rate_cdf(rate: float, evolution: float, z_min: float, z_max: float) -> tuple[Float64, Float64]:
    """Cumulative events a year over the whole sky at redshifts `z`, as seen by us (1 + z slower)."""
    z = np.linspace(z_min, z_max, 2000)
    middle = 0.5 * (z[1:] + z[:-1])
    # Star formation stops rising at z ~ 2 (Madau & Dickinson 2014), and with it any power law.
    growth = (1.0 + np.minimum(middle, 2.0)) ** evolution
    return z, np.concatenate([[0.0], np.cumsum(rate * growth / (1.0 + middle) * np.diff(volume_mpc3(z)))])


def events_per_year(
    rate: float, evolution: float, z_max: float, area_deg2: float, z_min: float = 0.003
) -> float:
    """Events a year in `area_deg2` for a volumetric rate (Mpc^-3 yr^-1 at z = 0) that grows as (1 +
    z)^evolution."""
    return float(_rate_cdf(rate, evolution, z_min, z_max)[1][-1] * area_deg2 / _SKY_DEG2)


def draw_redshifts(
    rng: np.random.Generator, n: int, evolution: float, z_max: float, z_min: float = 0.003
) -> Float64:
    """`n` redshifts of events whose volumetric rate grows as (1 + z)^evolution."""
    z, cumulative = _rate_cdf(1.0, evolution, z_min, z_max)
    return np.asarray(np.interp(rng.random(n) * cumulative[-1], cumulative, z), np.float64)
