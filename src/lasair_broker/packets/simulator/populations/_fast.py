"""Fast and rare events outside our galaxy: kilonovae, gamma-ray burst afterglows and tidal disruptions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._cosmology import luminosity_distance_mpc
from lasair_broker.packets.simulator._spectra import WAVELENGTH_NM, ab_flux, blackbody_flux

from ._base import Extragalactic, Parameters, Place, Situation

__all__ = ["FAST", "Afterglow", "Kilonova", "TidalDisruption"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Kilonova(Extragalactic):
    """Neutron star mergers: two expanding, cooling components, scaled about AT2017gfo.

    Luminosity and temperature follow Drout et al. 2017 (Science 358, 1570): L falls as t^-0.85 in the first
    day and a half, later as t^-1.33, T as t^-0.5 to a floor near 2,500 K where lanthanides recombine. Rate:
    320 Gpc^-3 yr^-1 (Abbott et al. 2021, ApJL 913, L7). ``mjd0`` is the merger.
    """

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Redshift, merger time, luminosity at one day (erg/s), temperature at one day (K), fraction of red
        ejecta."""
        p = self.draw_events(rng, n, place)
        p["logLuminosity"] = 41.75 + 0.35 * rng.standard_normal(n)
        p["temperature"] = 6_100.0 * np.exp(0.2 * rng.standard_normal(n))
        p["redFraction"] = np.clip(0.3 + 0.1 * rng.standard_normal(n), 0.02, 0.6)
        return p

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        z = p["redshift"][row]
        days = np.maximum((mjd - p["mjd0"][row]) / (1.0 + z), 0.02)
        total = 10.0 ** p["logLuminosity"][row]
        rise = 1.0 - np.exp(-((days / 0.3) ** 1.5))
        blue = rise * np.minimum(days**-0.85, 1.5 ** (1.33 - 0.85) * days**-1.33)
        red = (1.0 - np.exp(-((days / 1.5) ** 2))) * (0.5 + days / 3.0) ** -1.5
        wavelength = WAVELENGTH_NM[band]
        hot = np.maximum(p["temperature"][row] * days**-0.5, 2_500.0)
        cool = np.maximum(3_400.0 * days**-0.2, 2_200.0)
        share = p["redFraction"][row]
        flux = blackbody_flux(total * (1.0 - share) * blue, hot, z, wavelength)
        flux += blackbody_flux(total * share * red, cool, z, wavelength)
        return np.where(mjd > p["mjd0"][row], flux, 0.0)


