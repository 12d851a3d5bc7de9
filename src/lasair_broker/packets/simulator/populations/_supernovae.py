"""Supernovae: thermonuclear, core-collapse and superluminous.

Each type is a row of numbers: a distribution of absolute magnitude, a shape in time and a colour temperature
that falls as the ejecta expand. Below a cut-off wavelength metal lines take light away as a power law.

Sources of the numbers: rates Frohmaier et al. 2019 (Ia), Li et al. 2011 and Frohmaier et al. 2021 (core
collapse, superluminous); luminosities Richardson et al. 2014 (AJ 147, 118) and Scolnic & Kessler 2016 (Ia);
shapes of Ia Phillips 1993 and Riess et al. 1999 (rise), II Anderson et al. 2014, Ibc Drout et al. 2011 and
Taddia et al. 2018, IIn Nyholm et al. 2020, superluminous De Cia et al. 2018 and Inserra et al. 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, blackbody_log_ratio, luminosity_flux

from ._base import Extragalactic, Parameters, Place

__all__ = ["SUPERNOVAE", "Supernova"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Supernova(Extragalactic):
    """One type of supernova.

    Attributes
    ----------
    magnitude, spread
        Mean and standard deviation of the absolute AB magnitude at peak at `reference_nm`.
    rise, rise_spread
        Days from explosion to peak and its scatter in ln.
    fall, tail_fraction, tail
        After peak the light is a Gaussian of width `fall` days with a tail of e-folding `tail` days that
        holds `tail_fraction` of the peak.
    plateau, plateau_slope, plateau_drop
        If `plateau` > 0 the light falls by `plateau_slope` mag/day for so many days, then by `plateau_drop`
        mag.
    hot, warm, cooling, hottest
        Colour temperature: `hot` K at peak, `warm` K late, e-folding days between them, and its limit before
        peak.
    cutoff_nm, cutoff_power
        Below the cut-off the flux falls as (wavelength / cutoff)^power.
    second_peak
        Height of the second maximum redward of 700 nm (of Ia: Hamuy et al. 1996).
    """

    reference_nm: float = 440.0
    magnitude: float
    spread: float
    rise: float
    rise_spread: float = 0.15
    fall: float = 12.0
    tail_fraction: float = 0.1
    tail: float = 60.0
    plateau: float = 0.0
    plateau_slope: float = 0.0
    plateau_drop: float = 0.0
    hot: float
    warm: float
    cooling: float
    hottest: float = 25_000.0
    cutoff_nm: float = 350.0
    cutoff_power: float = 3.0
    second_peak: float = 0.0
    brighter_slower: float = 0.0
    dust_mean: float = 0.0

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Redshift, time of peak, stretch, absolute magnitude, host reddening E(B-V), temperature factor."""
        p = self.draw_events(rng, n, place)
        stretch = np.clip(1.0 + self.rise_spread * rng.standard_normal(n), 0.6, 1.6)
        magnitude = self.magnitude + self.spread * rng.standard_normal(n)
        # Brighter ones are slower: alpha x1 of Ia (Phillips 1993; Scolnic & Kessler 2016).
        p["absoluteMagnitude"] = magnitude - self.brighter_slower * (stretch - 1.0)
        p["stretch"] = stretch
        p["hostReddening"] = rng.exponential(self.dust_mean, n) if self.dust_mean else np.zeros(n)
        p["temperatureFactor"] = np.exp(0.08 * rng.standard_normal(n))
        p["plateau"] = self.plateau * np.exp(0.2 * rng.standard_normal(n))
        return p

    def shape(self, days: Float64, plateau: Float64) -> Float64:
        """Flux at `reference_nm` relative to peak, `days` from peak in the rest frame, not stretched."""
        fraction = np.clip(-days / self.rise, 0.0, 1.0)
        # Quadratic in time since explosion, as fireballs are (Riess et al. 1999), and flat at peak.
        early = (1.0 - fraction**2) ** 2
        late = np.maximum(days, 0.0)
        if self.plateau > 0.0:
            drop = self.plateau_drop / (1.0 + np.exp(-(late - plateau) / 5.0))
            start = self.plateau_drop / (1.0 + np.exp(plateau / 5.0))
            slope = np.where(late < plateau, self.plateau_slope * late, self.plateau_slope * plateau)
            # After the plateau 56Co powers the light: 0.98 mag in 100 days.
            magnitude = slope + drop - start + 0.0098 * np.maximum(late - plateau, 0.0)
            decline = 10.0 ** (-0.4 * magnitude)
        else:
            gaussian = np.exp(-0.5 * (late / self.fall) ** 2)
            decline = (1.0 - self.tail_fraction) * gaussian + self.tail_fraction * np.exp(-late / self.tail)
        return np.asarray(np.where(days < 0.0, early, decline), np.float64)

    def temperature(self, days: Float64) -> Float64:
        """Colour temperature, K, `days` from peak."""
        cooling = (self.hot - self.warm) * np.exp(-np.maximum(days, -3.0 * self.cooling) / self.cooling)
        return np.asarray(np.minimum(self.warm + cooling, self.hottest), np.float64)

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        z = p["redshift"][row]
        rest = WAVELENGTH_NM[band] / (1.0 + z)
        days = (mjd - p["mjd0"][row]) / ((1.0 + z) * p["stretch"][row])
        temperature = self.temperature(days) * p["temperatureFactor"][row]
        colour = blackbody_log_ratio(rest, self.reference_nm, temperature)
        lines = self.cutoff_power * np.log10(np.minimum(rest / self.cutoff_nm, 1.0))
        lines -= self.cutoff_power * np.log10(min(self.reference_nm / self.cutoff_nm, 1.0))
        # Dust of the host, A ~ 1 / wavelength with R_V = 3.1.
        dust = -0.4 * 3.1 * p["hostReddening"][row] * (550.0 / rest)
        relative = self.shape(days, p["plateau"][row]) * 10.0 ** (colour + lines + dust)
        if self.second_peak:
            red = np.clip((rest - 600.0) / 150.0, 0.0, 1.0)
            relative *= 1.0 + self.second_peak * red * np.exp(-0.5 * ((days - 24.5) / 4.3) ** 2)
        return luminosity_flux(p["absoluteMagnitude"][row], z) * relative


