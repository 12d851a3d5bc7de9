"""Galaxies: hosts of events and nuclei, and those in the background of a field.

Luminosities: Schechter 1976 function with M*_r = -21.2 and slope -1.1 (Blanton et al. 2003, ApJ 592, 819),
for hosts weighted by light. Sizes: Shen et al. 2003 (MNRAS 343, 978). Events lie as the light does, an
exponential disc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._cosmology import draw_redshifts, luminosity_distance_mpc
from lasair_broker.packets.simulator._spectra import (
    WAVELENGTH_NM,
    ab_magnitude,
    blackbody_log_ratio,
    luminosity_flux,
)

__all__ = ["Galaxies", "background_galaxies", "host_galaxies", "light_profile_offsets", "psf_flux_at"]

Float64 = npt.NDArray[np.float64]

_M_STAR, _SLOPE = -21.2, -1.1
_PSF_SIGMA_ARCSEC = 0.85 / 2.3548
_DISC_SCALES = 1.678
"""Half-light radius of an exponential disc in scale lengths."""


@dataclass(frozen=True, slots=True)
class Galaxies:
    """Galaxies as columns.

    Attributes
    ----------
    redshift
        Redshift.
    flux
        Total flux in ugrizy without dust, nJy, shape (n, 6).
    radius
        Half-light radius along the major axis, arcsec.
    axis_ratio, position_angle
        Minor over major axis; degrees east of north of the major axis.
    blue
        Share of young stars in the light at 620 nm, 0 to 1.
    """

    redshift: Float64
    flux: Float64
    radius: Float64
    axis_ratio: Float64
    position_angle: Float64
    blue: Float64

    def __len__(self) -> int:
        return len(self.redshift)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Galaxies:
        """Some of the galaxies."""
        return Galaxies(**{name: getattr(self, name)[rows] for name in self.__slots__})

    @staticmethod
    def joined(parts: list[Galaxies]) -> Galaxies:
        """Galaxies of several sets, one after the other."""
        return Galaxies(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in Galaxies.__slots__}
        )


def _galaxies(rng: np.random.Generator, redshift: Float64, relative: Float64) -> Galaxies:
    """Galaxies of luminosity `relative` to L* at `redshift`."""
    n = len(redshift)
    magnitude = _M_STAR - 2.5 * np.log10(np.maximum(relative, 1e-4))
    blue = np.clip(
        0.75 - 0.12 * np.log10(relative) - 0.25 * rng.random(n) - 0.35 * (rng.random(n) < 0.35), 0.02, 0.98
    )
    rest = WAVELENGTH_NM[None, :] / (1.0 + redshift[:, None])
    # Old stars: a 4400 K black body with the 400 nm break; young ones: flat in f_nu but for Lyman alpha.
    old = (
        10.0 ** blackbody_log_ratio(rest, 620.0, np.full_like(rest, 4400.0))
        * np.minimum(rest / 400.0, 1.0) ** 2.5
    )
    young = (rest / 620.0) ** 0.3 * np.where(rest < 121.6, 0.05, 1.0)
    spectrum = (1.0 - blue[:, None]) * old + blue[:, None] * young
    flux = luminosity_flux(magnitude[:, None], np.maximum(redshift, 1e-4)[:, None]) * spectrum
    kiloparsec = 4.2 * np.minimum(relative, 10.0) ** 0.35 * np.exp(0.25 * rng.standard_normal(n))
    angular = luminosity_distance_mpc(redshift) / (1.0 + redshift) ** 2 * 1e3
    return Galaxies(
        redshift=redshift,
        flux=flux,
        radius=np.clip(kiloparsec / np.maximum(angular, 1.0) * 206264.806, 0.08, 60.0),
        axis_ratio=0.2 + 0.8 * rng.random(n) ** 0.8,
        position_angle=180.0 * rng.random(n),
        blue=blue,
    )


def host_galaxies(rng: np.random.Generator, redshift: Float64, luminosity: float = 1.0) -> Galaxies:
    """A host for each redshift; the chance of a galaxy is in proportion to its light, scaled by
    `luminosity`."""
    return _galaxies(
        rng, redshift, luminosity * np.maximum(rng.gamma(_SLOPE + 2.0, 1.0, len(redshift)), 5e-3)
    )


def background_galaxies(rng: np.random.Generator, n: int, faintest: float) -> Galaxies:
    """About `n` galaxies brighter than AB magnitude `faintest` in i, with the redshifts such a sample has."""
    parts: list[Galaxies] = []
    found = 0
    while found < n:
        z = draw_redshifts(rng, 4 * n + 64, 1.0, 1.4, 0.005)
        # Schechter's function above 0.03 L*: a gamma distribution of index slope + 1 there, by rejection.
        relative = 0.03 + rng.exponential(1.0, len(z))
        kept = rng.random(len(z)) < (relative / 0.03) ** _SLOPE * 4.0
        drawn = _galaxies(rng, z[kept], relative[kept])
        bright = drawn.take(ab_magnitude(drawn.flux[:, 3]) < faintest)
        parts.append(bright)
        found += len(bright)
    return Galaxies.joined(parts).take(np.arange(n))


def light_profile_offsets(
    rng: np.random.Generator, galaxies: Galaxies, scale: float
) -> tuple[Float64, Float64]:
    """Offsets (east, north) in arcsec of one event in each galaxy, where its light is; `scale` stretches
    them."""
    n = len(galaxies)
    radius = scale * galaxies.radius / _DISC_SCALES * rng.gamma(2.0, 1.0, n)
    angle = 2.0 * np.pi * rng.random(n)
    major, minor = radius * np.cos(angle), radius * np.sin(angle) * galaxies.axis_ratio
    pa = np.radians(galaxies.position_angle)
    return major * np.sin(pa) + minor * np.cos(pa), major * np.cos(pa) - minor * np.sin(pa)


def psf_flux_at(galaxies: Galaxies, east: Float64, north: Float64) -> Float64:
    """The galaxy's light (nJy, ugrizy) within a PSF at an offset in arcsec: what forced photometry there
    finds."""
    pa = np.radians(galaxies.position_angle)
    major = east * np.sin(pa) + north * np.cos(pa)
    minor = (east * np.cos(pa) - north * np.sin(pa)) / galaxies.axis_ratio
    scale = galaxies.radius / _DISC_SCALES
    radius = np.sqrt(major**2 + minor**2 + _PSF_SIGMA_ARCSEC**2)
    surface = np.exp(-radius / scale) / (2.0 * np.pi * galaxies.axis_ratio * scale**2)
    share = np.minimum(surface * 4.0 * np.pi * _PSF_SIGMA_ARCSEC**2, 0.9)
    return np.asarray(galaxies.flux * share[:, None], np.float64)
