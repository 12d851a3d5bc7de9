"""Microlensing: a star magnified by a dark or faint one that passes before it.

Point lens and point source (Paczynski 1986, ApJ 304, 1, equation 11), impact parameters uniform, Einstein
times log-normal about 20 days (Mroz et al. 2019), part of the light from stars that are not magnified
(blending).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, ab_flux, blackbody_log_ratio

from ._base import Parameters, Place, Population, Situation, stellar_magnitudes

__all__ = ["MICROLENSING", "Microlensing"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Microlensing(Population):
    """Events per square degree and year, towards 40 degrees of latitude."""

    per_deg2_year: float

    def natural_number(self, place: Place) -> float:
        """Events that peak in the stretch of time; they grow with the square of the star counts (sources x
        lenses)."""
        return self.per_deg2_year * place.area_deg2 * place.years * place.stars**2

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Magnitude in r, time of peak, Einstein time (days), impact parameter, blending fraction,
        temperature."""
        return {
            "magnitude": stellar_magnitudes(rng, n, 17.0, 22.5),
            "mjd0": place.mjd_first + rng.random(n) * (place.mjd_last - place.mjd_first),
            "einsteinDays": 22.0 * np.exp(0.6 * rng.standard_normal(n)),
            "impact": np.maximum(rng.random(n), 0.005),
            "sourceFraction": 1.0 - 0.6 * rng.random(n) ** 2,
            "temperature": 5000.0 * np.exp(0.15 * rng.standard_normal(n)),
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        u2 = p["impact"][row] ** 2 + ((mjd - p["mjd0"][row]) / p["einsteinDays"][row]) ** 2
        magnification = (u2 + 2.0) / np.sqrt(u2 * (u2 + 4.0))
        fraction = p["sourceFraction"][row]
        colour = blackbody_log_ratio(WAVELENGTH_NM[band], WAVELENGTH_NM[2], p["temperature"][row])
        quiet = ab_flux(p["magnitude"][row] - 2.5 * colour)
        return np.asarray(quiet * (fraction * magnification + 1.0 - fraction), np.float64)


MICROLENSING = Microlensing(name="microlensing", situation=Situation.STAR, per_deg2_year=0.02, boost=50.0)
"""Microlensing events."""