SUPERNOVAE = (
    Supernova(
        name="SN Ia", rate=2.4e-5, evolution=1.5, z_max=0.9, before=18, after=130,
        magnitude=-19.35, spread=0.12, brighter_slower=1.2, dust_mean=0.06,
        rise=17.5, rise_spread=0.10, fall=9.9, tail_fraction=0.10, tail=60.0,
        hot=11_500, warm=4_500, cooling=11.0, hottest=14_000, cutoff_nm=380.0, cutoff_power=4.0,
        second_peak=1.5,
    ),
    Supernova(
        name="SN Ibc", rate=2.6e-5, evolution=2.5, z_max=0.45, before=22, after=130,
        reference_nm=600.0, magnitude=-17.7, spread=0.8, dust_mean=0.15,
        rise=18.0, rise_spread=0.2, fall=13.0, tail_fraction=0.14, tail=75.0,
        hot=7_500, warm=4_300, cooling=12.0, hottest=12_000, cutoff_nm=400.0, cutoff_power=4.0,
    ),
    Supernova(
        name="SN II", rate=5.5e-5, evolution=2.5, z_max=0.40, before=12, after=220,
        reference_nm=640.0, magnitude=-16.9, spread=0.9, dust_mean=0.10,
        rise=10.0, rise_spread=0.2, plateau=95.0, plateau_slope=0.005, plateau_drop=1.9,
        hot=12_000, warm=5_200, cooling=17.0, hottest=20_000, cutoff_nm=360.0, cutoff_power=3.0,
    ),
    Supernova(
        name="SN IIn", rate=5.0e-6, evolution=2.5, z_max=0.7, before=35, after=300,
        magnitude=-18.6, spread=1.0, dust_mean=0.08,
        rise=22.0, rise_spread=0.35, fall=30.0, tail_fraction=0.45, tail=90.0,
        hot=12_500, warm=6_500, cooling=45.0, hottest=16_000, cutoff_nm=300.0, cutoff_power=2.0,
    ),
    Supernova(
        name="SLSN", rate=3.5e-8, evolution=2.0, z_max=2.2, boost=3.0, before=65, after=260,
        host_luminosity=0.08,
        magnitude=-21.5, spread=0.6, dust_mean=0.03,
        rise=35.0, rise_spread=0.35, fall=32.0, tail_fraction=0.25, tail=70.0,
        hot=15_000, warm=6_500, cooling=35.0, hottest=22_000, cutoff_nm=280.0, cutoff_power=2.0,
    ),
)  # fmt: skip
"""The types of supernova, from frequent to rare."""
