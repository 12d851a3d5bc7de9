"""Eruptive stars: flares of M dwarfs, and young stars whose accretion surges (FU Ori and EX Lup types).

Flares: shape of Davenport et al. 2014 (ApJ 797, 122), a black body near 10,000 K (Kowalski et al. 2013).
Young stars: amplitudes and times of Fischer et al. 2023 (Protostars and Planets VII, 355).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._random import hash_array, uniform_array
from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, ab_flux, blackbody_log_ratio

from ._base import Parameters, Place, Population, Situation, stellar_magnitudes

__all__ = ["ERUPTIVE", "FlaringDwarfs", "YoungStars", "flare_shape"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]


def flare_shape(time: Float64) -> Float64:
    """Flux relative to peak of a flare, `time` from peak in units of its full width at half maximum
    (Davenport et al. 2014, equations 1 and 4)."""
    rise = 1.0 + time * (1.941 + time * (-0.175 + time * (-2.246 - 1.125 * time)))
    late = np.maximum(time, 0.0)
    decay = 0.6890 * np.exp(-1.600 * late) + 0.3030 * np.exp(-0.2783 * late)
    return np.asarray(np.where(time < -1.0, 0.0, np.where(time < 0.0, rise, decay)), np.float64)


@dataclass(frozen=True, kw_only=True)
class FlaringDwarfs(Population):
    """Active M dwarfs, with at most one large flare a night, at a time that is a hash of star and night.

    ``strength`` is the flux of the mean flare in r relative to the quiet star, ``minutes`` its width at half
    maximum, ``chance`` the probability of one in a night.
    """

    per_deg2: float

    def natural_number(self, place: Place) -> float:
        """Surface density at 40 degrees of latitude times the star counts."""
        return self.per_deg2 * place.area_deg2 * place.stars

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Quiet magnitude in r, temperature, flare strength, width and chance."""
        return {
            "subclass": np.zeros(n),
            "magnitude": stellar_magnitudes(rng, n, 17.0, 23.0),
            "temperature": 3200.0 + 150.0 * rng.standard_normal(n),
            "strength": 0.25 * np.exp(0.8 * rng.standard_normal(n)),
            "minutes": 10.0 * np.exp(0.6 * rng.standard_normal(n)),
            "chance": 0.05 + 0.3 * rng.random(n) ** 2,
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        night = np.floor(mjd - 0.7)  # local noon to noon
        keys = hash_array(key[row], night.astype(np.uint64))
        happens = uniform_array(keys + np.uint64(11)) < p["chance"][row]
        peak = night + 0.7 + 0.3 + 0.4 * uniform_array(keys + np.uint64(23))
        # Few flares are large: a power law of energies of index near 2 (Hilton 2011).
        size = np.minimum(0.35 / np.sqrt(uniform_array(keys + np.uint64(37))), 25.0)
        shape = flare_shape((mjd - peak) * 1440.0 / (p["minutes"][row] * np.sqrt(size)))
        wavelength = WAVELENGTH_NM[band]
        quiet = blackbody_log_ratio(wavelength, WAVELENGTH_NM[2], p["temperature"][row])
        hot = blackbody_log_ratio(wavelength, WAVELENGTH_NM[2], np.full(len(row), 10_000.0))
        flare = np.where(happens, p["strength"][row] * size * shape, 0.0)
        return ab_flux(p["magnitude"][row]) * (10.0**quiet + flare * 10.0**hot)


@dataclass(frozen=True, kw_only=True)
class YoungStars(Population):
    """Young stars in outburst: FU Ori rise over months and stay, EX Lup come and go within a year.

    ``mjd0`` is the middle of the rise; ``rise`` and ``fall`` are e-folding times in days; ``amplitude`` is in
    mag in r.
    """

    per_deg2: float

    def natural_number(self, place: Place) -> float:
        """Surface density at 40 degrees of latitude times the star counts."""
        return self.per_deg2 * place.area_deg2 * place.stars

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Quiet magnitude in r, temperatures, time, rise, fall and amplitude of the outburst."""
        long = rng.random(n) < 0.4
        unit = rng.standard_normal((n, 3))
        return {
            "subclass": np.where(long, 0.0, 1.0),
            "magnitude": stellar_magnitudes(rng, n, 17.5, 23.0),
            "temperature": 3800.0 + 200.0 * unit[:, 0],
            "hotTemperature": np.where(long, 6500.0, 8000.0) * np.exp(0.05 * unit[:, 1]),
            "mjd0": place.mjd_first + rng.random(n) * (place.mjd_last - place.mjd_first),
            "rise": np.where(long, 40.0, 8.0) * np.exp(0.4 * unit[:, 2]),
            "fall": np.where(long, 9000.0, 60.0 * np.exp(0.4 * unit[:, 1])),
            "amplitude": np.where(long, 4.5, 2.5) * np.exp(0.2 * rng.standard_normal(n)),
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        days = mjd - p["mjd0"][row]
        up = 1.0 / (1.0 + np.exp(np.clip(-days / p["rise"][row], -50.0, 50.0)))
        level = up * np.exp(-np.maximum(days - 2.0 * p["rise"][row], 0.0) / p["fall"][row])
        # Young stars are never quite steady: a slow 5 % wave (Cody et al. 2014).
        wave = 0.05 * np.sin(2.0 * np.pi * (mjd / 7.3 + p["magnitude"][row]))
        wavelength = WAVELENGTH_NM[band]
        quiet = blackbody_log_ratio(wavelength, WAVELENGTH_NM[2], p["temperature"][row])
        hot = blackbody_log_ratio(wavelength, WAVELENGTH_NM[2], p["hotTemperature"][row])
        gain = np.expm1(0.4 * np.log(10.0) * p["amplitude"][row])
        light = 10.0**quiet * (1.0 + wave) + level * gain * 10.0**hot
        return np.asarray(ab_flux(p["magnitude"][row]) * light, np.float64)


ERUPTIVE = (
    FlaringDwarfs(
        name="eruptive star", situation=Situation.STAR, per_deg2=40.0, subclasses=("M dwarf flare",)
    ),
    YoungStars(
        name="eruptive star",
        situation=Situation.STAR,
        per_deg2=0.01,
        boost=60.0,
        subclasses=("FU Ori", "EX Lup"),
    ),
)
"""Flaring dwarfs and young stars."""