@dataclass(frozen=True, kw_only=True)
class Afterglow(Extragalactic):
    """Afterglows of gamma-ray bursts: synchrotron power laws in time and frequency.

    On-axis: flux falls as t^-1 and, after the jet break, as t^-2.2 (Kann et al. 2010, ApJ 720, 1513, whose
    spread of magnitudes at one day at z = 1 is used: R = 19.9 +- 1.6). Off-axis (orphan): it rises as t^2.5
    until the beam reaches us, then falls as t^-2.2, fainter the later (Rossi, Perna & Daigne 2008). Slope
    nu^-0.8. ``mjd0`` is the burst. Rate: 1.3 Gpc^-3 yr^-1 towards us (Wanderman & Piran 2010), twenty times
    as many off-axis.
    """

    off_axis: bool = False

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Redshift, burst time, AB magnitude in r if at z = 1 (at one day; of an orphan at its peak), time of
        the break or peak (rest days), slope of the spectrum."""
        p = self.draw_events(rng, n, place)
        if self.off_axis:
            p["breakDays"] = 10.0 ** (0.6 + 0.45 * rng.standard_normal(n))
            p["magnitude"] = 20.5 + 1.6 * rng.standard_normal(n) + 5.0 * np.log10(p["breakDays"])
        else:
            p["breakDays"] = 10.0 ** (0.2 + 0.3 * rng.standard_normal(n))
            p["magnitude"] = 19.9 + 1.6 * rng.standard_normal(n)
        p["spectralSlope"] = 0.8 + 0.1 * rng.standard_normal(n)
        return p

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        z = p["redshift"][row]
        days = np.maximum((mjd - p["mjd0"][row]) / (1.0 + z), 1e-3)
        x = days / p["breakDays"][row]
        first, last = (2.5, -2.2) if self.off_axis else (-1.0, -2.2)
        # A smoothly broken power law (Beuermann et al. 1999, A&A 352, L26).
        sharp = 2.0
        time = (x ** (-sharp * first) + x ** (-sharp * last)) ** (-1.0 / sharp)
        if not self.off_axis:
            # Normalised at one day; before five minutes it is still rising.
            one = 1.0 / p["breakDays"][row]
            time /= (one ** (-sharp * first) + one ** (-sharp * last)) ** (-1.0 / sharp)
            time *= 1.0 - np.exp(-((days / 0.003) ** 2))
        spectrum = (WAVELENGTH_NM[band] / WAVELENGTH_NM[2]) ** p["spectralSlope"][row]
        # Lyman alpha absorption beyond z ~ 2.
        blanket = np.where(WAVELENGTH_NM[band] < 121.6 * (1.0 + z), 0.15, 1.0)
        distance = ((1.0 + z) / 2.0) ** (1.0 - p["spectralSlope"][row]) * _relative_dimming(z)
        flux = ab_flux(p["magnitude"][row]) * time * spectrum * blanket * distance
        return np.where(mjd > p["mjd0"][row], flux, 0.0)


def _relative_dimming(z: Float64) -> Float64:
    """Inverse square of the luminosity distance relative to z = 1."""
    return np.asarray((luminosity_distance_mpc(1.0) / luminosity_distance_mpc(z)) ** 2, np.float64)


@dataclass(frozen=True, kw_only=True)
class TidalDisruption(Extragalactic):
    """Stars torn apart by the black hole of a galaxy: a hot black body of constant temperature.

    A Gaussian rise of 10 to 40 days, then (1 + t / t0)^-5/3 (van Velzen et al. 2021, ApJ 908, 4; Rees 1988);
    peak luminosities by the steep function of Yao et al. 2023 (ApJL 955, L6), rate 3e-7 Mpc^-3 yr^-1 above
    1e43 erg/s. ``mjd0`` is the peak.
    """

    situation: Situation = Situation.NUCLEUS

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Redshift, peak time, log10 luminosity (erg/s), temperature (K), rise and fall (rest days)."""
        p = self.draw_events(rng, n, place)
        # dN/dL ~ L^-1.4 per ln L above 10^43.3.
        p["logLuminosity"] = np.minimum(43.3 + rng.exponential(1.0 / (1.4 * np.log(10.0)), n), 45.2)
        p["temperature"] = 10.0 ** np.clip(4.35 + 0.12 * rng.standard_normal(n), 4.08, 4.65)
        p["rise"] = 18.0 * np.exp(0.35 * rng.standard_normal(n))
        p["fall"] = 45.0 * np.exp(0.35 * rng.standard_normal(n))
        return p

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy."""
        z = p["redshift"][row]
        days = (mjd - p["mjd0"][row]) / (1.0 + z)
        before = np.exp(-0.5 * np.minimum(days / (0.6 * p["rise"][row]), 0.0) ** 2)
        after = (1.0 + np.maximum(days, 0.0) / p["fall"][row]) ** (-5.0 / 3.0)
        luminosity = 10.0 ** p["logLuminosity"][row] * before * after
        return blackbody_flux(luminosity, p["temperature"][row], z, WAVELENGTH_NM[band])


FAST = (
    Kilonova(
        name="kilonova",
        rate=3.2e-7,
        evolution=1.0,
        z_max=0.13,
        boost=1000.0,
        before=0.5,
        after=20,
        offset_scale=2.0,
    ),
    Afterglow(
        name="GRB afterglow",
        rate=1.3e-9,
        evolution=2.1,
        z_max=4.0,
        boost=60.0,
        before=0.1,
        after=12,
        host_luminosity=0.25,
    ),
    Afterglow(
        name="orphan afterglow",
        rate=2.6e-8,
        evolution=2.1,
        z_max=1.5,
        boost=15.0,
        before=0.5,
        after=50,
        off_axis=True,
        host_luminosity=0.25,
    ),
    TidalDisruption(name="TDE", rate=3.0e-7, evolution=-1.0, z_max=0.7, boost=5.0, before=60, after=350),
)
"""The fast and the rare."""
