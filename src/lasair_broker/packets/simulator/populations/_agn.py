"""Active galactic nuclei: a damped random walk in magnitude.

Time scales and amplitudes of MacLeod et al. 2010 (ApJ 721, 1014), larger in the blue; redshifts and counts
like those of SDSS and LSST quasars (Shen et al. 2020). The walk is made as a sum of waves of random phase
with its spectrum (spectral representation, Shinozuka & Deodatis 1991), so that it is a function of time that
can be asked anywhere in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.packets.simulator._random import hash2, uniform
from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, ab_flux

from ._base import Parameters, Place, Population, Situation, stellar_magnitudes

__all__ = ["AGN", "ActiveNuclei", "damped_walk"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]

_WAVES = 32


@njit(cache=True, inline="always")
def _cosine(turns: float) -> float:
    """cos(2 pi turns) to 4e-6: a polynomial, which the compiler can do for many waves at once."""
    x = 2.0 * np.pi * (0.25 - abs(turns - np.rint(turns)))
    x2 = x * x
    series = -1.0 / 6.0 + x2 * (1.0 / 120.0 + x2 * (-1.0 / 5040.0 + x2 * (1.0 / 362880.0)))
    return float(x * (1.0 + x2 * series))


@njit(cache=True, fastmath=True)
def damped_walk(key: Any, row: Any, mjd: Any, tau: Any) -> Any:
    """A damped random walk of unit variance at each (object, time), `tau` in days for each object.

    The one-sided spectrum 2 tau / (1 + (w tau)^2) / pi is cut in bins of equal ratio from 0.02 to 2000 / tau,
    the first and last with all that lies beyond; each becomes a wave of that power, its frequency and phase
    hashed from the object's key.
    """
    low, high = 0.02, 2000.0
    ratio = (high / low) ** (1.0 / _WAVES)
    out = np.zeros(len(row))
    frequency = np.empty(_WAVES)
    phase = np.empty(_WAVES)
    amplitude = np.empty(_WAVES)
    edge = low
    for k in range(_WAVES):
        below = 0.0 if k == 0 else np.arctan(edge)
        above = 0.5 * np.pi if k == _WAVES - 1 else np.arctan(edge * ratio)
        amplitude[k] = np.sqrt(2.0 * (2.0 / np.pi) * (above - below))
        edge *= ratio
    last = -1
    for i in range(len(row)):
        r = row[i]
        if r != last:
            edge = low / (2.0 * np.pi * tau[r])
            for k in range(_WAVES):
                h = hash2(key[r], np.uint64(k + 1))
                frequency[k] = edge * ratio ** uniform(h)
                phase[k] = uniform(h + np.uint64(7))
                edge *= ratio
            last = r
        total = 0.0
        for k in range(_WAVES):
            total += amplitude[k] * _cosine(frequency[k] * mjd[i] + phase[k])
        out[i] = total
    return out


@dataclass(frozen=True, kw_only=True)
class ActiveNuclei(Population):
    """``magnitude`` in i, ``tau`` in days (observed), ``structure`` the long-term structure function in g
    (mag)."""

    per_deg2: float

    def natural_number(self, place: Place) -> float:
        """Surface density."""
        return self.per_deg2 * place.area_deg2

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Redshift, magnitude in i, time scale, amplitude and spectral slope."""
        redshift = np.clip(rng.gamma(4.0, 0.38, n), 0.03, 5.0)
        return {
            "redshift": redshift,
            "magnitude": stellar_magnitudes(rng, n, 17.0, 23.6, slope=0.4),
            "tau": 10.0 ** (2.4 + 0.4 * rng.standard_normal(n)) * np.sqrt(1.0 + redshift),
            "structure": np.clip(0.25 * np.exp(0.45 * rng.standard_normal(n)), 0.04, 0.9),
            "spectralSlope": -0.45 + 0.2 * rng.standard_normal(n),
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        wavelength = WAVELENGTH_NM[band]
        walk = damped_walk(key, row, mjd, p["tau"])
        # Bluer light varies more: amplitude ~ wavelength^-0.48 (MacLeod et al. 2010, equation 7).
        amplitude = p["structure"][row] / np.sqrt(2.0) * (wavelength / WAVELENGTH_NM[1]) ** -0.48
        spectrum = (wavelength / WAVELENGTH_NM[3]) ** -p["spectralSlope"][row]
        blanket = np.where(wavelength < 121.6 * (1.0 + p["redshift"][row]), 0.25, 1.0)
        return np.asarray(ab_flux(p["magnitude"][row] + amplitude * walk) * spectrum * blanket, np.float64)


AGN = ActiveNuclei(name="AGN", situation=Situation.NUCLEUS, per_deg2=620.0)
"""Quasars and Seyfert nuclei."""
