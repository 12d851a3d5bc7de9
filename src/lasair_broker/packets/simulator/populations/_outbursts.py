"""Accreting binaries in our galaxy: cataclysmic variables and X-ray binaries, quiet with outbursts.

Dwarf novae: amplitudes of 2 to 8 mag, days to rise, one or two weeks bright, 20 to 1000 days between
outbursts (Coppejans et al. 2016, MNRAS 456, 4441; Otulakowska-Hypka et al. 2016). Novae: Strope, Schaefer &
Henden 2010 and Kawash et al. 2021 (t2, amplitude). X-ray transients: fast rise, exponential decay (Chen,
Shrader & Livio 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._random import hash_array, uniform_array
from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, ab_flux, blackbody_log_ratio

from ._base import Parameters, Place, Population, Situation, stellar_magnitudes

__all__ = ["OUTBURSTS", "OutburstingBinaries"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]

_DWARF_NOVA, _NOVA, _POLAR = range(3)


@dataclass(frozen=True, kw_only=True)
class OutburstingBinaries(Population):
    """Stars that brighten again and again, each time the k-th at a time that is a hash of the star and k.

    Parameter ``recurrence`` is the mean time between outbursts (days); an outburst rises with e-folding
    ``rise``, stays up for ``plateau`` days, and decays with e-folding ``decay``. ``amplitude`` is in mag in
    r. The light of the outburst has ``hotTemperature``, the quiet star ``temperature`` (K).
    """

    per_deg2: float
    x_ray: bool = False

    def natural_number(self, place: Place) -> float:
        """Surface density at 40 degrees of latitude times the star counts."""
        return self.per_deg2 * place.area_deg2 * place.stars

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Quiet magnitude in r, temperatures and the numbers of the outbursts."""
        unit = rng.standard_normal((n, 4))
        if self.x_ray:
            return {
                "subclass": np.zeros(n),
                "magnitude": stellar_magnitudes(rng, n, 19.0, 25.0),
                "temperature": 4500.0 + 300.0 * unit[:, 0],
                "hotTemperature": 16_000.0 * np.exp(0.1 * unit[:, 1]),
                "amplitude": np.clip(4.5 + 1.2 * unit[:, 2], 1.5, 8.0),
                # Seen because they are active about now: one outburst a cycle of a year or more.
                "recurrence": 400.0 + 1200.0 * rng.random(n),
                "rise": 2.5 * np.exp(0.4 * rng.standard_normal(n)),
                "plateau": np.zeros(n),
                "decay": 30.0 * np.exp(0.35 * unit[:, 3]),
                "phase": rng.random(n),
            }
        kind = rng.choice(3, n, p=(0.86, 0.02, 0.12))
        dwarf, nova, polar = kind == _DWARF_NOVA, kind == _NOVA, kind == _POLAR
        recurrence = 10.0 ** (1.3 + 1.7 * rng.random(n))
        # Rarer outbursts are larger (Kukarkin & Parenago 1934).
        amplitude = np.clip(0.9 + 1.5 * np.log10(recurrence) + 0.5 * unit[:, 0], 1.5, 8.0)
        return {
            "subclass": kind.astype(np.float64),
            "magnitude": stellar_magnitudes(rng, n, 18.0, 24.0) + 1.0 * nova,
            "temperature": np.where(polar, 9_000.0, 11_000.0) * np.exp(0.1 * unit[:, 1]),
            "hotTemperature": np.where(polar, 10_000.0, 15_000.0) * np.exp(0.1 * unit[:, 2]),
            "amplitude": np.where(dwarf, amplitude, np.where(nova, 9.0 + unit[:, 0], 1.8 + 0.4 * unit[:, 0])),
            "recurrence": np.where(dwarf, recurrence, np.where(nova, 900.0, 180.0)),
            "rise": np.where(polar, 6.0, np.where(nova, 0.6, 0.5 * np.exp(0.3 * unit[:, 3]))),
            "plateau": np.where(dwarf, 3.0 + 10.0 * rng.random(n), np.where(nova, 1.0, 60.0)),
            "decay": np.where(nova, 18.0 * np.exp(0.5 * unit[:, 3]), np.where(polar, 6.0, 1.5)),
            "phase": rng.random(n),
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        cycle = p["recurrence"][row]
        number = np.floor(mjd / cycle + p["phase"][row])
        level = np.zeros(len(row))
        for back in (0, 1):
            k = number - back
            jitter = uniform_array(hash_array(key[row], (k + 1e6).astype(np.uint64)))
            start = (k - p["phase"][row] + 0.7 * jitter) * cycle
            days = mjd - start
            up = 1.0 - np.exp(-np.maximum(days, 0.0) / p["rise"][row])
            down = np.exp(-np.maximum(days - p["plateau"][row] - 3.0 * p["rise"][row], 0.0) / p["decay"][row])
            strength = 0.7 + 0.3 * uniform_array(hash_array(key[row], (k + 2e6).astype(np.uint64)))
            level = np.maximum(level, strength * up * down)
        wavelength = WAVELENGTH_NM[band]
        quiet = blackbody_log_ratio(wavelength, WAVELENGTH_NM[2], p["temperature"][row])
        hot = blackbody_log_ratio(wavelength, WAVELENGTH_NM[2], p["hotTemperature"][row])
        quiet_flux = ab_flux(p["magnitude"][row])
        # Flickering of the disc: 5 % from one visit to the next (Bruch 1992).
        flicker = uniform_array(hash_array(key[row], (mjd * 2880.0).astype(np.uint64)))
        gain = np.expm1(0.4 * np.log(10.0) * p["amplitude"][row])
        light = 10.0**quiet * (1.0 + 0.1 * (flicker - 0.5)) + level * gain * 10.0**hot
        return np.asarray(quiet_flux * light, np.float64)


OUTBURSTS = (
    OutburstingBinaries(
        name="CV",
        situation=Situation.STAR,
        per_deg2=4.0,
        subclasses=("dwarf nova", "nova", "polar"),
    ),
    OutburstingBinaries(
        name="XRB",
        situation=Situation.STAR,
        per_deg2=0.004,
        boost=250.0,
        x_ray=True,
        subclasses=("LMXB transient",),
    ),
)
"""Cataclysmic variables and X-ray binaries."""
